"""Chooses the level of detail of a picture that moves: the finest for which there is time."""

from __future__ import annotations

import statistics
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from stylesdf_core.engine.levels import Level

WhileMoving = Literal["fluid", "balanced", "sharp"]
#: Pictures a second that a motion shall have. Fewer, finer pictures look better than more, coarser
#: ones, as long as the motion still looks smooth, as a film does.
PICTURES_A_SECOND: dict[WhileMoving, float] = {"fluid": 40.0, "balanced": 22.0, "sharp": 10.0}


class MovingBudget:
    """How long a picture may be computed while something moves, from what drawing leaves of it.

    Computing a picture and drawing a frame take turns (see ``concurrency/schedule.py``)
    as long as the frames can wait for their pictures: the time for which drawing kept the worker
    waiting is not left for the picture. A picture that takes longer is computed while further
    frames are drawn. Its time then includes their drawing, which must not be counted twice.

    Attributes:
        speed: how many times faster than it is this machine is taken to be; for measurements.
    """

    _REMEMBERED = 15  # frames and pictures; their median does not follow a single slow frame
    _LEAST = 0.5  # of the time from picture to picture

    def __init__(self) -> None:
        self.speed = 1.0
        self._drawing: deque[float] = deque([0.0] * self._REMEMBERED, self._REMEMBERED)
        self._waiting: deque[float] = deque([0.0] * self._REMEMBERED, self._REMEMBERED)

    def drawn(self, seconds: float) -> None:
        """Note how long the main loop took for a frame, without its sleep."""
        self._drawing.append(seconds)

    def waited(self, seconds: float) -> None:
        """Note how long the worker had nothing to compute before it began a picture.

        What exceeds a frame's drawing is the mouse's rest.
        """
        self._waiting.append(min(seconds, statistics.median(self._drawing)))

    def seconds(self, while_moving: WhileMoving) -> float:
        """Seconds that a pass may take."""
        period = 1.0 / PICTURES_A_SECOND[while_moving]
        return self.speed * max(period - statistics.median(self._waiting), self._LEAST * period)


class PassPlanner:
    """Chooses the level of the first pass from the time that passes have taken so far.

    The cost of a level is the median of its last times, so that a few slow passes change nothing;
    before its first measurement it is estimated from the level's work. A level is left at a higher
    cost than it is entered at, so that the picture does not flicker between two levels. A level
    that was too costly is tried for a few passes, less and less often while it stays too costly:
    its known times may come from a busy moment of the machine.

    Args:
        levels: coarse to fine. The first choice is the finest volume render: whether there is time
            to decode is known only from the passes of a picture at rest.
    """

    _REMEMBERED = 9  # times of a level
    _JUDGED = 5  # times of which more than half must be too long for a level to be left
    _ENTER, _LEAVE = 0.9, 1.25  # of the budget
    _FAILED = 1.5  # budgets, beyond which one pass ends a trial: it would be seen to stumble
    _HOPELESS = 4.0  # budgets, beyond which a level is left after one pass
    #: Budgets, beyond which a level is not tried unless it was measured once only: known times come
    #: from a busy moment at best, and a trial that fails is a stumble of the picture.
    _WORTH_TRYING = 2.5
    _PATIENCE, _MOST_PATIENCE = 30, 480  # fewest and most passes until a finer level is tried

    def __init__(self, levels: Sequence[Level]) -> None:
        self._levels = tuple(levels)
        self._now = max(index for index, level in enumerate(levels) if not level.image)
        self._times: dict[int, deque[float]] = {}  # by the level's index
        self._passes = 0  # at this level
        self._is_trial = False  # of this level, whose next times alone decide
        self._patience: defaultdict[int, int] = defaultdict(lambda: self._PATIENCE)

    def measured(self, level: Level, seconds: float) -> None:
        """Note the time of a pass; a level that is not among the planner's is ignored."""
        if level in self._levels:
            index = self._levels.index(level)
            self._times.setdefault(index, deque(maxlen=self._REMEMBERED)).append(seconds)

    def expect(self, other: PassPlanner) -> None:
        """Take the times of decoded levels that another planner knows for first estimates."""
        for index, times in other._times.items():
            if other._levels[index].image:
                self.measured(other._levels[index], statistics.median(times))

    def seconds_of(self, level: Level, *, unknown: float) -> float:
        """Median of a level's last times; ``unknown`` before the first."""
        times = self._times.get(self._levels.index(level)) if level in self._levels else None
        return statistics.median(times) if times else unknown

    def level(self, budget: float) -> Level:
        """Level of the next first pass.

        Args:
            budget: seconds that a pass may take while something moves.
        """
        self._passes += 1
        finer = self._finer_within(self._ENTER * budget)
        if self._is_too_costly(budget):
            if self._is_trial:
                self._patience[self._now] = min(2 * self._patience[self._now], self._MOST_PATIENCE)
            self._enter(self._now - 1)
        elif finer is not None:
            self._enter(finer, is_trial=finer not in self._times)
        elif self._passes > self._patience[self._now + 1] and self._may_try(self._now + 1, budget):
            self._enter(self._now + 1, is_trial=True)
        return self._levels[self._now]

    def _is_too_costly(self, budget: float) -> bool:
        """Whether this level is to be left; ends a trial that has succeeded."""
        times = [*self._times.get(self._now, ())]
        if self._now == 0 or not times:
            return False
        most = (self._ENTER if self._is_trial else self._LEAVE) * budget
        to_come = [0.0] * (self._JUDGED - len(times))
        worst = (self._FAILED if self._is_trial else self._HOPELESS) * budget
        is_hopeless = bool(to_come) and min(times) > worst
        is_too_costly = statistics.median(times + to_come) > most
        if self._is_trial and not to_come and not is_too_costly:
            self._is_trial = False
            self._patience.pop(self._now, None)
        return is_too_costly or is_hopeless

    def _finer_within(self, seconds: float) -> int | None:
        """The finest level known to take less time, else the next level if it should, or None."""
        finer = range(self._now + 1, len(self._levels))
        known = [index for index in finer if index in self._times and self._cost(index) < seconds]
        if known or not finer or not self._times:
            return max(known, default=None)
        return finer[0] if self._cost(finer[0]) < seconds else None

    def _may_try(self, index: int, budget: float) -> bool:
        """Whether a trial of a level that should be too costly may still succeed."""
        if index >= len(self._levels):
            return False
        is_once_only = len(self._times.get(index, ())) == 1
        was_slow_once = is_once_only and self._patience[index] <= 2 * self._PATIENCE
        return was_slow_once or self._cost(index) < self._WORTH_TRYING * budget

    def _enter(self, index: int, *, is_trial: bool = False) -> None:
        self._now, self._passes, self._is_trial = index, 1, is_trial
        if is_trial:
            self._times.pop(index, None)

    def _cost(self, index: int) -> float:
        """Expected seconds; 0 before the first measurement."""
        if index in self._times or not self._times:
            return statistics.median(self._times[index]) if self._times else 0.0
        # Of two that are as near, the finer: it may have a decoder, whose speed differs most.
        nearest = min(self._times, key=lambda known: (abs(known - index), -known))
        works = self._levels[index].work, self._levels[nearest].work
        return self._cost(nearest) * works[0] / works[1]
