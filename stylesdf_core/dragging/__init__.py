"""Drag a face into shape: the style changes until points of the surface lie at their targets.

drag      Drag: steps of the style that bring points to targets while the rest of the head stays
tracking  which point of the surface is the same point of the face after the style has changed
places    for the shipped model: where a point of a face lies on the neutral head
surface   the surface of a scene's face: points under a place of the picture, points all over it
pointing  from places of a picture to rays and planes of the world, and back
"""
