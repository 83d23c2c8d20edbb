"""Pictures to train on, by number: opened, checked, converted to 8 bits, cropped and resized.

Training, evaluation, ``dataset check`` and ``dataset pack`` all read pictures here:
:func:`open_images` lists the pictures of a folder or an lmdb, :func:`find_usable` decides which
pictures are used, and :func:`square` makes an array of one picture. A picture that cannot be used
is left out and listed with the reason; it never ends the work.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path, PureWindowsPath

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylesdf_core.data.eight_bits import is_deep, upright_rgb
from stylesdf_core.data.lmdb_images import LmdbImages
from stylesdf_core.data.releases import refuse_release
from stylesdf_core.errors import InputError
from stylesdf_core.foreign import brief, cause, open_picture, parse_json, reading
from stylesdf_core.progress import Operation, Progress

with suppress(ImportError):  # Pillow reads HEIC only with this plugin
    import_module("pillow_heif").register_heif_opener()

Pixels = npt.NDArray[np.uint8]

#: Endings of picture files. Some of these Pillow does not read (camera raw, HEIC without its
#: plugin); such a file is listed as left out, so that nobody wonders where the picture went.
SUFFIXES = frozenset({
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".dib", ".tif",
    ".tiff", ".avif", ".jp2", ".j2k", ".jpx", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".tga",
    ".qoi", ".psd", ".heic", ".heif", ".hif", ".jxl", ".exr", ".hdr", ".svg", ".cr2", ".cr3",
    ".nef", ".arw", ".dng", ".raf", ".orf", ".rw2",
})  # fmt: skip
#: Largest edge, pixels, to which pictures are shrunk by the Hamming filter.
HAMMING_SIZE = 64
#: Pictures that are looked at between two reports of progress.
_CHUNK = 64
#: Pictures whose content is part of a fingerprint, and bytes of each.
_SAMPLED, _SAMPLED_BYTES = 64, 1 << 20
#: Pictures that :func:`list_skipped` names.
_NAMED = 3

#: Parsers of pictures raise any type for files that are damaged, or that claim to be enormous.
UNREADABLE = Exception


@dataclass(frozen=True)
class Skipped:
    """A picture that is left out, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Usable:
    """Result of :func:`find_usable`.

    Attributes:
        indices: numbers of the usable pictures in their source, ascending.
        skipped: the pictures that are left out.
        smallest: least edge of the usable pictures, pixels; 0 without usable pictures.
    """

    indices: tuple[int, ...]
    skipped: tuple[Skipped, ...]
    smallest: int


class FolderImages:
    """All pictures below a folder, sorted by path.

    Hidden files and folders and the thumbnails of network drives (``@eaDir``) are passed over; a
    folder that is reached by several symbolic links is read once. Of a data set of heads
    (``stylesdf-studio heads``) only the pictures in its table count: the depth maps beside them
    show no faces.

    Attributes:
        names: the name of each picture, to be shown; there are as many pictures as names.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        table = folder / "metadata.jsonl"
        is_heads = (folder / "dataset.json").exists() and table.exists()
        self.names: Sequence[str] = (
            tuple(_table_names(table)) if is_heads else sorted(_picture_files(folder))
        )

    def read(self, index: int) -> Image.Image:
        """Open a picture; its pixels may be decoded later. Safe to call from several threads.

        Raises:
            UNREADABLE: the file is damaged or of an unknown format.
        """
        return open_picture(self.folder / self.names[index])

    def sizes(self) -> list[int]:
        """The number of bytes of each picture's file; −1 for a file that is missing."""
        return [_bytes_of(self.folder / name) for name in self.names]

    def beginning(self, index: int, most: int) -> bytes:
        """The first ``most`` bytes of a picture's file.

        Raises:
            UNREADABLE: the file is missing, or may not be read.
        """
        with open(self.folder / self.names[index], "rb") as stream:
            return stream.read(most)

    def close(self) -> None:
        """No file stays open between two reads."""


#: Pictures by number: ``names``, ``read(index)``, and ``close()`` after the last read.
ImageSource = FolderImages | LmdbImages


def open_images(path: Path, size: int) -> ImageSource:
    """The pictures at ``path``, a folder or an lmdb data set, to train at ``size``.

    Raises:
        InputError: there is no such folder, no picture in it, the lmdb is damaged, or the folder
            is a release that holds more than pictures to train on.
    """
    if not path.is_dir():
        raise InputError(f"There is no folder {path} of images; give its place with --data.")
    refuse_release(path.absolute())
    source: ImageSource = (
        LmdbImages(path, size) if (path / "data.mdb").exists() else FolderImages(path)
    )
    if not source.names:
        raise InputError(f"{path} holds no images such as .jpg or .png, nested folders included.")
    return source


