"""Batches of cameras and the rays through their pixels, as tensors: the step after the camera.

Frames and units are those of :mod:`stylesdf_core.rendering.camera`; volume_rendering.py places
samples along the rays.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Rays:
    """One ray per pixel of a batch of cameras.

    Attributes:
        origins: (B, H, W, 3), world.
        directions: (B, H, W, 3), world, scaled so that t is planar depth (not unit length).
        viewdirs: (B, H, W, 3), unit length, inputs of the network's view layer.
    """

    origins: Tensor
    directions: Tensor
    viewdirs: Tensor


def camera_locations(azimuth: Tensor, elevation: Tensor) -> Tensor:
    """Positions on the unit sphere, (B, 3): (cos e·sin a, sin e, cos e·cos a)."""
    cos_elevation = torch.cos(elevation)
    return torch.stack(
        [
            cos_elevation * torch.sin(azimuth),
            torch.sin(elevation),
            cos_elevation * torch.cos(azimuth),
        ],
        dim=-1,
    )


def cam2world(azimuth: Tensor, elevation: Tensor) -> Tensor:
    """Camera-to-world matrices [R|t], (B, 3, 4), of cameras that look at the origin.

    Args:
        azimuth, elevation: (B,), radians.
    """
    location = camera_locations(azimuth, elevation)  # (B, 3)
    backward = location  # the camera looks along −z, hence its +z points away from the origin
    zero = torch.zeros_like(azimuth)
    right = torch.stack([torch.cos(azimuth), zero, -torch.sin(azimuth)], dim=-1)
    up = torch.linalg.cross(backward, right)
    return torch.stack([right, up, backward, location], dim=-1)


def ray_directions(
    resolution: int, focal: float | Tensor, like: Tensor, patches: Tensor | None = None
) -> Tensor:
    """Directions through pixel centres in the camera frame, (H, W, 3), with z = −1.

    ((x − W/2)/f, −(y − H/2)/f, −1) at pixel centres +0.5; ``like`` gives device and dtype.

    Args:
        patches: (B, 3), see :func:`make_rays`; the directions are (B, H, W, 3) then.
    """
    centres = torch.arange(resolution, device=like.device, dtype=like.dtype) + 0.5
    offset = (centres - 0.5 * resolution) / focal
    if patches is not None:
        half = 0.5 * resolution / focal
        across, down, scale = patches[:, :, None].unbind(dim=1)
        x = (scale * offset + half * across)[:, None, :].expand(-1, resolution, -1)
        y = -(scale * offset + half * down)[:, :, None].expand(-1, -1, resolution)
        return torch.stack([x, y, -torch.ones_like(x)], dim=-1)
    y, x = torch.meshgrid(-offset, offset, indexing="ij")
    return torch.stack([x, y, -torch.ones_like(x)], dim=-1)


def make_rays(
    cam2world: Tensor,
    focal: float | Tensor,
    resolution: int,
    *,
    static_viewdirs: bool = True,
    trained_fov: float | None = None,
    patches: Tensor | None = None,
) -> Rays:
    """Rays of square images from a batch of cameras.

    Args:
        cam2world: (B, 3, 4).
        focal: pixels, at ``resolution``; a number, or a tensor without axes.
        static_viewdirs: give the network the view direction in the *camera's* frame, so that
            it does not change while orbiting (test time); otherwise the world's (training).
        trained_fov: half opening angle, degrees; view directions beyond it become those at the
            border of the trained view. None to give all directions as they are.
        patches: (B, 3), the part of each picture whose pixels the rays belong to: x to the right
            and y down of its centre, −1 to 1 across the picture, and its share of the picture's
            edge. (0, 0, 1) is the whole picture; None for whole pictures.
    """
    camera_dirs = ray_directions(resolution, focal, cam2world, patches)  # (H, W, 3)
    rotation, location = cam2world[:, :, :3], cam2world[:, :, 3]
    turned = "bij,hwj->bhwi" if patches is None else "bij,bhwj->bhwi"
    directions = torch.einsum(turned, rotation, camera_dirs)
    origins = location[:, None, None, :].expand_as(directions)
    seen = camera_dirs
    if trained_fov is not None:
        slope = math.tan(math.radians(trained_fov))
        seen = torch.cat([camera_dirs[..., :2].clamp(-slope, slope), camera_dirs[..., 2:]], dim=-1)
    if static_viewdirs:
        viewdirs = seen.expand_as(directions)
    else:
        viewdirs = torch.einsum(turned, rotation, seen)
    viewdirs = viewdirs / viewdirs.norm(dim=-1, keepdim=True)
    return Rays(origins, directions, viewdirs)
