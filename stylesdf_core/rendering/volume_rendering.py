"""Volume rendering of a signed distance or density field, as pure functions (paper, Eq. 3).

From rays to colours: depths of samples along each ray, the field's values there (computed by the
caller: no function here knows a network), density (Eq. 3), weights, and sums of colour and features
along the ray. Rays are (…, 3), values of samples (…, N) for N samples along a ray.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from stylesdf_core.rendering.camera import FAR, NEAR

#: Density at the surface of a density field: half the light is lost within one of 24 samples.
SURFACE_SIGMA = math.log(2.0) / ((FAR - NEAR) / 24)


@dataclass(frozen=True)
class Behind:
    """What rays see behind the volume, where nothing is in front.

    Attributes:
        rgb: (…, 3) in [0, 1].
        features: (…, C).
    """

    rgb: Tensor
    features: Tensor


@dataclass(frozen=True)
class Composite:
    """The sums along each ray.

    Attributes:
        rgb: (…, 3) in [−1, 1].
        features: (…, C).
        xyz: (…, 3), expected point, world.
        depth: (…), expected planar depth of the samples in front of the background.
        mask: (…), weight of the background: of the last sample, or of what is behind all samples.
        weights: (…, N).
    """

    rgb: Tensor
    features: Tensor
    xyz: Tensor
    depth: Tensor
    mask: Tensor
    weights: Tensor


def sample_depths(samples: int, like: Tensor, jitter: Tensor | None = None) -> Tensor:
    """Planar depths t of the samples, (…, N): near·(1 − s) + far·s at s = 0, 1/N, … 1 − 1/N.

    Args:
        jitter: (…, 1) in [0, 1), one offset a ray shared by its samples ("offset sampling"),
            as a fraction of the sample spacing; None for none (test time).
    """
    fraction = torch.linspace(0.0, 1.0 - 1.0 / samples, samples, device=like.device)
    fraction = fraction.to(like.dtype)
    depths = NEAR * (1.0 - fraction) + FAR * fraction
    if jitter is not None:
        depths = depths + jitter * ((FAR - NEAR) / samples)
    return depths


def sample_points(origins: Tensor, directions: Tensor, t_vals: Tensor) -> Tensor:
    """World points o + t·d, (…, N, 3), for rays (…, 3) and depths (N,) or (…, N)."""
    return origins[..., None, :] + directions[..., None, :] * t_vals[..., None]


def sample_distances(t_vals: Tensor, directions: Tensor, *, endless: bool = True) -> Tensor:
    """Length δ of each sample's interval along its ray, (…, N).

    Args:
        endless: the last is 1e10, so that nothing can be seen behind it; else it is as long as the
            one before.
    """
    gaps = t_vals[..., 1:] - t_vals[..., :-1]
    last = torch.full_like(gaps[..., :1], 1e10) if endless else gaps[..., -1:]
    gaps = torch.cat([gaps, last], dim=-1)
    length: Tensor = directions.norm(dim=-1, keepdim=True)
    return gaps * length


def sdf_to_sigma(sdf: Tensor, beta: Tensor | float) -> Tensor:
    """Density of a signed distance, σ = sigmoid(−d/β)/β (paper, Eq. 3)."""
    return torch.sigmoid(-sdf / beta) / beta


def density_to_sigma(raw: Tensor) -> Tensor:
    """Density of a NeRF/π-GAN-style field's raw output: softplus."""
    return F.softplus(raw)


def compositing_weights(
    sigma: Tensor, distances: Tensor, *, force_background: bool = False
) -> Tensor:
    """Weights α·T of the samples of each ray, (…, N).

    α = 1 − exp(−σ·δ); T is the exclusive product of 1 − α + 1e-10.

    Args:
        force_background: the last sample takes all the weight that the others leave.

    Example:
        A ray whose second of three samples is opaque: σδ = (0, ∞, ∞) gives (0, 1, 0).
    """
    alpha = 1.0 - torch.exp(-sigma * distances)
    through = torch.cumprod(1.0 - alpha + 1e-10, dim=-1)
    transmittance = torch.cat([torch.ones_like(through[..., :1]), through[..., :-1]], dim=-1)
    weights = alpha * transmittance
    if force_background:
        front = weights[..., :-1]
        weights = torch.cat([front, 1.0 - front.sum(dim=-1, keepdim=True)], dim=-1)
    return weights


def composite_behind(raw: Tensor, rgb: Tensor, features: Tensor) -> Behind:
    """Sums along rays through the inverted sphere; the last sample takes what the others leave.

    Args:
        raw: (…, N), densities before the softplus, by a unit of R/r.
        rgb: (…, N, 3), before the sigmoid.
        features: (…, N, C).
    """
    spacing = torch.full_like(raw, 1.0 / max(raw.shape[-1] - 1, 1))
    w = compositing_weights(density_to_sigma(raw), spacing, force_background=True)[..., None]
    return Behind((w * torch.sigmoid(rgb)).sum(dim=-2), (w * features).sum(dim=-2))


def composite(
    weights: Tensor,
    rgb: Tensor,
    features: Tensor,
    points: Tensor,
    t_vals: Tensor,
    behind: Behind | None = None,
) -> Composite:
    """Accumulate along rays: C = −1 + 2·Σ w·sigmoid(rgb), F = Σ w·f, xyz = Σ w·x.

    Args:
        weights: (…, N).
        rgb: (…, N, 3), before the sigmoid.
        features: (…, N, C).
        points: (…, N, 3), world.
        t_vals: (N,) or (…, N).
        behind: what is seen through the light that the samples leave, 1 − Σ w, with the last
            sample's point; None where the last sample is the background.
    """
    if behind is not None:
        return _in_front_of(behind, weights, rgb, features, points, t_vals)
    front = weights[..., :-1]
    # Depth belongs to the surface: without the background it would smear silhouettes.
    depth = (front * t_vals[..., :-1]).sum(dim=-1) / front.sum(dim=-1).clamp_min(1e-6)
    w = weights[..., None]
    return Composite(
        rgb=2.0 * (w * torch.sigmoid(rgb)).sum(dim=-2) - 1.0,
        features=(w * features).sum(dim=-2),
        xyz=(w * points).sum(dim=-2),
        depth=depth,
        mask=weights[..., -1],
        weights=weights,
    )


def _in_front_of(
    behind: Behind, weights: Tensor, rgb: Tensor, features: Tensor, points: Tensor, t_vals: Tensor
) -> Composite:
    total = weights.sum(dim=-1)
    through = (1.0 - total).clamp_min(0.0)
    w, share = weights[..., None], through[..., None]
    return Composite(
        rgb=2.0 * ((w * torch.sigmoid(rgb)).sum(dim=-2) + share * behind.rgb) - 1.0,
        features=(w * features).sum(dim=-2) + share * behind.features,
        xyz=(w * points).sum(dim=-2) + share * points[..., -1, :],
        depth=(weights * t_vals).sum(dim=-1) / total.clamp_min(1e-6),
        mask=through,
        weights=weights,
    )
