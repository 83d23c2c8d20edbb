"""Numba's compiler with a cache on disk, which is optional.

So only the first use on a machine waits for the compiler: nine seconds on two cores.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba import njit

from stylesdf_core.resources import expanded

#: How it stands with the loops, in words.
STATE = "compiled loops"
#: What a user should do about them; usually empty.
NOTE = ""


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Numba's ``njit`` with a disk cache and without the GIL."""

    def compile_later(function: Callable[..., Any]) -> Callable[..., Any]:
        kernel: Any = njit(nogil=True, **options)(function)
        _cache_on_disk(kernel)
        compiled: Callable[..., Any] = kernel
        return compiled

    return compile_later


def _cache_on_disk(kernel: Any) -> None:
    """What ``njit(cache=True)`` does, but where it fails (no folder, full disk) go on without."""
    global NOTE, STATE  # noqa: PLW0603  (told once, by the first loop)
    from numba.core import caching

    base: Any = caching.FunctionCache
    names: Any = base._impl_class

    class NamesByVersion(names):  # type: ignore[misc]
        """Names of files with Numba's version, beside Python's; else two versions overwrite one."""

        def get_filename_base(self, fullname: str, abiflags: str) -> str:
            return f"{super().get_filename_base(fullname, abiflags)}-numba{numba.__version__}"

    class OptionalCache(base):  # type: ignore[misc]
        _impl_class = NamesByVersion

        def __init__(self, function: Any) -> None:
            super().__init__(function)
            self._cache_file._source_stamp = _sources(Path(function.__code__.co_filename).parent)

        def load_overload(self, *arguments: Any) -> Any:
            try:
                return super().load_overload(*arguments)
            except Exception:  # a damaged file
                with suppress(Exception):
                    self.flush()
                return None

        def save_overload(self, *arguments: Any) -> None:
            with suppress(Exception):  # a full disk
                super().save_overload(*arguments)

    try:
        if not _has_cache_folder():
            raise OSError
        kernel._cache = OptionalCache(kernel.py_func)
    except Exception:  # neither the program's folder nor the user's cache can be written
        STATE = "compiled loops, compiled anew at every start"
        NOTE = "No folder for compiled loops can be written: set NUMBA_CACHE_DIR to start faster."


def _has_cache_folder() -> bool:
    """Whether Numba has where to look: for users without a home it would make a folder "~"."""
    folder = os.path.dirname(__file__)
    named = "NUMBA_CACHE_DIR" in os.environ or "XDG_CACHE_HOME" in os.environ
    return named or expanded("~").is_absolute() or os.access(folder, os.W_OK)


@cache
def _sources(folder: Path) -> bytes:
    """A digest of the sources in a loop's folder and in this one.

    Code of a loop depends on numbers and loops of other files, and Numba looks at one file only.
    """
    files = [file for place in (folder, Path(__file__).parent) for file in place.glob("*.py")]
    return hashlib.sha256(b"".join(file.read_bytes() for file in sorted(files))).digest()
