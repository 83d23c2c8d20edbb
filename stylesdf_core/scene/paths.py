"""Ready-made animations: the camera around one face, or one face after another.

Each ends as it began, so that it can be repeated without a jump.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from stylesdf_core.errors import InputError
from stylesdf_core.rendering.camera import MAX_ELEVATION
from stylesdf_core.scene.animation import Animation, Ease, Keyframe, Space
from stylesdf_core.scene.scene import Scene

Preset = Literal["turntable", "sway", "ellipsoid", "morph"]
#: Angle from end to end of a sway, radians.
ARC = 1.2
#: Height of an ellipse, as a share of its width.
_FLATNESS = 0.25
_ELLIPSE = 8
_ROUND = 2.0 * math.pi


def preset_animation(
    preset: Preset, scenes: Sequence[Scene], seconds: float, arc: float = ARC, space: Space = "w"
) -> Animation:
    """An animation of a preset.

    Args:
        scenes: the face and the camera in the middle of the motion; for ``morph``, the faces in
            their order, two or more.
        seconds: duration.
        arc: angle from end to end that a sway and an ellipse span, radians.

    Raises:
        InputError: a morph of fewer than two faces.
    """
    if preset == "morph":
        return morph(scenes, seconds, space)
    if preset == "turntable":
        return turntable(scenes[0], seconds)
    return (sway if preset == "sway" else ellipsoid)(scenes[0], seconds, arc)


def turntable(scene: Scene, seconds: float) -> Animation:
    """A full turn of the camera at an even speed."""
    poses = [(share, _ROUND * share, 0.0) for share in (0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0)]
    return _around(scene, seconds, poses, ("linear",) * 4)


def sway(scene: Scene, seconds: float, arc: float = ARC) -> Animation:
    """The camera swings to and fro, like a sine, around where it stands.

    An arc of 2 pi or more is a full turn, see :func:`turntable`.
    """
    if arc >= _ROUND:
        return turntable(scene, seconds)
    # Quarters, since between two keyframes the camera turns the shorter way, less than half round.
    poses = [(0.25 * quarter, 0.5 * arc * way, 0.0) for quarter, way in enumerate((0, 1, 0, -1, 0))]
    return _around(scene, seconds, poses, ("out", "in", "out", "in", "smooth"))


def ellipsoid(scene: Scene, seconds: float, arc: float = ARC) -> Animation:
    """The camera runs along an ellipse around where it stands, a quarter as high as wide.

    The ellipse spans 2 pi at most.
    """
    turns = [index / _ELLIPSE for index in range(_ELLIPSE + 1)]
    width = 0.5 * min(arc, _ROUND)
    height = width * _FLATNESS
    poses = [
        (turn, width * math.sin(_ROUND * turn), height * math.cos(_ROUND * turn)) for turn in turns
    ]
    poses[-1] = (1.0, *poses[0][1:])
    eases: list[Ease] = ["flow"] * len(poses)
    return _around(scene, seconds, poses, eases)


def morph(scenes: Sequence[Scene], seconds: float, space: Space = "w") -> Animation:
    """From face to face and back to the first, each face at rest for a moment.

    Raises:
        InputError: there are fewer than two faces.
    """
    if len(scenes) < 2:
        raise InputError("A morph needs two or more faces.")
    around = [*scenes, scenes[0]]
    each = seconds / len(scenes)
    frames = tuple(Keyframe(index * each, scene) for index, scene in enumerate(around))
    return Animation(frames, space)


def _around(
    scene: Scene,
    seconds: float,
    poses: Sequence[tuple[float, float, float]],
    eases: Sequence[Ease],
) -> Animation:
    """Keyframes of one face.

    Args:
        poses: share of the duration, and what is added to azimuth and elevation, radians.
    """
    frames = []
    for (share, right, up), ease in zip(poses, eases, strict=True):
        elevation = min(max(scene.camera.elevation + up, -MAX_ELEVATION), MAX_ELEVATION)
        elevation = elevation if up else scene.camera.elevation
        camera = replace(scene.camera, azimuth=scene.camera.azimuth + right, elevation=elevation)
        frames.append(Keyframe(share * seconds, replace(scene, camera=camera), ease=ease))
    return Animation(tuple(frames))
