"""Meshes for games and print: fewer triangles, charts of a texture, normal maps, a base.

fields      a surface as functions of points; a base for printing
simplify    a mesh with fewer triangles, and its charts
atlas       UV coordinates by xatlas, in a process of its own
texels      triangles drawn into a picture with NumPy; gaps of textures
tangents    MikkTSpace frames and normal maps
visibility  which points a camera sees, for colours taken from pictures
libraries   the libraries of the extra ``asset``
"""
