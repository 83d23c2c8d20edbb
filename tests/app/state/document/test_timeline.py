"""The timeline: playhead, keyframes and their gestures, ready-made animations, undo."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.state.document import timeline as timeline_module
from app.state.document.document import Document
from app.state.document.faces import FaceAlbum
from app.state.document.timeline import STEP, Timeline
from stylesdf_core.errors import InputError
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.animation import InBetween
from stylesdf_core.scene.scene import Identity, Scene, View

ONE = Scene(identity=Identity(1))
OTHER = Scene(identity=Identity(2), camera=OrbitCamera(0.4))


@pytest.fixture
def album(tmp_path: Path) -> Iterator[FaceAlbum]:
    album = FaceAlbum(tmp_path, threading.Event())
    yield album
    album.close()


@pytest.fixture
def views() -> list[View]:
    return []


@pytest.fixture
def timeline(album: FaceAlbum, views: list[View]) -> Timeline:
    document = Document(ONE)
    timeline = Timeline(document, album, views.append)
    timeline.add(None, "image")
    document.apply(OTHER)
    timeline.add(None, "depth")
    return timeline


def document(timeline: Timeline) -> Document:
    return timeline._document


def times(timeline: Timeline) -> list[float]:
    return [keyframe.time for keyframe in timeline.keyframes]


def test_keyframes_are_added_at_the_end_or_at_the_playhead(timeline: Timeline) -> None:
    assert times(timeline) == [0.0, STEP]
    assert timeline.selected == 1
    timeline.seek(1.02)
    timeline.add(None, "image")
    assert times(timeline) == [0.0, 1.0, STEP]
    assert timeline.selected == 1
    assert timeline.keyframes[1].scene == OTHER  # the document's, not the one in between
    document(timeline).undo()
    assert times(timeline) == [0.0, STEP]


def test_a_face_is_appended_with_its_own_camera(timeline: Timeline) -> None:
    face = Scene(identity=Identity(9), camera=OrbitCamera(-0.2))
    timeline.append(face)
    assert times(timeline) == [0.0, STEP, 2 * STEP]
    assert (timeline.keyframes[2].scene, timeline.keyframes[2].view) == (face, None)
    assert document(timeline).scene == OTHER
    with pytest.raises(InputError, match="must have one model"):
        timeline.append(Scene("other"))


def test_the_playhead_shows_the_animation_until_the_scene_is_changed(
    timeline: Timeline, views: list[View]
) -> None:
    assert timeline.shown == OTHER
    timeline.seek(1.0)
    assert isinstance(timeline.shown, InBetween)
    timeline.seek(0.0)
    assert timeline.shown == ONE
    assert views == ["image", "image"]
    moved = replace(OTHER, truncation_psi=1.0)
    document(timeline).update(moved)
    assert timeline.shown == moved
    assert not timeline.is_shown
    timeline.seek(99.0)
    assert timeline.shown == OTHER
    assert views[-1] == "depth"


def test_playing_runs_round_and_stops(timeline: Timeline, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 10.0
    monkeypatch.setattr(timeline_module.clock, "monotonic", lambda: now)
    timeline.toggle()
    assert timeline.is_playing
    assert timeline.time == 0.0
    for seconds, time in ((0.5, 0.5), (1.0, 1.5), (1.0, 0.5)):
        now += seconds
        timeline.tick()
        assert timeline.time == pytest.approx(time)
    timeline.toggle()
    now += 1.0
    timeline.tick()
    assert timeline.time == pytest.approx(0.5)
    assert timeline.is_shown


def test_a_single_keyframe_does_not_play(album: FaceAlbum) -> None:
    timeline = Timeline(Document(ONE), album, lambda view: None)
    timeline.toggle()
    timeline.seek(1.0)
    assert timeline.shown == ONE
    timeline.add(None, "image")
    timeline.toggle()
    assert not timeline.is_playing


def test_a_dragged_keyframe_keeps_off_the_others_and_is_one_undo_step(timeline: Timeline) -> None:
    index = 1
    for time in (1.5, 0.01, -3.0, 0.72):
        index = timeline.move(index, time)
    timeline.commit()
    assert times(timeline) == [0.0, 0.7]
    assert timeline.move(1, 1e9) == 1
    document(timeline).undo()
    document(timeline).undo()
    assert times(timeline) == [0.0, STEP]


def test_select_replace_ease_and_delete(timeline: Timeline, views: list[View]) -> None:
    timeline.select(0)
    assert document(timeline).scene == ONE
    assert timeline.selected == 0
    changed = replace(ONE, truncation_psi=0.2)
    document(timeline).apply(changed)
    timeline.replace(0, None, "normals")
    assert timeline.keyframes[0].scene == changed
    assert timeline.keyframes[0].view == "normals"
    timeline.set_ease(0, "flow")
    assert timeline.keyframes[0].ease == "flow"
    timeline.remove(0)
    assert times(timeline) == [STEP]
    assert timeline.selected is None
    for _ in range(3):
        document(timeline).undo()
    assert timeline.keyframes[0].scene == ONE


def test_the_duration_can_be_changed(timeline: Timeline) -> None:
    timeline.scale(5.0)
    assert times(timeline) == [0.0, 5.0]


def test_faces_change_in_w_or_z(timeline: Timeline) -> None:
    timeline.toggle_space()
    timeline.seek(1.0)
    shown = timeline.shown
    assert isinstance(shown, InBetween)
    assert shown.space == timeline.animation.space == "z"
    timeline.toggle_space()
    assert timeline.animation.space == "w"


def test_presets_replace_the_keyframes(timeline: Timeline) -> None:
    for preset in ("turntable", "sway", "ellipsoid"):
        timeline.make(preset)  # type: ignore[arg-type]
        assert timeline.animation.closes
        assert {keyframe.scene.identity.seed for keyframe in timeline.keyframes} == {2}
    document(timeline).undo()
    document(timeline).undo()
    document(timeline).undo()
    assert times(timeline) == [0.0, STEP]


def test_a_morph_goes_through_the_favourites(timeline: Timeline, album: FaceAlbum) -> None:
    with pytest.raises(InputError, match="look at two or more"):
        timeline.make("morph")
    _wait(album)
    for seed in (5, 6, 7):
        album.visit(Scene(identity=Identity(seed)), np.full((8, 8, 3), seed, np.uint8))
        _wait(album)
    timeline.make("morph")
    assert [k.scene.identity.seed for k in timeline.keyframes] == [5, 6, 7, 5]
    assert {k.scene.camera for k in timeline.keyframes} == {OTHER.camera}
    picture = timeline.picture(timeline.keyframes[1])
    assert picture is not None
    assert picture[0, 0, 0] == 6
    for face in album.faces[:2]:
        album.toggle_star(face)
    timeline.make("morph")
    assert [k.scene.identity.seed for k in timeline.keyframes] == [6, 7, 6]


def _wait(album: FaceAlbum) -> None:
    done: list[Any] = []
    album._do(lambda: None, done.append)
    while not done:
        album.poll()
