"""How often the window is drawn: as often as it helps, and no oftener."""

from __future__ import annotations

import time

_FPS = 60.0
_IDLE_FPS = 20.0
_IDLE_AFTER = 1.0  # seconds


class Pacer:
    """Sleeps between frames; the CPU that draws the window also renders the pictures."""

    def __init__(self) -> None:
        self._frame_at = 0.0
        self._active_at = time.monotonic()

    def wait(self, *, active: bool) -> None:
        """Sleep until the next frame is due: 60 a second while active and shortly after."""
        now = time.monotonic()
        if active:
            self._active_at = now
        rate = _FPS if now - self._active_at < _IDLE_AFTER else _IDLE_FPS
        pause = self._frame_at + 1.0 / rate - now
        if pause > 0.0:
            time.sleep(pause)
        self._frame_at = time.monotonic()
