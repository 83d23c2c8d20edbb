"""*New from photo* without its dialog: faces, guess, cancelling, failure."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.state.document.sessions import read_for_window, save_session
from app.state.optimisation.photo_fit import PhotoFaces, PhotoFit
from stylesdf_core.commands.scenes.pictures import RenderImage
from stylesdf_core.errors import InputError
from stylesdf_core.inversion import fitting
from stylesdf_core.progress import drain
from stylesdf_core.scene.animation import Animation
from stylesdf_core.scene.scene import Identity, Scene
from tests.models import save_tiny
from tests.waiting import wait_until

NAME = "ada.tuning.safetensors"


@pytest.fixture(scope="module")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("photo") / "tiny.safetensors")


@pytest.fixture(scope="module")
def picture(model_path: Path) -> Path:
    path = model_path.with_name("picture.png")
    drain(RenderImage(out=path, scene=Scene(str(model_path), Identity(3)), device="cpu").run())
    with Image.open(path) as small:
        small.resize((96, 96)).save(path)
    return path


@pytest.fixture
def fit(tmp_path: Path) -> Iterator[PhotoFit]:
    fit = PhotoFit(threading.Event(), tmp_path)
    yield fit
    fit.close()


def wait(fit: PhotoFit, until: Callable[[], bool]) -> Scene | None:
    scene = None

    def is_over() -> bool:
        nonlocal scene
        scene = fit.poll()
        return until() or scene is not None

    wait_until(is_over, state=lambda: (fit.state, fit.message, fit.problem))
    return scene


def test_a_picture_without_face_can_be_taken_whole_and_the_best_head_kept(
    fit: PhotoFit, model_path: Path, picture: Path
) -> None:
    pytest.importorskip("dlib")
    fit.start(picture, str(model_path), "cpu")
    assert fit.state == "looking"
    wait(fit, lambda: fit.state == "failed")
    assert "no face is found" in fit.problem
    fit.take_whole()
    wait(fit, lambda: fit.guess is not None)
    assert fit.guess is not None
    ((photo, head),) = fit.guess.pairs
    assert photo.shape == head.shape == (64, 64, 3)
    scene = fit.keep()
    assert scene is not None
    assert scene.model == str(model_path)
    assert fit.state == "none"
    assert fit.guess is None


def found(*faces: int) -> Callable[[Path], Iterator[None]]:
    """A search that finds so many faces in one photograph after the other."""
    counts = list(faces)

    def find(path: Path) -> Iterator[None]:
        yield from ()
        count = counts.pop(0)
        return PhotoFaces(  # type: ignore[return-value]
            np.zeros((96, 96, 3), np.float32),
            (96, 96),
            ((0.1, 0.1, 0.4, 0.4), (0.5, 0.5, 0.9, 0.9))[:count],
            (((20, 20), (40, 20), (30, 40)), ((22, 20), (42, 20), (32, 40)))[:count],
            "" if count else "no face",
        )

    return find


def test_several_faces_are_to_be_chosen_from_and_a_cancelled_fit_gives_no_head(
    fit: PhotoFit, model_path: Path, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.state.optimisation.photo_fit._find", found(2))
    fit.start(picture, str(model_path), "cpu")
    wait(fit, lambda: fit.state == "choosing")
    fit.take_whole()
    assert fit.keep() is None, "there is no head yet"
    assert fit.state == "fitting", "and the fit goes on"
    fit.cancel()
    assert fit.state == "none"
    assert fit.keep() is None


def test_photographs_of_one_person_are_fitted_together_once_all_faces_are_known(
    fit: PhotoFit, model_path: Path, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.state.optimisation.photo_fit._find", found(1, 2, 0))
    fit.start(picture, str(model_path), "cpu")
    wait(fit, lambda: fit.state == "fitting")
    fit.change_photos()
    for photos in (2, 3):
        fit.add(picture)
        wait(fit, lambda: fit.state == "choosing")
        assert len(fit.photos) == photos
        assert not fit.is_ready
    fit.choose(2, 1)
    assert fit.state == "choosing"
    fit.frame(2)
    assert fit.framing is not None
    wait(fit, lambda: not fit.is_working)
    fit.use_framing()
    assert fit.is_ready
    request = fit.request()
    assert request.face == (1, 2, 1)
    assert request.eyes[:4] == ("-",) * 4
    assert [text == "-" for text in request.mouth] == [True, True, False]
    fit.remove(1)
    fit.remove(0)
    assert fit.request().eyes == request.eyes[4:]
    assert fit.request().face == ()
    fit.add(picture)  # which cannot be searched: the search is used up
    wait(fit, lambda: fit.state == "choosing")
    assert len(fit.photos) == 1
    assert fit.problem
    fit.fit()
    wait(fit, lambda: fit.guess is not None)
    assert fit.keep() is not None


def test_without_a_judge_a_face_is_framed_by_hand(
    fit: PhotoFit, model_path: Path, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise InputError("Faces need dlib.")

    monkeypatch.setattr("stylesdf_core.judges.finding.find_judge", missing)
    fit.start(picture, str(model_path), "cpu")
    wait(fit, lambda: fit.state == "failed")
    assert "dlib" in fit.problem
    fit.frame()
    fit.use_framing()
    assert fit.state == "fitting"
    wait(fit, lambda: fit.guess is not None)
    assert fit.keep() is not None


def test_a_file_that_is_no_picture_is_a_sentence(
    fit: PhotoFit, model_path: Path, tmp_path: Path
) -> None:
    path = tmp_path / "note.png"
    path.write_text("no picture", encoding="utf-8")
    fit.start(path, str(model_path), "cpu")
    wait(fit, lambda: fit.state == "failed")
    assert "note.png cannot be read as a photograph" in fit.problem


def test_pictures_that_are_not_square_are_not_taken_whole(
    fit: PhotoFit, model_path: Path, tmp_path: Path
) -> None:
    path = tmp_path / "wide.png"
    Image.new("RGB", (40, 30)).save(path)
    fit.start(path, str(model_path), "cpu")
    wait(fit, lambda: fit.state == "failed")
    fit.take_whole()
    wait(fit, lambda: fit.state == "failed")
    assert "square" in fit.problem


def test_details_are_learned_into_a_file_of_its_own_even_if_asked_for_during_the_fit(
    fit: PhotoFit, model_path: Path, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stylesdf_core.inversion.tuning._STEPS", 3)
    stages = tuple(replace(stage, steps=5) for stage in fitting._STAGES)
    monkeypatch.setattr(fitting, "_STAGES", stages)
    monkeypatch.setattr("app.state.optimisation.photo_fit._find", found(2))
    fit.start(picture, str(model_path), "cpu")
    wait(fit, lambda: fit.state == "choosing")
    fit.take_whole()
    fit.set_tunes(True)
    scene = wait(fit, lambda: False)
    assert scene is not None
    (tuning,) = tmp_path.glob("picture.tuning.safetensors")
    assert scene.model == str(tuning)
    session = tmp_path / "kept" / "ada.json"
    session.parent.mkdir()
    save_session(session, scene, Animation())
    opened = read_for_window(session, str(model_path), [str(session.with_name(NAME))])
    assert opened.scene.model == str(session.with_name(NAME))
    assert opened.scene.identity == scene.identity
