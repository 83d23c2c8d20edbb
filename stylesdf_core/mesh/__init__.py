"""The surface of a signed distance field as triangles, and mesh files.

sdf_grid      which points of a grid must be evaluated to know the surface exactly
meshing       marching cubes, normals, colours, connected parts, a report
mesh_io       OBJ, PLY, GLB, STL: written, read back, with the session inside
mesh_preview  the mesh drawn by pyrender under the studio's camera
sessions      a Scene read back from a session file or any exported picture or mesh
"""
