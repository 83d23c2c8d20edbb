"""The thread that renders many small pictures while nothing else is to be computed."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from app.workers.concurrency.schedule import LatestWorker
from stylesdf_core.errors import StyleSDFError
from stylesdf_core.scene.scene import Scene, View

if TYPE_CHECKING:
    from stylesdf_core.engine.engine import Engine
    from stylesdf_core.model.model import Model

_LOOKS = 0.05  # seconds between two looks at whether the thread may work


@dataclass(frozen=True)
class ThumbnailRequest:
    """Pictures to render, the most urgent first.

    Attributes:
        coarse: scenes of which a first, coarse picture is wanted.
        fine: scenes of which the finished picture is wanted; their turn comes after ``coarse``.
        edge: of the finished pictures, pixels.
    """

    model: Model
    device: str
    view: View
    edge: int
    coarse: tuple[Scene, ...]
    fine: tuple[Scene, ...]


@dataclass(frozen=True, eq=False)
class Thumbnail:
    """A small picture of a scene.

    Attributes:
        pixels: (E, E, 3); None where there is a problem.
        problem: why the scene cannot be rendered.
    """

    scene: Scene
    pixels: npt.NDArray[np.uint8] | None
    is_final: bool
    problem: str = ""


class Thumbnails:
    """Renders the newest request while it may; its pictures are kept until they are polled.

    Args:
        news: set with each picture.
        may_work: called in the thread between two passes; the thread waits while it is False.
    """

    def __init__(self, news: threading.Event, may_work: Callable[[], bool]) -> None:
        self._may_work = may_work
        self._engine: Engine | None = None
        self._engine_key: tuple[Model, str] | None = None
        self._asked: ThumbnailRequest | None = None
        self._done: queue.SimpleQueue[tuple[ThumbnailRequest, Thumbnail]] = queue.SimpleQueue()
        self._worker: LatestWorker[ThumbnailRequest, int] = LatestWorker(
            "thumbnails", self._render_all, news
        )

    def submit(self, request: ThumbnailRequest) -> None:
        """Render these scenes and no others."""
        self._asked = request
        self._worker.submit(request)

    def drop(self) -> None:
        """Render nothing more."""
        self._asked = None
        self._worker.drop()

    def poll(self) -> list[Thumbnail]:
        """The pictures finished since the last call, of the newest request's model and view.

        Raises:
            Exception: of any kind: the work has failed as a whole.
        """
        outcome = self._worker.poll()
        if outcome is not None and outcome.error is not None:
            raise outcome.error
        done = [self._done.get_nowait() for _ in range(self._done.qsize())]
        asked = self._asked  # a pass that was under way ends after its request was replaced
        return [t for r, t in done if asked and (r.model, r.view) == (asked.model, asked.view)]

    def close(self) -> None:
        """End the thread."""
        self._worker.close()

    def _render_all(self, request: ThumbnailRequest) -> Iterator[int | None]:
        from stylesdf_core.engine.engine import Engine

        key = (request.model, request.device)
        if self._engine is None or key != self._engine_key:
            self._engine = None  # frees the old engine's memory before the new engine takes some
            self._engine, self._engine_key = Engine(*key), key
        yield 0
        count = 0
        for scenes, is_final in ((request.coarse, False), (request.fine, True)):
            for scene in scenes:
                try:
                    yield from self._render(self._engine, scene, request, is_final=is_final)
                except StyleSDFError as error:
                    self._done.put((request, Thumbnail(scene, None, True, str(error))))
                count += 1
                yield count

    def _render(
        self, engine: Engine, scene: Scene, request: ThumbnailRequest, *, is_final: bool
    ) -> Iterator[None]:
        """Render one picture; the thread waits between its passes while it may not work."""
        from stylesdf_core.engine.passes import passes

        for _ in self._waits():
            yield None
        for frame in passes(engine, scene, request.view):
            if frame.final or not is_final:
                image = Image.fromarray(frame.picture.to_uint8())
                size = (request.edge, request.edge)
                pixels = np.asarray(image.resize(size, Image.Resampling.LANCZOS))
                self._done.put((request, Thumbnail(scene, pixels, is_final)))
                return
            for _ in self._waits():
                yield None

    def _waits(self) -> Iterator[None]:
        while not self._may_work():
            time.sleep(_LOOKS)
            yield None
        yield None
