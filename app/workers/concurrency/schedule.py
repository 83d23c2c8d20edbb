"""Decides which request a worker computes, when a coarse picture is refined, when a frame is drawn.

A picture is computed in passes, coarse to fine, by a thread of its own; so is the live mesh. The
mouse may move at any time, and the CPU that computes passes also draws the window. These classes
divide its time; :class:`app.state.pictures.screen.Screen` uses them together.

The states of one request to a :class:`LatestWorker`::

           submit            first answer         refine              last answer
    idle ─────────▶ computing ───────────▶ held ─────────▶ refining ────────────▶ idle
                        │                   │                 │
      a newer request:  │ once the first    │ at once         │ before the next
                        │ answer is out     │                 │ answer comes out
                        ▼                   ▼                 ▼
                        computing the newest request, the only one that has been kept

The order of work in each frame of the main loop:

1. The scene, as the mouse has left it, is compared with the last request. A different scene is
   submitted as a new request, to be held after its first pass.
2. :class:`RestDetector` counts frames without a change. At rest the main loop calls
   :meth:`LatestWorker.refine`, and the worker goes on from the pass at which it was held.
3. :class:`FramePacer` sleeps until the next frame is due. While the mouse moves, the pacer waits
   for the first pass of the newest request, so that the next frame can show this pass. With nothing
   to compute and nobody at the mouse it sleeps on the :class:`~.alarm.Alarm`.

A moving mouse thus costs first passes only, at a level that
:class:`~app.workers.pass_planner.PassPlanner` chooses by the time that passes take.
Each answer is published before the worker looks for a newer request: in the other order, requests
that come faster than answers would leave the screen empty.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from app.workers.concurrency.alarm import Alarm

Q = TypeVar("Q")
A = TypeVar("A")

#: The work on one request: yields answers, coarse to fine, or None where it may be interrupted.
Work = Callable[[Q], Iterator[A | None]]


@dataclass(frozen=True)
class Outcome(Generic[Q, A]):
    """An answer to a request, or the error that ended the work on it; never both.

    Attributes:
        value: None if there is an error, or if the work ended without an answer.
        waited: seconds for which the worker had nothing to do before it began the request.
    """

    request: Q
    value: A | None
    error: BaseException | None = None
    waited: float = field(default=0.0, compare=False)


@dataclass(eq=False)
class _Order(Generic[Q]):
    """One submission of a request, on its way through the states above."""

    request: Q
    may_refine: bool
    era: int
    is_answered: bool = False
    waited: float = 0.0


class LatestWorker(Generic[Q, A]):
    """A thread that works on the newest request; a newer request replaces an older one.

    An interruption point (a None from the work) ends replaced work only once an answer to it has
    been published. Later answers to a replaced request are dropped: between the first answers to
    newer requests they would flicker. Errors are outcomes; a dead thread is replaced.

    Args:
        name: of the thread.
        work: called in the thread with each request.
        news: set whenever there is a new outcome to poll.
    """

    def __init__(self, name: str, work: Work[Q, A], news: threading.Event | None = None) -> None:
        self._name, self._work, self._news = name, work, news
        self._changed = threading.Condition()
        self._order: _Order[Q] | None = None  # the newest order, until it is finished
        self._outcome: Outcome[Q, A] | None = None  # the newest outcome, until it is polled
        self._published_at = time.perf_counter()
        self._era = 0  # grows when the request is dropped
        self._closed = False
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether a request is not finished, or an outcome not polled."""
        with self._changed:
            return self._order is not None or self._outcome is not None

    @property
    def is_held_back(self) -> bool:
        """Whether the newest request waits for :meth:`refine`, or will after its first answer."""
        with self._changed:
            return self._order is not None and not self._order.may_refine

    def submit(self, request: Q, *, refine: bool = True) -> None:
        """Replace the request by a newer request; returns at once.

        Args:
            refine: go on after the first answer; False to hold the work until :meth:`refine`.
        """
        with self._changed:
            if self._closed:
                return
            self._order = _Order(request, refine, self._era)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def refine(self) -> None:
        """Let the work on the newest request go on after its first answer."""
        with self._changed:
            if self._order is not None:
                self._order.may_refine = True
                self._changed.notify_all()

    def drop(self) -> None:
        """Forget the request and what has come of it; the work on it ends where it next may."""
        with self._changed:
            self._order = self._outcome = None
            self._era += 1
            self._changed.notify_all()

    def wait_for_first(self, timeout: float) -> bool:
        """Sleep until the first answer to a request to be held; False at once if none is due.

        Args:
            timeout: seconds to sleep at most.
        """
        with self._changed:
            order = self._order
            if order is None or order.may_refine or order.is_answered:
                return False
            self._changed.wait_for(
                lambda: order.is_answered or self._order is not order, max(0.0, timeout)
            )
            return True

    def poll(self) -> Outcome[Q, A] | None:
        """The newest outcome not polled yet, or None."""
        with self._changed:
            outcome, self._outcome = self._outcome, None
            return outcome

    def close(self, timeout: float = 2.0) -> None:
        """Forget the request and end the thread, at the latest when its work yields next.

        Args:
            timeout: seconds to wait for the thread's end.
        """
        with self._changed:
            self._closed = True
            thread = self._thread
        self.drop()
        if thread is not None:
            thread.join(timeout)

    def _run(self) -> None:
        while (order := self._take()) is not None:
            error: BaseException | None = None
            order.waited = time.perf_counter() - self._published_at
            try:
                self._answer(order)
            except BaseException as caught:  # of any kind: the next request may succeed
                error = caught
            with self._changed:
                if self._order is order:
                    self._order = None
                if error is not None or not order.is_answered:
                    self._publish(order, None, error)
                self._changed.notify_all()

    def _take(self) -> _Order[Q] | None:
        """The newest order once there is one; None when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._order is not None)
            return None if self._closed else self._order

    def _answer(self, order: _Order[Q]) -> None:
        answers = self._work(order.request)
        try:
            for answer in answers:
                is_replaced = order.is_answered and self._order is not order
                if self._closed or is_replaced or order.era != self._era:
                    return
                if answer is not None:
                    self._publish(order, answer)
                    if not self._goes_on(order):
                        return
        finally:
            close = getattr(answers, "close", None)
            if close is not None:
                close()

    def _goes_on(self, order: _Order[Q]) -> bool:
        """Sleep while the order is held; True to refine it, False if it has been replaced."""
        with self._changed:
            self._changed.wait_for(lambda: order.may_refine or self._order is not order)
            return self._order is order

    def _publish(
        self, order: _Order[Q], value: A | None, error: BaseException | None = None
    ) -> None:
        with self._changed:
            if order.era == self._era:
                self._outcome = Outcome(order.request, value, error, order.waited)
            self._published_at = time.perf_counter()
            order.is_answered = True
            self._changed.notify_all()
        if self._news is not None:
            self._news.set()


class RestDetector:
    """Tells a pause within a motion from the end of the motion.

    A slow motion of the mouse changes the scene only every few frames. A motion has ended when the
    scene has not changed for more frames than in any of the last pauses within the motion.
    """

    _REMEMBERED = 4  # pauses
    _LONGEST = 4  # frames of a pause within a motion; after a longer one the motion has ended

    def __init__(self) -> None:
        self._pauses: deque[int] = deque(maxlen=self._REMEMBERED)
        self._unchanged = self._LONGEST + 1

    def frame(self, *, changed: bool) -> bool:
        """Count a frame in which the scene has changed, or not; True if the motion has ended."""
        if not changed:
            self._unchanged += 1
        else:
            if self._unchanged <= self._LONGEST:
                self._pauses.append(self._unchanged)
            else:
                self._pauses.clear()
            self._unchanged = 0
        return self._unchanged > max(self._pauses, default=0)


class FramePacer:
    """Sleeps between frames; the CPU that draws the window also computes the pictures.

    While the mouse moves, drawing and computing take turns: a frame reads the mouse, the picture
    for that position is computed while nothing is drawn, and the next frame shows the picture.
    Drawing and computing at once would save no time and show every picture a frame or two later.
    """

    _FPS = 60.0
    # While the mouse moves, a frame waits for its picture, but at most so many seconds. A frame
    # drawn before its picture is ready shows nothing new, and drawing beside the computation slows
    # it: with 31 frames a second required of two slow cores, no more pictures came, and each came
    # 30 ms later.
    _LONGEST = 0.05
    # While the only motion is that of the progress line, the window is drawn less often; the line
    # begins late, since many pictures are ready before.
    _REFINING_FPS = 15.0
    _LINE_BEGINS = 0.1  # seconds
    # After the last activity the window is drawn a little longer, for tooltips and late input; then
    # it is idle, and drawn when the user does something, for news, and now and then for clocks.
    _QUIET_FPS = 20.0
    _IDLE_AFTER = 1.5  # seconds
    _IDLE_FPS = 1.0

    def __init__(self) -> None:
        self._frame_at = 0.0
        self._active_at = time.monotonic()
        self._refines_since: float | None = None

    def wait(
        self,
        alarm: Alarm,
        wait_for_first: Callable[[float], bool],
        *,
        active: bool,
        computing: bool,
        moving: bool,
    ) -> None:
        """Sleep until the next frame is due.

        Args:
            alarm: set when there is something new to draw; it and the user's input end the sleep.
            wait_for_first: :meth:`LatestWorker.wait_for_first` of the pictures.
            active: something in the window moves, or the user does something.
            computing: new pictures or meshes are being computed.
            moving: the mouse moves.
        """
        now = time.monotonic()
        if active or computing:
            self._active_at = now
        if not computing or moving:
            self._refines_since = None
        elif self._refines_since is None:
            self._refines_since = now
        if self._refines_since is not None:
            line_moves = self._frame_at + 1.0 / self._REFINING_FPS
            due = max(line_moves, self._refines_since + self._LINE_BEGINS)
        elif computing:
            due = self._frame_at + self._LONGEST
        elif active:
            due = self._frame_at + 1.0 / self._FPS
        else:
            is_idle = now - self._active_at >= self._IDLE_AFTER
            due = self._frame_at + 1.0 / (self._IDLE_FPS if is_idle else self._QUIET_FPS)
        time.sleep(max(0.0, self._frame_at + 1.0 / self._FPS - now))
        pause = due - time.monotonic()
        has_news = alarm.is_set()  # a result came while the last frame was being drawn
        is_first_due = pause > 0.0 and not has_news and moving and wait_for_first(pause)
        if (
            pause > 0.0
            and not has_news
            and not is_first_due
            and alarm.wait(pause, for_input=not moving)
        ):
            self._active_at = time.monotonic()
        self._frame_at = time.monotonic()
