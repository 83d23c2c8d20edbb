"""The field and its volume render for the fit: mixed precision, gradients for few samples only.

The mathematics is that of :class:`SirenField` and :meth:`Generator.volume_render`, in two fifths of
the time where products in bfloat16 are fast. Only the large matrix products between hidden layers
are in bfloat16. Coordinates, FiLM modulation and sines stay in float32: the sines' arguments reach
tens of radians, where neighbouring bfloat16 numbers are about 0.1 rad apart. Only a ray's heaviest
samples get gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from stylesdf_core.model.networks.film_siren import FieldOutput, FilmSiren, SirenField
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.rendering.camera import VOLUME_SCALE
from stylesdf_core.rendering.rays import Rays
from stylesdf_core.rendering.surface_noise import surface_depth
from stylesdf_core.rendering.volume_rendering import (
    compositing_weights,
    sample_depths,
    sample_distances,
    sample_points,
)
from stylesdf_core.training.precision import product_dtype
from stylesdf_core.training.run_config import Precision

#: Samples of a ray that :func:`render_rays` gives gradients to, besides the background sample.
HEAVY_SAMPLES = 6


class FastField:
    """Evaluates a generator's :class:`SirenField` in the run's training precision.

    The field's parameters are read at every call, and gradients reach them.

    Args:
        field: the field to evaluate.
        precision: type of the products between hidden layers.
        compiled: fuse the pointwise operations with torch.compile (needs a C++ compiler).
    """

    def __init__(
        self, field: SirenField, precision: Precision = "float32", *, compiled: bool = False
    ) -> None:
        self._field = field
        self._dtype = product_dtype(precision, next(field.parameters()).device)
        self._evaluate: Callable[..., tuple[Tensor, ...]] = _evaluate
        self._hidden: Callable[..., list[Tensor]] = _hidden
        if compiled:
            self._evaluate = torch.compile(_evaluate, dynamic=False)
            self._hidden = torch.compile(_hidden, dynamic=False)

    def __call__(self, points: Tensor, viewdirs: Tensor, w: Tensor) -> FieldOutput:
        """As :meth:`SirenField.forward`: points and viewdirs (B, N, 3), w (B, w_dim)."""
        return self.with_hidden(points, viewdirs, w)[0]

    def with_hidden(
        self, points: Tensor, viewdirs: Tensor, w: Tensor, layers: tuple[int, ...] = ()
    ) -> tuple[FieldOutput, tuple[Tensor, ...]]:
        """The field's output, and outputs (B, N, width) of ``layers`` of the trunk, from 0."""
        output = self._evaluate(self._field, points, viewdirs, w, self._dtype, layers)
        return FieldOutput(*output[:3]), output[3:]

    def scalar(self, points: Tensor, w: Tensor) -> Tensor:
        """As :meth:`SirenField.scalar`."""
        trunk = self._hidden(self._field, points, w, self._dtype)[-1]
        scalar: Tensor = self._field.scalar_head(trunk)
        return scalar


def _product(x: Tensor, weight: Tensor, dtype: torch.dtype) -> Tensor:
    return F.linear(x.to(dtype), weight.to(dtype))


def _film(layer: FilmSiren, products: Tensor, w: Tensor) -> Tensor:
    gamma, beta = layer.modulation(w)
    shift = (gamma * layer.linear.bias + beta)[:, None]
    # γ·(x + b) + β in one pass over (B, N, width), which saves time.
    return torch.sin(torch.addcmul(shift, gamma[:, None], products))


def _hidden(field: SirenField, points: Tensor, w: Tensor, dtype: torch.dtype) -> list[Tensor]:
    """Outputs of all layers of the trunk."""
    outputs = [points * VOLUME_SCALE]
    for index, module in enumerate(field.trunk):
        layer = cast(FilmSiren, module)
        products = _product(outputs[-1], layer.linear.weight, dtype if index else torch.float32)
        outputs.append(_film(layer, products, w))
    return outputs[1:]


def _evaluate(
    field: SirenField,
    points: Tensor,
    viewdirs: Tensor,
    w: Tensor,
    dtype: torch.dtype,
    layers: tuple[int, ...],
) -> tuple[Tensor, ...]:
    hidden = _hidden(field, points, w, dtype)
    layer, trunk = field.view_layer, hidden[-1]
    weight = layer.linear.weight
    # Two products instead of one over the concatenation, which would copy the trunk's output.
    products = _product(trunk, weight[:, :-3], dtype) + F.linear(viewdirs, weight[:, -3:])
    features = _film(layer, products, w)
    chosen = [hidden[index] for index in layers]
    return field.scalar_head(trunk), field.rgb_head(features), features, *chosen


