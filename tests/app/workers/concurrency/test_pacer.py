"""The pacer: a frame waits for the picture that follows the mouse, up to a limit."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

from app.workers.concurrency import schedule
from app.workers.concurrency.alarm import Alarm
from app.workers.concurrency.schedule import FramePacer


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0.0
        self.now += seconds


class Computing:
    """Computes a first pass in ``seconds``; None for something that no frame need wait for."""

    def __init__(self, clock: Clock, seconds: float | None) -> None:
        self.clock, self.seconds = clock, seconds
        self.begun = clock.now
        self.news = News(clock)

    def begin(self) -> None:
        self.begun = self.clock.now

    def wait_for_first(self, timeout: float) -> bool:
        if self.seconds is None:
            return False
        left = max(0.0, self.begun + self.seconds - self.clock.now)
        self.clock.sleep(min(timeout, left))
        return True


class News(Alarm):
    """Neither news nor input ever come."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def wait(self, timeout: float | None = None, *, for_input: bool = True) -> bool:
        assert timeout is not None
        self.clock.sleep(timeout)
        return False


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr(schedule.time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(schedule.time, "sleep", clock.sleep)
    yield clock
    monkeypatch.undo()
    assert time.monotonic() != clock.now


def wait(
    pacer: FramePacer, computing: Computing, *, active: bool, busy: bool, moving: bool
) -> None:
    pacer.wait(
        computing.news, computing.wait_for_first, active=active, computing=busy, moving=moving
    )


def gaps(clock: Clock, computing: Computing, drawing: float, count: int = 200) -> list[float]:
    """Seconds between frames that take ``drawing`` seconds while something moves."""
    pacer, starts = FramePacer(), []
    for _ in range(count):
        starts.append(clock.now)
        clock.sleep(drawing)
        computing.begin()
        wait(pacer, computing, active=True, busy=True, moving=True)
    return [b - a for a, b in pairwise(starts)][50:]


def test_a_frame_comes_when_its_picture_does(clock: Clock) -> None:
    for gap in gaps(clock, Computing(clock, 0.016), drawing=0.010):
        assert gap == pytest.approx(0.026)


def test_slow_pictures_leave_the_window_its_frames(clock: Clock) -> None:
    waits = gaps(clock, Computing(clock, 0.5), drawing=0.010)
    assert len(waits) / sum(waits) == pytest.approx(20.0, rel=0.02)
    assert max(waits) <= 0.05 + 0.010


def test_one_slow_picture_is_waited_for(clock: Clock) -> None:
    """The frames before it came sooner than they had to: a second has enough of them."""
    computing = Computing(clock, 0.016)
    pacer = FramePacer()
    for index in range(100):
        computing.seconds = 0.030 if index == 80 else 0.016
        before = clock.now
        clock.sleep(0.010)
        computing.begin()
        wait(pacer, computing, active=True, busy=True, moving=True)
        if index == 80:
            assert clock.now - before == pytest.approx(0.040)


@pytest.mark.parametrize("moving", [True, False])
def test_a_result_that_came_during_a_frame_is_shown_with_the_next_frame(
    clock: Clock, moving: bool
) -> None:
    """Without waiting for the picture that has been begun since."""
    pacer, computing = FramePacer(), Computing(clock, 0.5)
    wait(pacer, computing, active=True, busy=True, moving=moving)
    before = clock.now
    computing.news.set()
    wait(pacer, computing, active=True, busy=True, moving=moving)
    assert clock.now - before == pytest.approx(1.0 / 60.0)


def test_at_rest_the_progress_line_begins_late(clock: Clock) -> None:
    pacer, computing = FramePacer(), Computing(clock, None)
    wait(pacer, computing, active=True, busy=True, moving=True)
    before = clock.now
    wait(pacer, computing, active=False, busy=True, moving=False)
    assert clock.now - before == pytest.approx(0.1)
    before = clock.now
    wait(pacer, computing, active=False, busy=True, moving=False)
    assert clock.now - before == pytest.approx(1.0 / 15.0)


def test_an_idle_window_is_drawn_less_often(clock: Clock) -> None:
    pacer, computing = FramePacer(), Computing(clock, None)
    before = clock.now
    for _ in range(60):
        wait(pacer, computing, active=False, busy=False, moving=False)
    assert clock.now - before == pytest.approx(1.5 + 30 / 1.0, rel=0.1)


def test_input_ends_the_idle_window_s_sleep_at_once(clock: Clock) -> None:
    pacer, computing = FramePacer(), Computing(clock, None)
    for _ in range(60):
        wait(pacer, computing, active=False, busy=False, moving=False)
    before = clock.now
    computing.news.wait = lambda timeout=None, *, for_input=True: for_input  # type: ignore[method-assign]
    wait(pacer, computing, active=False, busy=False, moving=False)
    assert clock.now - before <= 1.0 / 60.0
    del computing.news.wait
    wait(pacer, computing, active=False, busy=False, moving=False)
    assert clock.now - before == pytest.approx(1.0 / 60.0 + 1.0 / 20.0, rel=0.3)
