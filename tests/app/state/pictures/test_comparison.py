"""The comparison's state: which two are shown, and when they are rendered."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from app.state.pictures.comparison import FacePair
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.offsets import StyleOffsets, encoded
from stylesdf_core.scene.scene import Identity, Mixing, Scene
from tests.models import tiny_model
from tests.waiting import wait_until

MODEL = tiny_model()
FACE = Scene(model="tiny", identity=Identity(3))


@pytest.fixture
def comparison() -> Iterator[FacePair]:
    comparison = FacePair(threading.Event())
    yield comparison
    comparison.close()


def run_until(comparison: FacePair, condition: Callable[[], bool]) -> None:
    wait_until(condition, lambda: comparison.tick(64, "cpu", ("tiny", MODEL)))


def is_finished(comparison: FacePair) -> bool:
    shown = comparison.shown
    return shown is not None and shown.is_final and not comparison.busy


def test_it_begins_with_the_face_and_its_second_face(comparison: FacePair) -> None:
    comparison.begin(replace(FACE, mixing=Mixing(seed=8)))
    assert comparison.scenes is not None
    assert [scene.identity.seed for scene in comparison.scenes] == [3, 8]
    comparison.begin(FACE)
    assert comparison.scenes[1].identity.seed == 8, "what is compared stays"


def test_another_model_takes_the_seed_alone(comparison: FacePair) -> None:
    styles = StyleOffsets(encoded(np.ones(3, np.float32)))
    identity = Identity(3, (0.5,) * 8, (("smile", 1.0),), styles)
    comparison.begin(Scene("ours", identity, mixing=Mixing(seed=4, strengths=(1.0,))))
    comparison.choose_model(0, "theirs")
    assert comparison.scenes is not None
    assert comparison.scenes[0] == Scene("theirs", Identity(3))


def test_both_follow_one_camera_and_equal_scenes_do_not_differ(comparison: FacePair) -> None:
    comparison.begin(FACE)
    comparison.take(1, replace(FACE, camera=OrbitCamera(azimuth=1.0)))
    comparison.camera = OrbitCamera(azimuth=0.3)
    run_until(comparison, lambda: is_finished(comparison))
    assert comparison.shown is not None
    one, two, _ = comparison.shown.pixels
    np.testing.assert_array_equal(one, two)
    assert comparison.shown.difference == 0.0
    assert one.shape == (64, 64, 3)


def test_two_views_of_a_face_differ(comparison: FacePair) -> None:
    comparison.begin(FACE)
    comparison.take(1, FACE)
    comparison.show_view(1, "volume")
    comparison.swap()
    assert comparison.views == ("volume", "image")
    run_until(comparison, lambda: is_finished(comparison))
    assert comparison.shown is not None
    assert comparison.shown.difference > 0.0


def test_a_model_that_cannot_be_read_is_an_error_and_the_next_choice_is_tried(
    comparison: FacePair,
) -> None:
    comparison.begin(FACE)
    comparison.take(1, replace(FACE, model="nowhere.safetensors"))
    run_until(comparison, lambda: comparison.error is not None)
    assert "nowhere.safetensors" in str(comparison.error)
    comparison.take(1, FACE)
    run_until(comparison, lambda: is_finished(comparison))
    assert comparison.error is None
