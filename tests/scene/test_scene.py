from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stylesdf_core.dataclass_json import from_json, to_json
from stylesdf_core.errors import InputError
from stylesdf_core.model.config import GeneratorConfig, RenderOptions
from stylesdf_core.model.latents.latents import (
    LatentDirection,
    apply_edits,
    lerp,
    load_directions,
    load_z,
    seed_to_z,
    slerp,
)
from stylesdf_core.model.poses import Poses
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Identity, Mixing, Morph, Scene
from stylesdf_core.scene.session_files import read_scene, write_session
from tests.models import save_tiny

RICH = Scene(
    model="ffhq1024",
    identity=Identity(3, tuple(np.linspace(-1, 1, 4)), (("smile", 1.5), ("jaw", -0.5))),
    morph=Morph(seed=11, amount=0.25, space="z"),
    mixing=Mixing(seed=8, crossover=2, strengths=(0.0, 1.0)),
    truncation_psi=0.5,
    camera=OrbitCamera(0.1, -0.2, 7.0, 0.01, 0.02),
    options=RenderOptions(samples=32, noise="random", noise_seed=4),
)


def test_a_model_s_first_scene_is_seen_by_a_camera_of_its_training(tmp_path: Path) -> None:
    assert Scene.of_model() == Scene(), "the included model was trained with the default camera"
    wide = str(save_tiny(tmp_path / "wide.safetensors", Poses(fov=12.0)))
    assert Scene.of_model(wide) == Scene(wide, camera=OrbitCamera(fov=12.0))


@pytest.mark.parametrize("scene", [Scene(), RICH])
def test_json_round_trip(scene: Scene) -> None:
    again = Scene.from_json(scene.to_json())
    assert again == scene
    assert hash(again) == hash(scene)


def test_a_session_names_its_model_by_an_absolute_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = Scene("runs/mine.safetensors").to_json()
    monkeypatch.chdir(tmp_path.parent)
    assert Scene.from_json(text).model == str(tmp_path / "runs" / "mine.safetensors")
    assert Scene.from_json(Scene("heads").to_json()).model == "heads"


