"""The displays of this machine, and the place of the window on them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

#: First size of the window at scale 1, and its least size, as far as the display has room for it.
_FIRST, _LEAST = (1440, 900), (960, 540)
#: Room for the frame that the window manager draws: pixels at scale 1 above and beside the window.
_TITLE, _BORDER = 32, 2
_SMALLEST_SCALE, _LARGEST_SCALE = 0.75, 3.0


@dataclass(frozen=True)
class Display:
    """A screen: its work area, which panels and docks leave free, in pixels of the desktop.

    Attributes:
        scale: of texts and lengths that suits the display's resolution; 1 is meant for 96 dpi.
    """

    x: int
    y: int
    width: int
    height: int
    scale: float = 1.0


@dataclass(frozen=True)
class Placement:
    """Place and size of the window's inside, pixels of the desktop; no position: unknown."""

    width: int
    height: int
    x: int | None = None
    y: int | None = None


def displays() -> tuple[Display, ...]:
    """All displays, the primary display first; empty where the system does not tell.

    The scale is that of the desktop's settings (``Xft.dpi`` or Windows' display settings) or
    ``GDK_SCALE``, whichever is larger.
    """
    if sys.platform == "darwin":
        # GLFW, which is part of Dear PyGui on macOS, cannot be loaded twice into a process there.
        # macOS keeps windows on the screen, and scales them, by itself.
        return ()
    os.environ.setdefault("PYGLFW_LIBRARY_VARIANT", "x11")  # which Dear PyGui uses, too
    try:
        import glfw
    except ImportError:
        return ()
    before, glfw.ERROR_REPORTING = glfw.ERROR_REPORTING, "ignore"
    try:
        if not glfw.init():
            return ()
        areas = [
            (glfw.get_monitor_workarea(monitor), glfw.get_monitor_content_scale(monitor)[0])
            for monitor in glfw.get_monitors()
        ]
        glfw.terminate()
    finally:
        glfw.ERROR_REPORTING = before
    wanted = _number(os.environ.get("GDK_SCALE", ""))
    return tuple(
        Display(*area, suitable_scale(max(scale, wanted), area[2], area[3]))
        for area, scale in areas
        if min(area[2:]) > 0
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def suitable_scale(wanted: float, width: int, height: int) -> float:
    """The scale that the desktop asks for, reduced where the window's least size would not fit."""
    room = min(width / _LEAST[0], height / (_LEAST[1] + _TITLE))
    steps = round(20 * min(wanted, max(1.0, room)))
    return min(_LARGEST_SCALE, max(_SMALLEST_SCALE, steps / 20))


def least_size(scale: float, areas: Sequence[Display]) -> tuple[int, int]:
    """The window's least width and height: what all panels need, or what a display has."""
    least = [round(edge * scale) for edge in _LEAST]
    if areas:
        least[0] = min(least[0], *(area.width for area in areas))
        least[1] = min(least[1], *(area.height - _TITLE for area in areas))
    return max(320, least[0]), max(240, least[1])


def under(window: Placement, areas: Sequence[Display]) -> Display:
    """The display that the window covers most; the primary display for a window on none."""
    return max(areas, key=lambda area: _covered(window, area))


def placed(wanted: Placement | None, scale: float, areas: Sequence[Display]) -> Placement:
    """The window's place, wholly within the work area of the display that it covers most.

    Args:
        wanted: where the window was last; None for the first start: the middle of the display.
        scale: of the window's lengths.
    """
    title, border = round(_TITLE * scale), round(_BORDER * scale)
    if wanted is None:
        wanted = Placement(round(_FIRST[0] * scale), round(_FIRST[1] * scale))
    if not areas:
        return wanted
    area = under(wanted, areas)
    width = min(wanted.width, area.width - 2 * border)
    height = min(wanted.height, area.height - title - border)
    free_x, free_y = area.width - width - border, area.height - height - border
    if wanted.x is None or wanted.y is None or _covered(wanted, area) == 0:
        x, y = (area.width - width) // 2, (title + free_y) // 2
    else:
        x = min(max(wanted.x - area.x, border), free_x)
        y = min(max(wanted.y - area.y, title), free_y)
    return Placement(width, height, area.x + x, area.y + y)


def _covered(window: Placement, area: Display) -> int:
    """Pixels of the display that the window covers; 0 without a position."""
    if window.x is None or window.y is None:
        return 0
    wide = min(window.x + window.width, area.x + area.width) - max(window.x, area.x)
    high = min(window.y + window.height, area.y + area.height) - max(window.y, area.y)
    return max(0, wide) * max(0, high)
