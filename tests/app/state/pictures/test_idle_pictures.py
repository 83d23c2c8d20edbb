"""Pictures of keyframes and of the second face: which are rendered, and when."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.state.document import edits
from app.state.document.document import Document
from app.state.document.faces import EDGE, FaceAlbum, Pixels
from app.state.document.timeline import Timeline
from app.state.pictures.idle_pictures import IdlePictures
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.animation import Animation, Keyframe
from stylesdf_core.scene.scene import Identity, Scene
from tests.models import tiny_model
from tests.waiting import wait_until

SCENES = [Scene(identity=Identity(seed)) for seed in (1, 2)]
MODEL = tiny_model()
OPENED = Animation(tuple(Keyframe(float(i), scene) for i, scene in enumerate(SCENES)))


@pytest.fixture
def may_work() -> threading.Event:
    return threading.Event()


@pytest.fixture
def timeline(tmp_path: Path) -> Iterator[Timeline]:
    album = FaceAlbum(tmp_path, threading.Event())
    yield Timeline(Document(SCENES[0]), album, lambda view: None)
    album.close()


@pytest.fixture
def pictures(timeline: Timeline, may_work: threading.Event) -> Iterator[IdlePictures]:
    pictures = IdlePictures(timeline, threading.Event(), may_work.is_set)
    yield pictures
    pictures.close()


def run_until(pictures: IdlePictures, condition: Callable[[], bool]) -> None:
    wait_until(condition, lambda: pictures.tick(MODEL, "cpu", SCENES[0]))


def test_keyframes_of_a_file_get_pictures_once_nothing_else_is_computed(
    timeline: Timeline, pictures: IdlePictures, may_work: threading.Event
) -> None:
    timeline.opened(OPENED)
    pictures.tick(MODEL, "cpu", SCENES[0])
    time.sleep(0.1)
    pictures.tick(MODEL, "cpu", SCENES[0])
    assert timeline.lacking == tuple(SCENES)
    may_work.set()
    run_until(pictures, lambda: not timeline.lacking)
    one, two = (timeline.picture(keyframe) for keyframe in timeline.keyframes)
    assert one is not None
    assert two is not None
    assert one.shape == (EDGE, EDGE, 3)
    assert (one != two).any(), "each keyframe has its own face"


def test_a_keyframe_that_comes_later_gets_its_picture_too(
    timeline: Timeline, pictures: IdlePictures, may_work: threading.Event
) -> None:
    may_work.set()
    pictures.tick(MODEL, "cpu", SCENES[0])
    time.sleep(0.05)
    assert pictures._worker._engine is None, "an engine takes memory"
    timeline.append(SCENES[1])
    run_until(pictures, lambda: not timeline.lacking)
    timeline.append(SCENES[0])
    assert timeline.lacking == (SCENES[0],)
    run_until(pictures, lambda: not timeline.lacking)


def test_the_second_face_is_pictured_by_itself(
    timeline: Timeline, pictures: IdlePictures, may_work: threading.Event
) -> None:
    def run(scene: Scene) -> Pixels:
        wait_until(
            lambda: pictures.second_face is not None, lambda: pictures.tick(MODEL, "cpu", scene)
        )
        assert pictures.second_face is not None
        return pictures.second_face

    may_work.set()
    mixed = edits.with_second_seed(SCENES[0], 7)
    seven = run(mixed)
    turned = replace(mixed, camera=OrbitCamera(azimuth=0.3))
    pictures.tick(MODEL, "cpu", turned)
    assert pictures.second_face is seven, "its picture does not follow the camera"
    pictures.tick(MODEL, "cpu", edits.with_second_seed(mixed, 8))
    assert pictures.second_face is None, "the picture of another face is not shown"
    assert (run(edits.with_second_seed(mixed, 8)) != seven).any()
    pictures.tick(MODEL, "cpu", SCENES[0])
    assert pictures.second_face is None
    assert timeline.keyframes == ()
