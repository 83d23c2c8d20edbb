"""Azimuth and elevation of the head in a picture, estimated by a small network.

The network learns the angles from true pictures whose cameras are known, and then estimates the
angles of generated pictures. If heads turn with the camera, the estimated angles correlate with the
camera's angles (r near 1); if heads turn by the camera's angle, the slope is near 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylesdf_core.evaluation.fitted.fitting import (
    Bytes,
    TruthFitting,
    held_out,
    outputs_of,
    read_truth,
)
from stylesdf_core.progress import Operation

FloatArray = npt.NDArray[np.float32]

#: Largest edge of the pictures that the network is given; larger pictures are shrunk to this edge.
EDGE = 64
_CHANNELS = (16, 32, 48, 64)
_STEPS = 900
_AT_ONCE = 256


@dataclass(frozen=True)
class AngleFit:
    """How the angles of cameras relate to the angles that pictures show.

    Attributes:
        correlation: Pearson's r.
        slope: of the least-squares line, shown angle over camera's angle.
    """

    correlation: float
    slope: float

    @classmethod
    def of(cls, asked: npt.NDArray[np.floating], shown: npt.NDArray[np.floating]) -> AngleFit:
        """The relation of angles (N,) each; NaN where all asked or all shown angles are equal."""
        x = asked.astype(np.float64) - asked.mean()
        y = shown.astype(np.float64) - shown.mean()
        xx, yy, xy = float(x @ x), float(y @ y), float(x @ y)
        if min(xx, yy) <= 0.0:
            return cls(float("nan"), float("nan"))
        return cls(xy / (xx * yy) ** 0.5, xy / xx)


class _Network(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for outputs in _CHANNELS:
            layers += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.LeakyReLU(0.1)]
            inputs, size = outputs, (size + 1) // 2
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(inputs * size * size, 2))

    def forward(self, images: Tensor) -> Tensor:
        angles: Tensor = self.layers(images)
        return angles


@dataclass(frozen=True)
class PoseRegressor:
    """A fitted network; make with :func:`fit_pose_regressor`.

    Attributes:
        held_out: relation of estimated to true azimuths, of pictures that were not fitted to.
        scale: (2,), standard deviations of azimuth and elevation, radians.
    """

    network: nn.Module
    held_out: AngleFit
    scale: Tensor

    def __call__(self, pixels: Bytes) -> FloatArray:
        """Azimuths and elevations (N, 2), radians, of pictures (N, S, S, 3) of the fitted size."""
        return (outputs_of(self.network, pixels, _AT_ONCE) * self.scale).numpy()


def fit_pose_regressor(
    pixels: Bytes, angles: FloatArray, *, steps: int = _STEPS
) -> Operation[PoseRegressor]:
    """Fit to true pictures (N, S, S, 3) with their angles (N, 2), radians; N at least 16."""
    unseen = held_out(len(pixels))
    targets = torch.from_numpy(angles[~unseen])
    scale = targets.std(dim=0).clamp(min=1e-3)
    fitting = TruthFitting(
        network=lambda: _Network(pixels.shape[1]),
        loss=F.mse_loss,
        mirrored=lambda target: target * torch.tensor([-1.0, 1.0]),
        batch=64, rate=2e-3, weight_decay=1e-2, seed=31, title="fitting the pose regressor",
    )  # fmt: skip
    network = yield from fitting.to(pixels[~unseen], targets / scale, steps)
    shown = PoseRegressor(network, AngleFit(0.0, 0.0), scale)(pixels[unseen])
    return PoseRegressor(network, AngleFit.of(angles[unseen, 0], shown[:, 0]), scale)


def read_angles(folder: Path) -> dict[str, tuple[float, float]]:
    """Azimuth and elevation by file name, radians, of a data set of synthetic heads.

    Empty for a folder of plain images and for an lmdb, whose cameras are not known.
    """
    return read_truth(folder, lambda row: (float(row["azimuth"]), float(row["elevation"])))
