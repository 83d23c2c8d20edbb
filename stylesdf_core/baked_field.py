"""A field with one style folded in, and the ray marcher that evaluates as little of it as it can.

FiLM's γ and β depend on the style alone, so they fold into each layer's affine map once a style:
sin(γ(Wx + b) + β) = sin((γW)x + (γb + β)).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stylesdf_core.camera import VOLUME_SCALE
from stylesdf_core.distance_grid import DistanceGrid
from stylesdf_core.networks.film_siren import FilmSiren, SirenField
from stylesdf_core.volume_rendering import sample_points

#: Samples that weigh less are not shaded; all of a ray's together stay below a grey step of 8 bits.
VISIBLE = 1e-4


class BakedField:
    """A field of affine and sine layers for one w.

    Args:
        w: (1, w_dim).
    """

    def __init__(self, field: SirenField, w: Tensor) -> None:
        self.layers = [_fold(layer, w) for layer in field.trunk]
        first_weight, first_bias = self.layers[0]
        self.layers[0] = (first_weight * VOLUME_SCALE, first_bias)
        view_weight, self.view_bias = _fold(field.view_layer, w)
        self.view_weight = view_weight[:, :-3].contiguous()
        self.view_direction_weight = view_weight[:, -3:].contiguous()
        self.scalar_weight, self.scalar_bias = field.scalar_head.weight, field.scalar_head.bias
        self.rgb_weight, self.rgb_bias = field.rgb_head.weight, field.rgb_head.bias

    @property
    def width(self) -> int:
        """Channels of the features."""
        return int(self.view_bias.shape[0])

    def trunk(self, points: Tensor) -> Tensor:
        """(N, 3) world -> (N, width)."""
        x = points
        for weight, bias in self.layers:
            x = torch.addmm(bias, x, weight.T)
            x = torch.sin(x) if x.requires_grad else x.sin_()
        return x

    def scalar_of(self, trunk: Tensor) -> Tensor:
        """(N, width) -> (N,)."""
        return (trunk @ self.scalar_weight.T + self.scalar_bias).squeeze(-1)

    def scalar(self, points: Tensor) -> Tensor:
        """Signed distance or raw density, (N,), at world points (N, 3)."""
        return self.scalar_of(self.trunk(points))

    def gradient(self, points: Tensor) -> Tensor:
        """∇ of :meth:`scalar` in world units, (N, 3)."""
        with torch.inference_mode(False), torch.enable_grad():
            x = points.detach().clone().requires_grad_(True)
            (gradient,) = torch.autograd.grad(self.scalar(x).sum(), x)
        return gradient

    def features_of(self, trunk: Tensor, viewdirs: Tensor) -> Tensor:
        """Features (N, width) from trunk outputs and unit view directions (N, 3)."""
        direction_term = viewdirs @ self.view_direction_weight.T + self.view_bias
        return direction_term.addmm_(trunk, self.view_weight.T).sin_()

    def rgb_of(self, features: Tensor) -> Tensor:
        """Colour in [0, 1], (N, 3), of features (N, width)."""
        return torch.sigmoid(features @ self.rgb_weight.T + self.rgb_bias)


def _fold(layer: nn.Module, w: Tensor) -> tuple[Tensor, Tensor]:
    assert isinstance(layer, FilmSiren)
    gamma, beta = (value[0] for value in layer.modulation(w))
    return gamma[:, None] * layer.linear.weight, gamma * layer.linear.bias + beta


@dataclass(frozen=True)
class MarchedRays:
    """What R rays accumulate; cf. :class:`~stylesdf_core.volume_rendering.Composite`.

    Attributes:
        rgb: (R, 3) in [−1, 1].
        background: (R,), weight of the last sample.
        depth: (R,), expected planar depth in front of the background.
        features: (R, width), or (R, 0) where they were not asked for.
    """

    rgb: Tensor
    background: Tensor
    depth: Tensor
    features: Tensor


@dataclass(frozen=True)
class RayMarch:
    """Front-to-back compositing that evaluates only the samples that can matter.

    The samples are those of the plain path. A ray skips those where the distance grid rules out
    visible density, and stops once it is opaque; of 24 samples, some six are left.

    Attributes:
        field: what is rendered.
        sigma: density of the field's scalar.
        t_vals: (N,) sample depths.
        grid: bounds of the signed distance; None for a density field, which has none.
        margin: signed distance beyond which a sample counts as empty, world units.
        force_background: the last sample takes all weight that is left.
    """

    field: BakedField
    sigma: Callable[[Tensor], Tensor]
    t_vals: Tensor
    grid: DistanceGrid | None
    margin: float
    force_background: bool

    def __call__(
        self, origins: Tensor, directions: Tensor, viewdirs: Tensor, *, features: bool
    ) -> MarchedRays:
        """Composite rays.

        Args:
            origins, directions, viewdirs: (R, 3) each, in the sense of ``rays.Rays``.
            features: whether to accumulate feature vectors as well.
        """
        count, last = origins.shape[0], self.t_vals.shape[0] - 1
        rgb = origins.new_zeros(count, 3)
        feature_sum = origins.new_zeros(count, self.field.width if features else 0)
        depth_sum, covered, background = origins.new_zeros(3, count)
        transmittance = origins.new_ones(count)
        spacing = (self.t_vals[1] - self.t_vals[0]) * directions.norm(dim=-1)

        def trunk_at(rays: Tensor, t: Tensor) -> Tensor:
            return self.field.trunk(torch.addcmul(origins[rays], directions[rays], t[:, None]))

        def accumulate(rays: Tensor, trunk: Tensor, weight: Tensor) -> None:
            seen = (weight > VISIBLE).nonzero().squeeze(1)
            rays, share = rays[seen], weight[seen, None]
            shaded = self.field.features_of(trunk[seen], viewdirs[rays])
            rgb[rays] += share * self.field.rgb_of(shaded)
            if features:
                feature_sum[rays] += share * shaded

        upcoming = self._upcoming_samples(origins, directions)  # (R, N)
        rays = torch.arange(count, device=origins.device)
        sample = upcoming[:, 0]
        rays, sample = _keep(sample < last, rays, sample)
        while rays.numel():
            t = self.t_vals[sample]
            trunk = trunk_at(rays, t)
            scalar = self.field.scalar_of(trunk)
            alpha = 1.0 - torch.exp(-self.sigma(scalar) * spacing[rays])
            weight = alpha * transmittance[rays]
            accumulate(rays, trunk, weight)
            covered[rays] += weight
            depth_sum[rays] += weight * t
            transmittance[rays] *= 1.0 - alpha + 1e-10
            sample = upcoming[rays, sample + 1]
            rays, sample = _keep((sample < last) & (transmittance[rays] > VISIBLE), rays, sample)

        rays = (transmittance > VISIBLE).nonzero().squeeze(1)
        trunk = trunk_at(rays, self.t_vals[last].expand(len(rays)))
        if self.force_background:
            weight = 1.0 - covered[rays]
        else:
            reach = -self.sigma(self.field.scalar_of(trunk)) * 1e10
            weight = (1.0 - torch.exp(reach)) * transmittance[rays]
        accumulate(rays, trunk, weight)
        background[rays] = weight
        return MarchedRays(
            2.0 * rgb - 1.0, background, depth_sum / covered.clamp_min(1e-6), feature_sum
        )

    def _upcoming_samples(self, origins: Tensor, directions: Tensor) -> Tensor:
        """First sample from each on that may be visible, (R, N); N − 1, the last, always may."""
        last = self.t_vals.shape[0] - 1
        own = torch.arange(last + 1, device=origins.device).expand(origins.shape[0], -1)
        if self.grid is None:
            return own
        bound = self.grid.lower_bound(sample_points(origins, directions, self.t_vals))
        own = torch.where(bound < self.margin, own, last)
        return own.flip(1).cummin(dim=1).values.flip(1)


def _keep(mask: Tensor, rays: Tensor, sample: Tensor) -> tuple[Tensor, Tensor]:
    return rays[mask], sample[mask]


def empty_margin(beta: float, spacing: float) -> float:
    """Signed distance beyond which a sample's α stays below ``VISIBLE``, world units.

    From σδ ≈ exp(−d/β)·δ/β.
    """
    return beta * max(0.0, math.log(spacing / (beta * VISIBLE)))
