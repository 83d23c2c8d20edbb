"""Long work as a generator, which yields :class:`Progress` and ends with a result.

Every operation of the program is such a generator: the command line wraps it in a progress bar,
the window runs it on a worker thread.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

R = TypeVar("R")


@dataclass(frozen=True)
class Progress:
    """How far an operation has come.

    Attributes:
        done, total: in the operation's own unit; ``total`` 0 means unknown.
        message: what is being done, a few words.
    """

    done: float
    total: float
    message: str = ""

    @property
    def fraction(self) -> float:
        """0 to 1; 0 where the total is unknown."""
        return min(1.0, self.done / self.total) if self.total > 0 else 0.0


@dataclass(frozen=True)
class Announcement(Progress):
    """Progress whose message the user has to read now, on a line of its own."""


#: Long work: yields progress, returns its result; closing it cancels and cleans up.
Operation: TypeAlias = Generator[Progress, None, R]


def drain(operation: Operation[R]) -> R:
    """Run an operation to its end and return its result."""
    try:
        while True:
            next(operation)
    except StopIteration as stop:
        result: R = stop.value
        return result


def part(
    operation: Operation[R], start: float, stop: float, total: float = 1.0, prefix: str = ""
) -> Operation[R]:
    """Run an operation as the part ``start`` to ``stop`` of a longer operation of ``total``."""
    while True:
        try:
            progress = next(operation)
        except StopIteration as end:
            result: R = end.value
            return result
        done = start + (stop - start) * progress.fraction
        yield replace(progress, done=done, total=total, message=f"{prefix}{progress.message}")


@dataclass(frozen=True)
class Step:
    """One step of long work: an iterator over ``count`` things.

    Attributes:
        weight: duration of one thing, in a unit that all steps share.
    """

    message: str
    weight: float
    count: int
    things: Iterator[object]


def run_steps(steps: Sequence[Step], after: float = 0.0) -> Operation[float]:
    """Run steps one after the other; the result is the total duration.

    Args:
        after: duration of the work that follows the steps, in the steps' unit.
    """
    total = sum(step.weight * step.count for step in steps) + after
    done = 0.0
    for step in steps:
        yield Progress(done, total, step.message)
        for _ in step.things:
            done += step.weight
            yield Progress(done, total, step.message)
    return total


def duration(seconds: float) -> str:
    """A time in words, in whichever unit reads best: 42 s, 17 min, 3.2 h or 2.5 days."""
    if seconds < 100.0:
        return f"{seconds:.0f} s"
    if seconds < 100.0 * 60.0:
        return f"{seconds / 60.0:.0f} min"
    hours = seconds / 3600.0
    return f"{hours:.1f} h" if hours < 72.0 else f"{hours / 24.0:.1f} days"
