"""Workers: the newest request wins, errors are values, dead threads are replaced."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from app.workers.concurrency.schedule import LatestWorker, Outcome, Work
from tests.waiting import wait_until


def collect(worker: LatestWorker[int, int]) -> list[Outcome[int, int]]:
    """All outcomes until the worker is idle."""
    outcomes: list[Outcome[int, int]] = []

    def idle() -> bool:
        outcome = worker.poll()
        if outcome is not None:
            outcomes.append(outcome)
        return outcome is None and not worker.busy

    wait_until(idle)
    return outcomes


def worker_of(work: Work[int, int]) -> LatestWorker[int, int]:
    return LatestWorker("test", work)


def test_passes_end_with_the_last_one() -> None:
    def work(request: int) -> Iterator[int | None]:
        yield request
        yield None
        yield request + 1

    worker = worker_of(work)
    worker.submit(10)
    last = collect(worker)[-1]
    assert last == Outcome(10, 11)
    worker.close()


def test_a_pass_is_published_before_staleness_ends_the_work() -> None:
    """While requests pour in, each still shows its first pass: the screen never starves."""
    go = threading.Semaphore(0)
    begun: list[int] = []

    def work(request: int) -> Iterator[int | None]:
        begun.append(request)
        go.acquire()
        yield None  # an interruption point before anything is published: not taken
        yield request
        yield request + 100  # pragma: no cover - only reached by the last request

    worker = worker_of(work)
    worker.submit(0)
    wait_until(lambda: begun == [0])
    worker.submit(1)
    worker.submit(2)  # replaces 1
    go.release()
    wait_until(lambda: begun == [0, 2])
    outcome = worker.poll()
    assert outcome is not None
    assert (outcome.request, outcome.value) == (0, 0)
    go.release()
    assert collect(worker)[-1].value == 102
    worker.close()


def test_a_second_answer_that_comes_too_late_is_dropped() -> None:
    """It would flicker between the first answers to newer requests."""
    go = threading.Semaphore(0)
    answered: list[int] = []

    def work(request: int) -> Iterator[int | None]:
        yield request
        answered.append(request)
        go.acquire()
        yield request + 100

    worker = worker_of(work)
    worker.submit(0)
    wait_until(lambda: answered == [0])
    worker.submit(1)
    go.release()
    wait_until(lambda: answered == [0, 1])
    go.release()
    values = [outcome.value for outcome in collect(worker)]
    assert 100 not in values
    assert values[-1] == 101
    worker.close()


def test_a_result_ends_a_wait_for_news() -> None:
    news = threading.Event()
    worker: LatestWorker[int, int] = LatestWorker("test", lambda q: iter([q]), news)
    worker.submit(1)
    assert news.wait(10.0)
    assert collect(worker)[-1].value == 1
    worker.close()


def test_work_without_an_answer_says_that_it_has_ended() -> None:
    worker = worker_of(lambda _: iter([None]))
    worker.submit(1)
    assert collect(worker) == [Outcome(1, None)]
    worker.close()


def test_a_held_request_goes_on_once_it_may_be_refined() -> None:
    news = threading.Event()
    worker: LatestWorker[int, int] = LatestWorker("test", lambda q: iter([q, q + 100]), news)
    for request in (1, 2):
        worker.submit(request, refine=False)
        assert worker.is_held_back
        wait_until(news.is_set)
        news.clear()
        assert worker.poll() == Outcome(request, request)
        time.sleep(0.02)
        assert worker.poll() is None, "the second answer has to wait"
        assert worker.busy, "there is more to come"
    worker.refine()
    assert not worker.is_held_back
    assert collect(worker) == [Outcome(2, 102)]
    worker.refine()  # nothing is left to refine
    assert not worker.busy
    worker.close()


def test_a_request_refined_before_it_begins_is_never_held() -> None:
    worker = worker_of(lambda q: iter([q, q + 100]))
    worker.submit(1, refine=False)
    worker.refine()
    assert collect(worker)[-1] == Outcome(1, 101)
    worker.close()


def test_a_held_request_can_be_dropped() -> None:
    closed = threading.Event()

    def work(request: int) -> Iterator[int | None]:
        try:
            yield request
            yield request + 100
        finally:
            closed.set()

    worker = worker_of(work)
    worker.submit(1, refine=False)
    wait_until(lambda: worker.poll() is not None)
    worker.drop()
    assert closed.wait(10.0)
    assert collect(worker) == []
    worker.submit(2)
    assert collect(worker)[-1] == Outcome(2, 102)
    worker.close()


def test_a_dropped_request_leaves_nothing_to_poll() -> None:
    """An answer that nobody polls would keep the studio busy."""
    begun, go = threading.Event(), threading.Event()

    def work(request: int) -> Iterator[int | None]:
        if request:
            begun.set()
            assert go.wait(10.0)
        yield request

    worker = worker_of(work)
    worker.submit(0)
    wait_until(lambda: worker._outcome is not None)
    worker.drop()
    assert not worker.busy
    worker.submit(1)
    assert begun.wait(10.0)
    worker.drop()
    go.set()
    worker.submit(0)  # begun after the dropped work, whose answer would come first
    assert collect(worker) == [Outcome(0, 0)]
    worker.close()


def test_waiting_ends_with_the_first_answer_to_the_newest_request() -> None:
    begun, go = threading.Event(), threading.Semaphore(0)

    def work(request: int) -> Iterator[int | None]:
        begun.set()
        go.acquire()
        yield request
        yield request + 100

    worker = worker_of(work)
    assert not worker.wait_for_first(10.0), "nothing has been asked for"
    worker.submit(0, refine=False)
    assert begun.wait(10.0)
    worker.submit(1, refine=False)
    go.release()
    assert worker.wait_for_first(0.05), "the second one is still to come"
    go.release()
    assert worker.wait_for_first(10.0)
    assert worker.poll() == Outcome(1, 1)
    before = time.monotonic()
    assert not worker.wait_for_first(10.0), "it is held"
    worker.refine()
    assert not worker.wait_for_first(10.0), "nothing moves any more"
    assert time.monotonic() - before < 5.0
    worker.close()


def test_waiting_ends_with_an_error() -> None:
    begun, go = threading.Event(), threading.Semaphore(0)

    def work(request: int) -> Iterator[int | None]:
        begun.set()
        go.acquire()
        raise ValueError(request)

    worker = worker_of(work)
    worker.submit(0, refine=False)
    assert begun.wait(10.0)
    threading.Timer(0.05, go.release).start()
    before = time.monotonic()
    assert worker.wait_for_first(30.0)
    assert time.monotonic() - before < 20.0
    assert isinstance(collect(worker)[-1].error, ValueError)
    worker.close()


def test_errors_are_values_and_do_not_stop_the_worker() -> None:
    def work(request: int) -> Iterator[int | None]:
        if request < 0:
            raise ValueError("negative")
        yield request

    worker = worker_of(work)
    worker.submit(-1)
    failed = collect(worker)[-1]
    assert isinstance(failed.error, ValueError)
    assert failed.value is None
    worker.submit(3)
    assert collect(worker)[-1].value == 3
    worker.close()


def test_even_an_exit_is_a_value() -> None:
    def work(request: int) -> Iterator[int | None]:
        if request < 0:
            raise SystemExit
        yield request

    worker = worker_of(work)
    worker.submit(-1)
    assert isinstance(collect(worker)[-1].error, SystemExit)
    worker.submit(4)
    assert collect(worker)[-1].value == 4
    worker.close()


def test_a_dead_thread_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = worker_of(lambda request: iter([request]))
    monkeypatch.setattr(worker, "_take", lambda: None)  # ends the thread
    worker.submit(3)
    wait_until(lambda: not any(thread.name == "test" for thread in threading.enumerate()))
    monkeypatch.undo()
    worker.submit(4)
    assert collect(worker)[-1].value == 4
    worker.close()


def test_close_ends_work_at_its_next_yield() -> None:
    begun, closed = threading.Event(), threading.Event()

    def work(request: int) -> Iterator[int | None]:
        try:
            while True:
                begun.set()
                time.sleep(0.001)
                yield None
        finally:
            closed.set()

    worker = worker_of(work)
    worker.submit(0)
    assert begun.wait(30)
    worker.close(30)
    assert closed.is_set()
    worker.submit(1)  # ignored
    assert not any(thread.name == "test" for thread in threading.enumerate())
