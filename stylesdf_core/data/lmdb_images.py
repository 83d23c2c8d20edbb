"""Reads and writes the published data layout: an lmdb of PNG files.

A picture of edge ``size`` lies under the key ``{size}-{index:05d}``; the key ``length`` holds the
number of pictures.
"""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import lmdb
import numpy as np
import numpy.typing as npt
from PIL import Image

from stylesdf_core.data.lmdb_file import LmdbFile
from stylesdf_core.errors import InputError, OutputError
from stylesdf_core.foreign import open_picture, reading

#: Address space that a new lmdb reserves, bytes; doubled whenever it is full.
_FIRST_MAP = 64 << 20
#: Bytes of a picture's file in which its size stands.
_HEADER = 16 << 10
#: Pictures written in one transaction.
_BATCH = 64


class LmdbImages:
    """Pictures of one size in an lmdb data set, by number.

    Args:
        path: the lmdb's folder.
        size: wanted edge, pixels; the smallest stored size from ``size`` on is read, else the
            largest stored size.

    Raises:
        InputError: the folder holds no such data set, or a damaged one.
    """

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        with (
            reading(path, "an lmdb data set", advice="Copy or pack it again."),
            ExitStack() as failing,
        ):
            self._file = LmdbFile(path / "data.mdb")
            failing.callback(self._file.close)
            sizes, length = _contents(self._file)
            if not sizes or length < 1:
                raise InputError(
                    f"{path} is no lmdb data set of images: it lacks the key 'length' or pictures "
                    "under '256-00000'; make one with `stylesdf-studio dataset pack`."
                )
            # A picture takes at least a page's header.
            if length > min(self._file.entries, (path / "data.mdb").stat().st_size // 8):
                raise ValueError(
                    "its key 'length' claims more pictures than there are entries "
                    f"({self._file.entries:,})"
                )
            failing.pop_all()
        #: Edge of the pictures that are read, pixels.
        self.size = min((stored for stored in sizes if stored >= size), default=max(sizes))
        self.names: Sequence[str] = [f"{self.size}-{index:05d}" for index in range(length)]

    def read(self, index: int) -> Image.Image:
        """As :meth:`stylesdf_core.data.images.FolderImages.read`."""
        return open_picture(io.BytesIO(self._value(index)))

    def read_header(self, index: int) -> Image.Image:
        """Open a picture whose size is to be known, but whose pixels are not to be decoded.

        Raises:
            UNREADABLE: its header is damaged, or longer than 16 KiB.
        """
        return open_picture(io.BytesIO(self._value(index, _HEADER)))

    def sizes(self) -> list[int]:
        """As :meth:`stylesdf_core.data.images.FolderImages.sizes`."""
        with reading(self._path, "an lmdb data set", advice="Copy or pack it again."):
            found = dict(self._file.sizes())
        return [found.get(name.encode(), -1) for name in self.names]

    def beginning(self, index: int, most: int) -> bytes:
        """As :meth:`stylesdf_core.data.images.FolderImages.beginning`."""
        return self._value(index, most)

    def _value(self, index: int, most: int | None = None) -> bytes:
        """The first ``most`` bytes of a picture's file; what lies behind these is not read."""
        content = self._file.get(self.names[index].encode(), most)
        if content is None:
            raise ValueError("the key is missing")
        return content

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _contents(file: LmdbFile) -> tuple[list[int], int]:
    """The sizes that are stored, and the number of pictures (0 without a readable number)."""
    sizes = []
    key = file.first_key(b"")
    while key is not None:
        prefix = key.split(b"-")[0]
        if prefix.isdigit():
            sizes.append(int(prefix))
        # '.' follows '-': on to the first key of the next size
        key = file.first_key(prefix + b".")
    stored = file.get(b"length") or b""
    return sizes, int(stored) if stored.isdigit() and len(stored) < 1000 else 0


class LmdbWriter:
    """Appends pictures to a new lmdb; see :func:`write_lmdb`."""

    def __init__(self, environment: lmdb.Environment) -> None:
        self._environment = environment
        self._pending: list[tuple[bytes, bytes]] = []
        #: Pictures added so far.
        self.length = 0

    def note(self, key: str, text: str) -> None:
        """Store a text beside the pictures; the published code reads no other keys than its own."""
        self._pending.append((key.encode(), text.encode()))

    def add(self, pictures: Mapping[int, npt.NDArray[np.uint8]]) -> None:
        """Append one picture, as arrays (size, size, 3) by size."""
        for size, pixels in pictures.items():
            stream = io.BytesIO()
            Image.fromarray(pixels).save(stream, "PNG", compress_level=4)
            self._pending.append((f"{size}-{self.length:05d}".encode(), stream.getvalue()))
        self.length += 1
        if self.length % _BATCH == 0:
            self.flush()

    def flush(self) -> None:
        """Store the pictures added so far, and their number."""
        try:
            with self._environment.begin(write=True) as transaction:
                for key, value in self._pending:
                    transaction.put(key, value)
                transaction.put(b"length", str(self.length).encode())
            self._pending.clear()
        except lmdb.MapFullError:  # nothing was stored: again, with twice the address space
            self._environment.set_mapsize(2 * self._environment.info()["map_size"])
            self.flush()


@contextmanager
def write_lmdb(path: Path) -> Iterator[LmdbWriter]:
    """Write a data set that appears at ``path``, whole, when the block ends well.

    Raises:
        InputError: ``path`` exists already.
        OutputError: the disk is full or may not be written.
    """
    if path.exists():
        raise InputError(f"{path} exists already; choose another name for the data set.")
    partial = path.with_name(f".{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        with lmdb.open(str(partial), map_size=_FIRST_MAP, lock=False) as environment:
            writer = LmdbWriter(environment)
            yield writer
            writer.flush()
            environment.sync(True)
        os.replace(partial, path)
    except (OSError, lmdb.Error) as error:
        reason = (isinstance(error, OSError) and error.strerror) or error
        raise OutputError(f"Cannot write {path}: {reason}.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
