"""Animation: keyframes, each a scene at a time, and the scene at every time between them.

The file of an animation (``stylesdf-studio animate --keyframes FILE.json``) is JSON::

    {
      "stylesdf_animation": 1,
      "space": "w",
      "keyframes": [
        {"time": 0.0, "scene": {"identity": {"seed": 742}}},
        {"time": 2.0, "scene": {"identity": {"seed": 3}, "camera": {"azimuth": 0.5}},
         "view": "depth", "ease": "linear"}
      ]
    }

``time`` is in seconds. ``scene`` has the fields of a session (a saved session may be pasted);
fields that are left out have their defaults. ``view`` is a view that ``render --view`` knows, or
left out for the view of the film. ``ease`` says how the animation goes on to the next
keyframe, see :data:`Ease`. ``space`` says how faces change into one another, see
:class:`InBetween`. A session that the window has saved holds the same object under ``animation``.

Between two keyframes the camera turns on its sphere, the shorter way round; field of view and pan
change evenly; the face changes as an :class:`InBetween`. Options of rendering cannot be blended:
they stay until the next keyframe.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Callable, Hashable
from dataclasses import astuple, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from stylesdf_core.dataclass_json import check_finite, from_json, to_json
from stylesdf_core.errors import InputError
from stylesdf_core.files import write_text
from stylesdf_core.foreign import brief
from stylesdf_core.model.model_zoo import absolute
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Scene, View
from stylesdf_core.scene.session_files import read_scene, read_session, written_to

#: How an animation goes from a keyframe to the next: ``smooth`` starts and ends at rest, ``in``
#: only starts and ``out`` only ends at rest, ``linear`` keeps its speed, ``flow`` passes through
#: the keyframes on a curve without a rest, ``hold`` stays and then jumps.
Ease = Literal["smooth", "linear", "in", "out", "flow", "hold"]
Space = Literal["w", "z"]
Floats: TypeAlias = "npt.NDArray[np.float64]"
_FORMAT = 1
_TURN = 2.0 * math.pi
_EASES: dict[Ease, Callable[[float], float]] = {
    "smooth": lambda t: 0.5 - 0.5 * math.cos(math.pi * t),
    "linear": lambda t: t,
    "in": lambda t: 1.0 - math.cos(0.5 * math.pi * t),
    "out": lambda t: math.sin(0.5 * math.pi * t),
    "flow": lambda t: t,
    "hold": lambda t: 0.0,
}


@dataclass(frozen=True, kw_only=True)
class InBetween(Scene):
    """A scene whose face lies between those of two scenes of one model.

    Its other fields, such as the camera, are its own. In the space ``w`` everything that the
    networks get is interpolated linearly: the field's w and the decoder's styles, whatever
    identities, directions, truncation and style mixing the two scenes have. In the space ``z`` the
    identities' z run along the great circle instead, as in :class:`~.scene.Morph`.

    An InBetween lives as long as its animation: the session in an exported picture holds the
    nearer of the two faces.

    Attributes:
        amount: 0 is the face of the first scene, 1 that of the second.
    """

    first: Scene
    second: Scene
    amount: float
    space: Space

    def to_json(self) -> str:
        """The session of the nearer face, with this scene's camera and options."""
        nearer = self.first if self.amount < 0.5 else self.second
        seen = replace(nearer, camera=self.camera, options=self.options)
        return replace(seen, model_digest=self.model_digest).to_json()

    @property
    def of_styles(self) -> Hashable:
        """As of :class:`Scene`."""
        return (self.first.of_styles, self.second.of_styles, self.amount, self.space)

    @property
    def of_field(self) -> Hashable:
        """As of :class:`Scene`."""
        return (self.first.of_field, self.second.of_field, self.amount, self.space)


def between(
    first: Scene, second: Scene, amount: float, *, camera: OrbitCamera, space: Space = "w"
) -> Scene:
    """The scene that is ``amount`` of the way from the first face to the second.

    Args:
        camera: of the result; all else that is no face is the first scene's.
    """
    if amount >= 1.0:
        return replace(second, camera=camera)
    seen = replace(first, camera=camera)
    if amount <= 0.0 or first.of_styles == second.of_styles:
        return seen
    own = {item.name: getattr(seen, item.name) for item in fields(Scene)}
    return InBetween(**own, first=first, second=second, amount=amount, space=space)


