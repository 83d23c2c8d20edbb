"""How often the window is drawn: as often as it helps, and no oftener."""

from __future__ import annotations

import threading
import time
from typing import Protocol

_FPS = 60.0
#: While something moves and is computed anew, the window waits for it, up to this rate's pause.
_MOVING_FPS = 31.0
#: While something is computed and only the line that says so moves.
_RESTING_FPS = 15.0
_IDLE_FPS = 20.0
_IDLE_AFTER = 1.0  # seconds


class Awaited(Protocol):
    """What computes for the window.

    Attributes:
        news: set while there is something new to draw.
    """

    news: threading.Event

    def wait_for_draft(self, timeout: float) -> bool:
        """Sleep until the picture that follows the hand is there; False where none is coming."""


class Pacer:
    """Sleeps between frames; the CPU that draws the window also renders the pictures.

    While the hand moves, drawing and rendering take turns: a frame looks at the mouse, the picture
    for it is rendered while nothing is drawn, and the next frame shows it. Side by side they would
    take as long as one after the other, and every picture would be seen a frame or two later.
    """

    def __init__(self) -> None:
        self._frame_at = 0.0
        self._active_at = time.monotonic()

    def wait(self, awaited: Awaited, *, active: bool, computing: bool, moving: bool) -> None:
        """Sleep until the next frame is due.

        Args:
            awaited: results end the sleep.
            active: something moves; 60 frames a second, and shortly after.
            computing: news are on their way.
            moving: the hand does something.
        """
        now = time.monotonic()
        if active or computing:
            self._active_at = now
        idle = now - self._active_at >= _IDLE_AFTER
        if computing:
            rate = _MOVING_FPS if moving else _RESTING_FPS
        else:
            rate = _IDLE_FPS if idle else _FPS
        pause = self._frame_at + 1.0 / _FPS - now
        if pause > 0.0:
            time.sleep(pause)
        pause = self._frame_at + 1.0 / rate - time.monotonic()
        if pause > 0.0 and not (moving and awaited.wait_for_draft(pause)):
            awaited.news.wait(max(0.0, self._frame_at + 1.0 / rate - time.monotonic()))
        self._frame_at = time.monotonic()
