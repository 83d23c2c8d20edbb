"""Scene: all that a picture depends on, as one frozen value, and the files that carry a scene.

scene          the dataclass Scene, to and from JSON
session_files  the scene's JSON in session files and inside PNG, GIF, GLB, OBJ, PLY and 3MF files
"""
