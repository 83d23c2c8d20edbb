"""The queue of exports and downloads: operations that run one after the other in a thread."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from stylesdf_core.progress import Operation

#: Finished jobs that are still listed.
_REMEMBERED = 20
_LOOK = 0.2  # seconds between two looks at whether a waiting job has been cancelled


class JobState(Enum):
    """Where a job stands; the value is the word that the window shows."""

    QUEUED = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(eq=False)
class Job:
    """One operation in the queue; written by the worker, read by the window.

    Attributes:
        operation: called in the worker's thread.
        out: the file that the operation writes; None for a download.
        then: called with the result by the workbench, on the main thread.
        fraction: 0 to 1.
        started: time.monotonic().
        result: the operation's result, once DONE.
        error: the error that ended the operation, once FAILED.
    """

    label: str
    operation: Callable[[], Operation[Any]]
    out: Path | None = None
    then: Callable[[Any], None] | None = None
    state: JobState = JobState.QUEUED
    fraction: float = 0.0
    message: str = ""
    started: float = 0.0
    result: Any = None
    error: BaseException | None = None
    cancel_requested: bool = False

    @property
    def active(self) -> bool:
        """Whether the job is queued or running."""
        return self.state in (JobState.QUEUED, JobState.RUNNING)

    @property
    def seconds_left(self) -> float | None:
        """Seconds to the end, estimated from the progress; None while there is hardly any."""
        if self.state is not JobState.RUNNING or self.fraction < 0.02:
            return None
        return (time.monotonic() - self.started) * (1.0 / self.fraction - 1.0)


class JobQueue:
    """Runs operations one after the other in a thread of its own; newest last in ``jobs``.

    Args:
        turn: shared by queues of which one works at a time; None to work alone.
    """

    def __init__(self, turn: threading.Lock | None = None) -> None:
        self._turn = turn or threading.Lock()
        self.jobs: list[Job] = []
        self._changed = threading.Condition()
        self._finished: deque[Job] = deque()
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def active(self) -> list[Job]:
        """Jobs that wait or run, in order."""
        return [job for job in self.jobs if job.active]

    @property
    def outputs(self) -> list[Path]:
        """Files and folders that active jobs are about to write, or failed jobs if retried."""
        writing = (job for job in self.jobs if job.active or job.state is JobState.FAILED)
        return [job.out for job in writing if job.out is not None]

    def submit(
        self,
        label: str,
        operation: Callable[[], Operation[Any]],
        *,
        out: Path | None = None,
        then: Callable[[Any], None] | None = None,
    ) -> Job:
        """Queue an operation; the arguments are the attributes of :class:`Job`."""
        job = Job(label, operation, out, then)
        with self._changed:
            over = [job for job in self.jobs if not job.active]
            for old in over[:-_REMEMBERED]:
                self.jobs.remove(old)
            self.jobs.append(job)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
                self._thread.start()
            self._changed.notify()
        return job

    def cancel(self, job: Job) -> None:
        """Cancel a waiting job at once and a running one at its next progress."""
        with self._changed:
            job.cancel_requested = True
            if job.state is JobState.QUEUED:
                self._finish(job, JobState.CANCELLED)

    def forget(self, job: Job) -> None:
        """Take a job that is over off the list."""
        with self._changed:
            if job in self.jobs and not job.active:
                self.jobs.remove(job)

    def retry(self, job: Job) -> None:
        """Queue a job that failed again, in place of the failure."""
        self.forget(job)
        self.submit(job.label, job.operation, out=job.out, then=job.then)

    def poll(self) -> list[Job]:
        """Jobs that ended since the last call."""
        with self._changed:
            finished = list(self._finished)
            self._finished.clear()
            return finished

    def close(self, timeout: float = 5.0) -> None:
        """Cancel everything and end the thread.

        Args:
            timeout: seconds to wait for the thread's end.
        """
        with self._changed:
            self._closed = True
            for job in self.active:
                job.cancel_requested = True
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join(timeout)

    def _run(self) -> None:
        while (job := self._take()) is not None:
            try:
                state = self._work(job)
            except BaseException as error:  # of any kind: the next job may succeed
                job.error, state = error, JobState.FAILED
            with self._changed:
                self._finish(job, state)

    def _take(self) -> Job | None:
        """The first waiting job, which runs from now on; None when closed."""
        with self._changed:
            while not self._closed:
                waiting = [job for job in self.jobs if job.state is JobState.QUEUED]
                if waiting:
                    waiting[0].state, waiting[0].started = JobState.RUNNING, time.monotonic()
                    return waiting[0]
                self._changed.wait()
            return None

    def _work(self, job: Job) -> JobState:
        while not self._turn.acquire(timeout=_LOOK):
            if job.cancel_requested:
                return JobState.CANCELLED
        try:
            return self._iterate(job)
        finally:
            self._turn.release()

    def _iterate(self, job: Job) -> JobState:
        with closing(job.operation()) as operation:
            while not job.cancel_requested:
                try:
                    progress = next(operation)
                except StopIteration as stop:
                    job.result, job.fraction = stop.value, 1.0
                    return JobState.DONE
                job.fraction, job.message = progress.fraction, progress.message
        return JobState.CANCELLED

    def _finish(self, job: Job, state: JobState) -> None:
        job.state = state
        self._finished.append(job)
