"""A question that the Train tab asks again and again, answered by a thread of its own."""

from __future__ import annotations

import math
import time
from typing import Generic, TypeVar

from app.workers.schedule import LatestWorker, Work

Q = TypeVar("Q")
A = TypeVar("A")


class Lookup(Generic[Q, A]):
    """Holds the newest answer to the present question; :meth:`tick` asks and listens.

    The window draws some frames a second even when nothing happens, so an answer wakes nobody.

    Args:
        name: of the thread.
        work: finds answers, in the thread; see :class:`app.workers.schedule.LatestWorker`.
        every: seconds after which the same question is asked again.

    Attributes:
        answer: to the present question or, while it is being looked for, to an earlier one; None
            before the first answer, after a failure, and while nothing is asked.
        error: why the present question could not be answered.
    """

    def __init__(self, name: str, work: Work[Q, A], every: float = math.inf) -> None:
        self.answer: A | None = None
        self.error: BaseException | None = None
        self._worker: LatestWorker[Q, A] = LatestWorker(name, work)
        self._every = every
        self._question: Q | None = None
        self._asked_at = -math.inf

    def tick(self, question: Q | None, *, again: bool = False) -> bool:
        """Ask, if the question is new or due; True if there is news of it.

        Args:
            question: None to ask nothing.
            again: ask at once, whenever the question was asked last.
        """
        now = time.monotonic()
        if question != self._question or again or now - self._asked_at > self._every:
            self._question, self._asked_at = question, now
            if question is None:
                self.answer = self.error = None
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