@dataclass(frozen=True)
class RayRender:
    """Volume render of a batch of (parts of) pictures.

    Attributes:
        rgb: (B, 3, H, W) in [−1, 1].
        features: (B, width, H, W), channels last in memory, on which the decoder's convolutions
            are a sixth faster.
        coverage: (B, 1, H, W), one minus the background's weight.
    """

    rgb: Tensor
    features: Tensor
    coverage: Tensor


def render_rays(field: FastField, generator: Generator, w: Tensor, rays: Rays) -> RayRender:
    """Volume-render rays (B, H, W, 3) with gradients through each ray's heaviest samples.

    All samples are evaluated without gradients first; the ``HEAVY_SAMPLES`` heaviest of each ray
    and its background sample are then evaluated again with gradients. The densities of the other
    samples still dim the samples behind them, as constants.
    """
    samples = generator.config.samples
    t_vals = sample_depths(samples, rays.origins)
    points = sample_points(rays.origins, rays.directions, t_vals)  # (B, H, W, N, 3)
    distances = sample_distances(t_vals, rays.directions)
    with torch.no_grad():
        scalar = field.scalar(points.flatten(1, 3), w).view(points.shape[:-1])
        weights = compositing_weights(generator.sigma(scalar), distances, force_background=True)
        heavy = weights[..., :-1].topk(min(HEAVY_SAMPLES, samples - 1), dim=-1).indices
        last = torch.full_like(heavy[..., :1], samples - 1)
        chosen = torch.cat([heavy, last], dim=-1)  # (B, H, W, K)
    near = points.gather(-2, chosen[..., None].expand(*chosen.shape, 3))
    viewdirs = rays.viewdirs[..., None, :].expand_as(near)
    output = field(near.flatten(1, 3), viewdirs.flatten(1, 3), w)
    scalar = scalar.scatter(-1, chosen, output.scalar.view(chosen.shape))
    weights = compositing_weights(generator.sigma(scalar), distances, force_background=True)
    shares = weights.gather(-1, chosen)
    # The weights of the samples left out, a few percent, go to the chosen ones in proportion.
    shares = (shares / shares.sum(dim=-1, keepdim=True).clamp_min(1e-6))[..., None]
    rgb = torch.sigmoid(output.rgb).view(*chosen.shape, 3)
    features = output.features.view(*chosen.shape, -1)
    return RayRender(
        2.0 * (shares * rgb).sum(dim=-2).movedim(-1, 1) - 1.0,
        (shares * features).sum(dim=-2).movedim(-1, 1),
        1.0 - weights[..., -1:].movedim(-1, 1),
    )


@dataclass(frozen=True)
class SurfaceRender:
    """The surface that rays meet, as the direct view shows it.

    Attributes:
        rgb: (B, 3, H, W) in [−1, 1]; of no meaning where a ray meets nothing.
        meets: (B, 1, H, W), 1 where a ray meets the surface, else 0.
    """

    rgb: Tensor
    meets: Tensor


def render_surface(field: FastField, generator: Generator, w: Tensor, rays: Rays) -> SurfaceRender:
    """The surface's own colours on rays (B, H, W, 3), with gradients through colours alone.

    The surface is found between samples without gradients: points of the heads' meshes teach where
    it lies. A colour takes one evaluation with gradients, a volume render's ``HEAVY_SAMPLES`` + 1.
    """
    t_vals = sample_depths(generator.config.samples, rays.origins)
    shape = rays.origins.shape[:-1]

    def scalar(depth: Tensor) -> Tensor:
        points = rays.origins + rays.directions * depth[..., None]
        return field.scalar(points.flatten(1, 2), w).view(shape) - generator.surface_level

    with torch.no_grad():
        points = sample_points(rays.origins, rays.directions, t_vals)  # (B, H, W, N, 3)
        sampled = field.scalar(points.flatten(1, 3), w).view(*shape, -1)
        sampled = sampled - generator.surface_level
        enters = (sampled[..., :-1] > 0.0) & (sampled[..., 1:] <= 0.0)
        first = enters.float().argmax(dim=-1, keepdim=True)  # the sample before the surface
        before, behind = sampled.gather(-1, first), sampled.gather(-1, first + 1)
        share = (before / (before - behind).clamp_min(1e-9)).clamp(0.0, 1.0)[..., 0]
        start = t_vals[first[..., 0]] + share * (t_vals[1] - t_vals[0])
        depth = surface_depth(start, scalar)
    surface = rays.origins + rays.directions * depth[..., None]
    output = field(surface.flatten(1, 2), rays.viewdirs.flatten(1, 2), w)
    rgb = 2.0 * torch.sigmoid(output.rgb).view(*shape, 3) - 1.0
    return SurfaceRender(rgb.movedim(-1, 1), enters.any(dim=-1)[:, None].float())
