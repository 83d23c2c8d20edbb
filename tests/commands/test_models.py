"""Listing and exporting models: what a user reads and what another program loads."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from stylesdf_core.commands import info
from stylesdf_core.commands.models import ModelsExport, ModelsFetch, ModelsList
from stylesdf_core.errors import InputError, ModelNotFoundError
from stylesdf_core.model import model_zoo
from stylesdf_core.model.checkpoints.checkpoints import load_checkpoint, save_safetensors
from stylesdf_core.model.config import GeneratorConfig
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.model.poses import Poses
from stylesdf_core.progress import drain

TINY = GeneratorConfig(width=32, depth=2, thumb_size=16, output_size=16)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "tiny.safetensors"
    save_safetensors(Generator(TINY), path, metadata={"title": "a tiny model"})
    return path


def test_export_keeps_every_number_and_the_metadata(weights: Path, tmp_path: Path) -> None:
    original = load_checkpoint(weights)
    out = tmp_path / "copy.safetensors"
    assert drain(ModelsExport(str(weights), out).run()).path == out
    copy = load_checkpoint(out)
    assert copy.metadata["title"] == "a tiny model"
    for key, value in original.generator.state_dict().items():
        assert torch.equal(copy.generator.state_dict()[key], value), key


def test_an_export_states_what_is_known_by_the_models_name(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cameras and the frames of an included or published model are no part of its file."""
    drain(ModelsExport(str(weights), out := tmp_path / "copy.safetensors").run())
    assert (model_zoo.trained_poses(out), model_zoo.trained_frame_preset(out)) == (None, None)
    poses, kind = Poses(azimuth_std=0.4, static_viewdirs=True), model_zoo.ModelKind.SHIPPED
    about = (weights, "mine", 1, True, poses, "")
    entry = model_zoo.ModelEntry("own", kind, *about, frame_preset="heads")
    monkeypatch.setattr(model_zoo, "list_models", lambda: (entry,))
    drain(ModelsExport("own", out).run())
    assert model_zoo.trained_poses(out) == poses
    assert model_zoo.trained_frame_preset(out) == "heads"


def test_half_precision_halves_the_file(weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "half.safetensors"
    drain(ModelsExport(str(weights), out, half=True).run())
    assert out.stat().st_size < 0.6 * weights.stat().st_size
    original, copy = load_checkpoint(weights).generator, load_checkpoint(out).generator
    for key, value in original.state_dict().items():
        torch.testing.assert_close(copy.state_dict()[key], value, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(
    ("out", "half", "message"),
    [
        ("model.bin", False, r"must end in \.safetensors or \.pt"),
        ("model.pt", True, "leave out --half"),
    ],
)
def test_export_refuses_what_it_cannot_write(
    weights: Path, tmp_path: Path, out: str, half: bool, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        drain(ModelsExport(str(weights), tmp_path / out, half).run())
    assert not (tmp_path / out).exists()


def test_fetch_names_what_exists() -> None:
    with pytest.raises(ModelNotFoundError, match="ffhq1024"):
        drain(ModelsFetch("ffhq").run())


def test_the_list_is_one_line_a_model() -> None:
    table = drain(ModelsList().run())
    lines = str(table).splitlines()
    assert len(lines) == len(model_zoo.list_models())
    assert any(line.startswith("ffhq1024") and "202.6 MB" in line for line in lines)


def test_the_list_and_info_tell_of_a_background_field(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = GeneratorConfig(width=8, depth=1, thumb_size=8, output_size=8, background="sphere")
    path = tmp_path / "own.safetensors"
    save_safetensors(Generator(config), path)
    entry = model_zoo.ModelEntry("own", model_zoo.ModelKind.SHIPPED, path, "mine", 1)
    monkeypatch.setattr(model_zoo, "list_models", lambda: (entry,))
    assert "mine, with a background field" in str(drain(ModelsList().run()))
    assert info._about("own")["background"].startswith("sphere: a field of its own")
    path.write_bytes(b"damaged")
    assert str(drain(ModelsList().run())).endswith("mine")


def test_an_export_says_what_the_published_code_needs(weights: Path, tmp_path: Path) -> None:
    """Its FiLM layer takes the field's width for the size of w; here they are 32 and 256."""
    published = drain(ModelsExport(str(weights), tmp_path / "model.pt").run())
    assert "width (32) for the size of w (256)" in str(published).splitlines()[-1]
    assert "--level" not in str(published)
    generator = load_checkpoint(weights).generator
    generator.surface_level.fill_(0.0016)
    save_safetensors(generator, stated := tmp_path / "stated.safetensors")
    published = drain(ModelsExport(str(stated), tmp_path / "model.pt").run())
    assert "meshes of the file need --level 0.0016" in str(published).splitlines()[1]
    ours = drain(ModelsExport(str(weights), tmp_path / "model.safetensors").run())
    assert str(ours) == str(tmp_path / "model.safetensors")
