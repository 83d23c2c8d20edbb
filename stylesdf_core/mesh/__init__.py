"""The surface of a signed distance field as triangles, and mesh files.

files/      OBJ, PLY, GLB, STL and 3MF files: their unit, axes, contents
assets/     meshes for games and print: fewer triangles, charts, normal maps, a base
preview     a mesh drawn by OpenGL under the studio's camera
surface     marching cubes on the grid, normals, colours, connected parts, a report
cuts        normals and colours where the bounds cut the surface open
sdf_grid    a field sampled on a grid, exactly wherever its surface can be
neighbours  pairs and largest values of neighbouring grid values
"""

#: Suffixes of the mesh formats; :mod:`.files.formats` writes them.
SUFFIXES = (".obj", ".ply", ".glb", ".stl", ".3mf")
#: Suffixes of the formats that have textures.
TEXTURED = (".obj", ".ply", ".glb", ".3mf")
