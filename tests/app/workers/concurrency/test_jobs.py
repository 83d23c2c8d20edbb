"""The job queue: in order, cancellable, errors are values; the program's end with a busy thread."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.workers.concurrency.jobs import Job, JobQueue, JobState
from stylesdf_core.progress import Operation, Progress
from tests.waiting import wait_until


def counting(steps: int, result: object = None) -> Callable[[], Operation[object]]:
    def run() -> Operation[object]:
        for step in range(steps):
            yield Progress(step, steps, f"step {step}")
        return result

    return run


def wait_for_jobs(queue: JobQueue) -> list[Job]:
    wait_until(lambda: not queue.active)
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


def test_the_file_of_a_failed_job_is_taken_until_it_is_off_the_list() -> None:
    def failing() -> Operation[None]:
        yield Progress(0, 1)
        raise OSError("full")

    queue = JobQueue()
    job = queue.submit("one", failing, out=Path("a.png"))
    wait_for_jobs(queue)
    assert queue.outputs == [Path("a.png")], "a retry would replace a file of that name"
    queue.forget(job)
    assert queue.outputs == []
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
    job = Job("half", counting(1), state=JobState.RUNNING, fraction=0.25, started=100.0)
    monkeypatch.setattr("app.workers.concurrency.jobs.time.monotonic", lambda: 110.0)
    assert job.seconds_left == pytest.approx(30.0)
    job.fraction = 0.0
    assert job.seconds_left is None


def test_a_thread_inside_a_library_does_not_abort_the_programs_end() -> None:
    program = """
import threading, time
from app.workers.concurrency.process import end_if_busy
from app.workers.concurrency.schedule import LatestWorker
def slow(request):
    entered.set()
    time.sleep(600)
    yield None
entered = threading.Event()
worker = LatestWorker("slow", slow)
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


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
def test_a_film_that_is_not_finished_when_the_program_ends_leaves_nothing(
    tmp_path: Path, suffix: str
) -> None:
    program = """
import sys, threading, time
from pathlib import Path
import numpy as np
from app.workers.concurrency.jobs import JobQueue
from app.workers.concurrency.process import end_if_busy
from stylesdf_core.commands.scenes.film_files import write_mp4
from stylesdf_core.files import atomic_output
def film(path):
    with write_mp4(path, 24.0, "{}") if path.suffix == ".mp4" else atomic_output(path) as out:
        for _ in range(8):
            if path.suffix == ".mp4":
                out.add(np.zeros((64, 64, 3), np.uint8))
        entered.set()
        time.sleep(600)
    yield
entered, jobs = threading.Event(), JobQueue()
path = Path(sys.argv[1])
jobs.submit("film", lambda: film(path))
entered.wait(30)
jobs.close(timeout=0.1)
print([len(list(path.parent.iterdir()))], flush=True)
end_if_busy(3)
"""
    if suffix == ".mp4":
        pytest.importorskip("imageio_ffmpeg")
    command = [sys.executable, "-c", program, str(tmp_path / f"film{suffix}")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "[1]\n", "")
    assert list(tmp_path.iterdir()) == []
