"""A field with one style folded in, evaluated tile by tile.

FiLM's γ and β depend on the style alone, so they fold into each layer's affine map once a style:
sin(γ(Wx + b) + β) = sin((γW)x + (γb + β)).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stylesdf_core import cpu_kernels
from stylesdf_core.camera import VOLUME_SCALE
from stylesdf_core.networks.film_siren import FilmSiren, SirenField
from stylesdf_core.tiles import Tiles


@dataclass(frozen=True)
class _SineLayer:
    """x ↦ sin(x·W + b) with W (in, out) and b (out,)."""

    weight: Tensor
    bias: Tensor


class BakedField:
    """A field of affine and sine layers for one w.

    Args:
        w: (1, w_dim).
        tiles: how rows of points are worked through.
    """

    def __init__(self, field: SirenField, w: Tensor, tiles: Tiles) -> None:
        self._tiles = tiles
        self._layers = [_fold(layer, w) for layer in field.trunk]
        first = self._layers[0]
        self._layers[0] = _SineLayer(first.weight * VOLUME_SCALE, first.bias)
        view = _fold(field.view_layer, w)
        self._view = _SineLayer(view.weight[:-3].contiguous(), view.bias)
        self._direction_weight = view.weight[-3:].contiguous()
        self._scalar_weight, self._scalar_bias = field.scalar_head.weight[0], field.scalar_head.bias
        self._rgb_weight, self._rgb_bias = field.rgb_head.weight.T, field.rgb_head.bias
        self._scratch = threading.local()

    @property
    def width(self) -> int:
        """Channels of the features."""
        return int(self._view.bias.shape[0])

    # --- at points ------------------------------------------------------------------------------

    def scalar(self, points: Tensor) -> Tensor:
        """Signed distance or raw density, (N,), at world points (N, 3)."""
        scalar = points.new_empty(len(points))

        def work(start: int, stop: int) -> None:
            scalar[start:stop] = self._scalar_of(self._trunk(points[start:stop]))

        self._tiles.run(work, len(points))
        return scalar

    def trunk_and_scalar(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """The trunk's output (N, width), which :meth:`shade` wants, and the scalar (N,)."""
        trunk, scalar = points.new_empty(len(points), self.width), points.new_empty(len(points))

        def work(start: int, stop: int) -> None:
            x = self._trunk(points[start:stop], out=trunk[start:stop])
            scalar[start:stop] = self._scalar_of(x)

        self._tiles.run(work, len(points))
        return trunk, scalar

    def gradient(self, points: Tensor) -> Tensor:
        """∇ of :meth:`scalar` in world units, (N, 3)."""
        gradient = torch.empty_like(points)

        def work(start: int, stop: int) -> None:
            with torch.enable_grad():
                x = own = points[start:stop].detach().clone().requires_grad_(True)
                for layer in self._layers:
                    x = torch.sin(torch.addmm(layer.bias, x, layer.weight))
                (gradient[start:stop],) = torch.autograd.grad(self._scalar_of(x).sum(), own)

        self._tiles.run(work, len(points))
        return gradient

    # --- colour ---------------------------------------------------------------------------------

    def direction_terms(self, viewdirs: Tensor) -> Tensor:
        """The view layer's share of unit view directions (R, 3), once a ray: (R, width)."""
        return torch.addmm(self._view.bias, viewdirs, self._direction_weight)

    def shade(
        self, trunk: Tensor, rows: Tensor, direction_terms: Tensor, rays: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Features (M, width) and colour in [0, 1], (M, 3), of some rows of trunk outputs.

        Args:
            trunk: (N, width).
            rows: (M,), which of them.
            direction_terms: (R, width).
            rays: (M,), which of those belongs to each row.
        """
        features, rgb = trunk.new_empty(len(rows), self.width), trunk.new_empty(len(rows), 3)

        def work(start: int, stop: int) -> None:
            own = features[start:stop]
            torch.mm(trunk[rows[start:stop]], self._view.weight, out=own)
            _sine_of_sum_by_row(own, direction_terms, rays[start:stop])
            rgb[start:stop] = self._rgb_of(own)

        self._tiles.run(work, len(rows))
        return features, rgb

    def color(self, points: Tensor, viewdir: Tensor) -> Tensor:
        """Colour in [0, 1], (N, 3), at world points (N, 3) seen along one direction (1, 3)."""
        rgb, terms = torch.empty_like(points), self.direction_terms(viewdir)[0]

        def work(start: int, stop: int) -> None:
            x = torch.mm(self._trunk(points[start:stop]), self._view.weight)
            _sine_of_sum(x, terms)
            rgb[start:stop] = self._rgb_of(x)

        self._tiles.run(work, len(points))
        return rgb

    # --- a tile ---------------------------------------------------------------------------------

    def _trunk(self, points: Tensor, out: Tensor | None = None) -> Tensor:
        """(n, 3) -> (n, width), into ``out`` or else into scratch that the next tile overwrites."""
        x = points
        buffers = self._buffers(points)
        for index, layer in enumerate(self._layers):
            is_last = index == len(self._layers) - 1
            y = out if is_last and out is not None else buffers[index % 2][: len(points)]
            torch.mm(x, layer.weight, out=y)
            _sine_of_sum(y, layer.bias)
            x = y
        return x

    def _scalar_of(self, trunk: Tensor) -> Tensor:
        return torch.addmv(self._scalar_bias, trunk, self._scalar_weight)

    def _rgb_of(self, features: Tensor) -> Tensor:
        return torch.sigmoid(torch.addmm(self._rgb_bias, features, self._rgb_weight))

    def _buffers(self, points: Tensor) -> list[Tensor]:
        """Two (at least n, width) tensors of this thread's own."""
        buffers: list[Tensor] | None = getattr(self._scratch, "buffers", None)
        if buffers is None or len(buffers[0]) < len(points):
            buffers = [points.new_empty(len(points), self.width) for _ in range(2)]
            self._scratch.buffers = buffers
        return buffers


def _fold(layer: nn.Module, w: Tensor) -> _SineLayer:
    assert isinstance(layer, FilmSiren)
    gamma, beta = (value[0] for value in layer.modulation(w))
    weight = gamma[:, None] * layer.linear.weight
    return _SineLayer(weight.T.contiguous(), gamma * layer.linear.bias + beta)


def _sine_of_sum(x: Tensor, bias: Tensor) -> None:
    """x ← sin(x + bias) in place."""
    if cpu_kernels.AVAILABLE and x.device.type == "cpu":
        cpu_kernels.sine_of_sum(x.numpy(), bias.numpy())
    else:
        x.add_(bias).sin_()


def _sine_of_sum_by_row(x: Tensor, biases: Tensor, index: Tensor) -> None:
    """x ← sin(x + biases[index]) in place."""
    if cpu_kernels.AVAILABLE and x.device.type == "cpu":
        cpu_kernels.sine_of_sum_by_row(x.numpy(), biases.numpy(), index.numpy())
    else:
        x.add_(biases[index]).sin_()
