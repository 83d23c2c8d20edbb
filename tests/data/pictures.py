"""Small pictures on disk that tests of several rooms read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def save(path: Path, size: tuple[int, int] = (40, 32), level: int = 128, **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (level, level, level)).save(path, **options)


def mixed_folder(folder: Path) -> Path:
    """13 usable pictures for training at 32², three that are not usable, and a text file."""
    for index in range(12):
        save(folder / f"nested/{index:02d}.png", level=20 * index)
    save(folder / "wide.jpg", (90, 33))
    save(folder / "small.png", (40, 15))
    (folder / "broken.png").write_bytes(b"no picture")
    noise = np.random.default_rng(1).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "half.png")
    whole = (folder / "half.png").read_bytes()
    (folder / "half.png").write_bytes(whole[: len(whole) // 2])
    (folder / "notes.txt").write_text("not an image")
    return folder
