"""How often the window is drawn: as often as it helps, and no oftener."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Protocol

_FPS = 60.0
#: While something moves and is computed anew, the window waits for it: so long that a second has
#: this many frames, and no longer than that for one of them.
_MOVING_FPS = 31
_LONGEST = 0.05  # seconds
#: While something is computed and only the line that says so moves: that line begins late, and
#: much is ready before it does.
_RESTING_FPS = 15.0
_FIRST_REST = 0.1  # seconds
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
        self._rests_at: float | None = None
        self._frames: deque[float] = deque([0.0], maxlen=_MOVING_FPS)

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
        if not computing or moving:
            self._rests_at = None
        elif self._rests_at is None:
            self._rests_at = now
        if self._rests_at is not None:
            due = max(self._frame_at + 1.0 / _RESTING_FPS, self._rests_at + _FIRST_REST)
        elif computing:
            at_least = self._frame_at + 1.0 / _MOVING_FPS
            due = min(max(self._frames[0] + 1.0, at_least), self._frame_at + _LONGEST)
        else:
            due = self._frame_at + 1.0 / (_IDLE_FPS if idle else _FPS)
        _sleep_until(self._frame_at + 1.0 / _FPS)
        pause = due - time.monotonic()
        has_news = awaited.news.is_set()  # they came while the last frame was being drawn
        if pause > 0.0 and not has_news and not (moving and awaited.wait_for_draft(pause)):
            awaited.news.wait(pause)
        self._frame_at = time.monotonic()
        self._frames.append(self._frame_at)


def _sleep_until(moment: float) -> None:
    pause = moment - time.monotonic()
    if pause > 0.0:
        time.sleep(pause)
