"""The thread that renders two scenes under one camera, and their difference."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from app.workers.concurrency.schedule import LatestWorker
from app.workers.picture_worker import resampled
from stylesdf_core.scene.scene import Scene, View

if TYPE_CHECKING:
    from stylesdf_core.engine.engine import Engine
    from stylesdf_core.engine.picture import Picture
    from stylesdf_core.model.model import Model

Pixels = npt.NDArray[np.float32]
_MOVING_EDGE, _LARGEST = 128, 768


@dataclass(frozen=True)
class PairRequest:
    """Two scenes with the same camera, and a view of each.

    Attributes:
        edge: of the pictures, pixels.
        loaded: models in memory by their references, which need not be read again.
    """

    scenes: tuple[Scene, Scene]
    views: tuple[View, View]
    edge: int
    device: str
    loaded: tuple[tuple[str, Model], ...] = field(default=(), compare=False)


@dataclass(frozen=True, eq=False)
class PairPass:
    """One pass of two pictures.

    Attributes:
        pixels: two pictures and the colours of their difference, each (S, S, 3) in [0, 1].
        difference: mean over pixels and colours, grey levels of 255.
        is_final: whether no better pass follows.
    """

    request: PairRequest
    pixels: tuple[Pixels, Pixels, Pixels]
    difference: float
    is_final: bool


def pair_worker(news: threading.Event) -> LatestWorker[PairRequest, PairPass]:
    """A worker that renders the newest pair, coarse to fine; each pass sets ``news``."""
    return LatestWorker("pairs", _Pairs().passes, news)


class _Pairs:
    """The engines of the last two models."""

    def __init__(self) -> None:
        self._engines: dict[tuple[str, str], Engine] = {}

    def passes(self, request: PairRequest) -> Iterator[PairPass | None]:
        engines = [self._engine(request, scene.model) for scene in request.scenes]
        coarse: list[Picture] = []
        pairs = list(zip(engines, request.scenes, request.views, strict=True))
        for engine, scene, view in pairs:
            quick: View = "volume" if view in ("image", "inconsistency", "direct") else view
            coarse.append(engine.render(scene, quick, engine.config.thumb_size))
            yield None
        yield _pass(request, coarse, _MOVING_EDGE, is_final=False)
        fine: list[Picture] = []
        for engine, scene, view in pairs:
            fine.append(_finished(engine, scene, view))
            yield None
        yield _pass(request, fine, min(request.edge, _LARGEST), is_final=True)

    def _engine(self, request: PairRequest, reference: str) -> Engine:
        from stylesdf_core.engine.engine import Engine
        from stylesdf_core.model.model import load_model

        wanted = {(scene.model, request.device) for scene in request.scenes}
        self._engines = {key: e for key, e in self._engines.items() if key in wanted}
        model = dict(request.loaded).get(reference)
        key = (reference, request.device)
        engine = self._engines.get(key)
        if engine is None or (model is not None and engine.model is not model):
            self._engines[key] = engine = Engine(model or load_model(reference), request.device)
        return engine


def _finished(engine: Engine, scene: Scene, view: View) -> Picture:
    if view == "inconsistency":
        from stylesdf_core.evaluation.metrics.inconsistency import inconsistency

        return inconsistency(engine, scene)
    return engine.render(scene, view)


def _pass(request: PairRequest, pictures: list[Picture], edge: int, *, is_final: bool) -> PairPass:
    from stylesdf_core.engine.picture import difference_colours

    one, two = (resampled(picture.display(), edge) for picture in pictures)
    difference = 255.0 * float(np.abs(one - two).mean())
    return PairPass(request, (one, two, difference_colours(one, two)), difference, is_final)
