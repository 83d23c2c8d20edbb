"""Picture and mesh, the mouse's gestures, and what lies over and under them.

viewport    picture and mesh under one camera; the mouse's gestures
drag_marks  the points of *Drag points*: drawn, put, taken, pinned and removed
overlay     cards for loading and errors over the viewport, and toasts
toolbar     view modes, split and camera presets under the viewport
"""
