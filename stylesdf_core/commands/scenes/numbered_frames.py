"""Films as numbered PNGs in a folder: all frames appear, and replace an older film, after the last.

The frames of a film carry their number, so that no other numbered pictures in the folder, such as
those of a batch or of a data set, are taken for an older film.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylesdf_core.errors import InputError, OutputError
from stylesdf_core.files import atomic_output, check_destination, cleaned_up
from stylesdf_core.foreign import open_picture
from stylesdf_core.scene.session_files import png_info

#: Name of the PNG text chunk that holds a frame's number.
_MARK = "stylesdf-frame"


def older_frames(folder: Path) -> list[Path]:
    """The frames of the film in a folder, which a new film there replaces.

    Raises:
        OutputError: the folder cannot be written.
        InputError: the folder holds other numbered pictures, which would be mixed with the frames.
    """
    check_destination(folder / "00000.png")
    numbered = [path for path in folder.glob("*.png") if re.fullmatch(r"\d{5,}", path.stem)]
    for path in numbered:
        if not _is_frame(path):
            raise InputError(
                f"{folder} holds numbered pictures that are no film of this program, such as "
                f"{path.name}; choose another folder."
            )
    return numbered


@contextmanager
def write_numbered(path: Path, fps: float, session: str) -> Iterator[_NumberedFrames]:
    """Write ``00000.png``, ``00001.png`` … into a folder, which is made; ``fps`` is not kept.

    An older film there stays until the block ends well; two films are never mixed.

    Raises:
        OutputError: a file cannot be written.
        InputError: the folder holds other numbered pictures.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(dir=path, prefix=".film-"))
    except OSError as error:
        raise OutputError(f"Cannot write {path}: {error.strerror or error}.") from error
    frames = _NumberedFrames(path, aside, session)
    with cleaned_up(partial(shutil.rmtree, aside, ignore_errors=True)), cleaned_up(frames.clean):
        yield frames
        frames.place()


class _NumberedFrames:
    """Frames as PNGs beside those of an older film, until they take its place."""

    def __init__(self, folder: Path, aside: Path, session: str) -> None:
        self._folder, self._aside, self._session = folder, aside, session
        self._written: list[Path] = []
        self._unfinished: list[Path] = []

    def add(self, frame: npt.NDArray[np.uint8]) -> None:
        path = self._aside / f"{len(self._written):05d}.png"
        info = png_info(self._session)
        info.add_text(_MARK, str(len(self._written)))
        with atomic_output(path) as temporary:
            Image.fromarray(frame).save(temporary, pnginfo=info)
        self._written.append(path)

    def place(self) -> None:
        """Delete the older film, then move the frames to its place."""
        try:
            for path in older_frames(self._folder):
                path.unlink()
            for path in self._written:
                self._unfinished.append(path.replace(self._folder / path.name))
        except OSError as error:
            raise OutputError(f"Cannot write {self._folder}: {error.strerror or error}.") from error
        self._unfinished.clear()

    def clean(self) -> None:
        """Leave no part of the film in the folder."""
        for path in self._unfinished:
            path.unlink(missing_ok=True)


def _is_frame(path: Path) -> bool:
    try:
        with open_picture(path) as image:
            return _MARK in image.info
    except Exception:  # of any picture's parser
        return False
