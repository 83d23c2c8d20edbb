"""The surface of a signed distance field as triangles, and mesh files.

sdf_grid  a field sampled on a grid, exactly wherever its surface can be
surface   marching cubes on that grid, normals, colours, connected parts, a report
formats   OBJ, PLY, GLB and STL files, checked after writing
preview   a mesh drawn by OpenGL under the studio's camera
"""

#: Suffixes of the mesh formats; :mod:`.formats` writes them.
SUFFIXES = (".obj", ".ply", ".glb", ".stl")
