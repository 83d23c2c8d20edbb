"""What every operation shares: progress values and the generator type."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


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


#: Long work: yields progress, returns its result; closing it cancels and cleans up.
Operation: TypeAlias = Generator[Progress, None, R]


class Request(Protocol[R_co]):
    """A frozen dataclass that describes an operation and can run it."""

    def run(self) -> Generator[Progress, None, R_co]:
        """Do the work."""


def drain(operation: Operation[R]) -> R:
    """Run an operation to its end and return its result."""
    try:
        while True:
            next(operation)
    except StopIteration as stop:
        result: R = stop.value
        return result
