"""Space behind the volume, outside a sphere around it: places by direction and inverse radius.

This is NeRF++'s inverted sphere (Zhang et al. 2020): of a point at distance r from the origin, its
direction and R/r are bounded coordinates, for a sphere of radius R. A ray that leaves the sphere
runs through R/r = 1 … 0; at 0, at infinity, the direction is the ray's own.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from stylesdf_core.rendering.camera import VOLUME_RADIUS

#: R: the sphere around the cube that holds everything rendered, world units. It also holds the
#: views of training cameras from near to far.
SPHERE_RADIUS = math.sqrt(3.0) * VOLUME_RADIUS
#: Length of the coordinates of a place: the direction's three, and R/r.
COORDINATES = 4


def inverse_radii(samples: int, like: Tensor) -> Tensor:
    """R/r of the samples of a ray, (N,): evenly from 1, on the sphere, to 0, at infinity."""
    return torch.linspace(1.0, 0.0, samples, device=like.device).to(like.dtype)


def inverted_points(origins: Tensor, directions: Tensor, inverse: Tensor) -> Tensor:
    """Where rays leave the spheres of radii R/``inverse``: (…, N, 4), unit direction and R/r.

    A ray that misses the sphere begins where it is nearest to the origin: its r are larger by the
    ratio of its least distance b to R.

    Args:
        origins, directions: (…, 3), world; directions of any length.
        inverse: (N,) in [0, 1].
    """
    ray = directions / directions.norm(dim=-1, keepdim=True)
    nearest = origins - (origins * ray).sum(dim=-1, keepdim=True) * ray  # to the origin
    squared = nearest.square().sum(dim=-1, keepdim=True)  # b²
    over_r = inverse / squared.sqrt().clamp_min(SPHERE_RADIUS)  # 1/r, (…, N)
    along = (1.0 - squared * over_r.square()).clamp_min(0.0).sqrt()
    place = nearest[..., None, :] * over_r[..., None] + ray[..., None, :] * along[..., None]
    return torch.cat([place, SPHERE_RADIUS * over_r[..., None]], dim=-1)
