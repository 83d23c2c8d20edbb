"""Pictures beside each other in one PNG, for a person to compare."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image
from torch import Tensor

from stylesdf_core.engine.picture import eight_bit
from stylesdf_core.files import atomic_output

FloatArray: TypeAlias = npt.NDArray[np.float32]


def grid(rows: Sequence[Sequence[FloatArray]]) -> npt.NDArray[np.uint8]:
    """Rows of equally large pictures (H, W, 3) in [0, 1] under each other; short rows end white."""
    longest = max(map(len, rows))
    white = np.ones_like(rows[0][0])
    lines = [np.concatenate([*row, *[white] * (longest - len(row))], axis=1) for row in rows]
    return eight_bit(np.concatenate(lines))


def write_grid(path: Path, rows: Sequence[Sequence[FloatArray]]) -> None:
    """Write a :func:`grid` as a PNG.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_output(path) as temporary:
        Image.fromarray(grid(rows)).save(temporary)


def beside(rows: Sequence[Sequence[FloatArray]], columns: int) -> list[list[FloatArray]]:
    """Rows that each join ``columns`` of the given rows."""
    return [
        [picture for row in rows[first : first + columns] for picture in row]
        for first in range(0, len(rows), columns)
    ]


def save_grid(sources: Sequence[Tensor], path: Path, *, columns: int = 8) -> None:
    """Write images (B, 3, H, W) in [−1, 1] of several sources as a PNG, sources under each other.

    Batches of more than ``columns`` images continue in further bands of rows.

    Raises:
        OutputError: the file cannot be written.
    """
    pictures = [list((0.5 * source + 0.5).movedim(1, -1).cpu().numpy()) for source in sources]
    starts = range(0, len(pictures[0]), columns)
    write_grid(path, [row[first : first + columns] for first in starts for row in pictures])
