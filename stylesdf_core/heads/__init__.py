"""Synthetic heads: pictures of the ICT-FaceKit morphable model with hair, colours and light.

The pictures are rendered together with their exact depth and surface. From a head's latent to a
data set:

latent       what each number of a latent means; names and ranges of the sliders
face_model   the ICT-FaceKit morphable model, read from a clone or an .npz
anatomy      where lips, brows, eyes, beard and ears are on the neutral mesh
appearance   from a latent's attributes to expression, hair style, colours and light
hair         the shell around the skull that shows the hair
posing       one latent's mesh: identity, expression and hair, in world units
visibility   how much light reaches each vertex, computed once
shaders      the GLSL that colours a head
renderer     pictures and per-pixel truth (G-buffers) by OpenGL
backdrops    backgrounds for the data set, drawn at random, which turn with the camera
workers      many heads in several processes
dataset      the data set on disk that the command ``heads`` writes
surfaces     coloured surface samples and signed distances that a fit learns from
shards       files of a hundred heads for the fit, written and read
fit/         the supervised training of a model on heads
measure/     a model of heads measured against their truth
"""
