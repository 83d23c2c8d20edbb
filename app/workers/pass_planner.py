"""What to compute of a picture, and when: as fine as the frame allows, finer once it rests."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

#: Seconds that a picture may take while something moves. A little slower and finer is better than
#: the other way round, until motion falls apart.
BUDGET = 1.0 / 25.0
#: Edges of a moving picture, pixels, coarse to fine. Below the first a face is no longer one.
EDGES = (32, 48, 64)


class PassPlanner:
    """Chooses the edge of the first pass from what passes have cost so far.

    Costs are exponential averages. An edge that has not been measured is taken to cost by its
    number of pixels. Between the cost at which a level is entered and the one at which it is left
    lies a band, so that the picture does not flicker between two levels. What was too costly once
    (a first pass warms everything up) is tried again, ever more rarely while it stays so.

    Args:
        edges: pixels, coarse to fine; the first choice is the finest.
        budget: seconds that a pass may take.
    """

    _WEIGHT = 0.25  # of the newest measurement
    _ENTER, _LEAVE = 0.9, 1.25  # of the budget
    _PATIENCE, _MOST_PATIENCE = 10, 320  # passes until a finer level is tried

    def __init__(self, edges: Sequence[int] = EDGES, budget: float = BUDGET) -> None:
        self._edges = tuple(edges)
        self._budget = budget
        self._level = len(self._edges) - 1
        self._seconds: dict[int, float] = {}
        self._passes = 0  # at this level
        self._patience = self._PATIENCE

    def measured(self, edge: int, seconds: float) -> None:
        """Note what a pass of ``edge`` has cost; other edges than the planner's are ignored."""
        if edge in self._edges:
            before = self._seconds.get(edge, seconds)
            self._seconds[edge] = before + self._WEIGHT * (seconds - before)

    def edge(self) -> int:
        """Edge of the next first pass."""
        self._passes += 1
        finer = self._level + 1
        if self._level > 0 and self._cost(self._level) > self._LEAVE * self._budget:
            if self._passes <= 2:  # a trial that has failed
                self._patience = min(2 * self._patience, self._MOST_PATIENCE)
            self._enter(self._level - 1)
        elif finer < len(self._edges) and self._cost(finer) < self._ENTER * self._budget:
            self._enter(finer)
        elif finer < len(self._edges) and self._passes > self._patience:
            self._seconds.pop(self._edges[finer], None)  # the trial alone shall tell
            self._enter(finer)
        elif self._passes > self._MOST_PATIENCE:
            self._patience = self._PATIENCE
        return self._edges[self._level]

    def _enter(self, level: int) -> None:
        self._level, self._passes = level, 1

    def _cost(self, level: int) -> float:
        """Expected seconds; 0 while nothing at all has been measured."""
        edge = self._edges[level]
        if edge in self._seconds or not self._seconds:
            return self._seconds.get(edge, 0.0)
        nearest = min(self._seconds, key=lambda known: abs(known - edge))
        return self._seconds[nearest] * (edge / nearest) ** 2


class Rest:
    """Tells a pause within a motion from its end.

    A hand that moves slowly changes something only every few frames. Work that cannot be broken
    off should begin when nothing has changed for more frames than lay between the last changes.
    """

    _REMEMBERED = 4
    _LONGEST = 4  # frames; slower than this is a row of rests

    def __init__(self) -> None:
        self._pauses: deque[int] = deque(maxlen=self._REMEMBERED)
        self._unchanged = self._LONGEST + 1

    def frame(self, *, changed: bool) -> bool:
        """Whether all is at rest, as of a frame in which something has changed or not."""
        if not changed:
            self._unchanged += 1
        else:
            if self._unchanged <= self._LONGEST:
                self._pauses.append(self._unchanged)
            else:
                self._pauses.clear()
            self._unchanged = 0
        return self._unchanged > max(self._pauses, default=0)
