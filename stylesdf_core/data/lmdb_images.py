"""The published data layout, an lmdb of PNG files: read as pictures by number, and written.

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

from stylesdf_core.errors import InputError, OutputError

#: Address space that a new lmdb reserves, bytes; doubled whenever it is full.
_FIRST_MAP = 64 << 20
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
        with ExitStack() as failing:
            try:
                self._environment = lmdb.open(
                    str(path), readonly=True, lock=False, readahead=False, meminit=False
                )
                failing.callback(self._environment.close)
                _refuse_truncated(self._environment, path / "data.mdb")
                sizes, length = _contents(self._environment)
            except lmdb.Error as error:
                raise InputError(f"{path} cannot be read as an lmdb data set: {error}.") from error
            if not sizes or length < 1:
                raise InputError(
                    f"{path} is no lmdb data set of images: it lacks the key 'length' or pictures "
                    "under '256-00000'; make one with `stylesdf-studio dataset pack`."
                )
            entries = self._environment.stat()["entries"]
            if length > entries:
                raise InputError(
                    f"{path} is damaged: its key 'length' claims more pictures than there "
                    f"are entries ({entries:,}); copy or pack it again."
                )
            failing.pop_all()
        #: Edge of the pictures that are read, pixels.
        self.size = min((stored for stored in sizes if stored >= size), default=max(sizes))
        self.names: Sequence[str] = [f"{self.size}-{index:05d}" for index in range(length)]

    def read(self, index: int) -> Image.Image:
        """As :meth:`stylesdf_core.data.images.FolderImages.read`."""
        try:
            with self._environment.begin() as transaction:
                content = transaction.get(self.names[index].encode())
        except lmdb.Error as error:
            raise OSError(f"lmdb: {error}") from error
        if content is None:
            raise ValueError("the key is missing")
        return Image.open(io.BytesIO(content))

    def close(self) -> None:
        """Close the file: one process can open an lmdb only once at a time."""
        self._environment.close()


def _refuse_truncated(environment: lmdb.Environment, file: Path) -> None:
    """Raise InputError if pages are missing: to touch a missing page would kill the process."""
    expected = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
    found = file.stat().st_size
    if found < expected:
        raise InputError(
            f"{file} is truncated: it has {found:,} bytes of {expected:,}; copy or pack it again."
        )


def _contents(environment: lmdb.Environment) -> tuple[list[int], int]:
    """The sizes that are stored, and the number of pictures (0 without a readable number)."""
    sizes = []
    with environment.begin() as transaction:
        cursor = transaction.cursor()
        found = cursor.first()
        while found:
            prefix = bytes(cursor.key()).split(b"-")[0]
            if prefix.isdigit():
                sizes.append(int(prefix))
            # '.' follows '-': on to the first key of the next size
            found = cursor.set_range(prefix + b".")
        stored = bytes(transaction.get(b"length") or b"")
    return sizes, int(stored) if stored.isdigit() and len(stored) < 1000 else 0


class LmdbWriter:
    """Appends pictures to a new lmdb; see :func:`write_lmdb`."""

    def __init__(self, environment: lmdb.Environment) -> None:
        self._environment = environment
        self._pending: list[tuple[bytes, bytes]] = []
        #: Pictures added so far.
        self.length = 0

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
        InputError: something is there already.
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
        raise OutputError(f"Cannot write {path}: {error}.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
