"""The field in mixed precision, for training: same mathematics, about two and a half times faster.

Coordinates, FiLM modulation and sines stay in float32, since a phase of tens of radians has no
room for bfloat16's eight bits; only the large matrix products between hidden layers are bfloat16.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from stylesdf_core.model.networks.film_siren import FieldOutput, FilmSiren, SirenField
from stylesdf_core.rendering.camera import VOLUME_SCALE

_Outputs = tuple[Tensor, ...]


class FastField:
    """Evaluates a :class:`SirenField` with its matrix products in ``dtype``.

    Args:
        field: its parameters are read at every call, gradients reach them.
        dtype: of the hidden products, float32 or bfloat16.
        compiled: fuse the pointwise operations with torch.compile (needs a C++ compiler).
    """

    def __init__(self, field: SirenField, dtype: torch.dtype, *, compiled: bool) -> None:
        self.field = field
        self.dtype = dtype
        self._all: Callable[..., _Outputs] = _evaluate
        self._scalar: Callable[..., Tensor] = _scalar
        self._trunk: Callable[..., Tensor] = _trunk
        if compiled:
            self._all = torch.compile(_evaluate, dynamic=False)
            self._scalar = torch.compile(_scalar, dynamic=False)
            self._trunk = torch.compile(_trunk, dynamic=False)

    def __call__(self, points: Tensor, viewdirs: Tensor, w: Tensor) -> FieldOutput:
        """As :meth:`SirenField.forward`: points and viewdirs (B, N, 3), w (B, w_dim)."""
        return FieldOutput(*self._all(self.field, points, viewdirs, w, self.dtype)[:3])

    def with_hidden(
        self, points: Tensor, viewdirs: Tensor, w: Tensor, layers: tuple[int, ...]
    ) -> tuple[FieldOutput, tuple[Tensor, ...]]:
        """As above, and the outputs (B, N, width) of those layers of the trunk, from 0 upwards."""
        output = self._all(self.field, points, viewdirs, w, self.dtype, layers)
        return FieldOutput(*output[:3]), output[3:]

    def scalar(self, points: Tensor, w: Tensor) -> Tensor:
        """The scalar alone, (B, N, 1)."""
        return self._scalar(self.field, points, w, self.dtype)

    def trunk(self, points: Tensor, w: Tensor) -> Tensor:
        """The trunk's output, (B, N, width), of which both heads are made."""
        return self._trunk(self.field, points, w, self.dtype)

    def shade(self, x: Tensor, viewdirs: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        """RGB (B, N, 3), before the sigmoid, and features (B, N, width) of trunk outputs."""
        return _shade(self.field, x, viewdirs, w, self.dtype)


def _product(x: Tensor, weight: Tensor, dtype: torch.dtype) -> Tensor:
    return F.linear(x.to(dtype), weight.to(dtype))


def _film(layer: FilmSiren, products: Tensor, w: Tensor) -> Tensor:
    gamma, beta = layer.modulation(w)
    shift = (gamma * layer.linear.bias + beta)[:, None]
    # Every pass over (B, N, width) counts: γ·(x + b) + β in one.
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


def _scalar(field: SirenField, points: Tensor, w: Tensor, dtype: torch.dtype) -> Tensor:
    scalar: Tensor = field.scalar_head(_trunk(field, points, w, dtype))
    return scalar


def _evaluate(
    field: SirenField,
    points: Tensor,
    viewdirs: Tensor,
    w: Tensor,
    dtype: torch.dtype,
    layers: tuple[int, ...] = (),
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
