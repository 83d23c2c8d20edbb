"""*Drag points*: the points on the face, the gesture that moves one, and the face that follows.

A gesture begins on a point or puts a new one; while it lasts, a worker changes the face step by
step, and every step is shown. It ends as one undo step once the face has come to rest.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from app.state.document.document import Document
from app.state.wording import in_window, title_and_text
from app.workers.concurrency.alarm import Alarm
from app.workers.drag_worker import DragRequest, DragStep, drag_worker
from app.workers.model_loader import ModelSlot
from stylesdf_core.errors import InputError
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.offsets import StyleOffsets
from stylesdf_core.scene.scene import Identity, Scene
from stylesdf_core.scene.session_files import read_scene

if TYPE_CHECKING:
    from stylesdf_core.dragging.pointing import Vector
    from stylesdf_core.dragging.surface import FaceSurface
    from stylesdf_core.model.model import Model

#: Faces whose points are remembered, so that undo brings back the points as well.
_REMEMBERED = 100
#: Most points on a face.
_MOST = 40
_NO_FACE = "No face under the cursor: click on the face."
_TOO_MANY = f"A face takes {_MOST} points: remove one first."


@dataclass(frozen=True)
class FacePoint:
    """A point on the face.

    Attributes:
        place: on the surface of the face that is shown, world units.
        target: where it shall lie; its place while nothing pulls at it.
        is_pin: whether it stays, and cannot be dragged.
    """

    place: Vector
    target: Vector
    is_pin: bool = False


class DragPoints:
    """The points of the document's face and their gesture.

    Attributes:
        is_on: whether clicks in the viewport are for points.
        points: on the face that is shown.
        chosen: index of the point that was last put or taken; None without one.
        problem: a sentence about what has not worked; empty, and gone with the next gesture.

    Args:
        models: gives the model of the document's scene, once it is loaded.
    """

    def __init__(self, document: Document, models: ModelSlot, news: Alarm) -> None:
        self._document, self._models = document, models
        self._worker = drag_worker(news)
        self.is_on = False
        self.points: tuple[FacePoint, ...] = ()
        self.chosen: int | None = None
        self.problem = ""
        self._asked: DragRequest | None = None
        self._start: tuple[Scene, tuple[FacePoint, ...]] | None = None
        self._held = False
        self._shown: tuple[str, Identity] | None = None  # with the model
        self._face: Hashable = None
        self._known: OrderedDict[Hashable, tuple[FacePoint, ...]] = OrderedDict()
        self._surface: tuple[object, FaceSurface] | None = None
        self._made: OrderedDict[StyleOffsets, DragRequest] = OrderedDict()

    @property
    def is_working(self) -> bool:
        """Whether a gesture lasts, or the face is still on its way."""
        return self._start is not None

    @property
    def history(self) -> tuple[DragRequest, ...]:
        """The drags that have made the document's face, the first one first."""
        requests: list[DragRequest] = []
        offsets = self._document.scene.identity.offsets
        while (request := self._made.get(offsets)) is not None:
            requests.insert(0, request)
            offsets = request.scene.identity.offsets
        return tuple(requests)

    def command(self) -> str:
        """The terminal command that repeats :attr:`history`.

        Raises:
            InputError: there is no drag, or the first face can only be described by a session, and
                the document's file holds another.
        """
        from stylesdf_core.commands.command_line import drag_line, program_words
        from stylesdf_core.commands.drag import DragFace

        if not self.history:
            raise InputError("There is no drag to copy: drag a point of the face first.")
        out, first = Path("dragged.json"), self.history[0].scene
        drags = [DragFace.of_points(d.scene, d.points, d.targets, out) for d in self.history]
        path = self._document.path
        try:
            is_saved = path is not None and read_scene(path).of_field == first.of_field
        except InputError:  # the file is gone, or no session any more
            is_saved = False
        return drag_line(drags, path if is_saved else None, program_words())

    def toggle(self) -> None:
        """Begin or end the mode; the points stay for the next time."""
        self.is_on = not self.is_on
        self.problem = ""
        self.chosen = None

    def leave(self) -> bool:
        """End the mode; whether it was on."""
        was_on = self.is_on
        if was_on:
            self.toggle()
        return was_on

    def _model(self) -> Model | None:
        return self._models.of(self._document.scene.model)

    # --- the gesture ----------------------------------------------------------------------------

    def put(self, camera: OrbitCamera, x: float, y: float, *, is_pin: bool) -> bool:
        """Put a point on the face at a place of the picture; False beside the face.

        Args:
            x, y: fractions of the picture's edge from its upper left corner.
        """
        self._finish()
        self.problem = ""
        surface = self._surface_now()
        place = None if surface is None else surface.pick(camera, x, y)
        if place is None:
            return False
        if len(self.points) >= _MOST:
            self.problem = _TOO_MANY
            return True
        self.points = (*self.points, FacePoint(place, place, is_pin))
        self.chosen = len(self.points) - 1
        self._remember()
        return True

    def missed(self) -> None:
        """Say that a click has met no face."""
        self.problem = _NO_FACE

    def take(self, index: int) -> None:
        """Begin to drag a point."""
        self._finish()
        self.problem, self.chosen = "", index
        if not self.points[index].is_pin:
            self._start, self._held = (self._document.scene, self.points), True
            self._shown = (self._document.scene.model, self._document.scene.identity)

    def pull(self, camera: OrbitCamera, x: float, y: float) -> None:
        """Move the target of the point that was taken to a place of the picture."""
        from stylesdf_core.dragging.pointing import beside

        model = self._model()
        if self._start is None or self.chosen is None or model is None:
            return
        scene, begun = self._start
        target = beside(camera, begun[self.chosen].place, x, y)
        own = replace(self.points[self.chosen], target=target)
        self.points = (*self.points[: self.chosen], own, *self.points[self.chosen + 1 :])
        targets = [point.place for point in begun]
        targets[self.chosen] = target
        places = tuple(point.place for point in begun)
        self._asked = DragRequest(model, scene, places, tuple(targets))
        self._worker.submit(self._asked)

    def release(self) -> None:
        """Let go; the face comes to rest, and the gesture ends as one undo step."""
        self._held = False
        if self._asked is None:
            self._start = None

    def remove(self, index: int | None = None) -> None:
        """Remove a point; without index, the one that was last put or taken."""
        self._finish()
        index = self.chosen if index is None else index
        if index is not None and index < len(self.points):
            self.points = (*self.points[:index], *self.points[index + 1 :])
            self._remember()
        self.chosen, self.problem = None, ""

    # --- once a frame ---------------------------------------------------------------------------

    def tick(self) -> None:
        """Show the newest step; where another face is shown, its own points, if it has any."""
        outcome = self._worker.poll()
        scene = self._document.scene
        if self.is_working and (scene.model, scene.identity) != self._shown:
            self._abandon()  # undo, another face, or another model
        if outcome is not None and _is_of_one_gesture(outcome.request, self._asked):
            if outcome.error is not None:
                self.problem = in_window(title_and_text(outcome.error)[1])
                self._end()
            elif outcome.value is not None:
                self._show(outcome.value, is_newest=outcome.request == self._asked)
        face = _face_of(self._document.scene)
        if not self.is_working and face != self._face:
            self._face, self.chosen = face, None
            self.points = self._known.get(face, ())

    def close(self) -> None:
        """End the thread."""
        self._worker.close()

    def _show(self, step: DragStep, *, is_newest: bool) -> None:
        scene = self._document.scene
        self._shown = (scene.model, step.scene.identity)
        self._document.update(replace(scene, identity=step.scene.identity))
        self.points = tuple(
            replace(point, place=place)
            for point, place in zip(self.points, step.points, strict=True)
        )
        if step.is_last and is_newest:
            self._say_miss(step)
            if not self._held:
                self._end()

    def _say_miss(self, step: DragStep) -> None:
        from stylesdf_core.commands.drag import FAR_OFF, out_of_reach

        miss = 0.0 if self.chosen is None else step.misses[self.chosen]
        self.problem = out_of_reach(miss) if miss > FAR_OFF else ""

    def _finish(self) -> None:
        """End a gesture whose face is still on its way, as it is now."""
        if self._start is not None:
            self._end()

    def _abandon(self) -> None:
        self._worker.drop()
        self._start = self._asked = None
        self._held = False

    def _end(self) -> None:
        offsets, asked = self._document.scene.identity.offsets, self._asked
        if asked is not None and offsets != asked.scene.identity.offsets:
            self._made[offsets] = asked
            while len(self._made) > _REMEMBERED:
                self._made.popitem(last=False)
        self._abandon()
        self.points = tuple(replace(point, target=point.place) for point in self.points)
        self._document.commit()
        self._remember()

    def _remember(self) -> None:
        """Note the points of the face that is shown."""
        self._face = _face_of(self._document.scene)
        self._known[self._face] = self.points
        self._known.move_to_end(self._face)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def _surface_now(self) -> FaceSurface | None:
        """The surface of the document's face; None without a model."""
        from stylesdf_core.dragging.surface import FaceSurface

        model, scene = self._model(), self._document.scene
        if model is None:
            return None
        key = (model, scene.of_field)
        if self._surface is None or self._surface[0] != key:
            self._surface = (key, FaceSurface(model, scene))
        return self._surface[1]


def _face_of(scene: Scene) -> Hashable:
    """What the places of points on a face depend on."""
    return scene.model, scene.of_field


def _is_of_one_gesture(answered: DragRequest, asked: DragRequest | None) -> bool:
    """Whether an answer is one to this gesture, not to the gesture before."""
    return asked is not None and (answered.scene, answered.points) == (asked.scene, asked.points)
