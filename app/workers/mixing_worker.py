"""The thread that measures, once for each model, which controls of style mixing have an effect."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.workers.schedule import LatestWorker

if TYPE_CHECKING:
    from stylesdf_core.engine.mixing_effects import MixingEffects
    from stylesdf_core.model.model import Model

_LOOKS = 0.05  # seconds between two looks at whether the screen is at rest


@dataclass(frozen=True)
class MixingRequest:
    """A model to be measured on a device, named as in Settings."""

    model: Model
    device: str


def mixing_worker(
    news: threading.Event, is_busy: Callable[[], bool]
) -> LatestWorker[MixingRequest, MixingEffects]:
    """A worker whose one answer to a request is the model's effects; sets ``news``.

    Args:
        is_busy: whether pictures are being computed; the measurement waits meanwhile.
    """

    def work(request: MixingRequest) -> Iterator[MixingEffects | None]:
        from stylesdf_core.engine.engine import Engine
        from stylesdf_core.engine.mixing_effects import measure_mixing

        for answer in measure_mixing(Engine(request.model, request.device)):
            while is_busy():
                time.sleep(_LOOKS)
                yield None
            yield answer

    return LatestWorker("mixing", work, news)
