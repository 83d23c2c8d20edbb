"""Chooses the level of detail of a picture that moves: the finest for which there is time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from stylesdf_core.engine.levels import Level

WhileMoving = Literal["fluid", "balanced", "sharp"]
#: Pictures a second that a motion shall have. Fewer, finer pictures look better than more, coarser
#: ones, as long as the motion still looks smooth: from about the cinema's 24 on.
PICTURES_A_SECOND: dict[WhileMoving, float] = {"fluid": 40.0, "balanced": 24.0, "sharp": 10.0}


class MovingBudget:
    """How long a picture may be computed while something moves, from what drawing it takes.

    Computing a picture and drawing a frame take turns
    (:class:`~app.workers.schedule.FramePacer`): the time of a frame is not left for the picture.

    Attributes:
        speed: how many times faster than it is this machine is taken to be; for measurements.
    """

    _WEIGHT = 0.1  # of the newest frame
    _LEAST = 0.5  # of the time from picture to picture

    def __init__(self) -> None:
        self.speed = 1.0
        self._drawing = 0.0

    def drawn(self, seconds: float) -> None:
        """Note how long the main loop took for a frame, without its sleep."""
        self._drawing += self._WEIGHT * (seconds - self._drawing)

    def seconds(self, while_moving: WhileMoving) -> float:
        """Seconds that a pass may take."""
        period = 1.0 / PICTURES_A_SECOND[while_moving]
        return self.speed * max(period - self._drawing, self._LEAST * period)


@dataclass(frozen=True)
class _Measured:
    """An exponential average of a level's times, seconds, and how many it is made of."""

    seconds: float
    count: int


class PassPlanner:
    """Chooses the level of the first pass from the time that passes have taken so far.

    The cost of a level is an exponential average of its times; before its first measurement it is
    estimated from the level's work. A level is left at a higher cost than it is entered at, so that
    the picture does not flicker between two levels. A level that was too costly is tried again,
    less and less often while it stays too costly: the very first pass is always slow.

    Args:
        levels: coarse to fine. The first choice is the finest volume render: whether there is time
            to decode is known only from the passes of a picture at rest.
    """

    _WEIGHT = 0.25  # of the newest measurement
    _ENTER, _LEAVE = 0.9, 1.25  # of the budget
    _HOPELESS = 4.0  # budgets, beyond which a level is not tried, unless it was measured once only
    _PATIENCE, _MOST_PATIENCE = 10, 320  # fewest and most passes until a finer level is tried

    def __init__(self, levels: Sequence[Level]) -> None:
        self._levels = tuple(levels)
        self._now = max(index for index, level in enumerate(levels) if not level.image)
        self._measured: dict[int, _Measured] = {}  # by the level's index
        self._passes = 0  # at this level
        self._is_trial = False  # of this level, whose next time alone decides
        self._patience = self._PATIENCE

    def measured(self, level: Level, seconds: float) -> None:
        """Note the time of a pass; a level that is not among the planner's is ignored."""
        if level in self._levels:
            index = self._levels.index(level)
            known = self._measured.get(index, _Measured(seconds, 0))
            weight = 1.0 if self._is_trial and index == self._now else self._WEIGHT
            average = known.seconds + weight * (seconds - known.seconds)
            self._measured[index] = _Measured(average, known.count + 1)

    def level(self, budget: float) -> Level:
        """Level of the next first pass.

        Args:
            budget: seconds that a pass may take while something moves.
        """
        self._passes += 1
        finer = self._finer_within(self._ENTER * budget)
        most = (self._ENTER if self._is_trial else self._LEAVE) * budget
        is_too_costly = self._now > 0 and self._cost(self._now) > most
        if is_too_costly and self._is_trial:
            self._patience = min(2 * self._patience, self._MOST_PATIENCE)
        self._is_trial = False
        if is_too_costly:
            self._enter(self._now - 1)
        elif finer is not None:
            self._enter(finer, is_trial=finer not in self._measured)
        elif self._passes > self._patience and self._may_try(self._now + 1, budget):
            self._enter(self._now + 1, is_trial=True)
        elif self._passes > self._MOST_PATIENCE:
            self._patience = self._PATIENCE
        return self._levels[self._now]

    def _finer_within(self, seconds: float) -> int | None:
        """The finest level known to take less time, else the next level if it should, or None."""
        finer = range(self._now + 1, len(self._levels))
        known = [
            index for index in finer if index in self._measured and self._cost(index) < seconds
        ]
        if known or not finer or not self._measured:
            return max(known, default=None)
        return finer[0] if self._cost(finer[0]) < seconds else None

    def _may_try(self, index: int, budget: float) -> bool:
        """Whether a trial of a level that should be too costly may still succeed."""
        if index >= len(self._levels):
            return False
        known = self._measured.get(index)
        was_slow_once = known is not None and known.count == 1
        return was_slow_once or self._cost(index) < self._HOPELESS * budget

    def _enter(self, index: int, *, is_trial: bool = False) -> None:
        self._now, self._passes, self._is_trial = index, 1, is_trial

    def _cost(self, index: int) -> float:
        """Expected seconds; 0 before the first measurement."""
        if index in self._measured or not self._measured:
            return self._measured[index].seconds if self._measured else 0.0
        nearest = min(self._measured, key=lambda known: abs(known - index))
        works = self._levels[index].work, self._levels[nearest].work
        return self._measured[nearest].seconds * works[0] / works[1]
