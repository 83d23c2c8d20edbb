"""Background threads: one that only cares for the newest request, and a queue of jobs.

Nothing here touches the window. Results, failures included, are values that the main loop polls.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Generic, TypeVar

from stylesdf_core.progress import Operation

#: Jobs that are over and still listed.
_REMEMBERED = 20

Q = TypeVar("Q")
A = TypeVar("A")

#: The work on one request: yields answers, coarse to fine, or None where it may be interrupted.
Work = Callable[[Q], Iterator[A | None]]


@dataclass(frozen=True)
class Outcome(Generic[Q, A]):
    """What a worker has to say about a request: an answer or an error, never both.

    Attributes:
        final: nothing more will come for this request.
    """

    request: Q
    value: A | None
    error: BaseException | None = None
    final: bool = False


class LatestWorker(Generic[Q, A]):
    """A thread with a mailbox of one: a newer request replaces an older one.

    Each answer is published before the mailbox is looked at; the other order would starve the
    screen while requests pour in. For the same reason an interruption point (a None) ends stale
    work only once something has been published for it. A second answer that comes too late is
    dropped: between the first answers to newer requests it would only flicker.

    Args:
        name: of the thread.
        prepare: called in the thread before the first request; what it returns does the work.
            Called again after it failed and after the thread died.
        news: set whenever there is something new to poll.
    """

    def __init__(
        self, name: str, prepare: Callable[[], Work[Q, A]], news: threading.Event | None = None
    ) -> None:
        self._name = name
        self._prepare = prepare
        self._news = news
        self._changed = threading.Condition()
        self._request: list[Q] = []  # empty or one
        self._outcomes: deque[Outcome[Q, A]] = deque()
        self._said: A | None = None  # the last answer
        self._working = False
        self._closed = False
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether a request waits, is worked on, or has outcomes not yet polled."""
        with self._changed:
            return bool(self._request or self._outcomes or self._working)

    def submit(self, request: Q) -> None:
        """Ask for work; returns at once. A request not yet begun is forgotten."""
        with self._changed:
            if self._closed:
                return
            self._request[:] = [request]
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def wait(self, timeout: float) -> bool:
        """Sleep until everything asked for has been answered; False if it takes longer.

        Args:
            timeout: seconds.
        """
        with self._changed:
            return self._changed.wait_for(
                lambda: not (self._request or self._working), max(0.0, timeout)
            )

    def poll(self) -> Outcome[Q, A] | None:
        """The newest outcome not polled yet, or None."""
        with self._changed:
            newest = self._outcomes[-1] if self._outcomes else None
            self._outcomes.clear()
            return newest

    def close(self, timeout: float = 2.0) -> None:
        """Drop what waits and end the thread; work under way ends at its next yield."""
        with self._changed:
            self._closed = True
            self._request.clear()
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join(timeout)

    def _run(self) -> None:
        work: Work[Q, A] | None = None
        while (request := self._take()) is not None:
            try:
                if work is None:
                    work = self._prepare()
                self._answer(request[0], work)
            except Exception as error:
                self._publish(Outcome(request[0], None, error, final=True))
            except BaseException as error:  # the thread dies; the next submit starts another
                with self._changed:
                    self._thread = None
                    self._publish(Outcome(request[0], None, error, final=True))
                return

    def _take(self) -> list[Q] | None:
        """The waiting request in a list of one, or None when closed."""
        with self._changed:
            self._working = False
            while not self._request and not self._closed:
                self._changed.wait()
            if self._closed:
                return None
            self._working = True
            request = self._request[:]
            self._request.clear()
            return request

    def _answer(self, request: Q, work: Work[Q, A]) -> None:
        answers = work(request)
        latest: A | None = None
        try:
            for answer in answers:
                if self._closed or (latest is not None and self._request):
                    return
                if answer is not None:
                    latest = answer
                    self._publish(Outcome(request, answer))
                    if self._request:
                        return
        finally:
            close = getattr(answers, "close", None)
            if close is not None:
                close()
        self._publish(Outcome(request, latest, final=True))

    def _publish(self, outcome: Outcome[Q, A]) -> None:
        with self._changed:
            if outcome.final:
                self._working = False
                self._changed.notify_all()
            self._outcomes.append(outcome)
            while len(self._outcomes) > 1:
                self._outcomes.popleft()
            is_new = outcome.error is not None or outcome.value is not self._said
            self._said = outcome.value
        if is_new and self._news is not None:
            self._news.set()


