"""Before a process opens a window or an OpenGL context, whichever library opens it."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import sys


def prepare_opengl() -> None:
    """Import Triton if it is installed, as it is beside torch's builds for CUDA.

    Triton and Mesa's software renderer each contain a copy of LLVM. A process that imports Triton
    after it opened an OpenGL context of Mesa crashes; in the order that this function brings about,
    both work. Torch imports Triton by itself, for example at an optimizer's first step.
    """
    with contextlib.suppress(Exception):  # torch works without a Triton that cannot be imported
        importlib.import_module("triton")


def has_display() -> bool:
    """Whether a window can be opened here; on Linux, by connecting to the X server.

    Dear PyGui uses X11 on Linux; a Wayland session offers X11 through Xwayland, which sets DISPLAY.
    A DISPLAY without an X server would crash the process.
    """
    if sys.platform != "linux":
        return True
    if not os.environ.get("DISPLAY"):
        return False
    try:
        x11 = ctypes.CDLL("libX11.so.6")
    except OSError:
        return False
    x11.XOpenDisplay.restype = ctypes.c_void_p
    display = x11.XOpenDisplay(None)
    if not display:
        return False
    x11.XCloseDisplay(ctypes.c_void_p(display))
    return True
