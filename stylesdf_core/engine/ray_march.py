"""Compositing that evaluates only the samples that can matter.

The samples, their weights and their sums are the plain path's (:mod:`volume_rendering`). What is
left out is bounded: a sample is not evaluated where its weight, by the distance grid's bounds, is
below ``visible``, and not shaded where its true weight is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from stylesdf_core.engine.baked_field import BakedField
from stylesdf_core.engine.distance_grid import DistanceGrid
from stylesdf_core.rendering.volume_rendering import sample_points, sdf_to_sigma

#: Samples that weigh less are left out; 24 together stay below a grey step of 8 bits.
VISIBLE = 1e-4
#: The same for a picture that a better one follows: a grey step each. On the shipped model the
#: picture is 64 dB from the above, and costs a quarter less.
VISIBLE_IN_MOTION = 4e-3
#: Samples of a ray that are evaluated on average, where a distance grid rules out the others.
TYPICAL_SAMPLES = 3


@dataclass(frozen=True)
class MarchedRays:
    """What R rays accumulate; cf. :class:`~stylesdf_core.rendering.volume_rendering.Composite`.

    Attributes:
        rgb: (R, 3) in [−1, 1].
        features: (R, width); None where they were not asked for.
        background: (R,), weight of the last sample.
        depth: (R,), expected planar depth in front of the background.
    """

    rgb: Tensor
    features: Tensor | None
    background: Tensor
    depth: Tensor


@dataclass(frozen=True)
class _Foresight:
    """What the distance grid says of the samples of R rays, (R, N) each.

    Attributes:
        most: the optical depth σδ at most; ∞ where nothing is known, 0 also where the sample is
            certainly hidden.
        least: at least.
        chosen: samples to evaluate first.
    """

    most: Tensor
    least: Tensor
    chosen: Tensor


@dataclass(frozen=True)
class _Evaluated:
    """Samples that have been evaluated: their rays and indices, (M,), and trunk, (M, width)."""

    rays: Tensor
    samples: Tensor
    trunk: Tensor


@dataclass(frozen=True)
class RayMarch:
    """Composites a tile of rays through a field.

    Attributes:
        field: what is rendered.
        sigma: density of the field's scalar.
        beta: of the density, for the grid's bounds.
        t_vals: (N,) sample depths.
        grid: bounds of the signed distance; None for a density field, which has none, and where
            looking at all samples is cheaper.
        force_background: the last sample takes all weight that is left.
        visible: least weight that counts.
    """

    field: BakedField
    sigma: Callable[[Tensor], Tensor]
    beta: float
    t_vals: Tensor
    grid: DistanceGrid | None
    force_background: bool
    visible: float = VISIBLE

    def __call__(
        self, origins: Tensor, directions: Tensor, viewdirs: Tensor, *, features: bool
    ) -> MarchedRays:
        """Composite rays.

        Args:
            origins, directions, viewdirs: (R, 3) each, in the sense of ``rays.Rays``.
            features: whether to accumulate feature vectors as well.
        """
        gap = self.t_vals[1] - self.t_vals[0]
        spacing = gap * directions.norm(dim=-1)
        foresight = self._foresee(origins, directions, spacing)
        depths = foresight.least.clone()  # optical depth σδ, (R, N)
        evaluated = torch.zeros_like(foresight.chosen)
        chosen = foresight.chosen
        rounds = []
        # The grid expects the first samples to hide the rest; the second round mends where not.
        for _ in range(2):
            rays, samples = chosen.nonzero(as_tuple=True)
            points = torch.addcmul(origins[rays], directions[rays], self.t_vals[samples, None])
            trunk = self.field.trunk(points)
            scalar = self.field.scalar_of(trunk)
            rounds.append(_Evaluated(rays, samples, trunk))
            depths[rays, samples] = self.sigma(scalar) * spacing[rays]
            evaluated |= chosen
            if self.grid is None:
                break
            chosen = self._still_visible(depths, foresight.most) & ~evaluated
            if not bool(chosen.any()):
                break
        weights = self._weights(depths * evaluated, gap)
        front = weights[:, :-1]
        return MarchedRays(
            *self._shaded(weights, rounds, viewdirs, features=features),
            background=weights[:, -1],
            depth=front @ self.t_vals[:-1] / front.sum(dim=-1).clamp_min(1e-6),
        )

    def _foresee(self, origins: Tensor, directions: Tensor, spacing: Tensor) -> _Foresight:
        """Bounds of every sample's optical depth, and the samples that are likely to be seen.

        A sample is chosen if its largest possible α, behind the transmittance that the grid's own
        distances expect, is above ``visible``.
        """
        count, samples = len(origins), len(self.t_vals)
        if self.grid is None:
            everything = torch.ones(count, samples, dtype=torch.bool, device=origins.device)
            unknown = origins.new_zeros(count, samples)
            return _Foresight(unknown + torch.inf, unknown, everything)
        points = sample_points(origins, directions, self.t_vals)
        distance, reach = self.grid.interpolate(points)
        most, expected, least = (
            sdf_to_sigma(distance + sign * reach, self.beta).nan_to_num(1.0 / self.beta)
            * spacing[:, None]
            for sign in (-1.0, 0.0, 1.0)
        )
        # Outside the grid nothing is known: the sample may be opaque, and hides nothing.
        outside = reach.isinf()
        most.masked_fill_(outside, torch.inf)
        expected.masked_fill_(outside, 0.0)
        least.masked_fill_(outside, 0.0)
        return _Foresight(most, least, self._still_visible(expected, most))

    def _still_visible(self, depths: Tensor, most: Tensor) -> Tensor:
        """Samples of optical depth up to ``most`` that may weigh more than ``visible``, (R, N).

        Args:
            depths: what hides them.
        """
        alpha = 1.0 - torch.exp(-most)
        alpha[:, -1] = 1.0
        return alpha * _transmittance(depths) > self.visible

    def _weights(self, depths: Tensor, gap: Tensor) -> Tensor:
        """Weights (R, N) of samples with optical depths (R, N), which end in the background.

        Args:
            gap: between two samples, planar depth; the last sample's is 1e10 instead.
        """
        through = _transmittance(depths)
        weights = (1.0 - torch.exp(-depths)) * through
        if self.force_background:
            weights[:, -1] = 1.0 - weights[:, :-1].sum(dim=-1)
        else:
            endless = depths[:, -1] / gap * 1e10
            weights[:, -1] = (1.0 - torch.exp(-endless)) * through[:, -1]
        return weights

    def _shaded(
        self, weights: Tensor, rounds: list[_Evaluated], viewdirs: Tensor, *, features: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Weighted sums of colour, (R, 3) in [−1, 1], and of features, (R, width) if wanted."""
        terms = self.field.direction_terms(viewdirs)
        rgb = torch.zeros_like(viewdirs)
        feature_sum = torch.zeros_like(terms) if features else None
        for part in rounds:
            weight = weights[part.rays, part.samples]
            rows = (weight > self.visible).nonzero().squeeze(1)
            rays, weight = part.rays[rows], weight[rows]
            shaded = self.field.shade(part.trunk[rows], terms, rays)
            color = torch.sigmoid(self.field.logits_of(shaded))
            rgb += _sum_by_ray(color, weight, rays, len(rgb))
            if feature_sum is not None:
                feature_sum += _sum_by_ray(shaded, weight, rays, len(rgb))
        return 2.0 * rgb - 1.0, feature_sum


def relevant_band(beta: float, spacing: float) -> tuple[float, float]:
    """Signed distances, world units, between which a sample's weight has to be known closely.

    Below the first a sample is opaque and hides what is behind it; above the second its α stays
    below ``VISIBLE``, from σδ ≈ exp(−d/β)·δ/β.
    """
    ratio = spacing / beta
    return -2.0 * beta, beta * max(0.0, math.log(ratio / VISIBLE))


def _transmittance(depths: Tensor) -> Tensor:
    """Light that reaches each sample: exp of minus the optical depths before it, (R, N)."""
    return torch.exp(depths - depths.cumsum(dim=-1))


def _sum_by_ray(values: Tensor, weights: Tensor, rays: Tensor, count: int) -> Tensor:
    """Σ weight·value of each ray's rows, (count, C); ``rays`` (M,) ascends."""
    own = torch.bincount(rays, minlength=count)
    first = own.cumsum(0) - own
    rows = torch.arange(len(rays), device=rays.device)
    return F.embedding_bag(rows, values, first, mode="sum", per_sample_weights=weights)
