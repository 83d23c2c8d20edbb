"""The process itself: unused memory given back to the system, and an end that cannot hang."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import threading


def give_memory_back() -> None:
    """Return freed memory to the system, where its C library keeps it for itself.

    Threads that render and mesh free as much as they take, but from pools of their own, of which
    glibc returns little unasked: thousands of edits would make the studio seem to grow.
    """
    gc.collect()
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim is not None:
            trim(0)


def end_if_busy(status: int) -> None:
    """End the process now, with ``status``, if a worker has not come back from a long call.

    Python ends the threads that outlive it by unwinding them, and C++ libraries answer that by
    aborting the whole process. Call this once everything has been saved.
    """
    if any(thread.daemon for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
