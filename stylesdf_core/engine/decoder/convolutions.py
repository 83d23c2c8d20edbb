"""Convolutions of a decoder whose styles are folded in: some rows of a layer, or all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from stylesdf_core.engine.compiled import compiled_loops

FloatArray = npt.NDArray[np.float32]

_SLOPE = 0.2  # of the leaky ReLU
#: Fewest channels for which blocks take less time: of 32 the coefficients cost what they save.
_MANY = 64


@dataclass(frozen=True)
class Folded:
    """A layer's weights for one style.

    Attributes:
        weight: (out, in, k, k); where the layer upsamples (in, out, k, k), or (4·out, in, 3, 3) of
            :func:`phases`.
        bias: (out,), or (4·out,) with the weights of phases.
    """

    weight: Tensor
    bias: Tensor

    @cached_property
    def of_blocks(self) -> Tensor:
        """The weights for :func:`styled_by_blocks`, (36, in, out)."""
        from stylesdf_core.engine.compiled.minimal_filtering import FROM_WEIGHTS

        taps = self.weight.permute(2, 3, 1, 0).flatten(0, 1)
        maps: Tensor = torch.tensordot(torch.from_numpy(FROM_WEIGHTS), taps, dims=1)
        return maps


#: A layer's rows from the first number up to the second, from its whole input.
Convolution: TypeAlias = Callable[[Tensor, Folded, int, int], Tensor]


def convolved(x: Tensor, own: Folded, first: int, stop: int) -> Tensor:
    """Rows of a 3×3 convolution with zeros around, (1, out, stop − first, W)."""
    whole = stop - first == x.shape[2]
    rows = x if whole else rows_of(x, first - 1, stop + 1)
    return F.conv2d(rows, own.weight, own.bias, padding=(int(whole), 1))


def upsampled(blur: Tensor, x: Tensor, own: Folded, first: int, stop: int) -> Tensor:
    """Rows of the transposed convolution and blur, (1, out, 2·(stop − first), 2·W).

    Row r of the result is made of rows r − 1 to r + 2 of the transposed convolution, to which row i
    of ``x`` contributes at 2i, 2i + 1 and 2i + 2.

    Args:
        blur: (4, 4), of sum 4.
    """
    y, begin = transposed(x, own, first, stop)
    whole = stop - first == x.shape[2]
    if not whole:
        y = rows_of(y, begin - 1, begin + 2 * (stop - first) + 2)
    channels = y.shape[1]
    blur = blur.expand(channels, 1, 4, 4)
    return F.conv2d(y, blur, own.bias, padding=(int(whole), 1), groups=channels)


def transposed(x: Tensor, own: Folded, first: int, stop: int) -> tuple[Tensor, int]:
    """Rows of the transposed convolution of which rows of :func:`upsampled` are made.

    Returns:
        The rows, and among them the number of the first row of the result.
    """
    above, below = max(first - 1, 0), min(stop + 1, x.shape[2])
    return F.conv_transpose2d(x[:, :, above:below], own.weight, stride=2), 2 * (first - above)


def upsampled_by_phases(x: Tensor, own: Folded, first: int, stop: int) -> Tensor:
    """The same rows from the weights of :func:`phases`.

    Twice the products; but for a GPU they are one large product instead of a transposed convolution
    and a convolution of each channel by itself.
    """
    y = convolved(x, own, first, stop).permute(0, 2, 3, 1)
    height, width, channels = stop - first, x.shape[3], own.bias.shape[0] // 4
    y = y.reshape(height, width, 2, 2 * channels).transpose(1, 2)  # row, its parity, column, …
    return y.reshape(1, 2 * height, 2 * width, channels).permute(0, 3, 1, 2)


def phases(weight: Tensor, by_phase: Tensor) -> Tensor:
    """A transposed convolution with stride 2 and the blur behind it as one plain convolution.

    Args:
        weight: (out, in, 3, 3).
        by_phase: (36, 9), of :func:`weights_by_phase`.

    Returns:
        (4·out, in, 3, 3): even rows first, and in them even columns first.
    """
    outs, ins = weight.shape[:2]
    taps = by_phase @ weight.flatten(2).permute(2, 0, 1).reshape(9, -1)
    return taps.view(4, 9, outs, ins).permute(0, 2, 3, 1).reshape(4 * outs, ins, 3, 3)


def weights_by_phase() -> Tensor:
    """Shares (36, 9) of a 3×3 kernel's weights in the 3×3 weights of each of four output pixels.

    Each output pixel is a sum over 3×3 input pixels, with weights for its row's and its column's
    parity: pixel 2i + parity is Σ blur[tap − 1 − parity + 2·at] · weight[tap] · input[i − 1 + at].
    """
    along = torch.zeros(2, 3, 3)
    for parity, at, tap in product(range(2), range(3), range(3)):
        place = tap - 1 - parity + 2 * at
        if 0 <= place < 4:
            along[parity, at, tap] = 0.25 if place in (0, 3) else 0.75
    return torch.einsum("ptk,qsl->pqtskl", along, along).reshape(36, 9)


def activated(x: Tensor, noise: Tensor | None) -> Tensor:
    """Feature maps with noise, (1, 1, H, W), and leaky ReLU, in place."""
    if noise is not None:
        x += noise
    return F.leaky_relu_(x, _SLOPE)


def is_compiled(x: Tensor, own: Folded, rows: int, *, upsamples: bool) -> bool:
    """Whether compiled loops can make so many rows of a layer, and take less time.

    They do in float32: the rows of :func:`styled_by_blocks`, or :func:`styled_blur`.
    """
    if x.dtype != torch.float32 or not compiled_loops.usable():
        return False
    if upsamples:
        return True
    from stylesdf_core.engine.compiled.sine_layers import product_address

    fits = rows % 4 == 0 and x.shape[3] % 4 == 0
    return fits and min(own.weight.shape[:2]) >= _MANY and bool(product_address())


def styled_by_blocks(x: Tensor, own: Folded, noise: Tensor | None, first: int, out: Tensor) -> None:
    """Write rows of :func:`convolved`, :func:`activated`, to some 1e-5.

    They take a quarter of the products: see :mod:`stylesdf_core.engine.compiled.minimal_filtering`.

    Args:
        noise: (1, 1, R, W), or None.
        first: number of the first row.
        out: (1, out, R, W), channels last; R and W are multiples of 4.
    """
    from stylesdf_core.engine.compiled.minimal_filtering import filtered_rows

    weights, bias = own.of_blocks.numpy(), own.bias.numpy()
    filtered_rows(_by_pixel(x), weights, bias, _added(noise), _by_pixel(out), first)


def styled_blur(y: Tensor, own: Folded, noise: Tensor | None, first: int, out: Tensor) -> None:
    """Write rows of :func:`upsampled`, :func:`activated`, from the transposed convolution.

    Args:
        y: (1, out, H + 1, W + 1), from :func:`transposed`.
        noise, first, out: as of :func:`styled_by_blocks`, in rows of the result.
    """
    from stylesdf_core.engine.compiled.blurring import blurred_rows

    bias = own.bias.numpy()
    blurred_rows(_by_pixel(y), bias, _added(noise), _by_pixel(out), first)


def _added(noise: Tensor | None) -> FloatArray:
    """Noise (1, 1, R, W) as (R, W); (0, 0) for none."""
    array: FloatArray = np.empty((0, 0), np.float32) if noise is None else noise[0, 0].numpy()
    return array


def _by_pixel(x: Tensor) -> FloatArray:
    """(1, C, H, W) as (H, W, C), contiguous: a copy only of maps that are not channels last."""
    array: FloatArray = x[0].permute(1, 2, 0).contiguous().numpy()
    return array


def rows_of(x: Tensor, first: int, stop: int) -> Tensor:
    """Rows of (1, C, H, W), with zeros for rows that do not exist."""
    inside = x[:, :, max(first, 0) : stop]
    return F.pad(inside, (0, 0, max(-first, 0), max(stop - x.shape[2], 0)))


def twice(image: Tensor) -> Tensor:
    """Double the size with the [1, 3, 3, 1] filter: linear interpolation, with zeros around."""
    padded = F.pad(image, (1, 1, 1, 1))
    larger = F.interpolate(padded, scale_factor=2, mode="bilinear", align_corners=False)
    return larger[..., 2:-2, 2:-2]
