"""Runs a slow look-up (a run folder, a sample grid) in a thread and keeps its newest answer."""

from __future__ import annotations

import math
import threading
import time
from typing import Generic, TypeVar

from app.workers.concurrency.schedule import LatestWorker, Work

Q = TypeVar("Q")
A = TypeVar("A")


class Lookup(Generic[Q, A]):
    """Keeps the newest answer to the present question; :meth:`tick` asks and polls.

    Args:
        name: of the thread.
        work: finds answers, in the thread of a ``LatestWorker``.
        every: seconds after which the same question is asked again.
        news: set with each answer.

    Attributes:
        answer: the newest answer, which may be that to an earlier question; None before the first
            answer, after an error, and without a question.
        error: why the question could not be answered; None after an answer.
    """

    def __init__(
        self,
        name: str,
        work: Work[Q, A],
        every: float = math.inf,
        news: threading.Event | None = None,
    ) -> None:
        self.answer: A | None = None
        self.error: BaseException | None = None
        self._worker: LatestWorker[Q, A] = LatestWorker(name, work, news)
        self._every = every
        self._question: Q | None = None
        self._asked_at = -math.inf

    def tick(self, question: Q | None, *, again: bool = False) -> bool:
        """Ask a question that is new or due; True if an answer or an error has come.

        Args:
            question: None to ask nothing and forget the answer.
            again: ask at once, even if the same question is not due yet.
        """
        now = time.monotonic()
        is_new = question != self._question
        if is_new or again or now - self._asked_at > self._every:
            self._question, self._asked_at = question, now
            if is_new:
                self.error = None
            if question is None:
                self.answer = None
                self._worker.drop()
            else:
                self._worker.submit(question)
        outcome = self._worker.poll()
        if outcome is None or outcome.request != question:
            return False
        self.answer, self.error = outcome.value, outcome.error
        return True

    def close(self) -> None:
        """End the thread."""
        self._worker.close()
