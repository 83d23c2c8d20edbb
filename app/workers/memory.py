"""Memory that nobody uses goes back to the system."""

from __future__ import annotations

import ctypes
import gc
import sys


def give_back() -> None:
    """Return freed memory to the system, where its C library keeps it for itself.

    Threads that render and mesh free as much as they take, but from pools of their own, of which
    glibc returns little unasked: thousands of edits would make the studio seem to grow.
    """
    gc.collect()
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim is not None:
            trim(0)
