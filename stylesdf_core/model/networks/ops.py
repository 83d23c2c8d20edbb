"""StyleGAN2's building blocks (Karras et al. 2020), without compiled extensions."""

from __future__ import annotations

import math
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SQRT2 = math.sqrt(2.0)


def leaky_relu(x: Tensor, gain: float = SQRT2) -> Tensor:
    """Leaky ReLU of slope 0.2, times ``gain`` (√2 keeps the variance)."""
    y = F.leaky_relu(x, 0.2)
    return y if gain == 1.0 else y * gain


def of_type(value: Tensor, x: Tensor) -> Tensor:
    """``value`` in the type of the feature maps ``x``.

    A float32 bias, noise map or norm would turn feature maps that autocast has computed in 16 bits
    into float32, and with them all that the backward pass keeps.
    """
    return value.to(x.dtype)


def blur_kernel(gain: float = 1.0) -> Tensor:
    """The separable [1, 3, 3, 1] low-pass as a (4, 4) kernel that sums to ``gain``."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    kernel = torch.outer(taps, taps)
    return kernel * (gain / kernel.sum())


def upfirdn2d(x: Tensor, kernel: Tensor, up: int = 1, pad: tuple[int, int] = (0, 0)) -> Tensor:
    """Insert zeros, pad and convolve every channel with one symmetric kernel.

    Args:
        x: (B, C, H, W).
        kernel: (K, K); symmetric, so that correlation and convolution coincide.
        up: zeros are inserted until each axis is ``up`` times as long.
        pad: pixels before and after, on both axes.

    Returns:
        (B, C, up·H + pad − K + 1, up·W + pad − K + 1).
    """
    channels = x.shape[1]
    weight = kernel.to(x.dtype)[None, None].expand(channels, 1, *kernel.shape)
    if up == 1:
        return F.conv2d(F.pad(x, (pad[0], pad[1], pad[0], pad[1])), weight, groups=channels)
    # A transposed convolution is the zero insertion and the full convolution in one; its
    # output starts K − 1 pixels before x and ends K − up after the last inserted zero.
    y = F.conv_transpose2d(x, weight, stride=up, groups=channels)
    k = kernel.shape[0]
    left, right = pad[0] - (k - 1), pad[1] - (k - up)
    return F.pad(y, (left, right, left, right))


def low_pass() -> Tensor:
    """Twelve taps that sum to 1, a windowed sinc, for filters at twice a map's resolution.

    The cutoff is 0.8 of the highest frequency that the map can hold: what a leaky ReLU adds near
    that frequency would alias (with 1.0, an image of moved features is 8 times farther from the
    moved image). Symmetric with an even number of taps, so that pixels' centres stay aligned when
    the resolution is doubled or halved.
    """
    count, cutoff = 12, 0.8
    offsets = torch.arange(count) - 0.5 * (count - 1)
    taps = torch.sinc(0.5 * cutoff * offsets)
    taps = taps * torch.kaiser_window(count, periodic=False, beta=4.0)
    return taps / taps.sum()


def doubled(x: Tensor, taps: Tensor) -> Tensor:
    """Maps (B, C, H, W) at twice the resolution without frequencies that they did not have.

    Beyond their edge, maps continue with their outermost pixels.

    Args:
        taps: (12,), see :func:`low_pass`.
    """
    for axis in (2, 3):
        kernel, (margin, crop), stride = _along(axis, x, 2.0 * taps)
        inside = tuple(cut + 2 * grown for cut, grown in zip(crop, margin, strict=True))
        wide = F.pad(x, (margin[1], margin[1], margin[0], margin[0]), mode="replicate")
        x = F.conv_transpose2d(wide, kernel, stride=stride, padding=inside, groups=x.shape[1])
    return x


def halved(x: Tensor, taps: Tensor) -> Tensor:
    """Maps (B, C, 2H, 2W) at half the resolution, without the frequencies that it cannot hold."""
    for axis in (2, 3):
        kernel, (_, crop), stride = _along(axis, x, taps)
        wide = F.pad(x, (crop[1], crop[1], crop[0], crop[0]), mode="replicate")
        x = F.conv2d(wide, kernel, stride=stride, groups=x.shape[1])
    return x


_Pair: TypeAlias = tuple[int, int]


def _along(axis: int, x: Tensor, taps: Tensor) -> tuple[Tensor, tuple[_Pair, _Pair], _Pair]:
    """The taps as a kernel of every channel along one axis: (kernel, (margin, crop), stride)."""
    count, first = len(taps), axis == 2
    shape = (count, 1) if first else (1, count)
    kernel = taps.to(x.dtype).reshape(1, 1, *shape).expand(x.shape[1], 1, *shape)

    def pair(along: int, across: int) -> _Pair:
        return (along, across) if first else (across, along)

    return kernel, (pair(count // 4, 0), pair(count // 2 - 1, 0)), pair(2, 1)


def filtered_leaky_relu(x: Tensor, taps: Tensor, gain: float = SQRT2) -> Tensor:
    """:func:`leaky_relu` at twice the resolution, so that its new frequencies do not alias.

    Source: Karras et al., "Alias-Free Generative Adversarial Networks", 2021, section 2.
    """
    return halved(leaky_relu(doubled(x, taps), gain), taps)


class EqualLinear(nn.Module):
    """Linear layer with equalised learning rate (weights scaled by 1/√fan_in at run time).

    Args:
        lr_mul: scale of the layer's learning rate; the stored weights are 1/lr_mul larger.
        activation: follow with leaky ReLU · √2.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        bias_init: float = 0.0,
        lr_mul: float = 1.0,
        activation: bool = False,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / lr_mul)
        self.bias = nn.Parameter(torch.full((out_features,), bias_init))
        self.scale = lr_mul / math.sqrt(in_features)
        self.lr_mul = lr_mul
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """(…, in_features) -> (…, out_features)."""
        y = F.linear(x, self.weight * self.scale, self.bias * self.lr_mul)
        return leaky_relu(y) if self.activation else y


def pixel_norm(x: Tensor) -> Tensor:
    """Scale every vector along the last axis to unit mean square."""
    return x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + 1e-8)
