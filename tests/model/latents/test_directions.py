"""Directions of w and of the decoder's w: found, applied, renamed, saved beside the weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stylesdf_core.commands.directions import ModelsDirections
from stylesdf_core.engine.engine import Engine
from stylesdf_core.errors import InputError
from stylesdf_core.model.checkpoints.checkpoints import save_safetensors
from stylesdf_core.model.latents import principal_directions
from stylesdf_core.model.latents.direction_files import (
    directions_path,
    read_directions,
    relabelled,
    save_directions,
)
from stylesdf_core.model.latents.latents import LatentDirection, apply_edits, group_names
from stylesdf_core.model.latents.principal_directions import find_directions
from stylesdf_core.model.model import Model, load_model
from stylesdf_core.progress import drain
from stylesdf_core.resources import shipped
from stylesdf_core.scene.scene import Identity, Mixing, Morph, Scene
from tests.models import tiny_generator, tiny_model


@pytest.fixture(scope="module")
def model() -> Model:
    return tiny_model(z_dim=8)


@pytest.fixture(scope="module")
def engine(model: Model) -> Engine:
    return Engine(model, "cpu", exact=True)


def edited(*edits: tuple[str, float], **fields: object) -> Scene:
    return replace(Scene(identity=Identity(5, None, edits)), **fields)  # type: ignore[arg-type]


def test_principal_directions_are_those_of_the_sample_s_covariance() -> None:
    generator = tiny_generator(z_dim=3)

    class Stretch(torch.nn.Module):
        def forward(self, z: torch.Tensor) -> torch.Tensor:
            return z * torch.tensor([1.0, 5.0, 0.0]) + 2.0

    generator.mapping = Stretch()
    generator.decoder = None
    first, second = drain(find_directions(generator, torch.full((1, 3), 2.0), None))
    assert (first.name, first.space) == ("w1", "w")
    np.testing.assert_allclose(first.axis, [0, 1, 0], atol=0.01)
    np.testing.assert_allclose(second.axis, [1, 0, 0], atol=0.01)
    assert (first.deviation, second.deviation) == pytest.approx((5.0, 1.0), rel=0.03)


def test_directions_are_the_same_each_time_and_orthogonal(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(principal_directions, "_SAMPLES", 1024)
    first, again = (
        drain(find_directions(model.generator, model.means.renderer, model.means.decoder))
        for _ in range(2)
    )
    assert first == again
    assert group_names(model.directions) == (), "style mixing knows groups of z only"
    for space in ("w", "decoder"):
        axes = np.array([d.axis for d in again if d.space == space])
        np.testing.assert_allclose(axes @ axes.T, np.eye(len(axes)), atol=1e-3)


def test_an_edit_sets_the_coordinate_along_its_direction(engine: Engine) -> None:
    own = engine.mapper.direction_values(edited())
    scene = edited(("w2", -1.5), ("decoder1", 2.0))
    values = engine.mapper.direction_values(scene)
    assert (values["w2"], values["decoder1"]) == (-1.5, 2.0)
    assert values["w1"] == own["w1"]
    # To the seed's own value, an edit changes nothing.
    same = engine.render(edited(("w2", own["w2"]), ("decoder1", own["decoder1"])), "image")
    np.testing.assert_allclose(same.data, engine.render(edited(), "image").data, atol=2e-3)


def test_w_and_decoder_move_along_their_axes(engine: Engine, model: Model) -> None:
    plain, moved = (engine.mapper.styles(edited(("w1", x), truncation_psi=0.5)) for x in (0.0, 2.0))
    first = model.directions[0]
    expected = 0.5 * 2.0 * first.deviation * torch.tensor(first.axis)
    torch.testing.assert_close(moved.w[0] - plain.w[0], expected, atol=1e-4, rtol=0)
    before, after = (engine.mapper.styles(edited(("decoder1", x))) for x in (0.0, 2.0))
    assert torch.equal(before.w, after.w)
    assert before.of_field == after.of_field, "the field need not be baked anew"
    assert before.decoder is not None
    assert after.decoder is not None
    assert not torch.equal(before.decoder, after.decoder)


def test_a_morph_and_mixing_keep_edits_of_the_first_face(engine: Engine) -> None:
    for space in ("w", "z"):
        whole = edited(("w1", 2.0), morph=Morph(9, 1.0, space))  # type: ignore[arg-type]
        other = Scene(identity=Identity(9, None, (("w1", 2.0),)))
        torch.testing.assert_close(
            engine.mapper.styles(whole).w, engine.mapper.styles(other).w, atol=1e-4, rtol=0
        )
    every = Mixing(9, strengths=(1.0,) * engine.config.n_latent)
    mixed = engine.mapper.styles(edited(("decoder1", 2.0), mixing=every)).decoder
    plain = engine.mapper.styles(Scene(identity=Identity(9))).decoder
    torch.testing.assert_close(mixed, plain, atol=1e-4, rtol=0)


def test_unknown_directions_and_values_out_of_range_are_refused(model: Model) -> None:
    z = np.zeros(8, np.float32)
    with pytest.raises(InputError, match=r"no latent direction 'smile'; known: w1, w2"):
        apply_edits(z, (("smile", 1.0),), model.directions)
    with pytest.raises(InputError, match=r"w1 runs from -3.5 to 3.5; 4 lies outside"):
        apply_edits(z, (("w1", 4.0),), model.directions)
    longer = LatentDirection("far", "Far", "own", space="w", axis=(1.0,) * 9)
    with pytest.raises(InputError, match=r"far has 9 coordinates; this model's latent has 8"):
        Engine(replace(model, named=(longer,)), "cpu").mapper.styles(edited(("far", 1.0)))
    with pytest.raises(InputError, match=r"far is of number 8 of z, .*has 8 numbers"):
        replace(model, named=(LatentDirection("far", "Far", "own", 7, unnamed_until=8),))
    with pytest.raises(InputError, match=r"coordinate of the direction far must be at least 0"):
        LatentDirection("far", "Far", "own", -1)


def test_labels_are_saved_beside_the_weights_and_known_to_set(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    save_safetensors(tiny_generator(z_dim=8), path)
    found = load_model(str(path)).directions
    table = drain(ModelsDirections(str(path), rename=("w1=Hair  length",)).run())
    assert table.saved == tmp_path / "mine.directions.json"
    assert "w1" in str(table)
    assert "hair_length" in str(table)
    assert str(table).endswith(f"Names saved in {table.saved}")
    assert len(table.saved.read_text()) < 40_000
    model = load_model(str(path))
    assert model.named == relabelled(found, {"w1": "Hair length"})
    engine = Engine(model, "cpu")
    by_label, by_name = (
        engine.mapper.styles(edited((name, 1.0))).w for name in ("hair_length", "w1")
    )
    assert torch.equal(by_label, by_name)
    with pytest.raises(InputError, match="--rename gives w1 twice: Hair and Age"):
        drain(ModelsDirections(str(path), rename=("w1=Hair", "w1=Age")).run())


def test_directions_of_other_weights_do_not_count(model: Model, tmp_path: Path) -> None:
    weights = tmp_path / "a.safetensors"
    save_directions(weights, "0123", model.directions)
    assert read_directions(weights, "0123") == model.directions
    assert read_directions(weights, "4567") is None


@pytest.mark.parametrize("folder", [Path("missing"), shipped("pretrained")])
def test_directions_lie_with_the_user_where_the_weights_are_not_theirs(
    folder: Path, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "stylesdf_core.model.latents.direction_files.user_folder", lambda _: tmp_path
    )
    weights = tmp_path / folder / "a.safetensors"
    saved = save_directions(weights, "0123", model.directions)
    assert saved == tmp_path / "directions" / "0123.json"
    assert read_directions(weights, "0123") == model.directions


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({"w99": "x"}, "no direction 'w99'; known:"),
        ({"w1": "  "}, "w1 needs a name of 1 to 40 characters"),
        ({"w1": "x" * 41}, "w1 needs a name"),
        ({"w1": "Smile", "w2": "smile"}, "Another direction is called 'Smile' already"),
        ({"w1": "w2"}, "Another direction is called 'w2' already"),
    ],
)
def test_labels_that_cannot_be_used_are_explained(
    model: Model, labels: dict[str, str], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        relabelled(model.directions, labels)


@pytest.mark.parametrize(
    "content",
    ["[]", '{"stylesdf_directions": 2}', '{"stylesdf_directions": 1, "directions": 3}'],
)
def test_a_damaged_file_of_directions_is_named(tmp_path: Path, content: str) -> None:
    path = directions_path(tmp_path / "a.safetensors")
    path.write_text(content)
    with pytest.raises(InputError, match=r"a\.directions\.json"):
        read_directions(tmp_path / "a.safetensors", "0123")
    entry = {"name": "w1", "label": "A", "group": "b", "space": "w"}
    document = {"stylesdf_directions": 1, "weights_digest": "0123", "directions": [entry]}
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match=r"w1 needs an axis"):
        read_directions(tmp_path / "a.safetensors", "0123")
