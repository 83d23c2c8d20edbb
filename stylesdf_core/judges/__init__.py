"""Faces in pictures, found by networks that nobody here trained: boxes, landmarks, poses, crops.

Everything here works on one :class:`~.photo.Photo`, in its upright pixels: x to the right, y down,
the middle of the first pixel at (0.5, 0.5). "Left" and "right" are the viewer's.

    photo = open_photo(path)
    face = one_face(photo)
    picture = crop(photo, face.frame("heads"), 256)

photo          a photograph: opened, turned as its EXIF says, read in parts
finding        the faces of a photograph, or its one face; what to say where there is none
face           FoundFace: box, landmarks, pose, the frames of its crops
dlib_judge     the extra `judges`: faces, 68 landmarks and embeddings by dlib
cascade        the extra `eval`: faces and eyes by OpenCV's cascades, where dlib is missing
pose           azimuth, elevation and roll of a head, and its place, from landmarks
generic_face   the landmarks in space of the face that poses are measured against
aligning       loose photographs as training pictures, with tables of poses and of what is left out
framing        CropFrame: a square in a photograph, and the crop of it
"""
