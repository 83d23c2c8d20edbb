"""Workers: the newest request wins, errors are values, threads heal."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.workers.workers import Job, JobQueue, JobState, LatestWorker, Outcome, Work
from stylesdf_core.progress import Operation, Progress


def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.002)


def collect(worker: LatestWorker[int, int]) -> list[Outcome[int, int]]:
    """All outcomes until the worker is idle."""
    outcomes: list[Outcome[int, int]] = []

    def idle() -> bool:
        outcome = worker.poll()
        if outcome is not None:
            outcomes.append(outcome)
        return outcome is None and not worker.busy

    wait_for(idle)
    return outcomes


def worker_of(work: Work[int, int]) -> LatestWorker[int, int]:
    return LatestWorker("test", lambda: work)


def test_passes_end_with_the_last_one() -> None:
    def work(request: int) -> Iterator[int | None]:
        yield request
        yield None
        yield request + 1

    worker = worker_of(work)
    worker.submit(10)
    last = collect(worker)[-1]
    assert (last.request, last.value, last.final) == (10, 11, True)
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
    wait_for(lambda: begun == [0])
    worker.submit(1)
    worker.submit(2)  # replaces 1
    go.release()
    wait_for(lambda: begun == [0, 2])
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
    wait_for(lambda: answered == [0])
    worker.submit(1)
    go.release()
    wait_for(lambda: answered == [0, 1])
    go.release()
    values = [outcome.value for outcome in collect(worker)]
    assert 100 not in values
    assert values[-1] == 101
    worker.close()


def test_news_wake_whoever_waits_for_them() -> None:
    news = threading.Event()
    worker: LatestWorker[int, int] = LatestWorker("test", lambda: lambda q: iter([q]), news)
    worker.submit(1)
    assert news.wait(10.0)
    assert collect(worker)[-1].value == 1
    worker.close()


def test_an_answer_given_before_is_no_news() -> None:
    news = threading.Event()
    answer = 10**6  # one object
    worker: LatestWorker[int, int] = LatestWorker("test", lambda: lambda _: iter([answer]), news)
    for request in (1, 2):
        worker.submit(request)
        assert collect(worker)[-1].request == request
        assert news.is_set() == (request == 1)
        news.clear()
    worker.close()


def test_waiting_ends_with_the_newest_request() -> None:
    begun, go = threading.Event(), threading.Semaphore(0)

    def work(request: int) -> Iterator[int | None]:
        begun.set()
        go.acquire()
        yield request

    worker = worker_of(work)
    assert worker.wait(0.0), "nothing has been asked for"
    worker.submit(0)
    assert begun.wait(10.0)
    worker.submit(1)
    go.release()
    assert not worker.wait(0.05), "the second one is still to come"
    go.release()
    assert worker.wait(10.0)
    outcome = worker.poll()
    assert outcome is not None
    assert (outcome.request, outcome.final) == (1, True)
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
    assert failed.final
    worker.submit(3)
    assert collect(worker)[-1].value == 3
    worker.close()


def test_a_failed_preparation_is_tried_again() -> None:
    attempts: list[int] = []

    def prepare() -> Work[int, int]:
        attempts.append(1)
        if len(attempts) == 1:
            raise OSError("not yet")
        return lambda request: iter([request])

    worker: LatestWorker[int, int] = LatestWorker("test", prepare)
    worker.submit(1)
    assert isinstance(collect(worker)[-1].error, OSError)
    worker.submit(2)
    assert collect(worker)[-1].value == 2
    worker.close()


def test_a_dead_thread_is_replaced() -> None:
    def work(request: int) -> Iterator[int | None]:
        if request < 0:
            raise SystemExit
        yield request

    worker = worker_of(work)
    worker.submit(-1)
    assert isinstance(collect(worker)[-1].error, SystemExit)
    wait_for(lambda: not any(thread.name == "test" for thread in threading.enumerate()))
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


# --- jobs ---------------------------------------------------------------------------------------


def counting(steps: int, result: object = None) -> Callable[[], Operation[object]]:
    def run() -> Operation[object]:
        for step in range(steps):
            yield Progress(step, steps, f"step {step}")
        return result

    return run


def wait_for_jobs(queue: JobQueue) -> list[Job]:
    wait_for(lambda: not queue.active)
    return queue.poll()


def test_jobs_run_in_order_and_return_results() -> None:
    queue = JobQueue()
    first = queue.submit("one", counting(3, "a"), out=Path("a.png"))
    second = queue.submit("two", counting(2, "b"))
    finished = wait_for_jobs(queue)
    assert finished == [first, second]
    assert [job.result for job in finished] == ["a", "b"]
    assert all(job.state is JobState.DONE and job.fraction == 1.0 for job in finished)
    assert first.out == Path("a.png")
    assert queue.poll() == []
    for _ in range(30):
        queue.submit("more", counting(1, "c"))
        wait_for_jobs(queue)
    assert len(queue.jobs) <= 21  # what is over is forgotten in the end
    assert queue.jobs[-1].state is JobState.DONE
    queue.close()


def test_cancelling_closes_the_operation() -> None:
    cleaned = threading.Event()
    running = threading.Event()

    def endless() -> Operation[None]:
        try:
            while True:
                running.set()
                time.sleep(0.001)
                yield Progress(0, 0)
        finally:
            cleaned.set()

    queue = JobQueue()
    job, waiting = queue.submit("endless", endless), queue.submit("waiting", counting(1))
    running.wait(5)
    queue.cancel(waiting)
    assert waiting.state is JobState.CANCELLED
    queue.cancel(job)
    wait_for_jobs(queue)
    assert job.state is JobState.CANCELLED
    assert cleaned.is_set()
    queue.close()


def test_a_failed_job_does_not_stop_the_next() -> None:
    def broken() -> Operation[None]:
        yield Progress(0, 1)
        raise ValueError("broken")

    queue = JobQueue()
    failed, good = queue.submit("broken", broken), queue.submit("good", counting(1, 7))
    wait_for_jobs(queue)
    assert failed.state is JobState.FAILED
    assert isinstance(failed.error, ValueError)
    assert good.result == 7
    queue.close()


def test_time_left_follows_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job(1, "half", counting(1), state=JobState.RUNNING, fraction=0.25, started=100.0)
    monkeypatch.setattr("app.workers.workers.time.monotonic", lambda: 110.0)
    assert job.seconds_left == pytest.approx(30.0)
    job.fraction = 0.0
    assert job.seconds_left is None


def test_a_worker_inside_a_library_does_not_abort_the_end() -> None:
    program = """
import threading, time
from app.workers.workers import LatestWorker, end_if_busy
def slow(request):
    entered.set()
    time.sleep(600)
    yield None
entered = threading.Event()
worker = LatestWorker("slow", lambda: slow, threading.Event())
worker.submit(1)
entered.wait(5)
worker.close(timeout=0.1)
print("saved")
end_if_busy(3)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "saved\n", "")
