"""Small pictures of picture files, read by a thread in the order in which they are needed."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from app.workers.concurrency.schedule import LatestWorker
from stylesdf_core.errors import InputError
from stylesdf_core.foreign import open_picture, reading

Pixels = npt.NDArray[np.uint8]


class FilePictures:
    """Reads the newest request; what has been read waits until it is polled.

    Args:
        edge: most pixels of a picture along its longer edge.
        news: set when a picture has been read.
    """

    def __init__(self, edge: int, news: threading.Event) -> None:
        self._edge, self._news = edge, news
        self._done: queue.SimpleQueue[tuple[Path, Pixels | None]] = queue.SimpleQueue()
        self._worker: LatestWorker[tuple[Path, ...], int] = LatestWorker(
            "file pictures", self._read_all
        )

    def submit(self, paths: Sequence[Path]) -> None:
        """Read these files and no others, the first ones first."""
        self._worker.submit(tuple(paths))

    def poll(self) -> list[tuple[Path, Pixels | None]]:
        """Files read since the last call with (H, W, 3) pixels; None for a file that is none."""
        self._worker.poll()
        return [self._done.get_nowait() for _ in range(self._done.qsize())]

    def close(self) -> None:
        """End the thread; the file that it reads may still take its time."""
        self._worker.close(0.0)

    def _read_all(self, paths: tuple[Path, ...]) -> Iterator[int]:
        for number, path in enumerate(paths):
            self._done.put((path, read_small(path, self._edge)))
            self._news.set()
            yield number


def read_small(path: Path, edge: int) -> Pixels | None:
    """A picture in at most ``edge`` pixels along its longer edge; None for a file that is none."""
    try:
        with reading(path, "a picture"), open_picture(path) as image:
            image.draft("RGB", (edge, edge))
            image.thumbnail((edge, edge), Image.Resampling.LANCZOS)
            return np.asarray(image.convert("RGB"))
    except InputError:
        return None
