"""Contact sheets: which scene stands in which cell."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stylesdf_core.errors import InputError
from stylesdf_core.model.config import MAX_SEED
from stylesdf_core.model.latents.latents import LatentDirection
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Identity, Mixing, Morph, Scene
from stylesdf_core.scene.sheet import Sheet, SheetKind

DIRECTIONS = (
    LatentDirection("smile", "Smile", "face", 0),
    LatentDirection("hair", "Hair length", "hair", 1, -1.0, 1.0),
)
VALUES = {"smile": 0.5, "hair": -0.2}
FIRST = Scene(identity=Identity(5), truncation_psi=0.4, camera=OrbitCamera(azimuth=0.3))


def cells(sheet: Sheet, count: int, first: Scene = FIRST) -> list[Scene]:
    return [sheet.scene(first, index, DIRECTIONS, VALUES) for index in range(count)]


@pytest.mark.parametrize("of", ["seeds", "edits", "range", "morph"])
def test_all_faces_have_the_first_scenes_camera_and_truncation(of: SheetKind) -> None:
    for scene in cells(Sheet(of, columns=3), 9):
        assert (scene.camera, scene.truncation_psi) == (FIRST.camera, FIRST.truncation_psi)


def test_seeds_follow_one_another_and_begin_again_after_the_last() -> None:
    assert [scene.identity.seed for scene in cells(Sheet(), 3)] == [5, 6, 7]
    last = replace(FIRST, identity=Identity(MAX_SEED))
    assert [scene.identity.seed for scene in cells(Sheet(), 2, last)] == [MAX_SEED, 0]


def test_edits_are_random_steps_from_the_face_and_the_same_every_time() -> None:
    face, *others = cells(Sheet("edits", spread=0.1), 40)
    assert face == FIRST
    assert len(set(others)) == len(others)
    assert others == cells(Sheet("edits", spread=0.1), 40)[1:]
    smiles = [dict(scene.identity.edits)["smile"] for scene in others]
    assert sum(smiles) / len(smiles) == pytest.approx(0.5, abs=0.06)
    assert {scene.identity.seed for scene in others} == {5}
    far = cells(Sheet("edits", spread=2.0), 60)
    assert max(dict(scene.identity.edits).get("hair", 0.0) for scene in far) == 1.4, "its highest"


def test_a_range_runs_from_left_to_right_with_a_seed_a_row() -> None:
    scenes = cells(Sheet("range", columns=3, direction="hair"), 6)
    assert [dict(scene.identity.edits)["hair"] for scene in scenes] == [-1.0, 0.0, 1.0] * 2
    assert [scene.identity.seed for scene in scenes] == [5, 5, 5, 6, 6, 6]


def test_a_direction_is_found_by_name_or_by_label_and_is_the_first_without_either() -> None:
    assert Sheet("range").chosen(DIRECTIONS).name == "smile"
    assert Sheet("range", direction="hair_length").chosen(DIRECTIONS).name == "hair"
    with pytest.raises(InputError, match=r"no latent direction 'nose'; known: smile, hair_length"):
        Sheet("range", direction="nose").chosen(DIRECTIONS)
    with pytest.raises(InputError, match="no directions"):
        Sheet("edits").scene(FIRST, 0, (), {})


def test_a_morph_runs_to_another_seed_each_row() -> None:
    first = replace(FIRST, mixing=Mixing(seed=9))
    scenes = cells(Sheet("morph", columns=3), 6, first)
    assert scenes[0].morph == Morph()
    assert [(s.morph.seed, s.morph.amount) for s in scenes[1:3]] == [(9, 0.5), (9, 1.0)]
    assert scenes[5].morph.seed == 10


def test_a_single_column_is_the_end_of_the_way() -> None:
    morphs = cells(Sheet("morph", columns=1), 3)
    assert [(scene.morph.seed, scene.morph.amount) for scene in morphs] == [(6, 1), (7, 1), (8, 1)]
    hair = cells(Sheet("range", columns=1, direction="hair"), 2)
    assert [dict(scene.identity.edits)["hair"] for scene in hair] == [1.0, 1.0]


def test_labels_say_what_distinguishes_a_face() -> None:
    for sheet, index, label in (
        (Sheet(), 2, "7"),
        (Sheet("edits"), 0, "seed 5"),
        (Sheet("edits"), 3, "edit 3"),
        (Sheet("range", columns=3, direction="hair"), 5, "6   Hair length +1.0"),
        (Sheet("morph", columns=3), 0, "5"),
        (Sheet("morph", columns=3), 1, "50% of 6"),
        (Sheet("morph", columns=3), 2, "6"),
    ):
        scene = sheet.scene(FIRST, index, DIRECTIONS, VALUES)
        assert sheet.label(scene, index, DIRECTIONS) == label
