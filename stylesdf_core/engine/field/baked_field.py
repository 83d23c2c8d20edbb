"""A field with one style folded into its weights; the engine evaluates it at samples and points.

A FiLM-SIREN layer computes sin(γ(Wx + b) + β), where γ and β depend on the style alone, and
sin(γ(Wx + b) + β) = sin((γW)x + (γb + β)). So each layer becomes one affine map, computed once per
style, and a sine.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from stylesdf_core.engine.compiled import compiled_loops
from stylesdf_core.model.networks.film_siren import FilmSiren, SirenField, layer_styles
from stylesdf_core.rendering.camera import VOLUME_SCALE


@dataclass(frozen=True)
class SineLayer:
    """x ↦ sin(x·W + b) with W (in, out) and b (out,)."""

    weight: Tensor
    bias: Tensor


class BakedField:
    """A field of affine and sine layers for one w; evaluates a tile of points at a time.

    Args:
        w: (1, w_dim), or (1, depth + 1, w_dim) with a w for each trunk layer and the view layer.
    """

    def __init__(self, field: SirenField, w: Tensor) -> None:
        self._take(fold_field(field, w))
        self._scratch = threading.local()

    def _take(self, tensors: Sequence[Tensor]) -> None:
        *layers, direction, scalar, scalar_bias, rgb, rgb_bias = tensors
        folded = [SineLayer(*pair) for pair in zip(layers[::2], layers[1::2], strict=True)]
        self._layers, self._view = folded[:-1], folded[-1]
        self._direction_weight = direction
        self._scalar_weight, self._scalar_bias = scalar, scalar_bias
        self._rgb_weight, self._rgb_bias = rgb, rgb_bias

    @property
    def width(self) -> int:
        """Channels of the features."""
        return int(self._view.bias.shape[0])

    @property
    def device(self) -> torch.device:
        """Where the folded weights lie."""
        return self._view.bias.device

    @property
    def tensors(self) -> list[Tensor]:
        """All folded weights, in the order of :func:`fold_field`."""
        layers = (*self._layers, self._view)
        heads = (self._scalar_weight, self._scalar_bias, self._rgb_weight, self._rgb_bias)
        folded = [x for layer in layers for x in (layer.weight, layer.bias)]
        return [*folded, self._direction_weight, *heads]

    def with_tensors(self, tensors: Sequence[Tensor]) -> BakedField:
        """This field with other weights of the same shapes."""
        other = copy.copy(self)
        other.__dict__.pop("_packed", None)
        other._take(tensors)
        return other

    def trunk_of_all(self, points: Tensor) -> Tensor:
        """As :meth:`trunk`, without a thread's buffers: for a GPU, which allocates for free."""
        x = points
        for layer in self._layers:
            x = torch.addmm(layer.bias, x, layer.weight).sin_()
        return x

    def trunk(self, points: Tensor) -> Tensor:
        """Outputs of the last trunk layer, (N, width), at world points (N, 3)."""
        return self._through_layers(points, points.new_empty(len(points), self.width))

    def scalar_of(self, trunk: Tensor) -> Tensor:
        """Signed distance or raw density, (N,), from trunk outputs (N, width)."""
        bias = self._scalar_bias.expand(len(trunk))  # else no rows would give one number
        return torch.addmv(bias, trunk, self._scalar_weight)

    def scalar(self, points: Tensor) -> Tensor:
        """Signed distance or raw density, (N,), at world points (N, 3)."""
        return self.scalar_of(self._through_layers(points, self._buffers(points)[-1]))

    def gradient(self, points: Tensor) -> Tensor:
        """∇ of :meth:`scalar` in world units, (N, 3)."""
        with torch.enable_grad():
            x = own = points.detach().clone().requires_grad_(True)
            for layer in self._layers:
                x = torch.sin(torch.addmm(layer.bias, x, layer.weight))
            (gradient,) = torch.autograd.grad(self.scalar_of(x).sum(), own)
        return gradient

    def differentiable(self, points: Tensor, viewdirs: Tensor) -> tuple[Tensor, Tensor]:
        """Scalar (N,) and colour before the sigmoid (N, 3), with gradients.

        Gradients reach the points, (N, 3) world, their unit view directions, (N, 3), and the w
        that was folded in.
        """
        x = points
        for layer in self._layers:
            x = torch.sin(torch.addmm(layer.bias, x, layer.weight))
        products = torch.addmm(self.direction_terms(viewdirs), x, self._view.weight)
        return self.scalar_of(x), self.logits_of(torch.sin(products))

    def direction_terms(self, viewdirs: Tensor) -> Tensor:
        """The view layer's term of unit view directions (R, 3), computed once a ray: (R, width)."""
        return torch.addmm(self._view.bias, viewdirs, self._direction_weight)

    def shade(self, trunk: Tensor, direction_terms: Tensor, rays: Tensor) -> Tensor:
        """Features (N, width) from trunk outputs (N, width).

        Args:
            direction_terms: (R, width), from :meth:`direction_terms`.
            rays: (N,), the ray of each row.
        """
        if product := _compiled_product(trunk):
            from stylesdf_core.engine.compiled.sine_layers import shade_rows

            features = torch.empty_like(trunk)
            arrays = (trunk, self._view.weight, direction_terms, rays, features)
            shade_rows(product, *(array.numpy() for array in arrays))
            return features
        features = torch.mm(trunk, self._view.weight)
        _sine_of_sum_by_row(features, direction_terms, rays)
        return features

    def shade_samples(self, trunk: Tensor, direction_terms: Tensor) -> Tensor:
        """Features (R, N, width) of the N samples of R rays, from trunk outputs (R·N, width).

        Args:
            direction_terms: (R, width), from :meth:`direction_terms`.
        """
        features = torch.mm(trunk, self._view.weight)
        by_ray = features.view(len(direction_terms), -1, self.width)
        return by_ray.add_(direction_terms[:, None]).sin_()

    def logits_of(self, features: Tensor) -> Tensor:
        """Colour before the sigmoid, (N, 3), from features (N, width)."""
        return torch.addmm(self._rgb_bias, features, self._rgb_weight)

    def color(self, points: Tensor, viewdir: Tensor) -> Tensor:
        """Colour in [0, 1], (N, 3), at world points (N, 3) seen along one direction (1, 3)."""
        trunk = self._through_layers(points, self._buffers(points)[-1])
        features = torch.mm(trunk, self._view.weight)
        sine_of_sum(features, self.direction_terms(viewdir)[0])
        return torch.sigmoid(self.logits_of(features))

    def _through_layers(self, points: Tensor, out: Tensor) -> Tensor:
        """Write the last layer's output, (N, width), to ``out``."""
        if (product := _compiled_product(points)) and len(points):
            from stylesdf_core.engine.compiled.sine_layers import sine_layers

            arrays = (points.contiguous(), *self._packed, self._buffers(points)[0], out)
            sine_layers(product, *(array.numpy() for array in arrays))
            return out
        x, buffers = points, self._buffers(points)
        for index, layer in enumerate(self._layers):
            y = out if index == len(self._layers) - 1 else buffers[index % 2]
            torch.mm(x, layer.weight, out=y)
            sine_of_sum(y, layer.bias)
            x = y
        return x

    @cached_property
    def _packed(self) -> tuple[Tensor, Tensor, Tensor]:
        """The first layer's weights, all other layers' weights, all biases."""
        first, *others = self._layers
        weights = [layer.weight for layer in others]
        stacked = torch.stack(weights) if weights else first.weight.new_empty(0, *[self.width] * 2)
        return first.weight.contiguous(), stacked, torch.stack([x.bias for x in self._layers])

    def _buffers(self, points: Tensor) -> tuple[Tensor, ...]:
        """Three (N, width) tensors of this thread: two for layers in turn, one for the result."""
        buffers: Tensor | None = getattr(self._scratch, "buffers", None)
        if buffers is None or buffers.shape[1] < len(points):
            buffers = points.new_empty(3, len(points), self.width)
            self._scratch.buffers = buffers
        return buffers[:, : len(points)].unbind()


