"""Scene: all that a picture depends on, as one frozen value; files; animation.

scene          the dataclass Scene, to and from JSON; the names of the views
animation      keyframes over scenes, and the scene at every time between them; their file
paths          ready-made animations: turntable, sway, ellipsoid, morph
offsets        what a fit to photographs adds to the styles, as text in a session
sheet          which scene stands in which cell of a contact sheet
session_files  the scene's JSON in session files and inside PNG, GIF, GLB, OBJ, PLY and 3MF files
"""
