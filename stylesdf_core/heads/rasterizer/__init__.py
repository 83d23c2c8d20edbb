"""Pictures of a head, and the truth in every pixel, by OpenGL.

renderer    pictures and per-pixel truth (G-buffers) by OpenGL
shaders     the GLSL that colours a head
visibility  how much light reaches each vertex, computed once
backdrops   backgrounds for the data set, drawn at random, which turn with the camera
"""