@dataclass(frozen=True)
class Keyframe:
    """What an animation shows at a time.

    Attributes:
        time: seconds, 0 or more.
        view: what is shown from here to the next keyframe; None for the film's own view.
        ease: how the animation goes on to the next keyframe.
    """

    time: float = 0.0
    scene: Scene = field(default_factory=Scene)
    view: View | None = None
    ease: Ease = "smooth"

    def __post_init__(self) -> None:
        check_finite(self)
        if self.time < 0.0:
            raise InputError(f"A keyframe's time must be 0 or more seconds, not {self.time:g}.")


@dataclass(frozen=True)
class Animation:
    """Keyframes of one model, in the order of their times.

    Attributes:
        space: how faces change into one another, see :class:`InBetween`.
    """

    keyframes: tuple[Keyframe, ...] = ()
    space: Space = "w"

    def __post_init__(self) -> None:
        ordered = tuple(sorted(self.keyframes, key=lambda keyframe: keyframe.time))
        object.__setattr__(self, "keyframes", ordered)
        if len({keyframe.time for keyframe in ordered}) < len(ordered):
            raise InputError("Two keyframes have the same time.")
        models = sorted({absolute(keyframe.scene.model) for keyframe in ordered})
        if len(models) > 1:
            raise InputError(
                f"All keyframes of an animation must have one model; there are {models[0]} "
                f"and {models[1]}. Make a film with each."
            )

    @property
    def start(self) -> float:
        """Time of the first keyframe, seconds."""
        return self.keyframes[0].time if self.keyframes else 0.0

    @property
    def end(self) -> float:
        """Time of the last keyframe, seconds."""
        return self.keyframes[-1].time if self.keyframes else 0.0

    @property
    def duration(self) -> float:
        """Seconds from the first keyframe to the last."""
        return self.end - self.start

    @property
    def closes(self) -> bool:
        """Whether it ends as it began, so that it can be repeated without a jump."""
        if len(self.keyframes) < 2:
            return False
        first, last = self.keyframes[0].scene, self.keyframes[-1].scene
        turned = math.remainder(last.camera.azimuth - first.camera.azimuth, _TURN)
        camera = replace(last.camera, azimuth=first.camera.azimuth)
        return abs(turned) < 1e-9 and replace(last, camera=camera) == first

    def frame_times(self, fps: float) -> list[float]:
        """The time of every frame, seconds; a film that repeats does not show its start twice."""
        count = max(1, round(self.duration * fps)) + (0 if self.closes else 1)
        return [self.start + index / fps for index in range(count)]

    def at(self, time: float) -> Scene:
        """The scene at a time, seconds; before the first and after the last keyframe it rests.

        Raises:
            InputError: there are no keyframes.
        """
        if not self.keyframes:
            raise InputError("The animation has no keyframes.")
        index = self.index_at(time)
        now = self.keyframes[index]
        if index + 1 == len(self.keyframes) or time <= now.time:
            return now.scene
        following = self.keyframes[index + 1]
        share = (time - now.time) / (following.time - now.time)
        eased = _EASES[now.ease](share)
        camera = self._flowing(time) if now.ease == "flow" else self._turning(index, eased)
        return between(now.scene, following.scene, eased, camera=camera, space=self.space)

    def view_at(self, time: float) -> View | None:
        """The view at a time; None for the film's own."""
        return self.keyframes[self.index_at(time)].view if self.keyframes else None

    def index_at(self, time: float) -> int:
        """Number of the last keyframe that is not after a time; 0 before the first."""
        return max(0, bisect_right([keyframe.time for keyframe in self.keyframes], time) - 1)

    def _turning(self, index: int, share: float) -> OrbitCamera:
        """The camera on its way from a keyframe to the next, ``share`` of the way."""
        first, second = (frame.scene.camera for frame in self.keyframes[index : index + 2])
        turn = math.remainder(second.azimuth - first.azimuth, _TURN)
        second = replace(second, azimuth=first.azimuth + turn)
        start, end = np.array(astuple(first)), np.array(astuple(second))
        return _within(start + share * (end - start), np.stack([start, end]))

    def _flowing(self, time: float) -> OrbitCamera:
        """The camera on a monotone cubic through all keyframes, which overshoots none of them."""
        from scipy.interpolate import PchipInterpolator

        times = np.array([keyframe.time for keyframe in self.keyframes])
        path = np.array([astuple(keyframe.scene.camera) for keyframe in self.keyframes])
        path[:, 0] = np.unwrap(path[:, 0])
        if self.closes and len(times) > 2:  # the curve goes on as it began
            turn = np.array([path[-1, 0] - path[0, 0], 0.0, 0.0, 0.0, 0.0])
            before, after = path[-2] - turn, path[1] + turn
            path = np.vstack((before, path, after))
            times = np.hstack((times[-2] - self.duration, times, times[1] + self.duration))
        return _within(PchipInterpolator(times, path)(time), path)

    def with_model(self, model: str) -> Animation:
        """The same keyframes with another model."""
        return replace(
            self,
            keyframes=tuple(
                replace(keyframe, scene=replace(keyframe.scene, model=model, model_digest=""))
                for keyframe in self.keyframes
            ),
        )

    @property
    def model(self) -> str:
        """The model of all keyframes; the default one without keyframes."""
        return self.keyframes[0].scene.model if self.keyframes else Scene().model

    def to_document(self) -> dict[str, Any]:
        """The animation as the object that the module's docstring describes."""
        document: dict[str, Any] = {"stylesdf_animation": _FORMAT, **to_json(self)}
        for keyframe in document["keyframes"]:
            keyframe["scene"]["model"] = absolute(keyframe["scene"]["model"])
        return document

    @classmethod
    def from_document(cls, document: Any, where: str = "animation") -> Animation:
        """The animation of a parsed JSON document.

        Args:
            where: how messages name the source.

        Raises:
            InputError: the document is no animation, of a newer program, or has a wrong field.
        """
        if not isinstance(document, dict) or "stylesdf_animation" not in document:
            raise InputError(f'{where} holds no keyframes: "stylesdf_animation": 1 is missing.')
        content = dict(document)
        version = content.pop("stylesdf_animation")
        if version != _FORMAT:
            raise InputError(f"{where} was saved by a newer program (format {brief(version)}).")
        if isinstance(listed := content.get("keyframes"), list):
            content["keyframes"] = [_without_formats(keyframe) for keyframe in listed]
        return from_json(cls, content, where)


