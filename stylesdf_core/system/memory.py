"""The process's memory: kept from one picture or training step to the next, given back at rest.

Every picture and every training step makes tensors of the same sizes and frees them. By default
glibc returns large ones to the system at once, which then clears the same pages for the next step:
250 MB a second in a training on one core, a fifth of its time.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Callable

# Parameters of mallopt in glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
#: Bytes that glibc keeps. A layer of the decoder to 1024² has 134 MB in float32.
_KEPT = 512 << 20


def keep_memory() -> None:
    """Keep freed memory for the next tensors; to be called before torch is imported.

    Up to 512 MB stay with the process until :func:`give_memory_back`. Does nothing where the C
    library is not glibc.
    """
    # Read by torch: tensors of 2 MB and more lie in huge pages, which the system clears faster.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    mallopt = _glibc("mallopt")
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, _KEPT)
        mallopt(_MMAP_THRESHOLD, _KEPT)


def give_memory_back() -> None:
    """Return to the system the freed memory that the C library keeps.

    The threads that render and mesh free all their memory, but glibc keeps a pool for each thread
    and returns little of it unasked: after thousands of edits the studio would seem to grow.
    """
    gc.collect()
    trim = _glibc("malloc_trim")
    if trim is not None:
        trim(0)


def _glibc(name: str) -> Callable[..., int] | None:
    """A function of glibc; None on other systems, and with musl, which has no such function."""
    if not sys.platform.startswith("linux"):
        return None
    function: Callable[..., int] | None = getattr(ctypes.CDLL(None), name, None)
    return function
