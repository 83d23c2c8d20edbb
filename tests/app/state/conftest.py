"""A workbench with a small model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.state.settings import Settings, SettingsStore
from app.state.workbench import Workbench
from stylesdf_core.commands.scenes.options.rendering import MeshSettings
from stylesdf_core.scene.scene import Scene
from tests.models import save_tiny


@pytest.fixture(scope="module")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("model") / "tiny.safetensors")


@pytest.fixture
def workbench(model_path: Path, tmp_path: Path) -> Iterator[Workbench]:
    store = SettingsStore(tmp_path / "config")
    settings = Settings(device="cpu", mesh=MeshSettings(resolution=32))
    store.save(replace(settings, export=replace(settings.export, folder=str(tmp_path / "out"))))
    workbench = Workbench(store, Scene(model=str(model_path)))
    yield workbench
    workbench.close()