class JobState(Enum):
    """Where a job stands."""

    QUEUED = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(eq=False)
class Job:
    """One operation in the queue; written by the worker, read by the window.

    Attributes:
        out: the file it writes; None for jobs that write none.
        then: for whoever polls to call with the result, on the polling thread.
        fraction: 0 to 1.
        result: what the operation returned, once DONE.
        error: what went wrong, once FAILED.
    """

    number: int
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
    cancel_requested: bool = field(default=False, repr=False)

    @property
    def active(self) -> bool:
        """Whether it still waits or runs."""
        return self.state in (JobState.QUEUED, JobState.RUNNING)

    @property
    def seconds_left(self) -> float | None:
        """Estimated from the progress so far."""
        if self.state is not JobState.RUNNING or self.fraction < 0.02:
            return None
        return (time.monotonic() - self.started) * (1.0 / self.fraction - 1.0)


class JobQueue:
    """Runs operations one after the other in a thread of its own; newest last in ``jobs``."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self._changed = threading.Condition()
        self._numbers = itertools.count(1)
        self._finished: deque[Job] = deque()
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def active(self) -> list[Job]:
        """Jobs that wait or run, in order."""
        return [job for job in self.jobs if job.active]

    def submit(
        self,
        label: str,
        operation: Callable[[], Operation[Any]],
        *,
        out: Path | None = None,
        then: Callable[[Any], None] | None = None,
    ) -> Job:
        """Queue an operation; ``operation`` is called in the worker's thread."""
        with self._changed:
            job = Job(next(self._numbers), label, operation, out, then)
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

    def poll(self) -> list[Job]:
        """Jobs that ended since the last call."""
        with self._changed:
            finished = list(self._finished)
            self._finished.clear()
            return finished

    def close(self, timeout: float = 5.0) -> None:
        """Cancel everything and end the thread."""
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
                self._work(job)
            except Exception as error:
                job.error = error
                with self._changed:
                    self._finish(job, JobState.FAILED)
            except BaseException as error:  # the thread dies; the next submit starts another
                job.error = error
                with self._changed:
                    self._thread = None
                    self._finish(job, JobState.FAILED)
                return

    def _take(self) -> Job | None:
        with self._changed:
            while not self._closed:
                waiting = [job for job in self.jobs if job.state is JobState.QUEUED]
                if waiting:
                    waiting[0].state = JobState.RUNNING
                    waiting[0].started = time.monotonic()
                    return waiting[0]
                self._changed.wait()
            return None

    def _work(self, job: Job) -> None:
        operation = job.operation()
        try:
            while not job.cancel_requested:
                progress = next(operation)
                job.fraction, job.message = progress.fraction, progress.message
        except StopIteration as stop:
            job.result, job.fraction = stop.value, 1.0
            with self._changed:
                self._finish(job, JobState.DONE)
            return
        operation.close()
        with self._changed:
            self._finish(job, JobState.CANCELLED)

    def _finish(self, job: Job, state: JobState) -> None:
        job.state = state
        self._finished.append(job)


def end_if_busy(status: int) -> None:
    """End the process now, with ``status``, if a worker has not come back from a long call.

    Python ends the threads that outlive it by unwinding them, and C++ libraries answer that by
    aborting the whole process. Everything has been saved when this is called.
    """
    if any(thread.daemon for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
