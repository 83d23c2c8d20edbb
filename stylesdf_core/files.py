"""Files written whole or not at all, and checked: a reader never sees half a file.

Everything that the program writes for a user goes through :func:`atomic_output`. This module
imports no room of the project, so that every room may import this module.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from stylesdf_core.errors import OutputError

# The umask can only be read by setting it, which is safe while no other thread makes files.
_UMASK = os.umask(0o077)
os.umask(_UMASK)
_FILE_MODE = 0o666 & ~_UMASK


#: What :func:`clean_up` has to call, newest last.
_UNFINISHED: list[Callable[[], object]] = []
#: Characters of a file's name that are kept in its temporary name, which is not to be too long.
_STEM = 40


def check_destination(path: Path | str, suffixes: Sequence[str] = ()) -> None:
    """Refuse a file that cannot be written, before its content is computed.

    Args:
        suffixes: in small letters; empty for any.

    Raises:
        OutputError: the suffix is another one, the name is too long, ``path`` is a folder, or its
            folder cannot be made or written.
    """
    path = Path(path)
    if suffixes and path.suffix.lower() not in suffixes:
        endings = " or ".join(filter(None, (", ".join(suffixes[:-1]), suffixes[-1])))
        raise OutputError(f"{path}: the file name must end in {endings}.")
    _refuse_folder(path)
    try:
        with suppress(FileNotFoundError):
            path.lstat()
        folder = next(parent for parent in path.absolute().parents if parent.exists())
        if not folder.is_dir():
            raise NotADirectoryError(f"{folder} is no folder")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(f"the folder {folder} is not yours to write")
    except OSError as error:
        raise OutputError(f"Cannot write {path}: {error.strerror or error}.") from error


def _refuse_folder(path: Path) -> None:
    if os.path.isdir(path):  # which takes a name that is too long for one that is not there
        raise OutputError(f"{path} is a folder; name a file in it instead.")


@contextmanager
def atomic_output(
    path: Path | str,
    *,
    check: Callable[[Path], object] | None = None,
    may_be_empty: bool = False,
) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; move it there when the block ends well.

    The temporary file has ``path``'s suffix (writers choose their format by it), is flushed to
    disk before the rename, and is removed when the block raises. Missing folders are made, and a
    symbolic link is followed.

    Args:
        check: reads the temporary file back before the rename, and raises if it is not as meant;
            without it, :func:`check_by_name` does.
        may_be_empty: accept a file of no bytes, which otherwise means that the writer failed or
            wrote to another name.

    Raises:
        OutputError: the folder cannot be made or written, ``path`` is a folder, nothing was
            written, or the file does not read back.
    """
    path = Path(path)
    _refuse_folder(path)
    target = path.resolve() if os.path.islink(path) else path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            dir=target.parent, prefix=f".{path.stem[:_STEM]}-", suffix=".tmp" + path.suffix
        )
        os.close(handle)
    except OSError as error:
        raise OutputError(f"Cannot write {path}: {error.strerror or error}.") from error
    temporary = Path(name)
    with cleaned_up(partial(temporary.unlink, missing_ok=True)):
        try:
            yield temporary
            with open(temporary, "rb+") as stream:
                os.fsync(stream.fileno())
                if not may_be_empty and os.fstat(stream.fileno()).st_size == 0:
                    raise OutputError(f"Cannot write {path}: nothing arrived in the file.")
            if not may_be_empty:
                _read_back(check or check_by_name, temporary, path)
            os.chmod(temporary, _FILE_MODE)
            os.replace(temporary, target)
        except OSError as error:
            reason = error.strerror or f"the disk may be full ({error})"
            raise OutputError(f"Cannot write {path}: {reason}.") from error


@contextmanager
def cleaned_up(clean: Callable[[], object]) -> Iterator[None]:
    """Call ``clean`` after the block, or in :func:`clean_up` if the process ends before that."""
    _UNFINISHED.append(clean)
    try:
        yield
    finally:
        _UNFINISHED.remove(clean)
        clean()


def clean_up() -> None:
    """Remove the temporary files, and end the writers, of blocks that other threads are still in.

    For a process that is about to end without waiting for its threads; newest blocks first.
    """
    for clean in reversed(_UNFINISHED.copy()):
        with suppress(Exception):
            clean()


def check_by_name(path: Path) -> None:
    """Read a file of JSON, arrays, tensors or a picture, whatever its suffix says, if it is whole.

    Raises:
        Exception: it is not; the type is the reading library's.
    """
    suffix = path.suffix.lower()
    if suffix == ".json":
        json.loads(path.read_text(encoding="utf-8"))
    elif suffix == ".npy":
        import numpy as np

        np.load(path, mmap_mode="r")  # compares the header with the file's size
    elif suffix in (".npz", ".pt"):
        with zipfile.ZipFile(path) as archive:
            if damaged := archive.testzip():
                raise ValueError(f"{damaged} is damaged")
    elif suffix == ".safetensors":
        from safetensors import safe_open

        with safe_open(path, framework="np"):  # compares the header with the file's size
            pass
    elif suffix in (".png", ".jpg", ".gif", ".webp"):
        from PIL import Image

        with Image.open(path) as image:
            image.seek(getattr(image, "n_frames", 1) - 1)
            image.load()


def _read_back(check: Callable[[Path], object], temporary: Path, path: Path) -> None:
    try:
        check(temporary)
    except Exception as error:  # parsers raise many types
        raise OutputError(
            f"{path} was written but does not read back: {error}. Nothing was saved."
        ) from error


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file ``path``; other processes that want the same lock wait.

    The system releases the lock when the process dies. On a file system without locks no process
    waits.
    """
    from filelock import FileLock

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    with suppress(OSError):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def write_text(path: Path | str, text: str) -> None:
    """Write ``text`` to ``path`` atomically, as UTF-8."""
    with atomic_output(path, may_be_empty=not text) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path | str, value: Any) -> None:
    """Write ``value`` as indented JSON to ``path`` atomically, NaN as ``null``."""
    write_text(path, json.dumps(_without_nan(value), indent=2, allow_nan=False) + "\n")


def json_line(value: Any) -> str:
    """``value`` as JSON on one line.

    JSON has no NaN and no infinity: a figure that could not be measured becomes ``null``.
    """
    return json.dumps(_without_nan(value), allow_nan=False)


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def free_path(path: Path | str, taken: Collection[Path] = ()) -> Path:
    """``path`` if nothing is there, else the first free ``name-2.ext``, ``name-3.ext`` …

    Args:
        taken: paths that are not free either, such as files about to be written.
    """
    path = Path(path)
    candidate, number = path, 2
    while candidate.exists() or candidate in taken:
        candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
    return candidate
