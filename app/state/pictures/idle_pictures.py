"""Small pictures of keyframes and of the second face, neither of which was ever on the screen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from app.state.document.faces import EDGE, Pixels
from app.state.document.timeline import Timeline
from app.workers.thumbnails import ThumbnailRequest, Thumbnails
from stylesdf_core.scene.scene import Identity, Scene

if TYPE_CHECKING:
    from stylesdf_core.model.model import Model


class IdlePictures:
    """Renders small pictures while nothing else is computed.

    The timeline gets those that its keyframes lack, as after a session is opened.

    Args:
        news: set with each new picture.
        may_work: whether nothing else is computed and nothing moves; called in a thread.
    """

    def __init__(
        self, timeline: Timeline, news: threading.Event, may_work: Callable[[], bool]
    ) -> None:
        self._timeline = timeline
        self._worker = Thumbnails(news, may_work)
        self._seen: tuple[object, ...] = ()
        self._asked: ThumbnailRequest | None = None
        self._second: Scene | None = None
        self._made: tuple[Scene, Pixels] | None = None  # the newest second face with a picture

    @property
    def second_face(self) -> Pixels | None:
        """The face that style mixing takes from, (E, E, 3); None until there is a picture.

        While ψ changes, the picture is the one before.
        """
        if self._made is None or self._second is None:
            return None
        scene, pixels = self._made
        is_of_it = (scene.model, scene.identity) == (self._second.model, self._second.identity)
        return pixels if is_of_it else None

    def tick(self, model: Model, device: str, scene: Scene) -> None:
        """Once a frame while ``model`` is the scene's model: take pictures, ask for others."""
        self._second = _second_face(scene, model)
        with suppress(Exception):  # a keyframe without a picture shows its number
            for made in self._worker.poll():
                if made.pixels is None:
                    continue
                if made.scene == self._second:
                    self._made = (made.scene, made.pixels)
                if made.scene in self._timeline.lacking:
                    self._timeline.keep(made.scene, made.pixels)
        seen = (model, self._second, self._timeline.keyframes)
        if seen == self._seen:
            return
        self._seen = seen
        known = self._made[0] if self._made is not None else None
        second = () if self._second is None or self._second == known else (self._second,)
        lacking = (*second, *self._timeline.lacking)
        request = ThumbnailRequest(model, device, "image", EDGE, (), lacking)
        if request != self._asked:
            self._asked = request
            if request.fine:
                self._worker.submit(request)
            else:
                self._worker.drop()

    def close(self) -> None:
        """End the thread."""
        self._worker.close()


def _second_face(scene: Scene, model: Model) -> Scene | None:
    """The second face by itself, from the front of the model's training."""
    seed = scene.mixing.seed
    if seed is None:
        return None
    camera, psi = model.poses.front, scene.truncation_psi
    return Scene(scene.model, Identity(seed), camera=camera, truncation_psi=psi)
