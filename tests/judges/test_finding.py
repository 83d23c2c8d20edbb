"""Faces in pictures: found, counted, and a sentence where a picture cannot be used."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image
from skimage import data

from stylesdf_core.engine.engine import Engine
from stylesdf_core.errors import InputError
from stylesdf_core.judges import dlib_judge as module
from stylesdf_core.judges import finding
from stylesdf_core.judges.cascade import cascade_judge
from stylesdf_core.judges.dlib_judge import dlib_judge
from stylesdf_core.judges.face import FoundFace
from stylesdf_core.judges.finding import (
    find_faces,
    find_judge,
    marked_face,
    one_face,
    turned_face,
)
from stylesdf_core.judges.framing import crop
from stylesdf_core.judges.photo import Photo
from stylesdf_core.model.model import load_model
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Identity, Scene

needs_dlib = pytest.mark.skipif(not module.has_dlib(), reason="needs the extra judges")


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(load_model("heads"))


def head(engine: Engine, seed: int, azimuth: float = 0.0, elevation: float = 0.0) -> np.ndarray:
    scene = Scene(identity=Identity(seed), camera=OrbitCamera(azimuth, elevation))
    return engine.render(scene, "image").to_uint8()


@needs_dlib
def test_the_head_of_a_camera_has_its_pose_and_its_frame(engine: Engine) -> None:
    errors = []
    for seed, azimuth, elevation in ((1, 0.0, 0.1), (2, 0.5, 0.0), (3, -0.6, -0.1)):
        photo = Photo.of(np.pad(head(engine, seed, azimuth, elevation), ((50, 9), (80, 9), (0, 0))))
        face = one_face(photo)
        frame = face.frame("heads")
        errors.append((face.pose.azimuth - azimuth, face.pose.elevation - elevation))
        assert frame.middle == pytest.approx((80 + 128, 50 + 128), abs=12)
        assert frame.edge == pytest.approx(256, rel=0.1)
    assert np.median(np.abs(errors), axis=0) == pytest.approx([0.0, 0.0], abs=0.08)


@needs_dlib
@pytest.mark.parametrize("edge", [400, 1100])
def test_faces_are_found_from_the_promised_width_on(engine: Engine, edge: int) -> None:
    picture, width = head(engine, 1), max(40.0, 0.08 * edge)
    size = round(width * 256 / one_face(Photo.of(picture)).width)
    wide = np.full((edge, edge, 3), 200, np.uint8)
    wide[50 : 50 + size, 50 : 50 + size] = np.asarray(Image.fromarray(picture).resize((size, size)))
    assert one_face(Photo.of(wide)).width == pytest.approx(width, rel=0.25)


@needs_dlib
def test_embeddings_tell_heads_apart(engine: Engine) -> None:
    judge = dlib_judge()

    def embedding(seed: int, azimuth: float) -> np.ndarray:
        photo = Photo.of(head(engine, seed, azimuth))
        return judge.embedding(photo, one_face(photo))

    one, same, other = embedding(0, 0.0), embedding(0, 0.3), embedding(3, 0.0)
    assert one.shape == (128,)
    same_person = 0.6  # dlib's own limit
    assert np.linalg.norm(one - same) < min(same_person, np.linalg.norm(one - other))


@needs_dlib
def test_a_real_face_looks_into_the_camera() -> None:
    photo = Photo.of(data.astronaut(), "astronaut")
    face = one_face(photo)  # the round patch on the sleeve is no face
    assert abs(face.pose.azimuth) < 0.1
    assert abs(face.pose.elevation) < 0.15
    again = one_face(Photo.of(crop(photo, face.frame("ffhq"), 256)))
    assert again.frame("ffhq").middle == pytest.approx((128, 128), abs=3)
    assert again.frame("ffhq").edge == pytest.approx(256, rel=0.03)


@needs_dlib
def test_no_face_several_faces_a_small_one_a_turned_one(engine: Engine) -> None:
    with pytest.raises(InputError, match="cup: no face is found"):
        one_face(Photo.of(data.coffee(), "cup"))
    one, other = head(engine, 1), head(engine, 2)
    two = Photo.of(np.concatenate([one, other], axis=1), "pair")
    with pytest.raises(InputError, match="pair shows 2 faces; choose one"):
        one_face(two)
    with pytest.raises(InputError, match="there is no face 3"):
        one_face(two, 3)
    assert {one_face(two, number).box[0] > 256 for number in (1, 2)} == {True, False}
    with pytest.raises(InputError, match="pixels large; at least 400 are needed"):
        one_face(Photo.of(one), smallest=400)
    lying = Photo.of(np.rot90(one), "lying")
    assert turned_face(lying) == 270
    with pytest.raises(InputError, match="lying: its face is turned by about 90° anticlockwise"):
        one_face(lying)


def test_the_cascade_finds_a_frontal_face(engine: Engine) -> None:
    pytest.importorskip("cv2")
    face = one_face(Photo.of(head(engine, 1)), judge=cascade_judge())
    assert face.landmarks is None
    assert face.frame("heads").middle == pytest.approx((128, 128), abs=16)
    assert face.frame("heads").edge == pytest.approx(256, rel=0.12)


def test_the_cascade_stands_in_for_dlib(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cv2")
    monkeypatch.setattr(finding, "has_dlib", lambda: False)
    assert find_judge().name == "OpenCV"


def test_without_any_judge_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for place in (finding, module):
        monkeypatch.setattr(place, "find_spec", lambda _: None)
    dlib_judge.cache_clear()
    with pytest.raises(InputError, match=r"stylesdf-studio\[judges\]"):
        find_faces(Photo.of(data.astronaut()))


def test_the_data_package_is_never_imported() -> None:
    if find_spec("face_recognition_models") is not None:
        assert "face_recognition_models" not in sys.modules


def test_a_head_hardly_too_small_is_not_told_to_be_large_enough() -> None:
    marks = np.array([(40.0, 40.0), (60.0, 40.0), (50.0, 65.0)])
    marks *= 63.8 / FoundFace.of_marks(marks).frame("heads").edge
    photo = Photo.of(np.zeros((100, 100, 3), np.uint8), "me")
    with pytest.raises(InputError, match="the head is 63 pixels large; at least 64 are needed"):
        marked_face(photo, marks)
