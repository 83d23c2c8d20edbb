"""The field and its volume render for the fit: mixed precision, gradients for few samples only.

The mathematics is that of :class:`SirenField` and :meth:`Generator.volume_render`, in two fifths of
the time. The large matrix products between hidden layers are in bfloat16. Coordinates, FiLM
modulation and sines stay in float32: the sines' arguments reach tens of radians, where neighbouring
bfloat16 numbers are about 0.1 rad apart. Only a ray's heaviest samples get gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from stylesdf_core.heads.fit.config import FitConfig
from stylesdf_core.model.networks.film_siren import FieldOutput, FilmSiren, SirenField
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.rendering.camera import VOLUME_SCALE
from stylesdf_core.rendering.rays import Rays
from stylesdf_core.rendering.volume_rendering import (
    compositing_weights,
    sample_depths,
    sample_distances,
    sample_points,
)

#: Samples of a ray that :func:`render_rays` gives gradients to, besides the background sample.
HEAVY_SAMPLES = 6
#: Samples of a ray that :func:`shade_rays` shades; the others' weights are negligible.
SHADED_SAMPLES = 5

_Outputs = tuple[Tensor, ...]


class FastField:
    """Evaluates a :class:`SirenField` with its matrix products in ``dtype``.

    Args:
        field: its parameters are read at every call, and gradients reach them.
        dtype: type of the hidden layers' products, float32 or bfloat16.
        compiled: fuse the pointwise operations with torch.compile (needs a C++ compiler).
    """

    def __init__(self, field: SirenField, dtype: torch.dtype, *, compiled: bool) -> None:
        self.field = field
        self.dtype = dtype
        self._all: Callable[..., _Outputs] = _evaluate
        self._trunk: Callable[..., Tensor] = _trunk
        if compiled:
            self._all = torch.compile(_evaluate, dynamic=False)
            self._trunk = torch.compile(_trunk, dynamic=False)

    @classmethod
    def of(cls, generator: Generator, config: FitConfig) -> FastField:
        """The generator's field in the run's training precision."""
        dtype = torch.bfloat16 if config.precision == "bfloat16" else torch.float32
        return cls(generator.field, dtype, compiled=config.compiled)

    def __call__(self, points: Tensor, viewdirs: Tensor, w: Tensor) -> FieldOutput:
        """As :meth:`SirenField.forward`: points and viewdirs (B, N, 3), w (B, w_dim)."""
        return self.with_hidden(points, viewdirs, w, ())[0]

    def with_hidden(
        self, points: Tensor, viewdirs: Tensor, w: Tensor, layers: tuple[int, ...]
    ) -> tuple[FieldOutput, tuple[Tensor, ...]]:
        """The field's output, and outputs (B, N, width) of ``layers`` of the trunk, from 0."""
        output = self._all(self.field, points, viewdirs, w, self.dtype, layers)
        return FieldOutput(*output[:3]), output[3:]

    def trunk(self, points: Tensor, w: Tensor) -> Tensor:
        """The trunk's output, (B, N, width), from which scalar, colour and features come."""
        return self._trunk(self.field, points, w, self.dtype)

    def shade(self, trunk: Tensor, viewdirs: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        """RGB (B, N, 3), before the sigmoid, and features (B, N, width) of trunk outputs."""
        return _shade(self.field, trunk, viewdirs, w, self.dtype)


def _product(x: Tensor, weight: Tensor, dtype: torch.dtype) -> Tensor:
    return F.linear(x.to(dtype), weight.to(dtype))


def _film(layer: FilmSiren, products: Tensor, w: Tensor) -> Tensor:
    gamma, beta = layer.modulation(w)
    shift = (gamma * layer.linear.bias + beta)[:, None]
    # γ·(x + b) + β in one pass over (B, N, width), which saves time.
    return torch.sin(torch.addcmul(shift, gamma[:, None], products))


def _trunk(field: SirenField, points: Tensor, w: Tensor, dtype: torch.dtype) -> Tensor:
    last = len(field.trunk) - 1
    return _hidden(field, points, w, dtype, (last,))[last]


def _hidden(
    field: SirenField, points: Tensor, w: Tensor, dtype: torch.dtype, layers: tuple[int, ...]
) -> dict[int, Tensor]:
    x = points * VOLUME_SCALE
    kept = {}
    for index, module in enumerate(field.trunk):
        layer = cast(FilmSiren, module)
        hidden = torch.float32 if index == 0 else dtype
        x = _film(layer, _product(x, layer.linear.weight, hidden), w)
        if index in layers:
            kept[index] = x
    return kept


def _evaluate(
    field: SirenField,
    points: Tensor,
    viewdirs: Tensor,
    w: Tensor,
    dtype: torch.dtype,
    layers: tuple[int, ...],
) -> _Outputs:
    last = len(field.trunk) - 1
    hidden = _hidden(field, points, w, dtype, (*layers, last))
    rgb, features = _shade(field, hidden[last], viewdirs, w, dtype)
    return field.scalar_head(hidden[last]), rgb, features, *(hidden[layer] for layer in layers)


def _shade(
    field: SirenField, x: Tensor, viewdirs: Tensor, w: Tensor, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    layer = field.view_layer
    weight = layer.linear.weight
    # Two products instead of one over the concatenation, which would copy x.
    products = _product(x, weight[:, :-3], dtype) + F.linear(viewdirs, weight[:, -3:])
    features = _film(layer, products, w)
    return field.rgb_head(features), features


@dataclass(frozen=True)
class RayRender:
    """Volume render of rays.

    Attributes:
        rgb: (B, R, 3) in [0, 1].
        features: (B, R, width).
        coverage: (B, R, 1), one minus the background's weight.
    """

    rgb: Tensor
    features: Tensor
    coverage: Tensor


def flat(rays: Rays) -> Rays:
    """The rays of (B, H, W, 3) images as (B, H·W, 3)."""
    return Rays(*(x.flatten(1, 2) for x in (rays.origins, rays.directions, rays.viewdirs)))


def as_map(values: Tensor, height: int) -> Tensor:
    """Values (B, R, C) of an image's rays as (B, C, height, R / height), channels last in memory.

    The decoder's convolutions are a sixth faster on that memory layout.
    """
    maps: Tensor = values.movedim(1, -1).unflatten(-1, (height, -1))
    return maps.contiguous(memory_format=torch.channels_last)


def render_rays(field: FastField, generator: Generator, w: Tensor, rays: Rays) -> RayRender:
    """Volume-render rays (B, R, 3) with gradients through each ray's heaviest samples.

    All samples are evaluated without gradients first; the ``HEAVY_SAMPLES`` heaviest of each ray
    and its background sample are then evaluated again with gradients. The densities of the other
    samples still dim the samples behind them, as constants.
    """
    samples = generator.config.samples
    batch, count = rays.origins.shape[:2]
    t_vals = sample_depths(samples, rays.origins)
    points = sample_points(rays.origins, rays.directions, t_vals)  # (B, R, N, 3)
    distances = sample_distances(t_vals, rays.directions)
    with torch.no_grad():
        trunk = field.trunk(points.flatten(1, 2), w)
        scalar = field.field.scalar_head(trunk).view(batch, count, samples)
        weights = compositing_weights(generator.sigma(scalar), distances, force_background=True)
        heavy = weights[..., :-1].topk(min(HEAVY_SAMPLES, samples - 1), dim=-1).indices
        last = torch.full_like(heavy[..., :1], samples - 1)
        chosen = torch.cat([heavy, last], dim=-1)  # (B, R, K)
    k = chosen.shape[-1]
    near = torch.gather(points, 2, chosen[..., None].expand(-1, -1, -1, 3))
    viewdirs = rays.viewdirs[:, :, None].expand_as(near)
    output = field(near.flatten(1, 2), viewdirs.flatten(1, 2), w)
    scalar = scalar.scatter(2, chosen, output.scalar.view(batch, count, k))
    weights = compositing_weights(generator.sigma(scalar), distances, force_background=True)
    shares = torch.gather(weights, 2, chosen)
    # The weights of the samples left out, a few percent, go to the chosen ones in proportion.
    shares = (shares / shares.sum(dim=-1, keepdim=True).clamp_min(1e-6))[..., None]
    rgb = torch.sigmoid(output.rgb).view(batch, count, k, 3)
    features = output.features.view(batch, count, k, -1)
    return RayRender(
        (shares * rgb).sum(dim=-2), (shares * features).sum(dim=-2), 1.0 - weights[..., -1:]
    )


def shade_rays(field: FastField, generator: Generator, w: Tensor, rays: Rays) -> RayRender:
    """Volume-render rays (B, R, 3) of a frozen geometry; gradients reach only the shading.

    Only the ``SHADED_SAMPLES`` heaviest samples of each ray are shaded.
    """
    samples = generator.config.samples
    batch, count = rays.origins.shape[:2]
    with torch.no_grad():
        t_vals = sample_depths(samples, w)
        points = sample_points(rays.origins, rays.directions, t_vals)  # (B, R, N, 3)
        trunk = field.trunk(points.flatten(1, 2), w)
        scalar = field.field.scalar_head(trunk).view(batch, count, samples)
        distances = sample_distances(t_vals, rays.directions)
        weights = compositing_weights(generator.sigma(scalar), distances, force_background=True)
        heavy = weights.topk(SHADED_SAMPLES, dim=-1)
        chosen = heavy.indices[..., None].expand(-1, -1, -1, trunk.shape[-1])
        x = torch.gather(trunk.view(batch, count, samples, -1), 2, chosen).flatten(1, 2)
    viewdirs = rays.viewdirs[:, :, None].expand(-1, -1, SHADED_SAMPLES, -1)
    rgb, features = field.shade(x, viewdirs.flatten(1, 2), w)
    shares = heavy.values[..., None]  # (B, R, K, 1)
    return RayRender(
        (shares * torch.sigmoid(rgb).unflatten(1, (count, -1))).sum(dim=2),
        (shares * features.unflatten(1, (count, -1))).sum(dim=2),
        1.0 - weights[..., -1:],
    )
