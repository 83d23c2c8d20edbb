"""Pictures beside each other in one PNG, for a person to compare."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylesdf_core.files import atomic_output

FloatArray = npt.NDArray[np.float32]


def grid(rows: Sequence[Sequence[FloatArray]], columns: int = 1) -> npt.NDArray[np.uint8]:
    """Lay out rows of equally large pictures (H, W, 3) in [0, 1].

    Args:
        columns: rows set beside each other before the next line begins.
    """
    strips = [np.concatenate(list(row), axis=1) for row in rows]
    while len(strips) % columns:
        strips.append(np.zeros_like(strips[0]))
    lines = [
        np.concatenate(strips[i : i + columns], axis=1) for i in range(0, len(strips), columns)
    ]
    return np.asarray(np.rint(255.0 * np.clip(np.concatenate(lines), 0.0, 1.0)), np.uint8)


def write_grids(folder: Path, grids: dict[str, list[list[FloatArray]]], columns: int = 4) -> None:
    """Write each grid as ``<name>.png`` into ``folder``, short rows ``columns`` to a line.

    Raises:
        OutputError: the folder cannot be written.
    """
    for name, rows in grids.items():
        beside = columns if len(rows[0]) <= columns else 1
        with atomic_output(folder / f"{name}.png") as temporary:
            Image.fromarray(grid(rows, beside)).save(temporary)
