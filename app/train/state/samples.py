"""A run's sample grids: the steps that have a grid, and how a grid is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylesdf_core.foreign import open_picture, reading

#: Largest size of a grid that is shown, pixels; grids are twice as wide as high.
WIDTH, HEIGHT = 640, 320
#: Samples beside each other in a grid: the same latent from as many sides.
COLUMNS = 8


@dataclass(frozen=True)
class SampleRequest:
    """A grid of a run.

    Attributes:
        path: the run's folder.
        thumb: show the volume renders instead of the images.
        cell: row and column of the only sample to show; None for the whole grid.
    """

    path: Path
    step: int
    thumb: bool
    cell: tuple[int, int] | None = None


@dataclass(frozen=True, eq=False)
class Sample:
    """A grid to be shown.

    Attributes:
        pixels: (H, W, 3) in [0, 1], H at most HEIGHT and W at most WIDTH.
        rows: of the grid.
    """

    request: SampleRequest
    pixels: npt.NDArray[np.float32]
    rows: int


def sample_steps(path: Path) -> tuple[int, ...]:
    """Steps, ascending, for which a run's folder holds sample grids."""
    names = (file.stem for file in (path / "samples").glob("*.png"))
    return tuple(sorted(int(name) for name in names if name.isdigit()))


def sample_file(request: SampleRequest) -> Path:
    """The grid's file; without a file of volume renders, the file of the images."""
    file = request.path / "samples" / f"{request.step:08d}.png"
    thumb = file.with_stem(f"{file.stem}-thumb")
    return thumb if request.thumb and thumb.exists() else file


def read_sample(request: SampleRequest) -> Iterator[Sample]:
    """The grid or one sample of it, enlarged or shrunk to at most WIDTH × HEIGHT.

    Raises:
        InputError: the grid's file is missing or damaged.
    """
    file = sample_file(request)
    with reading(file, "a grid of samples"):
        with open_picture(file) as opened:
            image = opened.convert("RGB")
        edge = image.width / COLUMNS
        rows = max(1, round(image.height / edge))
        if request.cell is not None:
            row, column = request.cell
            left, top = round(column * edge), round(row * edge)
            image = image.crop((left, top, left + round(edge), top + round(edge)))
        factor = min(WIDTH / image.width, HEIGHT / image.height)
        size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
        shown = image.resize(size, Image.Resampling.LANCZOS)
    yield Sample(request, np.asarray(shown, np.float32) / 255.0, rows)
