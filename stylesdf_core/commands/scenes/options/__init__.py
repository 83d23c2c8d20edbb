"""Options that several commands share, and what each option does to a scene.

scene_flags  a scene as command-line flags, and back
rendering    any view of a scene as a picture, meshes included
backgrounds  what a written picture shows behind the head
assets       meshes as assets: triangles, textures, levels of detail, units, a base
"""
