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

from stylesdf_core.evaluation.image_metrics import bytes_as_tensor
from stylesdf_core.foreign import parse_json
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.seeds import seeded_weights

FloatArray = npt.NDArray[np.float32]

#: Largest edge of the pictures that the network is given; larger pictures are shrunk to this edge.
EDGE = 64
_CHANNELS = (16, 32, 48, 64)
_BATCH, _STEPS, _RATE = 64, 900, 2e-3
_HELD_OUT = 8  # one picture in eight
_AT_ONCE = 256
_SEED = 31


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

    @torch.no_grad()
    def __call__(self, pixels: npt.NDArray[np.uint8]) -> FloatArray:
        """Azimuths and elevations (N, 2), radians, of pictures (N, S, S, 3) of the fitted size."""
        starts = range(0, len(pixels), _AT_ONCE)
        chunks = (pixels[start : start + _AT_ONCE] for start in starts)
        estimates = [self.network(bytes_as_tensor(chunk)) for chunk in chunks]
        return (torch.cat(estimates) * self.scale).numpy()


def fit_pose_regressor(
    pixels: npt.NDArray[np.uint8], angles: FloatArray, *, steps: int = _STEPS
) -> Operation[PoseRegressor]:
    """Fit to true pictures (N, S, S, 3) with their angles (N, 2), radians; N at least 16.

    The same pictures give the same network. Pictures are mirrored with their azimuth, and changed
    in brightness and blurred at random, since generated pictures differ from true ones in these.
    """
    held_out = np.arange(len(pixels)) % _HELD_OUT == 0
    images, targets = pixels[~held_out], torch.from_numpy(angles[~held_out])
    scale = targets.std(dim=0).clamp(min=1e-3)
    random = torch.Generator().manual_seed(_SEED)
    with seeded_weights(_SEED):
        network = _Network(pixels.shape[1])
    optimizer = torch.optim.AdamW(network.parameters(), _RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps)
    for step in range(steps):
        chosen = torch.randint(len(images), (_BATCH,), generator=random)
        batch = disturbed(bytes_as_tensor(images[chosen.numpy()]), random)
        target = targets[chosen] / scale
        if step % 2:
            batch, target = batch.flip(-1), target * torch.tensor([-1.0, 1.0])
        loss = F.mse_loss(network(batch), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        yield Progress(step + 1, steps, "fitting the pose regressor")
    network.eval().requires_grad_(False)
    fitted = PoseRegressor(network, AngleFit(0.0, 0.0), scale)
    shown = fitted(pixels[held_out])
    return PoseRegressor(network, AngleFit.of(angles[held_out, 0], shown[:, 0]), scale)


def read_angles(folder: Path) -> dict[str, tuple[float, float]] | None:
    """Azimuth and elevation by file name, radians, of a data set of synthetic heads.

    None for a folder of plain images and for an lmdb, whose cameras are not known.
    """
    table = folder / "metadata.jsonl"
    if not (folder / "dataset.json").exists() or not table.exists():
        return None
    angles: dict[str, tuple[float, float]] = {}
    for line in table.read_bytes().splitlines():
        try:
            row = parse_json(line)
            angles[str(row["file"])] = (float(row["azimuth"]), float(row["elevation"]))
        except (ValueError, KeyError, TypeError):
            return None
    return angles


def disturbed(images: Tensor, random: torch.Generator) -> Tensor:
    """Gain and offset of every colour at random, half of the pictures blurred, some noise."""
    shape = (len(images), 3, 1, 1)
    images = images * (1.0 + 0.1 * torch.randn(shape, generator=random))
    images = images + 0.1 * torch.randn(shape, generator=random)
    blurred = F.avg_pool2d(images, 3, stride=1, padding=1, count_include_pad=False)
    chosen = torch.rand(len(images), 1, 1, 1, generator=random) < 0.5
    images = torch.where(chosen, blurred, images)
    return images + 0.03 * torch.randn(images.shape, generator=random)
