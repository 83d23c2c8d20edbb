"""What every operation shares."""

from __future__ import annotations

from typing import Protocol, TypeVar

from stylesdf_core.progress import Operation, Progress, drain

__all__ = ["Operation", "Progress", "Request", "drain"]

R_co = TypeVar("R_co", covariant=True)


class Request(Protocol[R_co]):
    """A frozen dataclass that describes an operation and can run it."""

    def run(self) -> Operation[R_co]:
        """Do the work."""
