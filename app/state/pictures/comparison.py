"""The comparison: two scenes and views under one camera, and how they are shown."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from app.workers.concurrency.schedule import RestDetector
from app.workers.pair_worker import PairPass, PairRequest, pair_worker
from stylesdf_core.model.config import MAX_SEED
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Identity, Mixing, Scene, View

if TYPE_CHECKING:
    from stylesdf_core.model.model import Model

Mode: TypeAlias = Literal["side by side", "wipe", "difference"]
#: Views that can be compared.
COMPARED: tuple[View, ...] = ("image", "volume", "depth", "normals", "direct", "inconsistency")


class FacePair:
    """Two scenes and their newest pictures.

    Attributes:
        scenes, views: of the first and of the other picture; the scenes' own cameras do not count.
        camera: of both.
        mode: how the two are shown.
        wipe: share of the width that shows the first picture.
        shown: the newest pictures; None before the first.
        error: why there are no newer pictures.
    """

    def __init__(self, news: threading.Event) -> None:
        self.scenes: tuple[Scene, Scene] | None = None
        self.views: tuple[View, View] = ("image", "image")
        self.camera = OrbitCamera()
        self.mode: Mode = "side by side"
        self.wipe = 0.5
        self.shown: PairPass | None = None
        self.error: BaseException | None = None
        self._worker = pair_worker(news)
        self._rest = RestDetector()
        self._asked: PairRequest | None = None

    @property
    def busy(self) -> bool:
        """Whether pictures are being computed."""
        return self._worker.busy

    def begin(self, scene: Scene) -> None:
        """Compare a scene with its second face, or the next seed, unless two are compared."""
        if self.scenes is None:
            seed = scene.mixing.seed
            seed = (scene.identity.seed + 1) % (MAX_SEED + 1) if seed is None else seed
            self.scenes = (scene, replace(scene, identity=Identity(seed)))
            self.camera = scene.camera

    def take(self, index: int, scene: Scene) -> None:
        """Make a scene the first (0) or the other (1) of the two."""
        if self.scenes is None:
            self.begin(scene)
        assert self.scenes is not None
        one, two = self.scenes
        self.scenes = (scene, two) if index == 0 else (one, scene)

    def choose_model(self, index: int, model: str) -> None:
        """Show one of the two with another model: its seed, since nothing else fits any model."""
        if self.scenes is not None:
            scene = self.scenes[index]
            changed = replace(scene, model=model, model_digest="", mixing=Mixing())
            self.take(index, replace(changed, identity=Identity(scene.identity.seed)))

    def show_view(self, index: int, view: View) -> None:
        """Choose the view of one of the two."""
        one, two = self.views
        self.views = (view, two) if index == 0 else (one, view)

    def swap(self) -> None:
        """Exchange the two."""
        if self.scenes is not None:
            self.scenes = (self.scenes[1], self.scenes[0])
        self.views = (self.views[1], self.views[0])

    def tick(self, edge: int, device: str, loaded: tuple[str, Model] | None) -> None:
        """Once a frame while it is shown: take new pictures, ask for those that are missing.

        Args:
            edge: of a picture on the screen, pixels.
            loaded: the loaded model's reference and the model.
        """
        outcome = self._worker.poll()
        if outcome is not None:
            self.error = outcome.error
            self.shown = outcome.value or self.shown
        if self.scenes is None:
            return
        one, two = (replace(scene, camera=self.camera) for scene in self.scenes)
        known = () if loaded is None else (loaded,)
        request = PairRequest((one, two), self.views, edge, device, known)
        changed = request != self._asked
        at_rest = self._rest.frame(changed=changed)
        if changed:
            self._asked = request
            self._worker.submit(request, refine=False)
        elif at_rest:
            self._worker.refine()

    def pause(self) -> None:
        """While it is hidden: compute nothing."""
        self._worker.drop()
        self._asked = None

    def retry(self) -> None:
        """Ask again after an error."""
        self._asked = self.error = None

    def close(self) -> None:
        """End the thread."""
        self._worker.close()
