"""Scores of a picture against another picture: PSNR, sharpness, and the filters for both.

Pictures are (H, W, 3) float32, sRGB in [0, 1], unless a function says otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

FloatArray = npt.NDArray[np.float32]

#: PSNR of equal pictures, dB, instead of infinity, so that means stay finite.
MAX_PSNR = 99.0
#: Weights of red, green and blue in the luma (ITU-R BT.601).
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
#: Mean sharpness below which pictures count as flat, since rounding alone reaches it.
_FLAT = 1e-6


def psnr(image: FloatArray, truth: FloatArray) -> float:
    """Peak signal-to-noise ratio, dB: −10·log₁₀ of the mean squared error over all channels."""
    error = float(np.square(image.astype(np.float64) - truth).mean())
    if error <= 10.0 ** (-0.1 * MAX_PSNR):
        return MAX_PSNR
    return -10.0 * math.log10(error)


def luma(image: FloatArray) -> FloatArray:
    """BT.601 luma (H, W) of sRGB values (H, W, 3)."""
    return np.asarray(image @ _LUMA, np.float32)


def sharpness(image: FloatArray) -> float:
    """Mean absolute Laplacian of the luma: Σ of the 4 neighbours − 4·centre, inner pixels only.

    Blur lowers the sharpness, noise raises it.
    """
    y = luma(image)
    laplacian = y[:-2, 1:-1] + y[2:, 1:-1] + y[1:-1, :-2] + y[1:-1, 2:] - 4.0 * y[1:-1, 1:-1]
    return float(np.abs(laplacian).mean())


def sharpness_ratio(values: Sequence[float], truths: Sequence[float]) -> float:
    """Mean sharpness as a share of the true pictures'; NaN where the true pictures are flat."""
    truth = float(np.mean(truths))
    return float(np.mean(values)) / truth if truth > _FLAT else math.nan


def shrink(image: FloatArray, size: int) -> FloatArray:
    """Box-filter (H, H) or (H, H, C) to ``size``²; ``size`` must divide H."""
    factor, rest = divmod(len(image), size)
    if rest:
        raise ValueError(f"{len(image)} pixels cannot be averaged to {size}")
    blocks = image.reshape(size, factor, size, factor, *image.shape[2:])
    return np.asarray(blocks.mean(axis=(1, 3)), np.float32)


def as_tensor(image: FloatArray) -> Tensor:
    """A picture for a network: (1, 3, H, W) in [−1, 1]."""
    data = np.ascontiguousarray(np.moveaxis(image, -1, 0)[None])
    return 2.0 * torch.from_numpy(data) - 1.0


def bytes_as_tensor(pixels: npt.NDArray[np.uint8]) -> Tensor:
    """8-bit pictures (N, H, W, 3) for a network: (N, 3, H, W) in [−1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).movedim(-1, 1).float() / 127.5 - 1.0


def enlarge(image: FloatArray, size: int) -> FloatArray:
    """Bicubic interpolation to ``size``², clipped to [0, 1]."""
    data = torch.from_numpy(np.ascontiguousarray(np.moveaxis(image, -1, 0)))[None]
    data = F.interpolate(data, size=(size, size), mode="bicubic").clamp(0.0, 1.0)
    return np.moveaxis(data[0].numpy(), 0, -1)


def blur(image: FloatArray, sigma: float) -> FloatArray:
    """Gaussian blur, ``sigma`` in pixels."""
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(image, (sigma, sigma, 0.0)), np.float32)
