"""Names, files and run folders become weights, or a sentence that says what exists."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from stylesdf_core.errors import ModelNotFoundError
from stylesdf_core.model import model_zoo
from stylesdf_core.model.model_zoo import ModelKind


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("STYLESDF_CACHE", str(folder))
    return folder


def test_the_shipped_model_resolves_by_name(repository: Path) -> None:
    entry = model_zoo.resolve("heads")
    assert entry.kind is ModelKind.SHIPPED
    assert entry.path == repository / "pretrained" / "heads.safetensors"


@pytest.mark.parametrize("name", ["heads", "heads-gan"])
def test_a_shipped_models_file_is_known_under_its_path(name: str, repository: Path) -> None:
    path = repository / "pretrained" / f"{name}.safetensors"
    assert model_zoo.trained_frame_preset(path) == "heads"
    assert model_zoo.trained_poses(path) == model_zoo.trained_poses(name)
    assert model_zoo.resolve(path).kind is ModelKind.FILE


def test_the_model_that_opens_first_is_listed_first() -> None:
    assert [entry.name for entry in model_zoo.list_models()][:2] == ["heads", "heads-gan"]


def test_published_models_are_listed_before_they_are_fetched() -> None:
    listed = {entry.name: entry for entry in model_zoo.list_models()}
    assert {"ffhq1024", "afhq512", "ffhq-renderer", "afhq-renderer", "sphere-init"} <= set(listed)
    assert not listed["ffhq1024"].is_ready
    with pytest.raises(ModelNotFoundError, match="stylesdf-studio models fetch ffhq1024"):
        model_zoo.resolve("ffhq1024")


def test_a_fetched_model_resolves_to_the_cache(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = b"weights"
    model = model_zoo.PublishedModel(
        "tiny", "tiny.pt", "", "id", len(content), hashlib.md5(content).hexdigest()
    )
    monkeypatch.setattr(model_zoo, "PUBLISHED", (model,))
    cache.mkdir()
    (cache / "tiny.pt").write_bytes(content[:-1])  # half a file does not count
    with pytest.raises(ModelNotFoundError):
        model_zoo.resolve("tiny")
    (cache / "tiny.pt").write_bytes(content)
    assert model_zoo.resolve("tiny").path == cache / "tiny.pt"


def test_a_users_file_resolves_to_itself(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    path.touch()
    entry = model_zoo.resolve(path)
    assert (entry.kind, entry.path) == (ModelKind.FILE, path)


def test_a_run_folder_resolves_to_its_newest_average(tmp_path: Path) -> None:
    checkpoints = tmp_path / "run" / "checkpoints"
    checkpoints.mkdir(parents=True)
    with pytest.raises(ModelNotFoundError, match="not saved a checkpoint yet"):
        model_zoo.resolve(tmp_path / "run")
    latest = checkpoints / "latest.json"
    latest.write_text('{"ema": "ema-00000010.safetensors"}')
    with pytest.raises(ModelNotFoundError, match="which is missing"):
        model_zoo.resolve(tmp_path / "run")
    newest = checkpoints / "ema-00000010.safetensors"
    newest.touch()
    entry = model_zoo.resolve(tmp_path / "run")
    assert (entry.kind, entry.path) == (ModelKind.RUN, newest)
    for damaged in ("{", "[]", "{}"):
        latest.write_text(damaged)
        with pytest.raises(ModelNotFoundError, match="cannot be read"):
            model_zoo.resolve(tmp_path / "run")
    latest.unlink()  # as in a copy
    (checkpoints / "step-00000010.pt").touch()
    (checkpoints / "ema-00000020.safetensors").touch()
    (checkpoints / "ema-00000010 (1).safetensors").touch()
    assert model_zoo.resolve(tmp_path / "run").path == newest


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ModelNotFoundError, match=r"'haeds'.*ffhq1024.*sphere-init"):
        model_zoo.resolve("haeds")
    with pytest.raises(ModelNotFoundError, match=r"no model file or run folder .*gone\.pt"):
        model_zoo.resolve("gone.pt")
    with pytest.raises(ModelNotFoundError, match="'heads'; these are: ffhq1024"):
        model_zoo.published("heads")


def test_published_facts_are_well_formed() -> None:
    for model in model_zoo.PUBLISHED:
        assert len(model.md5) == 32
        assert int(model.md5, 16) > 0
        assert len(model.drive_id) == 33
        assert model.size > 60_000_000
        assert model.drive_id in model.remote.url
