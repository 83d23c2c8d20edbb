"""Pictures to train on: folders of images, data sets of heads, and the published lmdb layout.

Any size and shape will do: a picture is turned as its EXIF says, cropped to the central square
and resampled. What cannot be used is skipped and listed, never fatal.
"""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

from stylesdf_core.data.lmdb_images import LmdbImages
from stylesdf_core.errors import InputError
from stylesdf_core.progress import Operation, Progress

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})
#: Progress while looking at pictures is yielded this often.
_REPORT_EVERY = 64

Pixels = npt.NDArray[np.uint8]

#: What Pillow is known to raise for files that are not whole, or that claim to be enormous.
UNREADABLE = (
    OSError,
    ValueError,
    SyntaxError,
    TypeError,
    EOFError,
    LookupError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
_TURNS = {  # by EXIF orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class ImageSource(Protocol):
    """Pictures by number."""

    @property
    def names(self) -> Sequence[str]:
        """One name a picture, to be shown; their number is the source's."""
        ...

    def read(self, index: int) -> Image.Image:
        """The picture, perhaps not decoded yet.

        Raises:
            UNREADABLE: the file is not whole.
        """
        ...

    def close(self) -> None:
        """Let the files go: an lmdb can be open only once in a process."""
        ...


@dataclass(frozen=True)
class Skipped:
    """A picture that is not used, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Usable:
    """What a look at all pictures found.

    Attributes:
        indices: numbers of the pictures to train on, ascending.
        skipped: the others.
        smallest: least edge among those to train on, pixels; 0 where there are none.
    """

    indices: tuple[int, ...]
    skipped: tuple[Skipped, ...]
    smallest: int


class FolderImages:
    """All pictures below a folder, by path.

    Of a data set of heads (``stylesdf-studio heads``) only those its table names: depth maps
    beside them are no faces.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        table = folder / "metadata.jsonl"
        if (folder / "dataset.json").exists() and table.exists():
            self.names: Sequence[str] = tuple(_table_names(table))
        else:
            self.names = tuple(
                sorted(
                    path.relative_to(folder).as_posix()
                    for path in folder.rglob("*")
                    if path.suffix.lower() in SUFFIXES
                    and not path.name.startswith(".")
                    and path.is_file()
                )
            )

    def read(self, index: int) -> Image.Image:
        """See :class:`ImageSource`."""
        return Image.open(self.folder / self.names[index])

    def close(self) -> None:
        """See :class:`ImageSource`; nothing stays open between reads."""


def open_images(path: Path, size: int) -> ImageSource:
    """The pictures at ``path``, to train at ``size``: a folder or an lmdb data set.

    Raises:
        InputError: there is nothing, or no picture in it.
    """
    if not path.is_dir():
        raise InputError(f"There is no folder {path} of images; give --data.")
    source: ImageSource
    source = LmdbImages(path, size) if (path / "data.mdb").exists() else FolderImages(path)
    if not source.names:
        raise InputError(
            f"{path} holds no images ({', '.join(sorted(SUFFIXES))}, nested folders included)."
        )
    return source


def find_usable(
    source: ImageSource, size: int, *, upscale: bool = False, decode: bool = False
) -> Operation[Usable]:
    """Look at every picture; corrupt ones and those smaller than half of ``size`` are skipped.

    Args:
        upscale: take small ones too.
        decode: read them whole. Otherwise only their headers, in a hundredth of the time, and
            damage further in is found when training comes to it.
    """
    kept: list[int] = []
    skipped: list[Skipped] = []
    smallest = 0
    for index, name in enumerate(source.names):
        try:
            with source.read(index) as image:
                edge = min(image.size)
                if decode:
                    image.load()
        except UNREADABLE as error:
            skipped.append(unreadable(name, error))
            continue
        if edge < size / 2 and not upscale:
            skipped.append(Skipped(name, f"is {edge} pixels small; half of {size} are needed"))
            continue
        kept.append(index)
        smallest = min(smallest or edge, edge)
        if index % _REPORT_EVERY == 0:
            yield Progress(index, len(source.names), "looking at images")
    return Usable(tuple(kept), tuple(skipped), smallest)


def square(image: Image.Image, size: int, *, hamming: bool = False) -> Pixels:
    """The central square of a picture at ``size``², (size, size, 3).

    Args:
        hamming: the published way to make 64² from larger pictures; otherwise Lanczos.

    Raises:
        UNREADABLE: the file is not whole.
    """
    image = _rgb(_upright(image))
    width, height = image.size
    edge = min(width, height)
    left, top = (width - edge) // 2, (height - edge) // 2
    box = (left, top, left + edge, top + edge)
    # Hamming only shrinks well.
    filter_ = Image.Resampling.HAMMING if hamming and edge > size else Image.Resampling.LANCZOS
    if edge == size:
        return np.asarray(image.crop(box))
    return np.asarray(image.resize((size, size), filter_, box))


def shrink(pixels: Pixels, size: int) -> Pixels:
    """(S, S, 3) to (size, size, 3) by Pillow's Hamming filter, as the published 64² reals are."""
    if len(pixels) == size:
        return pixels
    return square(Image.fromarray(pixels), size, hamming=True)


def encode_png(pixels: Pixels) -> bytes:
    """The picture as PNG bytes."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=4)
    return stream.getvalue()


def split(count: int, held_out: float, seed: int) -> tuple[npt.NDArray[np.intp], ...]:
    """Positions to train on and positions held out, both ascending; the same for a seed.

    Args:
        held_out: share, 0 to below 1.
    """
    order = np.random.default_rng([seed, 0x5117]).permutation(count)
    apart = round(count * held_out)
    return np.sort(order[apart:]), np.sort(order[:apart])


def unreadable(name: str, error: Exception) -> Skipped:
    """A picture left out for one of the UNREADABLE errors."""
    reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
    return Skipped(name, f"cannot be read: {reason}")


def _upright(image: Image.Image) -> Image.Image:
    """Turned as its EXIF says.

    Pillow's own function writes the EXIF anew, which fails on odd entries in sound pictures.
    """
    image.load()
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except UNREADABLE:
        return image
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode == "I":
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:  # onto white: what lies below full transparency is chance
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _table_names(table: Path) -> Iterator[str]:
    for number, line in enumerate(table.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            yield str(json.loads(line)["file"])
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{table}, line {number}, names no file: {error}.") from error
