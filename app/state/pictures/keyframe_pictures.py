"""Small pictures of the keyframes that have never been on the screen, rendered in idle time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from app.state.document.faces import EDGE
from app.state.document.timeline import Timeline
from app.workers.thumbnails import ThumbnailRequest, Thumbnails
from stylesdf_core.scene.animation import Keyframe

if TYPE_CHECKING:
    from stylesdf_core.model.model import Model


class KeyframePictures:
    """Gives the timeline the pictures that it lacks, as after a session is opened.

    Args:
        news: set with each new picture.
        may_work: whether nothing else is computed and nothing moves; called in a thread.
    """

    def __init__(
        self, timeline: Timeline, news: threading.Event, may_work: Callable[[], bool]
    ) -> None:
        self._timeline = timeline
        self._worker = Thumbnails(news, may_work)
        self._seen: tuple[Keyframe, ...] | None = None
        self._asked: ThumbnailRequest | None = None

    def tick(self, model: Model, device: str) -> None:
        """Once a frame while ``model`` is the keyframes' model: take pictures, ask for others."""
        with suppress(Exception):  # a keyframe without a picture shows its number
            for made in self._worker.poll():
                if made.pixels is not None:
                    self._timeline.keep(made.scene, made.pixels)
        if self._seen is self._timeline.keyframes and self._asked and self._asked.model is model:
            return
        self._seen = self._timeline.keyframes
        request = ThumbnailRequest(model, device, "image", EDGE, (), self._timeline.lacking)
        if request != self._asked:
            self._asked = request
            if request.fine:
                self._worker.submit(request)
            else:
                self._worker.drop()

    def close(self) -> None:
        """End the thread."""
        self._worker.close()
