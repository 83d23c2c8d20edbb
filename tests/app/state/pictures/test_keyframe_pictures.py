"""Pictures of keyframes that were never on the screen: which are rendered, and when."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.state.document.document import Document
from app.state.document.faces import EDGE, FaceAlbum
from app.state.document.timeline import Timeline
from app.state.pictures.keyframe_pictures import KeyframePictures
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
def pictures(timeline: Timeline, may_work: threading.Event) -> Iterator[KeyframePictures]:
    pictures = KeyframePictures(timeline, threading.Event(), may_work.is_set)
    yield pictures
    pictures.close()


def run_until(pictures: KeyframePictures, condition: Callable[[], bool]) -> None:
    wait_until(condition, lambda: pictures.tick(MODEL, "cpu"))


def test_keyframes_of_a_file_get_pictures_once_nothing_else_is_computed(
    timeline: Timeline, pictures: KeyframePictures, may_work: threading.Event
) -> None:
    timeline.opened(OPENED)
    pictures.tick(MODEL, "cpu")
    time.sleep(0.1)
    pictures.tick(MODEL, "cpu")
    assert timeline.lacking == tuple(SCENES)
    may_work.set()
    run_until(pictures, lambda: not timeline.lacking)
    one, two = (timeline.picture(keyframe) for keyframe in timeline.keyframes)
    assert one is not None
    assert two is not None
    assert one.shape == (EDGE, EDGE, 3)
    assert (one != two).any(), "each keyframe has its own face"


def test_a_keyframe_that_comes_later_gets_its_picture_too(
    timeline: Timeline, pictures: KeyframePictures, may_work: threading.Event
) -> None:
    may_work.set()
    pictures.tick(MODEL, "cpu")
    time.sleep(0.05)
    assert pictures._worker._engine is None, "an engine takes memory"
    timeline.append(SCENES[1])
    run_until(pictures, lambda: not timeline.lacking)
    timeline.append(SCENES[0])
    assert timeline.lacking == (SCENES[0],)
    run_until(pictures, lambda: not timeline.lacking)
