"""Sample grids: pictures of a run beside each other, written into its folder at evaluations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from stylesdf_core.files import atomic_output


def save_grid(rows: list[Tensor], path: Path, *, columns: int = 8) -> None:
    """Write images (B, 3, H, W) in [−1, 1] of several sources as a PNG, sources under each other.

    Batches of more than ``columns`` images continue in further bands of rows.

    Raises:
        OutputError: the file cannot be written.
    """
    bands = []
    for first in range(0, len(rows[0]), columns):
        for row in rows:
            part = row[first : first + columns]
            missing = columns - len(part)
            part = torch.cat([part, part.new_ones(missing, *part.shape[1:])]) if missing else part
            bands.append(torch.cat(list(part), dim=-1))
    grid = torch.cat(bands, dim=-2)
    pixels = ((grid + 1.0) * 127.5).round().clamp(0, 255).byte().movedim(0, -1)
    with atomic_output(path) as temporary:
        Image.fromarray(np.ascontiguousarray(pixels.cpu().numpy())).save(temporary)
