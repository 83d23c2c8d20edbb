"""Small pictures for the file dialog: read in order, None for files that are none."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image

from app.workers.file_pictures import FilePictures, Pixels, read_small


def test_a_picture_keeps_its_shape_and_a_broken_file_is_none(tmp_path: Path) -> None:
    wide, broken = tmp_path / "wide.png", tmp_path / "broken.png"
    Image.new("RGBA", (200, 100), (255, 0, 0, 255)).save(wide)
    broken.write_bytes(b"no picture")
    pixels = read_small(wide, 32)
    assert pixels is not None
    assert pixels.shape == (16, 32, 3)
    assert np.array_equal(pixels[8, 16], (255, 0, 0))
    assert read_small(broken, 32) is None
    assert read_small(tmp_path / "missing.png", 32) is None


def test_all_files_of_a_request_are_read_and_news_is_given(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(5)]
    for path in paths[:-1]:
        Image.new("RGB", (8, 8)).save(path)
    paths[-1].write_bytes(b"")
    news = threading.Event()
    files = FilePictures(16, news)
    files.submit(paths)
    read: dict[Path, Pixels | None] = {}
    end = time.monotonic() + 20.0
    while len(read) < len(paths) and time.monotonic() < end:
        news.wait(1.0)
        read.update(files.poll())
    files.close()
    assert list(read) == paths
    assert [pixels is None for pixels in read.values()] == [False] * 4 + [True]
