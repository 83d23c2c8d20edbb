"""Faces that a thread optimises: towards photographs, or towards dragged points.

photo_fit     *New from photo*: the faces of photographs, and the fit to them in a thread
hand_framing  a photograph's framing by hand: marks of eyes and mouth
dragging      *Drag points*: points on the face, and the face that follows
"""