def read_animation(path: Path | str) -> Animation:
    """The animation of a file of keyframes, or of a session that the window has saved.

    Raises:
        InputError: no such file, it is damaged, or there are no keyframes in it.
    """
    document = read_session(path)
    return Animation.from_document(_animation_of(document), Path(path).name)


def read_timeline(path: Path | str) -> tuple[Scene, Animation | None]:
    """The scene and the keyframes of a session, or the first scene of a file of keyframes.

    The keyframes are None where the file is an exported picture or mesh, which has no room for
    them.

    Raises:
        InputError: no such file, it is damaged, or carries no session.
    """
    document, where = read_session(path), Path(path).name
    found = _animation_of(document)
    animation = Animation() if found is None else Animation.from_document(found, where)
    if found is not None and found is document:
        if not animation.keyframes:
            raise InputError(f"{where} holds no keyframes.")
        return animation.keyframes[0].scene, animation
    is_session = Path(path).suffix.lower() == ".json"
    return read_scene(path), animation if is_session else None


def session_text(scene: Scene, animation: Animation, folder: Path) -> str:
    """A session with its keyframes, as the text of a ``.json`` file in a folder."""
    document = json.loads(scene.to_json())
    if animation.keyframes:
        document["animation"] = animation.to_document()
    return written_to(folder, document)


def _within(camera: Floats, path: Floats) -> OrbitCamera:
    """A camera, (5,), held between the cameras of a path, (N, 5).

    Rounding may lead beyond them by a last digit, and so beyond the limits of a camera's numbers.
    """
    return OrbitCamera(*np.clip(camera, path.min(axis=0), path.max(axis=0)).tolist())


def _animation_of(document: Any) -> Any:
    """The part of a JSON document that is an animation; None where there is none."""
    if not isinstance(document, dict):
        return None
    return document if "stylesdf_animation" in document else document.get("animation")


def write_animation(animation: Animation, path: Path | str) -> None:
    """Write a file of keyframes.

    Raises:
        OutputError: the file cannot be written.
    """
    write_text(path, json.dumps(animation.to_document(), indent=2, allow_nan=False) + "\n")


def _without_formats(keyframe: Any) -> Any:
    """A keyframe whose scene may be a session that was pasted, without the session's own marks."""
    if not isinstance(keyframe, dict) or not isinstance(keyframe.get("scene"), dict):
        return keyframe
    scene = {k: v for k, v in keyframe["scene"].items() if k not in ("stylesdf_scene", "animation")}
    return {**keyframe, "scene": scene}
