"""The thread that drags points of a face: one answer for each step of a :class:`Drag`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.workers.concurrency.schedule import LatestWorker
from stylesdf_core.scene.scene import Scene

if TYPE_CHECKING:
    from stylesdf_core.dragging.drag import Drag
    from stylesdf_core.dragging.pointing import Vector
    from stylesdf_core.model.model import Model


@dataclass(frozen=True)
class DragRequest:
    """Points of a face, and where they shall lie.

    Attributes:
        scene: the face before the drag.
        points, targets: world units, in the same order.
    """

    model: Model
    scene: Scene
    points: tuple[Vector, ...]
    targets: tuple[Vector, ...]


@dataclass(frozen=True)
class DragStep:
    """A face on its way.

    Attributes:
        points: where the points lie now.
        misses: their distances from the targets, millimetres.
        is_last: whether the face has come to rest.
    """

    scene: Scene
    points: tuple[Vector, ...]
    misses: tuple[float, ...]
    is_last: bool


def drag_worker(news: threading.Event) -> LatestWorker[DragRequest, DragStep]:
    """A worker that goes on from the last step when only the targets have changed."""
    return LatestWorker("drag", _Dragger().steps, news)


class _Dragger:
    """Keeps the drag of the last request."""

    def __init__(self) -> None:
        self._key: object = None
        self._drag: Drag | None = None

    def steps(self, request: DragRequest) -> Iterator[DragStep]:
        """The steps of a request."""
        from stylesdf_core.dragging.drag import Drag

        key = (request.model, request.scene.of_field, request.points)
        if self._drag is None or key != self._key:
            self._drag = None
            self._key, self._drag = key, Drag(request.model, request.scene, request.points)
        drag, goes_on = self._drag, True
        drag.aim(request.targets)
        while goes_on:
            goes_on = drag.step()
            yield DragStep(drag.scene, tuple(drag.points), tuple(drag.misses), not goes_on)
