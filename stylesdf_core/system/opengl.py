"""Before a process opens a window or an OpenGL context, whichever library opens it."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import sys
from typing import TYPE_CHECKING

from stylesdf_core.errors import GraphicsError

if TYPE_CHECKING:
    import moderngl

_MOST_DEVICES = 16


def standalone_context(purpose: str) -> moderngl.Context:
    """An OpenGL 3.3 context without a window, current in this thread; any thread may ask for one.

    On Linux the context comes from EGL and needs no display; it is of the first device that gives
    one, since the process may not be allowed a GPU. Windows and macOS have one device.

    Args:
        purpose: what the context is for, the beginning of the error's sentence.

    Raises:
        GraphicsError: no device gives a context.
    """
    prepare_opengl()
    import moderngl

    has_egl = sys.platform.startswith("linux")
    reasons: list[str] = []
    for index in range(_MOST_DEVICES if has_egl else 1):
        device = {"backend": "egl", "device_index": index} if has_egl else {}
        try:
            return moderngl.create_context(require=330, standalone=True, **device)  # type: ignore[arg-type]
        except Exception as error:  # glcontext raises bare Exceptions
            if "requested device index" in str(error):  # there are no more devices
                reasons = reasons or [str(error)]
                break
            reasons.append(str(error))
    remedy = (
        "install libegl1 and libgl1-mesa-dri (Debian, Ubuntu) or a graphics driver"
        if has_egl
        else "install a graphics driver with OpenGL 3.3"
    )
    raise GraphicsError(
        f"{purpose} needs OpenGL 3.3, which could not be opened ({'; '.join(reasons)}); {remedy}."
    )


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
