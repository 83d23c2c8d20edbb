"""What the workers compute for the three tabs, and when it is asked for.

screen             Explore: the newest picture and mesh; asks the workers for finer ones
keyframe_pictures  Explore: keyframes that were never on the screen, while nothing else is computed
comparison         Compare: two scenes and views under one camera
contact_sheet      Sheet: an endless page of faces, filled while nothing else is computed
"""
