"""Volume rendering that evaluates the field only at samples that can be seen.

This is the engine's step from rays to colours and features. Samples, weights and sums are those of
:mod:`stylesdf_core.rendering.volume_rendering` (Eq. 3), but samples of a weight below a threshold
are left out. The field is not evaluated at a sample whose weight is below the threshold by the
distance grid's bounds. The colour of an evaluated sample is computed only if its weight is above.

The field is evaluated in two rounds: first at the samples that are visible by the grid's
distances, then at the remaining samples that are visible by the first round's exact distances.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from stylesdf_core.engine.field.baked_background import BakedBackground
from stylesdf_core.engine.field.baked_field import BakedField
from stylesdf_core.engine.march.distance_grid import DistanceGrid
from stylesdf_core.rendering.trained_volume import BorderBackground, TrainedVolume
from stylesdf_core.rendering.volume_rendering import Behind, sample_points, sdf_to_sigma

#: Samples that weigh less are left out; 24 such samples together stay below a grey step of 8 bits.
VISIBLE = 1e-4
#: The threshold for a picture in motion, which a better picture follows: each sample left out
#: changes the picture by up to a grey step. On the shipped model such a picture takes a quarter
#: less time; its PSNR to the full picture is 64 dB.
VISIBLE_IN_MOTION = 4e-3
#: The threshold for a picture that a file keeps: what is left out stays below float32's rounding
#: in the decoder.
VISIBLE_IN_FILES = 1e-6
#: Samples of a ray that are evaluated on average where a distance grid rules out the others.
TYPICAL_SAMPLES = 3


@dataclass(frozen=True)
class MarchedRays:
    """Sums along R rays; cf. :class:`~stylesdf_core.rendering.volume_rendering.Composite`.

    Attributes:
        rgb: (R, 3) in [−1, 1].
        features: (R, width); None where they were not asked for.
        background: (R,), weight of the last sample.
        depth: (R,), expected planar depth in front of the background.
        behind: (R, 3) in [−1, 1], the background field's colours as if nothing were in front of
            them; None without such a field, and where no colours were asked for.
    """

    rgb: Tensor
    features: Tensor | None
    background: Tensor
    depth: Tensor
    behind: Tensor | None = None

    def before(self, seen: Behind | None) -> MarchedRays:
        """These rays in front of what the background field shows; None where only depth counts."""
        through = self.background.clamp_min(0.0)
        if seen is None:
            return replace(self, background=through)
        share, features = through[:, None], self.features
        if features is not None:
            features = torch.addcmul(features, share, seen.features)
        rgb = torch.addcmul(self.rgb, share, seen.rgb, value=2.0)
        return MarchedRays(rgb, features, through, self.depth, 2.0 * seen.rgb - 1.0)


@dataclass(frozen=True)
class _DepthBounds:
    """Bounds of the optical depths σδ of the N samples of R rays, (R, N) each.

    Attributes:
        upper: upper bound; ∞ where nothing is known. The compiled loops leave 0 at samples that
            are certainly hidden.
        lower: lower bound.
        selected: samples to evaluate in the first round.
    """

    upper: Tensor
    lower: Tensor
    selected: Tensor

    def within(self, inside: Tensor) -> _DepthBounds:
        """The bounds with all samples empty that are not ``inside``, (R, N) bool."""
        upper, lower = (depth.masked_fill(~inside, 0.0) for depth in (self.upper, self.lower))
        return _DepthBounds(upper, lower, self.selected & inside)


@dataclass(frozen=True)
class _Evaluated:
    """M evaluated samples: their rays and indices on the rays (M,), trunk outputs (M, width)."""

    rays: Tensor
    samples: Tensor
    trunk: Tensor


@dataclass(frozen=True)
class RayMarch:
    """Composites a tile of rays through a field.

    Attributes:
        field: the field of one style.
        sigma: turns the field's scalar into a density.
        beta: β of Eq. 3, which turns the grid's distances into densities.
        t_vals: (N,), depths of the samples.
        grid: bounds of the signed distance; None for a density field, which has no distances, and
            on devices where evaluating all samples is cheaper.
        force_background: the last sample takes all weight that is left.
        visible: weight below which a sample is left out.
        volume: where the samples may lie; None where all samples of all rays lie inside.
        border: the background of rays whose last sample lies outside ``volume``.
        behind: the background field; its weight is that of the last of ``t_vals``, which is added
            at the end (:func:`with_end`) and at which the other field is not evaluated. None for a
            model without.
    """

    field: BakedField
    sigma: Callable[[Tensor], Tensor]
    beta: float
    t_vals: Tensor
    grid: DistanceGrid | None
    force_background: bool
    visible: float = VISIBLE
    volume: TrainedVolume | None = None
    border: BorderBackground | None = None
    behind: BakedBackground | None = None

    def __call__(
        self,
        origins: Tensor,
        directions: Tensor,
        viewdirs: Tensor,
        *,
        features: bool,
        colors: bool = True,
    ) -> MarchedRays:
        """Composite rays.

        Args:
            origins, directions, viewdirs: (R, 3) each, as in :class:`~.rays.Rays`.
            features: whether to accumulate feature vectors as well.
            colors: False to leave out colours (``rgb`` is −1) and features.
        """
        gap = self.t_vals[1] - self.t_vals[0]
        spacing = gap * directions.norm(dim=-1)
        bounds = self._bound_depths(origins, directions, spacing)
        inside = self._inside(origins, directions)
        if inside is not None:
            bounds = bounds.within(inside)
        depths = bounds.lower.clone()  # optical depth σδ, (R, N)
        evaluated = torch.zeros_like(bounds.selected) if inside is None else ~inside
        selected = bounds.selected
        rounds = []
        for _ in range(2):
            rays, samples = selected.nonzero(as_tuple=True)
            points = torch.addcmul(origins[rays], directions[rays], self.t_vals[samples, None])
            trunk = self.field.trunk(points)
            scalar = self.field.scalar_of(trunk)
            rounds.append(_Evaluated(rays, samples, trunk))
            depths[rays, samples] = self.sigma(scalar) * spacing[rays]
            evaluated |= selected
            if self.grid is None:
                break
            selected = self._may_be_visible(depths, bounds.upper) & ~evaluated
            if not bool(selected.any()):
                break
        weights = self._weights(depths * evaluated, gap)
        front = weights[:, :-1]
        marched = MarchedRays(
            *self._shaded(weights, rounds if colors else [], viewdirs, features=features),
            background=weights[:, -1],
            depth=front @ self.t_vals[:-1] / front.sum(dim=-1).clamp_min(1e-6),
        )
        if self.behind is not None:
            return marched.before(self.behind(origins, directions) if colors else None)
        return self._with_border(marched, weights, inside)

    def _inside(self, origins: Tensor, directions: Tensor) -> Tensor | None:
        """Which samples of rays (R, 3) lie in the volume, (R, N) bool; None if all do."""
        if self.volume is not None:
            inside = self.volume.contains(sample_points(origins, directions, self.t_vals))
        elif self.behind is not None:
            shape = len(origins), len(self.t_vals)
            inside = torch.ones(shape, dtype=torch.bool, device=origins.device)
        else:
            return None
        if self.behind is not None:
            inside[:, -1] = False
        return inside

    def _with_border(
        self, marched: MarchedRays, weights: Tensor, inside: Tensor | None
    ) -> MarchedRays:
        """``marched`` with the border's background where a ray's last sample lies outside.

        Args:
            weights: (R, N).
        """
        if inside is None or self.border is None:
            return marched
        beyond = ~inside[:, -1]
        remaining = (1.0 - weights[:, :-1].sum(dim=-1)) * beyond
        share = remaining[:, None]
        rgb = marched.rgb + 2.0 * share * torch.sigmoid(self.border.logits)
        features = marched.features
        if features is not None:
            features = features + share * self.border.features
        background = torch.where(beyond, remaining, marched.background)
        return MarchedRays(rgb, features, background, marched.depth)

    def _bound_depths(self, origins: Tensor, directions: Tensor, spacing: Tensor) -> _DepthBounds:
        """Bounds of every sample's optical depth, and the samples of the first round.

        A sample is selected if its weight may exceed ``visible``: the largest α that the bounds
        allow, times the transmittance that the grid's interpolated distances give.
        """
        count, samples = len(origins), len(self.t_vals)
        if self.grid is None:
            everything = torch.ones(count, samples, dtype=torch.bool, device=origins.device)
            unknown = origins.new_zeros(count, samples)
            return _DepthBounds(unknown + torch.inf, unknown, everything)
        points = sample_points(origins, directions, self.t_vals)
        distance, reach = self.grid.interpolate(points)
        upper, expected, lower = (
            sdf_to_sigma(distance + sign * reach, self.beta).nan_to_num(1.0 / self.beta)
            * spacing[:, None]
            for sign in (-1.0, 0.0, 1.0)
        )
        # Outside the grid nothing is known: a sample may be opaque or hide nothing.
        outside = reach.isinf()
        upper.masked_fill_(outside, torch.inf)
        expected.masked_fill_(outside, 0.0)
        lower.masked_fill_(outside, 0.0)
        return _DepthBounds(upper, lower, self._may_be_visible(expected, upper))

    def _may_be_visible(self, depths: Tensor, upper: Tensor) -> Tensor:
        """Samples that may weigh more than ``visible``, (R, N) bool.

        Args:
            depths: (R, N), optical depths that hide the samples behind them.
            upper: (R, N), upper bounds of the samples' own optical depths.
        """
        alpha = 1.0 - torch.exp(-upper)
        alpha[:, -1] = 1.0
        return alpha * _transmittance(depths) > self.visible

    def _weights(self, depths: Tensor, gap: Tensor) -> Tensor:
        """Weights (R, N) of samples with optical depths (R, N); the last is the background's.

        Args:
            gap: planar depth between two samples; behind the last sample it is 1e10 instead.
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
        """Weighted sums: colour (R, 3) in [−1, 1], and features (R, width) where asked for."""
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


