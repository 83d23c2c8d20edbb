"""Whether the compiled loops of :mod:`.cpu_kernels` are used, and when they are loaded.

Numba and the loops' code are loaded when the loops are first asked for, in half a second; without a
cache on disk they are compiled, in nine seconds. The studio shows its first face before that: it
postpones the loops, and loads them in a thread of their own while plain torch computes. Whatever
fails on the way turns the loops off, never the engine.
"""

from __future__ import annotations

import os
import threading
from enum import Enum


class _Stage(Enum):
    UNASKED = "loaded when first asked for"
    POSTPONED = "not loaded yet"
    LOADING = "being loaded"
    READY = "compiled loops"
    OFF = "turned off by STYLESDF_COMPILED=0"


_lock, _loading = threading.Lock(), threading.Lock()
_stage = _Stage.OFF if os.environ.get("STYLESDF_COMPILED") == "0" else _Stage.UNASKED
_thread: threading.Thread | None = None
_state, _note = "", ""


def usable() -> bool:
    """Whether the loops can be called; loads them first, unless they are postponed."""
    if _stage is _Stage.UNASKED:
        _load()
    return _stage is _Stage.READY


def state() -> str:
    """How it stands with compiled loops, in words."""
    usable()
    return _state or _stage.value


def note() -> str:
    """What a user should do about the loops; empty where all is well, meant so or not known yet."""
    return _note


def postpone() -> None:
    """Do without the loops until :func:`load_in_background`, unless they are loaded already."""
    global _stage  # noqa: PLW0603  (one state for the process, as of the loops themselves)
    with _lock:
        if _stage is _Stage.UNASKED:
            _stage = _Stage.POSTPONED


def load_in_background(patience: float) -> None:
    """Load postponed loops in a thread; otherwise nothing happens.

    Args:
        patience: seconds to wait for the thread's end.
    """
    global _stage, _thread  # noqa: PLW0603
    with _lock:
        if _stage is not _Stage.POSTPONED:
            return
        _stage = _Stage.LOADING
        _thread = threading.Thread(target=_load, name="compiled loops", daemon=True)
        _thread.start()
    _thread.join(patience)


def wait() -> None:
    """Load postponed loops, or wait for the thread that does: for results that must not vary."""
    load_in_background(0.0)
    if _thread is not None:
        _thread.join()


def _load() -> None:
    """Import Numba and call every loop once, whatever may be wrong with them."""
    global _stage, _state, _note  # noqa: PLW0603
    with _loading:
        if _stage is _Stage.READY or _stage is _Stage.OFF:
            return
        try:
            from stylesdf_core.engine.compiled import (
                blurring,
                cpu_kernels,
                disk_cache,
                minimal_filtering,
                sine_layers,
            )

            for loops in (cpu_kernels, sine_layers, minimal_filtering, blurring):
                loops.call_all()
        except Exception as error:  # built for another NumPy or Python, a library is missing …
            is_missing = isinstance(error, ModuleNotFoundError) and error.name == "numba"
            _state = "Numba is not installed" if is_missing else _refusal(error)
            _note = "" if is_missing else f"{_state}; rendering is slower without it."
            _stage = _Stage.OFF
        else:
            _state, _note = disk_cache.STATE, disk_cache.NOTE
            _stage = _Stage.READY


def _refusal(error: Exception) -> str:
    first_line = str(error).strip().partition("\n")[0] or repr(error)
    return f"Numba cannot be loaded: {first_line}"
