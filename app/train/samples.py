"""Reads sample grids in the background, at a size to be shown."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from app.train.watch import sample_file
from app.workers.schedule import LatestWorker

#: Edges of what is shown, pixels: a grid is twice as wide as high.
WIDTH, HEIGHT = 640, 320


@dataclass(frozen=True)
class SampleRequest:
    """A grid of a run.

    Attributes:
        thumb: the volume renders rather than the images.
    """

    path: Path
    step: int
    thumb: bool


@dataclass(frozen=True, eq=False)
class Sample:
    """A grid to be shown, (H, W, 3) in [0, 1], H at most HEIGHT and W at most WIDTH.

    Attributes:
        size: of the file, (width, height).
    """

    request: SampleRequest
    pixels: npt.NDArray[np.float32]
    size: tuple[int, int]


def sample_worker(news: threading.Event) -> LatestWorker[SampleRequest, Sample]:
    """The thread that reads."""
    return LatestWorker("samples", read, news)


def read(request: SampleRequest) -> Iterator[Sample]:
    """The grid, enlarged or shrunk to what is shown."""
    with Image.open(sample_file(request.path, request.step, thumb=request.thumb)) as file:
        image = file.convert("RGB")
    factor = min(WIDTH / image.width, HEIGHT / image.height)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    shown = image.resize(size, Image.Resampling.LANCZOS)
    yield Sample(request, np.asarray(shown, np.float32) / 255.0, image.size)