def with_end(t_vals: Tensor) -> Tensor:
    """Depths (N + 1,) of samples with their end, at which the background field begins."""
    return torch.cat([t_vals, 2.0 * t_vals[-1:] - t_vals[-2:-1]])


def relevant_band(beta: float, spacing: float) -> tuple[float, float]:
    """Range of signed distances, world units, in which a sample is neither opaque nor invisible.

    Below the range a sample hides all that is behind it. Above the range its α stays below
    ``VISIBLE``: σδ ≈ exp(−d/β)·δ/β.

    Args:
        beta: β of Eq. 3.
        spacing: δ, world units between two samples.
    """
    ratio = spacing / beta
    return -2.0 * beta, beta * max(0.0, math.log(ratio / VISIBLE))


def _transmittance(depths: Tensor) -> Tensor:
    """Share of light that reaches each sample, exp(−Σ of the optical depths before it), (R, N)."""
    return torch.exp(depths - depths.cumsum(dim=-1))


def _sum_by_ray(values: Tensor, weights: Tensor, rays: Tensor, count: int) -> Tensor:
    """Σ weight·value over the rows of each ray, (count, C); ``rays`` (M,) is sorted."""
    own = torch.bincount(rays, minlength=count)
    first = own.cumsum(0) - own
    rows = torch.arange(len(rays), device=rays.device)
    return F.embedding_bag(rows, values, first, mode="sum", per_sample_weights=weights)
