"""A trained generator: its architecture, its weights, and where weights come from.

model         Model: a generator with its mean latents and directions, ready to draw
tuning        a small file of changes to a model's layers of colour, used as a model
model_zoo     a model's name, file or run folder -> a weights file
download      published weights from the network, resumed and verified
checkpoints/  weights files: ours and published ones, read as tensors only
latents/      latent codes and the axes along which they are edited
landmarks     landmarks of the face as linear functions of z, for models of named latents
poses         the cameras that a model was trained with
networks/     mapping, FiLM-SIREN field, decoder, discriminators as torch modules
config        GeneratorConfig and RenderOptions
"""
