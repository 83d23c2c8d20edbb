"""Tunings: what is added to a model's weights, as a file that stands for a model."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stylesdf_core.commands.models import ModelsExport
from stylesdf_core.commands.scenes.options.scene_flags import scene_from_flags
from stylesdf_core.engine.engine import Engine
from stylesdf_core.errors import CheckpointError, InputError, ModelNotFoundError
from stylesdf_core.model.checkpoints.checkpoints import read_architecture, read_poses
from stylesdf_core.model.model import Model, load_model
from stylesdf_core.model.model_zoo import comes_with, trained_frame_preset
from stylesdf_core.model.tuning import Base, factors, save_tuning, tunable
from stylesdf_core.progress import drain
from stylesdf_core.scene.scene import Identity, Scene
from stylesdf_core.scene.session_files import read_scene, write_session
from tests.models import save_tiny

RED = "decoder.to_rgbs.0.conv.weight"


@pytest.fixture
def base(tmp_path: Path) -> Model:
    return load_model(str(save_tiny(tmp_path / "base.safetensors")))


def tuning_of(model: Model, path: Path) -> Path:
    changes = {name: torch.zeros_like(value) for name, value in tunable(model.generator).items()}
    changes[RED][0] = 1.0
    save(factors(changes), model, path)
    return path


def save(changes: dict[str, torch.Tensor], model: Model, path: Path) -> None:
    base = Base(model.path, model.digest)
    save_tuning(changes, path, base, model.generator.config, model.poses)


def picture(model: Model) -> np.ndarray:
    return Engine(model, "cpu", exact=True).render(Scene(identity=Identity(3)), "image").data


def test_a_tuned_model_draws_other_colours_and_the_same_shapes(base: Model, tmp_path: Path) -> None:
    before = picture(base)
    path = tuning_of(base, tmp_path / "ada.tuning.safetensors")
    tuned = load_model(str(path))
    assert tuned.digest != base.digest
    assert tuned.shape_digest == base.shape_digest == base.digest
    assert tuned.poses == base.poses
    assert (tuned.named, tuned.name) == (base.named, "ada")
    assert read_architecture(path) == base.generator.config
    assert read_poses(path) == base.poses
    shift = (picture(tuned) - before).mean(axis=(1, 2))
    assert abs(shift[0]) > 0.1
    assert np.abs(shift[1:]).max() < 1e-6
    assert np.array_equal(picture(load_model(str(base.path))), before)
    whole = tmp_path / "whole.safetensors"
    drain(ModelsExport(str(path), out=whole).run())
    assert np.abs(picture(load_model(str(whole))) - picture(tuned)).max() < 1e-6
    for view in ("depth", "normals"):
        shapes = [Engine(m, "cpu", exact=True).render(Scene(), view).data for m in (base, tuned)]
        assert np.array_equal(*shapes)


def test_large_changes_are_kept_as_thin_matrices() -> None:
    random = torch.Generator().manual_seed(0)
    thin = torch.randn(96, 8, generator=random) @ torch.randn(8, 2 * 49, generator=random)
    changes = {
        "a.weight": thin.view(96, 2, 7, 7),
        "b.weight": torch.ones(3, 8),
    }
    kept = factors(changes)
    assert set(kept) == {"a.weight.left", "a.weight.right", "b.weight"}
    assert kept["b.weight"].shape == (3, 8)
    product = kept["a.weight.left"] @ kept["a.weight.right"]
    assert torch.allclose(product, thin, atol=1e-3)


def test_a_missing_or_foreign_tuning_is_one_sentence(base: Model, tmp_path: Path) -> None:
    path = tuning_of(base, tmp_path / "ada.tuning.safetensors")
    with pytest.raises(ModelNotFoundError, match=r"There is no tuning .*bob.* beside the session"):
        load_model(str(tmp_path / "bob.tuning.safetensors"))
    save_tiny(tmp_path / "base.safetensors", depth=3)
    with pytest.raises(CheckpointError, match=r"^ada\.tuning\.safetensors tunes other weights"):
        load_model(str(path))
    (tmp_path / "base.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"^ada\.tuning.* tunes the model .*no model"):
        load_model(str(path))


def test_changes_of_other_layers_are_refused(base: Model, tmp_path: Path) -> None:
    path = tmp_path / "odd.tuning.safetensors"
    for name, change in (
        ("field.trunk.0.linear.bias", torch.zeros(base.generator.config.width)),
        ("decoder.to_rgbs.0.bias", torch.zeros(3)),
        (RED, torch.zeros(4)),
        ("decoder.to_rgbs.0.conv.weight.left", torch.zeros(3, 2)),
    ):
        save({name: change}, base, path)
        with pytest.raises(CheckpointError, match=r"no layer of colour|do not fit"):
            load_model(str(path))


def test_a_session_names_the_tuning_beside_it_by_its_name(tmp_path: Path) -> None:
    heads, first = load_model("heads"), tmp_path / "first"
    first.mkdir()
    path = tuning_of(heads, first / "ada.tuning.safetensors")
    session = first / "ada.json"
    write_session(replace(Scene(model=str(path)), model_digest="x"), session)
    assert '"model": "ada.tuning.safetensors"' in session.read_text(encoding="utf-8")
    moved = tmp_path / "moved"
    shutil.move(first, moved)
    scene = scene_from_flags(scene=moved / "ada.json")  # no --model is needed
    assert Path(scene.model) == moved / "ada.tuning.safetensors"
    assert load_model(scene.model).shape_digest == heads.digest
    assert trained_frame_preset(scene.model) == "heads"
    assert not comes_with(tmp_path / "other.json", scene.model)


def test_only_tunings_of_named_models_come_with_a_session(base: Model, tmp_path: Path) -> None:
    path = tuning_of(base, tmp_path / "ada.tuning.safetensors")
    session = tmp_path / "ada.json"
    write_session(Scene(model=str(path)), session)
    assert read_scene(session).model == str(path)
    with pytest.raises(InputError, match="names the model file"):
        scene_from_flags(scene=session)
    path.write_bytes(b"no safetensors")
    with pytest.raises(InputError, match="names the model file"):
        scene_from_flags(scene=session)
