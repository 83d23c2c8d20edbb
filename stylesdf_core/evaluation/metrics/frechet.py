"""Fréchet distance between two sets of pictures, on features of a fixed, seeded network.

This is no FID, which needs the weights of a network trained on photographs. Here the network's
weights are random, drawn from a fixed seed. Figures of the same extractor (its name is
:data:`FEATURES`) are comparable with each other, on all machines, but not with any published FID.

A picture becomes 480 numbers. It is resampled to 128² with antialiasing; then

- 192 are its layout: the means of 8 × 8 squares in three colours;
- 96 for each of the sizes 128², 64² and 32² are its texture there: means and standard deviations
  over space of the 8, 16 and 24 channels of three 3×3 convolutions, each followed by |·|. The
  filters are orthonormal; the first ones are also blind to a constant, later ones have stride 2.
  These numbers are multiplied by 12, 8 and 4, finest first: texture has a small amplitude, but
  nothing else tells a blurred picture from a sharp one.

The distance of the Gaussians with means μ and covariances Σ of both sets (Dowson and Landau 1982)::

    d² = ‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½)

is reported squared, as FID is. A covariance of 480 numbers needs some thousand pictures; for one
or two hundred pictures, ``short`` projects the features to 48 numbers by fixed orthonormal
directions, scaled so that both distances have the same expected size. The distance is overestimated
for few pictures: compare figures at equal counts only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

#: The extractor's name, to be changed with every change of its numbers.
FEATURES = "seeded-features-1"
#: Features of a picture, and of its short form.
LENGTH, SHORT = 480, 48

FloatArray = npt.NDArray[np.float64]

_SEED = 20_220_601
_SIZE, _LAYOUT = 128, 8
_CHANNELS = (8, 16, 24)
#: Weight of the texture at each size, finest first.
_WEIGHTS = (12.0, 8.0, 4.0)
_CHUNK = 32


class SeededFeatures:
    """The extractor described above; it runs on the CPU, so that machines agree to rounding."""

    def __init__(self) -> None:
        random = np.random.default_rng(_SEED)
        self._filters = [_filters(random) for _ in _WEIGHTS]
        self._short = _orthonormal(random, SHORT, LENGTH).T * math.sqrt(LENGTH / SHORT)

    def __call__(self, images: Tensor) -> FloatArray:
        """Features (B, 480) of images (B, 3, S, S) in [−1, 1], S from 8 on."""
        parts = [self._of(part.float().cpu()) for part in images.split(_CHUNK)]
        return np.concatenate(parts).astype(np.float64)

    def short(self, features: FloatArray) -> FloatArray:
        """Features (B, 480) to their short form (B, 48), for a few hundred pictures."""
        return np.asarray(features @ self._short)

    @torch.no_grad()
    def _of(self, images: Tensor) -> npt.NDArray[np.float32]:
        if images.shape[-1] != _SIZE:
            images = F.interpolate(images, size=(_SIZE, _SIZE), mode="bicubic", antialias=True)
        found = [F.adaptive_avg_pool2d(images, _LAYOUT).flatten(1)]
        for filters, weight in zip(self._filters, _WEIGHTS, strict=True):
            x = images
            for index, kernel in enumerate(filters):
                x = F.conv2d(x, kernel, stride=1 if index == 0 else 2).abs()
                deviation, mean = torch.std_mean(x, dim=(2, 3))
                found += [weight * mean, weight * deviation]
            images = F.avg_pool2d(images, 2)
        return torch.cat(found, dim=1).numpy()


def _filters(random: np.random.Generator) -> list[Tensor]:
    """Three banks of 3×3 filters, each orthonormal."""
    banks: list[Tensor] = []
    inputs = 3
    for outputs in _CHANNELS:
        bank = _orthonormal(random, outputs, 9 * inputs).reshape(outputs, inputs, 3, 3)
        if not banks:  # blind to a constant, which the layout contains already
            bank = bank - bank.mean(axis=(2, 3), keepdims=True)
            bank /= np.sqrt(np.square(bank).sum(axis=(1, 2, 3), keepdims=True))
        banks.append(torch.from_numpy(bank.astype(np.float32)))
        inputs = outputs
    return banks


def _orthonormal(random: np.random.Generator, rows: int, columns: int) -> FloatArray:
    """Random orthonormal rows (rows ≤ columns), with signs that do not depend on the LAPACK."""
    q, r = np.linalg.qr(random.standard_normal((columns, rows)))
    return np.asarray((q * np.sign(np.diag(r))).T)


@dataclass(frozen=True)
class Gaussian:
    """Mean (D,) and covariance (D, D) of a set of features."""

    mean: FloatArray
    covariance: FloatArray

    @classmethod
    def of(cls, features: FloatArray) -> Gaussian:
        """Of features (N, D); the covariance divides by N − 1, and is NaN for a single picture."""
        features = features.astype(np.float64)
        if len(features) < 2:
            unknown = np.full((features.shape[1],) * 2, np.nan)
            return cls(features.mean(axis=0), unknown)
        covariance = np.atleast_2d(np.cov(features, rowvar=False))
        return cls(features.mean(axis=0), covariance)


def frechet_distance(a: Gaussian, b: Gaussian) -> float:
    """d² of two Gaussians, by the formula above; NaN if a Gaussian is not finite.

    tr (Σ₁ Σ₂)^½ is the sum of the square roots of the eigenvalues of Σ₁^½ Σ₂ Σ₁^½. This matrix is
    symmetric, so its eigenvalues are real, and singular covariances do no harm.
    """
    if not all(np.isfinite(part).all() for g in (a, b) for part in (g.mean, g.covariance)):
        return math.nan
    values, vectors = np.linalg.eigh(a.covariance)
    root = (vectors * np.sqrt(values.clip(min=0.0))) @ vectors.T
    both = np.linalg.eigvalsh(root @ b.covariance @ root)
    apart = float(np.square(a.mean - b.mean).sum())
    spread = float(np.trace(a.covariance) + np.trace(b.covariance))
    return max(0.0, apart + spread - 2.0 * float(np.sqrt(both.clip(min=0.0)).sum()))
