"""Latent codes, their means, and the axes along which faces are edited.

latents               seed -> z, interpolation, directions as axes of z, w and the decoder's w
mean_latents          mean latents, computed or stored beside the weights
principal_directions  finds directions of a model that names none
direction_files       a model's directions in a file beside its weights
"""