def test_missing_fields_take_their_defaults() -> None:
    assert Scene.from_json('{"stylesdf_scene": 1, "truncation_psi": 1}') == Scene(truncation_psi=1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "not a StyleSDF Studio session"),
        ('{"stylesdf_scene": 99}', "newer program"),
        ('{"stylesdf_scene": 1, "psi": 1}', "unknown field 'psi'"),
        ('{"stylesdf_scene": 1, "camera": {"fov": "wide"}}', r"camera\.fov: expected float"),
        (
            '{"stylesdf_scene": 1, "camera": {"fov": 90}}',
            r"camera: fov, the half opening angle, must lie between 1 and 20 degrees, not 90",
        ),
        ('{"stylesdf_scene": 1, "truncation_psi": 1e999}', "not a finite number"),
        ('{"stylesdf_scene": 1, "options": {"noise": "loud"}}', "'loud' is none of fixed"),
        ('{"stylesdf_scene": 1, "identity": {"edits": [["smile"]]}}', "expected 2 values"),
        ('{"stylesdf_scene": 1, "identity": {"seed": 1.5}}', r"seed: expected int"),
    ],
)
def test_bad_sessions_name_their_field(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Scene.from_json(text, "my.json")


@pytest.mark.parametrize(
    "build",
    [
        lambda: Identity(seed=-1),
        lambda: Identity(edits=(("smile", float("nan")),)),
        lambda: Identity(z=(0.0, float("nan"))),
        lambda: Mixing(seed=1, strengths=(float("nan"),)),
        lambda: Scene(truncation_psi=float("nan")),
        lambda: Mixing(seed=2**32),
        lambda: Mixing(seed=1, strengths=(1.5,)),
        lambda: Morph(seed=1, amount=-0.1),
        lambda: OrbitCamera(azimuth=float("inf")),
        lambda: OrbitCamera(pan_x=1e9),
        lambda: RenderOptions(noise_seed=-3),
    ],
)
def test_values_that_no_session_could_hold_are_refused(build: Callable[[], object]) -> None:
    with pytest.raises(InputError):
        build()


def test_edits_are_kept_sorted_and_replaced() -> None:
    identity = Identity().edited("smile", 1.0).edited("jaw", 0.5).edited("smile", 2.0)
    assert identity.edits == (("jaw", 0.5), ("smile", 2.0))
    assert identity.edited("smile", None).edits == (("jaw", 0.5),)


def test_layer_strengths() -> None:
    assert Mixing().layer_strengths(4) == (0, 0, 0, 0)
    assert Mixing(seed=1, crossover=3).layer_strengths(4) == (0, 0, 0, 1)
    assert Mixing(seed=1, strengths=(0.5,) * 4).layer_strengths(4) == (0.5,) * 4
    with pytest.raises(InputError, match="2 strengths; this model's decoder has 4"):
        Mixing(seed=1, strengths=(1.0, 1.0)).layer_strengths(4)


def test_read_scene_from_a_session_file(tmp_path: Path) -> None:
    path = tmp_path / "face.json"
    path.write_text(RICH.to_json())
    assert read_scene(path) == RICH
    with pytest.raises(InputError, match="There is no file"):
        read_scene(tmp_path / "none.json")
    (tmp_path / "noise.png").write_bytes(b"\x89PNG rest is missing")
    with pytest.raises(InputError, match=r"noise\.png cannot be read as a picture"):
        read_scene(tmp_path / "noise.png")


@pytest.mark.parametrize("model", ["mine.safetensors", "run"])
def test_a_session_beside_its_model_finds_the_model_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    scene = Scene(str(tmp_path / "there" / model))
    write_session(scene, tmp_path / "there" / "face.json")
    monkeypatch.chdir(tmp_path)
    assert read_scene("there/face.json") == scene
    (tmp_path / "there").rename(tmp_path / "here")
    moved = "here" if model.endswith(".safetensors") else "there"  # a run is named by its path
    assert read_scene("here/face.json") == Scene(str(tmp_path / moved / model))


def test_seeds_are_standard_normal_and_stable() -> None:
    z = seed_to_z(742)
    np.testing.assert_array_equal(
        z, np.random.default_rng(742).standard_normal(256).astype(np.float32)
    )
    with pytest.raises(InputError, match="seed must lie between 0 and 4294967295, not -1"):
        seed_to_z(-1)


def test_latent_files(tmp_path: Path) -> None:
    path = tmp_path / "z.npy"
    np.save(path, seed_to_z(1)[None].astype(np.float64))
    np.testing.assert_array_equal(load_z(path), seed_to_z(1))
    for bad, message in (
        (np.zeros((2, 256)), "shape"),
        (np.full(256, np.nan), "NaN"),
        (np.array(["a"]), "array of numbers"),
        (np.zeros(4, np.complex64), "array of numbers"),
        (np.zeros(4, "m8[s]"), "array of numbers"),
    ):
        np.save(path, bad)
        with pytest.raises(InputError, match=message):
            load_z(path)
    path.write_bytes(b"not numpy")
    with pytest.raises(InputError, match="cannot be read as a latent"):
        load_z(path)


def test_a_latent_file_cannot_claim_more_than_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "z.npy"
    with open(path, "wb") as stream:
        header = {"descr": "<f4", "fortran_order": False, "shape": (10**12,)}
        np.lib.format.write_array_header_1_0(stream, header)
    with pytest.raises(InputError, match=r"z\.npy cannot be read as a latent"):
        load_z(path)


def test_huge_latents_are_refused_by_the_scene() -> None:
    with pytest.raises(InputError, match="z holds 1e\\+30; its numbers lie between -100 and 100"):
        Identity(0, (0.0, -1e30))


def test_interpolation() -> None:
    a, b = seed_to_z(1), seed_to_z(2)
    np.testing.assert_allclose(slerp(a, b, 0.0), a, atol=1e-5)
    np.testing.assert_allclose(slerp(a, b, 1.0), b, atol=1e-5)
    middle = float(np.linalg.norm(slerp(a, b, 0.5)))
    assert middle == pytest.approx((np.linalg.norm(a) + np.linalg.norm(b)) / 2, rel=1e-4)
    assert np.linalg.norm(lerp(a, b, 0.5)) < 0.8 * middle  # what slerp is for
    np.testing.assert_allclose(slerp(a, -a, 0.25), 0.5 * a, atol=1e-5)


def test_directions(tmp_path: Path) -> None:
    path = tmp_path / "heads.json"
    path.write_text(
        json.dumps([{"name": "smile", "label": "Smile", "group": "face", "dimension": 2}])
    )
    directions = load_directions(path)
    assert directions == (LatentDirection("smile", "Smile", "face", 2),)
    z = np.zeros(4, np.float32)
    np.testing.assert_array_equal(apply_edits(z, [("smile", 1.5)], directions), [0, 0, 1.5, 0])
    apply_edits(z, [("smile", 3.5)], directions)
    with pytest.raises(InputError, match=r"smile runs from -3\.5 to 3\.5; 100 lies outside"):
        apply_edits(z, [("smile", 100.0)], directions)
    assert not z.any()
    path.write_text('[{"name": "smile"}]')
    with pytest.raises(InputError, match="a required field is missing"):
        load_directions(path)


def test_configs_round_trip_and_refuse_nonsense() -> None:
    config = GeneratorConfig(width=128, output_size=256)
    assert from_json(GeneratorConfig, to_json(config)) == config
    assert (config.n_latent, config.upsamplings, config.has_decoder) == (6, 2, True)
    assert GeneratorConfig(output_size=64).n_latent == 0
    with pytest.raises(InputError, match="output_size 100 must be thumb_size"):
        GeneratorConfig(output_size=100)
    with pytest.raises(InputError, match="samples must lie between"):
        replace(RenderOptions(), samples=1000)


@pytest.mark.parametrize("part", ["identity", "mixing", "morph"])
def test_a_seed_larger_than_any_float_is_refused_in_a_short_sentence(part: str) -> None:
    document = {"stylesdf_scene": 1, "model": "heads", part: {"seed": 10**400}}
    with pytest.raises(InputError, match=r"lie between 0 and 4294967295, not 1\d{29}…") as refused:
        Scene.from_document(document, "face.json")
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("seed", [1.5, "7", None])
def test_a_seed_is_a_whole_number(seed: Any) -> None:
    with pytest.raises(InputError, match="seed must be a whole number"):
        Identity(seed)
    assert Identity(np.int64(7)) == Identity(7)  # type: ignore[arg-type]
