"""How often the window is drawn: as often as it helps, and no oftener."""

from __future__ import annotations

import threading
import time

_FPS = 60.0
#: While something is computed for the screen the window leaves it the CPU; news come at once.
_WAITING_FPS = 34.0
#: The same when nothing moves but the line that says so.
_RESTING_FPS = 15.0
_IDLE_FPS = 20.0
_IDLE_AFTER = 1.0  # seconds


class Pacer:
    """Sleeps between frames; the CPU that draws the window also renders the pictures."""

    def __init__(self) -> None:
        self._frame_at = 0.0
        self._active_at = time.monotonic()

    def wait(self, news: threading.Event, *, active: bool, computing: bool, moving: bool) -> None:
        """Sleep until the next frame is due.

        Args:
            news: set when there is a result to show; it may end the sleep.
            active: something moves; 60 frames a second, and shortly after.
            computing: news are on their way.
            moving: the hand does something.
        """
        now = time.monotonic()
        if active or computing:
            self._active_at = now
        idle = now - self._active_at >= _IDLE_AFTER
        if computing:
            rate = _WAITING_FPS if moving else _RESTING_FPS
        else:
            rate = _IDLE_FPS if idle else _FPS
        pause = self._frame_at + 1.0 / _FPS - now
        if pause > 0.0:
            time.sleep(pause)
        pause = self._frame_at + 1.0 / rate - time.monotonic()
        if pause > 0.0:
            news.wait(pause)
        self._frame_at = time.monotonic()
