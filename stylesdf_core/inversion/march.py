"""A volume render with gradients, which evaluates only the samples near the surface.

The sums are those of :mod:`stylesdf_core.rendering.volume_rendering` (Eq. 3). Distances at every
fourth sample, found without gradients and interpolated, say which samples of a ray can be seen;
only these, a handful, are evaluated with gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from stylesdf_core.engine.field.baked_field import BakedField
from stylesdf_core.rendering.volume_rendering import (
    compositing_weights,
    sample_depths,
    sample_distances,
    sample_points,
)

#: Samples from one whose distance is found without gradients to the next.
_STRIDE = 4
#: Weight, by the interpolated distances, from which a sample is evaluated with gradients.
_VISIBLE = 0.01
#: The same for samples that are found once.
_BARELY_VISIBLE = 0.001
#: Half width of the layer of samples around a surface, as a multiple of β.
SHARP = 3.0


def soft_render(
    field: BakedField,
    density: Callable[[Tensor], Tensor],
    rays: tuple[Tensor, Tensor, Tensor],
    samples: int,
    blur: float,
) -> Tensor:
    """The colours of rays, (R, 3) in [−1, 1].

    Gradients reach the rays and the styles that ``field`` was folded with.

    Args:
        density: from the field's scalar to σ.
        rays: origins, directions and view directions, (R, 3) each.
        samples: points a ray.
        blur: half the width, world units, around an interpolated surface in which samples are
            evaluated; at least β.
    """
    origins, directions, viewdirs = rays
    seen = _seen(field, density, rays, samples, blur, _VISIBLE)
    ray = seen.ray
    points = torch.addcmul(origins[ray], directions[ray], seen.depths[:, None])
    scalar, logits = field.differentiable(points, viewdirs[ray])
    share = seen.shares(density, scalar)[:, None]
    return 2.0 * torch.zeros_like(origins).index_add(0, ray, share * torch.sigmoid(logits)) - 1.0


@dataclass(frozen=True)
class SeenSamples:
    """The N samples that R rays see, without gradients.

    Attributes:
        trunk: (N, width), the trunk's outputs.
        ray: (N,), the ray of each sample, in ascending order.
        share: (N,), its weight; the weights of a ray add up to 1.
        viewdirs: (R, 3).
    """

    trunk: Tensor
    ray: Tensor
    share: Tensor
    viewdirs: Tensor

    def features(self, field: BakedField) -> Tensor:
        """The sums of the features, (R, width)."""
        each = field.shade(self.trunk, field.direction_terms(self.viewdirs), self.ray)
        sums = each.new_zeros(len(self.viewdirs), each.shape[1])
        return sums.index_add(0, self.ray, self.share[:, None] * each)


@torch.no_grad()
def seen_samples(
    field: BakedField,
    density: Callable[[Tensor], Tensor],
    rays: tuple[Tensor, Tensor, Tensor],
    samples: int,
    blur: float,
) -> SeenSamples:
    """The samples of a volume render, as exact as pictures on the screen.

    Args:
        density, rays, samples, blur: as of :func:`soft_render`.
    """
    origins, directions, viewdirs = rays
    seen = _seen(field, density, rays, samples, blur, _BARELY_VISIBLE)
    points = torch.addcmul(origins[seen.ray], directions[seen.ray], seen.depths[:, None])
    trunk = field.trunk_of_all(points)
    share = seen.shares(density, field.scalar_of(trunk))
    return SeenSamples(trunk, seen.ray, share, viewdirs)


@dataclass(frozen=True)
class _Seen:
    """Which samples of R rays of N samples can be seen.

    Attributes:
        ray, sample: (K,) each.
        depths: (K,), along their rays.
        scalars: (R, N), interpolated.
        distances: (R, N), see :func:`sample_distances`.
    """

    ray: Tensor
    sample: Tensor
    depths: Tensor
    scalars: Tensor
    distances: Tensor

    def shares(self, density: Callable[[Tensor], Tensor], scalar: Tensor) -> Tensor:
        """Weights (K,) of the samples, whose scalars are known now.

        The weights of a ray add up to 1: the few percent of samples left out go to the others.
        """
        scalars = self.scalars.index_put((self.ray, self.sample), scalar)
        weights = compositing_weights(density(scalars), self.distances, force_background=True)
        own = weights[self.ray, self.sample]
        total = torch.zeros_like(weights[:, 0]).index_add(0, self.ray, own)
        return own / total.clamp_min(1e-6)[self.ray]


@torch.no_grad()
def _seen(
    field: BakedField,
    density: Callable[[Tensor], Tensor],
    rays: tuple[Tensor, Tensor, Tensor],
    samples: int,
    blur: float,
    visible: float,
) -> _Seen:
    origins, directions, _ = rays
    t_vals = sample_depths(samples, origins)
    distances = sample_distances(t_vals, directions)
    rough = _interpolated(field, origins, directions, t_vals)
    reach = torch.stack([density(rough + shift) for shift in (-blur, 0.0, blur)])
    weights = compositing_weights(reach, distances, force_background=True).amax(dim=0)
    chosen = weights > visible
    chosen[:, -1] = True
    ray, sample = chosen.nonzero(as_tuple=True)
    return _Seen(ray, sample, t_vals[sample], rough, distances)


def _interpolated(field: BakedField, origins: Tensor, directions: Tensor, t_vals: Tensor) -> Tensor:
    """The scalar at all samples, (R, N), interpolated between every fourth."""
    count, samples = len(origins), len(t_vals)
    known = torch.arange(0, samples + _STRIDE - 1, _STRIDE, device=origins.device)
    known = known.clamp_max(samples - 1)
    points = sample_points(origins, directions, t_vals[known])
    values = field.scalar(points.reshape(-1, 3)).view(count, len(known))
    place = torch.arange(samples, device=origins.device)
    left = (place // _STRIDE).clamp_max(len(known) - 2)
    width = (known[left + 1] - known[left]).clamp_min(1)
    part = ((place - known[left]) / width).to(values)
    return torch.lerp(values[:, left], values[:, left + 1], part)
