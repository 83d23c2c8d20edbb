"""Changes that panels make to a scene."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from app.state.document import edits
from stylesdf_core.model.config import MAX_SEED, GeneratorConfig
from stylesdf_core.model.latents.latents import LatentDirection
from stylesdf_core.model.poses import Poses
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Identity, Mixing, Morph, Scene

SMILE = LatentDirection("smile", "Smile", "face", 40)
SKIN = LatentDirection("skin", "Skin", "skin", 41)
DIRECTIONS = (SMILE, SKIN)


def test_locked_directions_keep_their_value_when_the_seed_changes() -> None:
    scene = edits.with_seed(Scene(identity=Identity(7)), 8, [(SMILE, 1.25), (SKIN, 9.0)])
    assert scene.identity == Identity(8, edits=(("smile", 1.25), ("skin", SKIN.highest)))


def test_seeds_stay_in_range() -> None:
    assert edits.with_seed(Scene(), -1, ()).identity.seed == 0
    assert edits.with_seed(Scene(), MAX_SEED + 1, ()).identity.seed == MAX_SEED
    assert edits.with_second_seed(Scene(), -5).mixing.seed == 0


def test_layer_strengths_start_from_the_crossover() -> None:
    scene = Scene(mixing=Mixing(seed=3, crossover=2))
    scene = edits.with_strength(scene, 0, 0.25, 4)
    assert scene.mixing.strengths == (0.25, 0.0, 1.0, 1.0)
    assert edits.with_strength(scene, 1, 7.0, 4).mixing.strengths[1] == 1.0
    assert edits.with_crossover(scene, 1).mixing == Mixing(3, 1, ())


def test_swapping_twice_changes_nothing() -> None:
    scene = Scene(identity=Identity(1, edits=(("smile", 1.0),)), mixing=Mixing(seed=2))
    swapped = edits.swapped(scene)
    assert (swapped.identity.seed, swapped.mixing.seed) == (2, 1)
    assert swapped.identity.edits == scene.identity.edits
    assert edits.swapped(swapped) == scene
    assert edits.swapped(Scene()) == Scene()


def test_a_morph_goes_to_the_second_face() -> None:
    assert edits.with_morph(Scene(), 0.5).morph == Morph()
    scene = edits.with_morph(Scene(mixing=Mixing(seed=2)), 0.5)
    assert scene.morph == Morph(seed=2, amount=0.5)
    assert edits.with_second_seed(scene, 9).morph == Morph(seed=9, amount=0.5)
    assert edits.swapped(scene).morph.seed == 0
    assert edits.swapped(edits.swapped(scene)) == scene
    assert edits.with_second_seed(scene, None) == Scene()
    assert edits.with_morph(scene, 0.0).morph == Morph()


def test_presets_keep_field_of_view_and_pan() -> None:
    scene = Scene(camera=OrbitCamera(1.0, 0.5, fov=9.0, pan_x=0.02))
    wide = Poses(azimuth_std=1.0)
    camera = edits.with_preset(scene, "front", wide).camera
    assert camera == OrbitCamera(0.0, 0.0, fov=9.0, pan_x=0.02)
    azimuth = edits.with_preset(scene, "¾", wide).camera.azimuth
    assert azimuth == pytest.approx(math.radians(35), abs=0.01)


@pytest.mark.parametrize("std", [0.15, 0.3, 0.4, 0.7])
@pytest.mark.parametrize("preset", edits.CAMERA_PRESETS)
def test_no_preset_leaves_the_trained_poses(preset: str, std: float) -> None:
    poses = Poses(azimuth_std=std)
    assert edits.is_trained_pose(edits.with_preset(Scene(), preset, poses).camera, poses)


@pytest.mark.parametrize(
    ("azimuth", "elevation", "inside"),
    [(0.0, 0.0, True), (0.59, 0.0, True), (0.61, 0.0, False), (0.0, 0.31, False)],
)
def test_trained_poses_are_an_ellipse(azimuth: float, elevation: float, inside: bool) -> None:
    assert edits.is_trained_pose(OrbitCamera(azimuth, elevation), Poses()) is inside


def test_trained_poses_are_the_models_own() -> None:
    beside = OrbitCamera(0.5)
    assert edits.is_trained_pose(beside, Poses())
    assert not edits.is_trained_pose(beside, Poses(azimuth_std=0.15)), "AFHQ's"
    assert not edits.is_trained_pose(beside, Poses(azimuth_std=0.0))


def test_adapting_drops_the_parts_that_do_not_fit_another_model() -> None:
    scene = Scene(
        identity=Identity(3, z=(0.0,) * 256, edits=(("smile", 1.0), ("mane", 2.0))),
        mixing=Mixing(seed=4, crossover=9, strengths=(0.5,) * 10),
    )
    config = GeneratorConfig(z_dim=64, width=8, depth=1, thumb_size=16, output_size=64)
    adapted = edits.adapted(scene, config, DIRECTIONS)
    assert adapted.identity == Identity(3, edits=(("smile", 1.0),))
    assert adapted.mixing == Mixing(4, config.n_latent, ())
    same = replace(scene, identity=Identity(3), mixing=Mixing())
    assert edits.adapted(same, config, DIRECTIONS) == same


def test_parts_lost_to_another_model_come_back_unless_they_have_changed_since() -> None:
    whole = Scene(
        identity=Identity(3, edits=(("smile", 1.0), ("mane", 2.0))), mixing=Mixing(4, crossover=3)
    )
    no_decoder = GeneratorConfig(z_dim=64, width=8, depth=1, thumb_size=16, output_size=16)
    fitted = edits.adapted(whole, no_decoder, DIRECTIONS)
    assert fitted != whole
    turned = replace(fitted, camera=OrbitCamera(0.3))
    assert edits.restored(turned, fitted, whole) == replace(whole, camera=OrbitCamera(0.3))
    other = replace(fitted, identity=Identity(9))
    assert edits.restored(other, fitted, whole) == replace(whole, identity=Identity(9))


def test_a_view_wider_than_the_training_s_is_not_trained() -> None:
    assert edits.is_trained_view(OrbitCamera(fov=6.0), Poses())
    assert edits.is_trained_view(OrbitCamera(fov=3.0), Poses())
    assert not edits.is_trained_view(OrbitCamera(fov=6.5), Poses())
    assert edits.is_trained_view(OrbitCamera(fov=6.5), Poses(fov=12.0)), "another model's"


def test_groups_of_the_second_face() -> None:
    scene = Scene(mixing=Mixing(seed=3))
    hair = edits.with_group(scene, "hair", 0.8)
    assert hair.mixing.groups == (("hair", 0.8),)
    assert hair.mixing.layer_strengths(6) == (0,) * 6, "only the hair"
    assert edits.with_group(hair, "hair", None) == scene
    assert edits.with_group(hair, "skin", 2.0).mixing.groups == (("hair", 0.8), ("skin", 1.0))


def test_field_layers_leave_the_decoders_layers_as_they_are() -> None:
    config = GeneratorConfig(depth=2, output_size=256)
    scene = Scene(mixing=Mixing(seed=3, crossover=4))
    mixed = edits.with_field_strength(scene, 2, 0.5, config)
    assert mixed.mixing.field_strengths == (0, 0, 0.5)
    assert mixed.mixing.layer_strengths(6) == (0, 0, 0, 0, 1, 1)
    moved = edits.with_crossover(mixed, 5, 6)
    assert moved.mixing.layer_strengths(6) == (0, 0, 0, 0, 0, 1)
    assert edits.without_field_strengths(mixed).mixing.field_strengths == ()


def test_another_model_keeps_what_fits_it() -> None:
    config = GeneratorConfig(depth=2)
    mixing = Mixing(3, groups=(("hair", 1.0),), field_strengths=(1.0, 0.0))
    assert edits.adapted(Scene(mixing=mixing), config, ()).mixing == Mixing(3)
