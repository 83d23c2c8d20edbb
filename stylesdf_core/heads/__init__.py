"""Synthetic heads: pictures of the ICT-FaceKit morphable model with hair, colours and light.

The pictures are rendered together with their exact depth and surface. From a head's latent to a
data set:

person/      from a latent to the mesh, hair and colours of one head
rasterizer/  pictures of a head, and the truth in every pixel, by OpenGL
workers      many heads in several processes
dataset      the data set on disk that the command ``heads`` writes
surfaces     coloured surface samples and signed distances that a fit learns from
shards       files of a hundred heads for the fit, written and read
fit/         the supervised training of a model on heads
measure/     a model of heads measured against their truth
"""
