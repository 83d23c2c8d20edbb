"""The published data layout, an lmdb of PNG files: read as pictures by number, and written.

A picture of edge ``size`` lies under the key ``{size}-{index:05d}``; the key ``length`` holds the
number of pictures.
"""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import lmdb
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
        """See :class:`~stylesdf_core.data.images.ImageSource`."""
        try:
            with self._environment.begin() as transaction:
                content = transaction.get(self.names[index].encode())
        except lmdb.Error as error:
            raise OSError(f"lmdb: {error}") from error
        if content is None:
            raise ValueError("the key is missing")
        return Image.open(io.BytesIO(content))

    def close(self) -> None:
        """See :class:`~stylesdf_core.data.images.ImageSource`."""
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
    """Writes a data set that appears at ``path`` when the block ends well.

    Raises:
        InputError: something is there already.
        OutputError: the disk is full or may not be written.
    """

    def __init__(self, path: Path) -> None:
        if path.exists():
            raise InputError(f"{path} exists already; choose another name for the data set.")
        self.path = path
        self._partial = path.with_name(f".{path.name}.partial")
        self._map = _FIRST_MAP
        self._pending: list[tuple[bytes, bytes]] = []
        self.length = 0

    def __enter__(self) -> LmdbWriter:
        shutil.rmtree(self._partial, ignore_errors=True)
        try:
            self._partial.mkdir(parents=True)
            self._environment = lmdb.open(str(self._partial), map_size=self._map, lock=False)
        except (OSError, lmdb.Error) as error:
            raise OutputError(f"Cannot write {self.path}: {error}.") from error
        return self

    def add(self, pictures: Mapping[int, bytes]) -> None:
        """Append one picture, as PNG bytes by size."""
        self._pending += [
            (f"{size}-{self.length:05d}".encode(), content) for size, content in pictures.items()
        ]
        self.length += 1
        if self.length % _BATCH == 0:
            self._flush()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._pending.append((b"length", str(self.length).encode()))
                self._flush()
                self._environment.sync(True)
            self._environment.close()
            if kind is None:
                os.replace(self._partial, self.path)
        except (OSError, lmdb.Error) as problem:
            raise OutputError(f"Cannot write {self.path}: {problem}.") from problem
        finally:
            shutil.rmtree(self._partial, ignore_errors=True)

    def _flush(self) -> None:
        try:
            with self._environment.begin(write=True) as transaction:
                for key, value in self._pending:
                    transaction.put(key, value)
        except lmdb.MapFullError:  # nothing was stored: again, with twice the address space
            self._map *= 2
            self._environment.set_mapsize(self._map)
            self._flush()
        except lmdb.Error as error:
            raise OutputError(f"Cannot write {self.path}: {error}.") from error
        self._pending.clear()
