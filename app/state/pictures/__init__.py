"""What the workers compute for the three tabs, and when it is asked for.

screen         Explore: the newest picture and mesh; asks the workers for finer ones
idle_pictures  Explore: keyframes and the second face, while nothing else is computed
comparison     Compare: two scenes and views under one camera
contact_sheet  Sheet: an endless page of faces, filled while nothing else is computed
"""
