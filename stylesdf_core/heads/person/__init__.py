"""From a latent to one head: its mesh, hair and colours; plain NumPy, no OpenGL.

latent      what each number of a latent means; names and ranges of the sliders
face_model  the ICT-FaceKit morphable model, read from a clone or an .npz
anatomy     where lips, brows, eyes, beard and ears are on the neutral mesh
appearance  from a latent's attributes to expression, hair style, colours and light
hair        the shell around the skull that shows the hair
posing      one latent's mesh: identity, expression and hair, in world units
"""
