"""The surface of a signed distance field as triangles, and mesh files.

sdf_grid    a field sampled on a grid, exactly wherever its surface can be
neighbours  pairs and largest values of neighbouring grid values
surface     marching cubes on that grid, normals, colours, connected parts, a report
fields      a surface as functions of points; a base for printing
simplify    a mesh with fewer triangles, and its charts
atlas       UV coordinates by xatlas, in a process of its own
texels      triangles drawn into a picture with NumPy; gaps of textures
tangents    MikkTSpace frames and normal maps
visibility  which points a camera sees, for colours taken from pictures
placement   unit, axes and name of a mesh in a file
formats     OBJ, PLY, GLB, STL and 3MF files, checked after writing
three_mf    the contents of 3MF files
preview     a mesh drawn by OpenGL under the studio's camera
libraries   the libraries of the extra ``asset``
"""

#: Suffixes of the mesh formats; :mod:`.formats` writes them.
SUFFIXES = (".obj", ".ply", ".glb", ".stl", ".3mf")
#: Suffixes of the formats that have textures.
TEXTURED = (".obj", ".ply", ".glb", ".3mf")
