"""The album of faces: visits, favourites, files, limits."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.state.document import faces
from app.state.document.faces import FaceAlbum
from stylesdf_core.errors import InputError, OutputError
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Identity, Scene
from stylesdf_core.scene.session_files import read_scene
from tests.waiting import wait_until

GREY = np.full((300, 300, 3), 0.5, np.float32)


def seed(number: int) -> Scene:
    return Scene(identity=Identity(number))


def settle(album: FaceAlbum) -> None:
    """Wait until the album has nothing left to do."""
    wait_until(lambda: not album._work, album.poll)


def visited(album: FaceAlbum, *scenes: Scene) -> FaceAlbum:
    for scene in scenes:
        album.visit(scene, GREY)
        settle(album)
    return album


def seeds(album: FaceAlbum) -> list[int]:
    return [face.scene.identity.seed for face in album.faces]


@pytest.fixture
def album(tmp_path: Path) -> FaceAlbum:
    album = FaceAlbum(tmp_path, threading.Event())
    settle(album)
    return album


def test_faces_are_kept_over_restarts_newest_first_with_camera_and_star(
    album: FaceAlbum, tmp_path: Path
) -> None:
    aside = replace(seed(2), camera=OrbitCamera(azimuth=0.4))
    visited(album, seed(1), aside, seed(3))
    album.toggle_star(album.faces[1])
    album.close()
    again = FaceAlbum(tmp_path, threading.Event())
    assert again.is_loading
    settle(again)
    assert seeds(again) == [3, 2, 1]
    assert again.faces[1].scene == aside
    assert [face.is_favourite for face in again.faces] == [False, True, False]
    assert again.faces[0].pixels.shape == (faces.EDGE, faces.EDGE, 3)
    again.close()


def test_a_face_is_a_picture_that_carries_its_session(album: FaceAlbum, tmp_path: Path) -> None:
    visited(album, seed(7))
    (file,) = (tmp_path / "visited").iterdir()
    assert read_scene(file) == seed(7)


def test_edits_and_cameras_change_the_current_face_and_another_seed_is_another_face(
    album: FaceAlbum,
) -> None:
    edited = replace(seed(1), identity=Identity(1, None, (("smile", 1.0),)))
    turned = replace(edited, camera=OrbitCamera(azimuth=0.2))
    visited(album, seed(1), edited, turned, seed(2))
    assert [face.scene for face in album.faces] == [seed(2), turned]


def test_an_edited_favourite_is_a_new_face(album: FaceAlbum) -> None:
    visited(album, seed(1))
    album.toggle_star(album.faces[0])
    turned = replace(seed(1), camera=OrbitCamera(azimuth=0.2))
    visited(album, turned)
    assert [face.scene for face in album.faces] == [seed(1)], "a favourite keeps its camera"
    visited(album, replace(seed(1), truncation_psi=0.2))
    assert [face.scene.truncation_psi for face in album.faces] == [0.2, 0.7]


def test_a_face_shown_again_keeps_its_place(album: FaceAlbum) -> None:
    visited(album, seed(1), seed(2), seed(3))
    album.enter(album.faces[2])
    visited(album, seed(1))
    assert seeds(album) == [3, 2, 1]
    assert album.current is album.faces[2]


def test_the_oldest_faces_are_pruned_but_favourites_stay(
    album: FaceAlbum, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faces, "MOST_VISITED", 2)
    visited(album, seed(1))
    album.toggle_star(album.faces[0])
    visited(album, seed(2), seed(3), seed(4))
    settle(album)
    assert seeds(album) == [4, 3, 1]
    assert len(list(tmp_path.glob("*/*.png"))) == 3
    album.clear()
    settle(album)
    assert seeds(album) == [1]


def test_a_face_that_loses_its_star_is_the_newest_so_that_it_is_not_forgotten(
    album: FaceAlbum, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faces, "MOST_VISITED", 2)
    visited(album, seed(1))
    album.toggle_star(album.faces[0])
    visited(album, seed(2), seed(3), seed(1))
    assert seeds(album) == [3, 2, 1]
    album.toggle_star(album.faces[2])
    settle(album)
    assert seeds(album) == [1, 3]
    assert album.current is album.faces[0]
    assert read_scene(max((tmp_path / "visited").iterdir())) == seed(1)
    assert not list((tmp_path / "favourites").iterdir())


def test_a_star_too_many_is_refused_instead_of_forgetting_a_favourite(
    album: FaceAlbum, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faces, "MOST_FAVOURITES", 1)
    visited(album, seed(1), seed(2))
    album.toggle_star(album.faces[1])
    with pytest.raises(InputError, match="There are 1 favourites"):
        album.toggle_star(album.faces[0])
    with pytest.raises(InputError, match="take the star"):
        album.keep(seed(3), GREY)
    settle(album)
    assert [face.is_favourite for face in album.faces] == [False, True]


def test_picks_become_favourites_without_being_visited(album: FaceAlbum) -> None:
    album.keep(seed(9), GREY)
    settle(album)
    assert album.faces[0].is_favourite
    assert album.current is None


def test_a_damaged_file_is_left_out(album: FaceAlbum, tmp_path: Path) -> None:
    visited(album, seed(1), seed(2))
    album.close()
    min((tmp_path / "visited").iterdir()).write_bytes(b"\x89PNG")
    again = FaceAlbum(tmp_path, threading.Event())
    settle(again)
    assert seeds(again) == [2]


def test_a_folder_that_cannot_be_written_is_complained_of_once(tmp_path: Path) -> None:
    (tmp_path / "visited").write_text("in the way")
    album = FaceAlbum(tmp_path, threading.Event())
    settle(album)
    with pytest.raises(OutputError, match="filmstrip"):
        visited(album, seed(1))
    visited(album, seed(2))
    assert seeds(album) == [2, 1], "the faces are there as long as the program runs"


def test_a_map_is_a_thumbnail_only_until_the_face_is_seen_as_an_image(album: FaceAlbum) -> None:
    def mean() -> float:
        return float(album.faces[0].pixels.mean())

    black, turned = 0.0 * GREY, replace(seed(1), camera=OrbitCamera(azimuth=0.2))
    album.visit(seed(1), black, is_map=True)
    settle(album)
    assert mean() == 0.0
    visited(album, seed(1))
    assert mean() == 128.0
    album.visit(turned, black, is_map=True)
    settle(album)
    assert album.faces[0].scene == turned
    assert mean() == 128.0


def test_a_coarse_favourite_gets_its_finished_image_once(album: FaceAlbum) -> None:
    def mean() -> float:
        settle(album)
        return float(album.faces[0].pixels.mean())

    for number, finish in enumerate((album.keep, album.visit)):
        scene = seed(number)
        album.keep(scene, 0.0 * GREY, is_stand_in=True)
        assert mean() == 0.0
        album.visit(scene, 0.5 * GREY, is_map=True)
        assert mean() == 0.0
        finish(scene, GREY)
        assert mean() == 128.0
        assert album.faces[0].is_favourite
        finish(scene, 2.0 * GREY)
        assert mean() == 128.0, "a favourite stays as it was when it got its star"
