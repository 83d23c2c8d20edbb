"""Losses as modules, which DDP can wrap, and whose terms are computed a chunk at a time.

volume         of volume renders: adversarial, pose, eikonal, minimal surface; the sphere
image          of decoded images: adversarial, path length
discriminator  of both discriminators: logistic, pose, R1
"""
