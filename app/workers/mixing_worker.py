"""The thread that measures, once for each model, which controls of style mixing have an effect."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.workers.concurrency.schedule import LatestWorker

if TYPE_CHECKING:
    from stylesdf_core.engine.mixing_effects import MixingEffects
    from stylesdf_core.model.model import Model

_LOOKS = 0.05  # seconds between two looks at whether the screen is at rest


@dataclass(frozen=True)
class MixingRequest:
    """A model to be measured on a device, named as in Settings."""

    model: Model
    device: str


class MixingMeter:
    """Measures each loaded model once, when a second face is mixed in for the first time.

    Attributes:
        effects: of style mixing on the model; None until they have been measured.
        error: why they cannot be measured; None where they can.

    Args:
        news: set with the result.
        is_busy: whether pictures are being computed; the measurement waits meanwhile.
    """

    def __init__(self, news: threading.Event, is_busy: Callable[[], bool]) -> None:
        self.effects: MixingEffects | None = None
        self.error: BaseException | None = None
        self._is_busy = is_busy
        self._worker = LatestWorker("mixing", self._work, news)
        self._measured: MixingRequest | None = None

    def tick(self, request: MixingRequest, *, wanted: bool) -> None:
        """Once a frame: begin where it is wanted, and take the result."""
        if self._measured is not None and self._measured.model is not request.model:
            self._measured = self.effects = self.error = None
        if self._measured is None and wanted:
            self._measured = request
            self._worker.submit(request)
        outcome = self._worker.poll()
        if outcome is not None and outcome.request == self._measured:
            self.effects, self.error = outcome.value, outcome.error

    def close(self) -> None:
        """End the thread."""
        self._worker.close()

    def _work(self, request: MixingRequest) -> Iterator[MixingEffects | None]:
        from stylesdf_core.engine.engine import Engine
        from stylesdf_core.engine.mixing_effects import measure_mixing

        for answer in measure_mixing(Engine(request.model, request.device)):
            while self._is_busy():
                time.sleep(_LOOKS)
                yield None
            yield answer
