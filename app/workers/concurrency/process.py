"""Start and end of the process: Python's collector, threads that still work."""

from __future__ import annotations

import gc
import os
import sys
import threading

from stylesdf_core.files import clean_up


def postpone_collector() -> None:
    """Let Python's collector of reference cycles rest until :func:`start_collector`.

    Importing PyTorch and Numba makes a million objects that stay. The collector would look through
    them again and again, for a fifth of the time of a start.
    """
    gc.disable()


def start_collector() -> None:
    """Let a postponed collector begin; it leaves out what exists already, which is to stay."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def end_if_busy(status: int) -> None:
    """End the process now, with ``status``, if a worker has not come back from a long call.

    At exit Python unwinds the threads that still run, and a C++ library that is unwound aborts the
    process. To be called once everything has been saved; files that are half written are removed.
    """
    if any(thread.daemon for thread in threading.enumerate()):
        clean_up()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
