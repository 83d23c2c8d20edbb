"""Convolutions of a decoder whose styles are folded in, with noise and leaky ReLU.

Each computes some rows of a layer, for strips that stay in a core's cache.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from stylesdf_core.model.networks.ops import blur_kernel

#: Slope of the leaky ReLU for negative values.
_SLOPE = 0.2


@dataclass(frozen=True)
class Folded:
    """A layer's weights for one style.

    Attributes:
        weight: (out, in, k, k); where the layer upsamples (in, out, k, k), or (4·out, in, 3, 3) of
            :func:`phases`.
        bias: (out,) or (4·out,).
    """

    weight: Tensor
    bias: Tensor


#: A layer's rows from the first number up to the second, from its whole input; with noise of these
#: rows of the result, or None.
Convolution = Callable[[Tensor, Folded, Tensor | None, int, int], Tensor]


def unactivated(x: Tensor, own: Folded, _: Tensor | None, first: int, stop: int) -> Tensor:
    """Rows of a 3×3 convolution with zeros around, (1, out, stop − first, W)."""
    rows, padding = _padded(x, first, stop)
    return F.conv2d(rows, own.weight, own.bias, padding=padding)


def convolved(x: Tensor, own: Folded, noise: Tensor | None, first: int, stop: int) -> Tensor:
    """The same with noise and leaky ReLU."""
    rows, padding = _padded(x, first, stop)
    return activated(rows, own, noise, padding)


def upsampled(x: Tensor, own: Folded, noise: Tensor | None, first: int, stop: int) -> Tensor:
    """Rows of transposed convolution, blur and leaky ReLU, (1, out, 2·(stop − first), 2·W).

    Row r of the result is made of rows r − 1 to r + 2 of the transposed convolution, to which row i
    of ``x`` contributes at 2i, 2i + 1 and 2i + 2.
    """
    above, below = max(first - 1, 0), min(stop + 1, x.shape[2])
    y = F.conv_transpose2d(x[:, :, above:below], own.weight, stride=2)
    whole = stop - first == x.shape[2]
    if not whole:
        y = rows_of(y, 2 * (first - above) - 1, 2 * (stop - above) + 2)
    channels = y.shape[1]
    blur = blur_kernel(gain=4.0).to(y).expand(channels, 1, 4, 4)
    y = F.conv2d(y, blur, own.bias, padding=(int(whole), 1), groups=channels)
    return F.leaky_relu_(y if noise is None else y.add_(noise), _SLOPE)


def upsampled_by_phases(
    x: Tensor, own: Folded, noise: Tensor | None, first: int, stop: int
) -> Tensor:
    """The same rows from the weights of :func:`phases`, whose channels are neighbouring pixels.

    Four times the products of the transposed convolution; but oneDNN computes a convolution in
    bfloat16 three to twelve times as fast, and there is no blur.
    """
    rows, padding = _padded(x, first, stop)
    height, width, channels = stop - first, x.shape[3], len(own.bias) // 4
    if noise is not None:
        noise = F.pixel_unshuffle(noise, 2).repeat_interleave(channels, 1)
    y = activated(rows, own, noise, padding).permute(0, 2, 3, 1)
    y = y.view(height, width, 2, 2 * channels).transpose(1, 2)  # row, phase, column, …
    return y.reshape(1, 2 * height, 2 * width, channels).permute(0, 3, 1, 2)


def phases(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """A transposed convolution with stride 2 and the blur behind it as one plain convolution.

    Each output pixel is a sum over 3×3 input pixels, with weights for its row's and its column's
    parity.

    Args:
        weight: (out, in, 3, 3), float32.

    Returns:
        (4·out, in, 3, 3): even rows first, and in them even columns first.
    """
    outs, ins = weight.shape[:2]
    blur = (0.25, 0.75, 0.75, 0.25)  # along one axis
    # Pixel 2i + parity is Σ blur[k − 1 − parity + 2t] · weight[k] · input pixel i − 1 + t.
    along = weight.new_zeros(2, 3, 3)
    for parity, t, k in product(range(2), range(3), range(3)):
        if 0 <= (at := k - 1 - parity + 2 * t) < len(blur):
            along[parity, t, k] = blur[at]
    both = torch.einsum("ptk,qsl->pqtskl", along, along).reshape(36, 9)
    taps = both @ weight.flatten(2).permute(2, 0, 1).reshape(9, -1)
    taps = taps.view(4, 9, outs, ins).transpose(1, 2).to(dtype)
    return taps.reshape(4 * outs, 3, 3, ins).permute(0, 3, 1, 2)


def activated(x: Tensor, own: Folded, noise: Tensor | None, padding: tuple[int, int]) -> Tensor:
    """A convolution with noise and leaky ReLU."""
    is_plain = noise is None and x.dtype == torch.bfloat16 and x.device.type == "cpu"
    if is_plain and (fused := _fused_convolution()):
        return fused(x, own, padding)
    y = F.conv2d(x, own.weight, own.bias, padding=padding)
    return F.leaky_relu_(y if noise is None else y.add_(noise), _SLOPE)


@cache
def _fused_convolution() -> Callable[[Tensor, Folded, tuple[int, int]], Tensor] | None:
    """oneDNN's convolution and leaky ReLU in one pass; None where torch has none that is right."""

    def fused(x: Tensor, own: Folded, padding: tuple[int, int]) -> Tensor:
        result: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, own.weight, own.bias, padding, (1, 1), (1, 1), 1, "leaky_relu", [_SLOPE], ""
        )
        return result

    x = torch.linspace(-1.0, 1.0, 64, dtype=torch.bfloat16).view(1, 4, 4, 4)
    own = Folded(x.reshape(4, 4, 2, 2)[..., :1, :1], x[0, :, 0, 0])
    try:
        found = fused(x, own, (0, 0))
    except Exception:  # of any kind: this torch has another such operation, or none
        return None
    expected = F.leaky_relu(F.conv2d(x, own.weight, own.bias), _SLOPE)
    return fused if torch.allclose(found, expected, atol=0.05) else None


def of_rows(noise: Tensor | None, first: int, stop: int) -> Tensor | None:
    """The noise of some rows."""
    return None if noise is None else noise[:, :, first:stop]


def _padded(x: Tensor, first: int, stop: int) -> tuple[Tensor, tuple[int, int]]:
    """What a 3×3 convolution needs for some of its rows, and the zeros that it is to add."""
    if stop - first == x.shape[2]:
        return x, (1, 1)
    return rows_of(x, first - 1, stop + 1), (0, 1)


def rows_of(x: Tensor, first: int, stop: int) -> Tensor:
    """Rows of (1, C, H, W), with zeros for rows that do not exist."""
    inside, above, below = x[:, :, max(first, 0) : stop], max(-first, 0), stop - x.shape[2]
    return F.pad(inside, (0, 0, above, max(below, 0))) if above or below > 0 else inside


def twice(image: Tensor) -> Tensor:
    """Double the size with the [1, 3, 3, 1] filter: linear interpolation, with zeros around.

    A fifth of the time of torch's interpolation.
    """
    for axis in (3, 2):
        size = list(image.shape)
        size[axis] *= 2
        larger = image.new_empty(size)
        x, y = image.movedim(axis, 0), larger.movedim(axis, 0)
        torch.lerp(x[1:], x[:-1], 0.25, out=y[2::2])
        torch.lerp(x[:-1], x[1:], 0.25, out=y[1:-1:2])
        torch.mul(x[:1], 0.75, out=y[:1])
        torch.mul(x[-1:], 0.75, out=y[-1:])
        image = larger
    return image