def find_usable(
    source: ImageSource, size: int, *, upscale: bool = False, whole: bool = True
) -> Operation[Usable]:
    """Read every picture, on all cores, to find those that can be used at ``size``.

    A picture is left out if :func:`square` cannot convert it, or if its shorter edge is less than
    half of ``size``.

    Args:
        upscale: use pictures of any size.
        whole: False to trust an lmdb, whose pictures were whole when they were packed: only the
            headers of its pictures are read, so that training on 90 GB begins in seconds.
    """
    total = len(source.names)
    least = 1.0 if upscale else size / 2
    trusted = isinstance(source, LmdbImages) and not whole
    read_header = source.read_header if isinstance(source, LmdbImages) and trusted else source.read

    def look(index: int) -> int | str:
        """The shorter edge of a picture, or the reason for which the picture is left out."""
        try:
            with read_header(index) as image:
                edge = min(image.size)
                if edge < least:
                    return f"is {edge} pixels small; half of {size} are needed"
                if trusted or _sound_png(image):
                    return edge
            with source.read(index) as image:
                # A JPEG is read whole, but decoded at an eighth of its edge.
                image.draft("RGB", (1, 1))
                upright_rgb(image)
                return edge
        except UNREADABLE as error:
            return f"cannot be read: {cause(error)}"

    edges: dict[int, int] = {}
    skipped: list[Skipped] = []
    with ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="usable") as pool:
        for start in range(0, total, _CHUNK):
            yield Progress(start, total, "looking at images")
            chunk = range(start, min(total, start + _CHUNK))
            for index, found in zip(chunk, pool.map(look, chunk), strict=True):
                if isinstance(found, int):
                    edges[index] = found
                else:
                    skipped.append(Skipped(source.names[index], found))
    return Usable(tuple(edges), tuple(skipped), min(edges.values(), default=0))


def fingerprint(source: ImageSource) -> str:
    """16 hexadecimal digits by which pictures are recognised, wherever they lie.

    The digits depend on the names and sizes of all pictures' files, and on the content (at most
    1 MB each) of up to 64 pictures that are spread over all of them.
    """
    digest = hashlib.sha256()
    for name, size in zip(source.names, source.sizes(), strict=True):
        digest.update(f"{name}\0{size}\0".encode("utf-8", "surrogateescape"))
    count = len(source.names)
    for index in dict.fromkeys(np.linspace(0, count - 1, min(count, _SAMPLED)).astype(int)):
        with suppress(UNREADABLE):
            digest.update(source.beginning(int(index), _SAMPLED_BYTES))
    return digest.hexdigest()[:16]


def list_skipped(skipped: Sequence[Skipped]) -> str:
    """The first pictures that are left out with their reasons, for a sentence; may be empty."""
    listed = "; ".join(f"{item.name} {item.reason}" for item in skipped[:_NAMED])
    more = len(skipped) - _NAMED
    return f"{listed}; and {more:,} more" if more > 0 else listed


def square(image: Image.Image, size: int) -> Pixels:
    """The central square of a picture at ``size``², (size, size, 3).

    The picture is turned as its EXIF says and converted by the rules of
    :mod:`~stylesdf_core.data.eight_bits`.

    Pictures of up to 64² are shrunk by Pillow's Hamming filter, as the published 64² pictures,
    with which volume renders are compared; larger ones, and all enlarged ones, are Lanczos's. So
    a packed picture, a picture of a folder and a thumb are the same wherever they are made.

    Raises:
        UNREADABLE: the file is damaged, or its values fit no rule.
    """
    image = upright_rgb(image)
    width, height = image.size
    edge = min(width, height)
    left, top = (width - edge) // 2, (height - edge) // 2
    box = (left, top, left + edge, top + edge)
    if edge == size:
        return np.asarray(image.crop(box))
    hamming = size <= HAMMING_SIZE and size < edge
    filter_ = Image.Resampling.HAMMING if hamming else Image.Resampling.LANCZOS
    return np.asarray(image.resize((size, size), filter_, box))


def shrink(pixels: Pixels, size: int) -> Pixels:
    """(S, S, 3) to (size, size, 3), as :func:`square` does."""
    return pixels if len(pixels) == size else square(Image.fromarray(pixels), size)


def split(
    count: int, held_out: float, seed: int, most: int | None = None
) -> tuple[npt.NDArray[np.intp], ...]:
    """Positions to train on and positions held out, both ascending; a seed gives one split.

    Args:
        held_out: share, 0 to below 1.
        most: largest number of positions held out.
    """
    order = np.random.default_rng([seed, 0x5117]).permutation(count)
    apart = round(count * held_out)
    apart = apart if most is None else min(apart, most)
    return np.sort(order[apart:]), np.sort(order[:apart])


def _sound_png(image: Image.Image) -> bool:
    """Whether the checksums of an 8-bit PNG are right, which is found without decoding it."""
    if image.format != "PNG" or is_deep(image):
        return False
    try:
        image.verify()
    except UNREADABLE:  # decoding decides; it tolerates, for instance, a missing end chunk
        return False
    return True


def _bytes_of(file: Path) -> int:
    try:
        return os.stat(file).st_size
    except OSError:
        return -1


def _picture_files(folder: Path) -> Iterator[str]:
    seen: set[str] = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        place = os.path.realpath(parent)
        if place in seen:  # a symbolic link led here again
            folders.clear()
            continue
        seen.add(place)
        folders[:] = sorted(name for name in folders if not name.startswith((".", "@eaDir")))
        within = Path(parent).relative_to(folder).as_posix()
        for name in files:
            is_picture = os.path.splitext(name)[1].lower() in SUFFIXES and name[0] != "."
            if is_picture and os.path.isfile(os.path.join(parent, name)):
                yield name if within == "." else f"{within}/{name}"


def _table_names(table: Path) -> Iterator[str]:
    for number, line in enumerate(table.read_bytes().splitlines(), start=1):
        with reading(table, f"a table of heads (line {number})"):
            name = str(parse_json(line)["file"])
            if PureWindowsPath(name).anchor or ".." in PureWindowsPath(name).parts:
                raise ValueError(f"its file {brief(name)} lies outside of the folder")
        yield name
