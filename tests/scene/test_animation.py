"""Keyframes: the scene at every time, cameras on their sphere, files, ready-made paths."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stylesdf_core.commands.scenes.options.scene_flags import flags_from_scene
from stylesdf_core.errors import InputError
from stylesdf_core.model.config import RenderOptions
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.animation import (
    Animation,
    Ease,
    InBetween,
    Keyframe,
    read_animation,
    write_animation,
)
from stylesdf_core.scene.paths import ellipsoid, morph, preset_animation, sway, turntable
from stylesdf_core.scene.scene import Identity, Scene

ONE = Scene(identity=Identity(1))
OTHER = Scene(identity=Identity(2), camera=OrbitCamera(0.4, 0.2, 8.0, 0.05, -0.05))
QUIET = Keyframe(1.0, replace(ONE, options=RenderOptions(noise="none")), ease="linear")


def two(ease: Ease = "smooth", **changes: Any) -> Animation:
    return Animation((Keyframe(1.0, ONE, ease=ease), Keyframe(3.0, OTHER)), **changes)


def test_keyframes_are_shown_exactly_and_rest_before_and_after() -> None:
    animation = two()
    for time in (0.0, 1.0):
        assert animation.at(time) == ONE
    for time in (3.0, 99.0):
        assert animation.at(time) == OTHER
    middle = animation.at(2.0)
    assert isinstance(middle, InBetween)
    assert (middle.first, middle.second, middle.amount) == (ONE, OTHER, pytest.approx(0.5))
    assert middle.camera.fov == pytest.approx(7.0)
    assert (animation.start, animation.end, animation.duration) == (1.0, 3.0, 2.0)


def test_only_the_camera_moves_between_equal_faces() -> None:
    turned = replace(ONE, camera=OrbitCamera(1.0))
    scene = Animation((Keyframe(0, ONE, ease="linear"), Keyframe(1, turned))).at(0.25)
    assert scene == replace(ONE, camera=OrbitCamera(0.25))


@pytest.mark.parametrize(
    ("ease", "quarter"),
    [("linear", 0.25), ("smooth", 0.1464), ("in", 0.0761), ("out", 0.3827), ("flow", 0.25)],
)
def test_eases(ease: Ease, quarter: float) -> None:
    scene = two(ease).at(1.5)
    assert isinstance(scene, InBetween)
    assert scene.amount == pytest.approx(quarter, abs=1e-4)


def test_hold_jumps() -> None:
    assert two("hold").at(2.999) == ONE
    assert two("hold").at(3.0) == OTHER


def test_the_camera_turns_the_shorter_way_round() -> None:
    near, beyond = (replace(ONE, camera=OrbitCamera(a)) for a in (3.0, -3.0))
    animation = Animation((Keyframe(0, near, ease="linear"), Keyframe(1, beyond)))
    azimuth = animation.at(0.5).camera.azimuth
    assert math.cos(azimuth) == pytest.approx(-1.0)
    assert animation.at(0.1).camera.azimuth == pytest.approx(3.0 + 0.1 * (2 * math.pi - 6.0))


def test_a_flowing_camera_does_not_stop_at_keyframes_nor_overshoot_them() -> None:
    cameras = [OrbitCamera(a) for a in (0.0, 0.5, 1.0, 0.2)]
    frames = tuple(
        Keyframe(float(i), replace(ONE, camera=camera), ease="flow")
        for i, camera in enumerate(cameras)
    )
    animation = Animation(frames)
    azimuths = [animation.at(time).camera.azimuth for time in np.linspace(0, 3, 61)]
    assert max(azimuths) == 1.0
    speed = np.gradient(azimuths)
    assert speed[20] > 0.8 * 0.5 / 20
    for index, camera in enumerate(cameras):
        assert animation.at(float(index)).camera == camera


@pytest.mark.parametrize(
    ("ease", "first", "last"),
    [
        ("smooth", OrbitCamera(elevation=-1.2), OrbitCamera(elevation=0.5 * math.pi)),
        ("flow", OrbitCamera(pan_x=-0.08), OrbitCamera(pan_x=0.12)),
    ],
)
def test_rounding_leads_no_camera_beyond_its_limits(
    ease: Ease, first: OrbitCamera, last: OrbitCamera
) -> None:
    scenes = (replace(ONE, camera=camera) for camera in (first, last, first))
    frames = (Keyframe(float(time), scene, ease=ease) for time, scene in enumerate(scenes))
    assert Animation(tuple(frames)).at(1.0 - 1e-9).camera == last


def test_views_are_cut() -> None:
    animation = Animation((Keyframe(0, ONE), Keyframe(1, ONE, "depth"), Keyframe(2, OTHER)))
    assert [animation.view_at(t) for t in (0.0, 0.9, 1.0, 1.9, 2.0)] == [
        None,
        None,
        "depth",
        "depth",
        None,
    ]


def test_a_film_that_closes_does_not_show_its_start_twice() -> None:
    back = Animation((Keyframe(0, ONE), Keyframe(1, OTHER), Keyframe(2, ONE)))
    assert back.closes
    assert back.frame_times(4) == [index / 4 for index in range(8)]
    assert not two().closes
    assert two().frame_times(2) == [1.0, 1.5, 2.0, 2.5, 3.0]


@pytest.mark.parametrize("make", [turntable, sway, ellipsoid])
def test_paths_around_a_face_close_and_keep_the_face(
    make: Callable[[Scene, float], Animation],
) -> None:
    animation = make(OTHER, 2.0)
    assert animation.closes
    scenes = [animation.at(time) for time in animation.frame_times(12)]
    assert len(scenes) == 24
    assert {scene.of_styles for scene in scenes} == {OTHER.of_styles}
    azimuths = np.unwrap([scene.camera.azimuth for scene in [*scenes, scenes[0]]])
    steps = np.abs(np.diff(azimuths))
    assert steps.max() < 0.3
    assert scenes[0].camera.azimuth == pytest.approx(0.4)


def test_a_sway_is_a_sine_and_a_turntable_even() -> None:
    times = [index / 8 for index in range(8)]
    for arc in (1.0, 6.0):  # of the second, half is more than half round
        swing = [sway(ONE, 1.0, arc).at(time).camera.azimuth for time in times]
        np.testing.assert_allclose(
            swing, 0.5 * arc * np.sin(2 * np.pi * np.array(times)), atol=1e-12
        )
    assert sway(ONE, 1.0, 2 * np.pi) == turntable(ONE, 1.0)
    assert ellipsoid(ONE, 1.0, 99.0) == ellipsoid(ONE, 1.0, 2 * np.pi)
    turn = [turntable(ONE, 1.0).at(time).camera.azimuth for time in times]
    np.testing.assert_allclose(np.diff(turn), 2 * np.pi / 8)


def test_an_ellipse_is_an_ellipse() -> None:
    animation = ellipsoid(ONE, 1.0, arc=1.0)
    cameras = [animation.at(time).camera for time in np.linspace(0, 1, 33)]
    radii = [math.hypot(camera.azimuth / 0.5, camera.elevation / 0.125) for camera in cameras]
    assert min(radii) > 0.94
    assert max(radii) < 1.03


def test_a_morph_goes_through_all_faces_and_back() -> None:
    animation = morph([ONE, OTHER], 3.0, "z")
    assert [keyframe.time for keyframe in animation.keyframes] == [0.0, 1.5, 3.0]
    assert animation.closes
    assert animation.space == "z"
    with pytest.raises(InputError, match="two or more faces"):
        preset_animation("morph", [ONE], 1.0)


def test_a_file_is_read_back(tmp_path: Path) -> None:
    animation = two("flow", space="z")
    write_animation(animation, tmp_path / "a.json")
    assert read_animation(tmp_path / "a.json") == animation
    session = {**json.loads(ONE.to_json()), "animation": animation.to_document()}
    (tmp_path / "session.json").write_text(json.dumps(session))
    assert read_animation(tmp_path / "session.json") == animation
    assert Scene.from_document(session) == ONE


def test_a_file_may_be_short_and_hold_pasted_sessions() -> None:
    short = {"time": 2, "scene": json.loads(OTHER.to_json())}
    document = {"stylesdf_animation": 1, "keyframes": [short, {"scene": {"identity": {"seed": 1}}}]}
    animation = Animation.from_document(document)
    assert [keyframe.scene for keyframe in animation.keyframes] == [ONE, OTHER]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({}, "f.json holds no keyframes"),
        ([], "f.json holds no keyframes"),
        ({"stylesdf_animation": 2}, "newer program"),
        ({"stylesdf_animation": 1, "keyframes": 3}, "f.json.keyframes: expected a list"),
        ({"stylesdf_animation": 1, "keyframes": [3]}, "expected an object"),
        ({"stylesdf_animation": 1, "keyframes": [{}, {}]}, "Two keyframes have the same time"),
        ({"stylesdf_animation": 1, "keyframes": [{"time": -1}]}, "0 or more seconds, not -1"),
        ({"stylesdf_animation": 1, "keyframes": [{"ease": "fast"}]}, r"\[0\].ease: 'fast' is none"),
        (
            {"stylesdf_animation": 1, "keyframes": [{}, {"time": 1, "scene": {"model": "m"}}]},
            "must have one model; there are",
        ),
    ],
)
def test_a_mistake_in_a_file_is_named(document: Any, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        Animation.from_document(document, "f.json")


def test_a_picture_in_between_carries_the_session_of_the_nearer_face() -> None:
    animation = replace(two("linear"), keyframes=(QUIET, *two().keyframes[1:]))
    for time, identity in ((1.5, ONE.identity), (2.5, OTHER.identity)):
        scene = animation.at(time)
        session = Scene.from_json(scene.to_json())
        assert type(session) is Scene
        assert (session.identity, session.camera) == (identity, scene.camera)
        assert session.options == scene.options == QUIET.scene.options, "those of the picture"
    with pytest.raises(InputError, match="between two keyframes has no flags"):
        flags_from_scene(animation.at(1.5))