def fold_field(field: SirenField, w: Tensor) -> list[Tensor]:
    """Weights of a field for one w: (in, out) and (out,) of each sine layer, the view layer last;
    then the view directions' weights, and weight and bias of the distance's and the colour's layer.

    Args:
        w: as in :class:`BakedField`.
    """
    styles = layer_styles(w, len(field.trunk) + 1)
    layers = [fold(layer, own) for layer, own in zip(field.trunk, styles[:-1], strict=True)]
    layers[0] = SineLayer(layers[0].weight * VOLUME_SCALE, layers[0].bias)
    view = fold(field.view_layer, styles[-1])
    layers.append(SineLayer(view.weight[:-3].contiguous(), view.bias))
    scalar, rgb = field.scalar_head, field.rgb_head
    return [
        *(x for layer in layers for x in (layer.weight, layer.bias)),
        view.weight[-3:].contiguous(),
        scalar.weight[0],
        scalar.bias,
        rgb.weight.T,
        rgb.bias,
    ]


def fold(layer: nn.Module, w: Tensor) -> SineLayer:
    """A FiLM-SIREN layer for one w (1, w_dim) as an affine map and a sine."""
    assert isinstance(layer, FilmSiren)
    gamma, beta = (value[0] for value in layer.modulation(w))
    weight = gamma[:, None] * layer.linear.weight
    return SineLayer(weight.T.contiguous(), gamma * layer.linear.bias + beta)


def _compiled_product(x: Tensor) -> int:
    """The address of the product for compiled layers of a tile; 0 to call torch for each."""
    if x.device.type != "cpu" or x.dtype != torch.float32 or not compiled_loops.usable():
        return 0
    from stylesdf_core.engine.compiled.sine_layers import product_address

    return product_address()


def sine_of_sum(x: Tensor, bias: Tensor) -> None:
    """x ← sin(x + bias) in place."""
    if x.device.type == "cpu" and compiled_loops.usable():
        from stylesdf_core.engine.compiled import cpu_kernels

        cpu_kernels.sine_of_sum(x.numpy(), bias.numpy())
    else:
        x.add_(bias).sin_()


def _sine_of_sum_by_row(x: Tensor, biases: Tensor, index: Tensor) -> None:
    """x ← sin(x + biases[index]) in place."""
    if x.device.type == "cpu" and compiled_loops.usable():
        from stylesdf_core.engine.compiled import cpu_kernels

        cpu_kernels.sine_of_sum_by_row(x.numpy(), biases.numpy(), index.numpy())
    else:
        x.add_(biases[index]).sin_()
