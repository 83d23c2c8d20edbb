"""Settings survive restarts, damage and older or newer programs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from app.state.autosave import Autosave
from app.state.settings import (
    ExportSettings,
    Settings,
    SettingsStore,
    ViewSettings,
    WindowSettings,
)
from stylesdf_core.commands.scenes.options.rendering import MeshSettings
from stylesdf_core.errors import OutputError
from stylesdf_core.scene.animation import Animation, Keyframe
from stylesdf_core.scene.scene import Identity, Scene

OTHER = Settings(
    window=WindowSettings(width=1000, font_scale=2.0, panels_shown=False),
    view=ViewSettings(view="mesh", split=True),
    mesh=MeshSettings(resolution=64, level=0.01),
    export=ExportSettings(folder="/somewhere", frames=12),
    device="cpu",
    recent_models=("a.pt", "b.safetensors"),
    locked=("smile",),
)


@pytest.fixture
def store(tmp_path: Path) -> SettingsStore:
    return SettingsStore(tmp_path / "config")


def test_round_trip(store: SettingsStore) -> None:
    store.save(OTHER)
    assert store.load() == OTHER


def test_missing_settings_mean_defaults(store: SettingsStore) -> None:
    assert store.load() == Settings()
    assert store.load_autosave() is None


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '"x"', "\xff\xfe"])
def test_damaged_settings_mean_defaults(store: SettingsStore, text: str) -> None:
    store.folder.mkdir()
    store.settings_path.write_text(text, encoding="latin-1")
    store.autosave_path.write_text(text, encoding="latin-1")
    assert store.load() == Settings()
    assert store.load_autosave() is None


def test_each_wrong_field_takes_its_default_and_spares_the_others(store: SettingsStore) -> None:
    store.save(OTHER)
    data = json.loads(store.settings_path.read_text())
    data["device"] = 7
    data["mesh"] = "round"
    data["view"]["view"] = "sideways"
    data["window"]["width"] = None
    data["later"] = {"unknown": True}
    data["export"]["unknown"] = 1
    store.settings_path.write_text(json.dumps(data))
    expected = replace(
        OTHER,
        device="auto",
        mesh=MeshSettings(),
        view=replace(OTHER.view, view="image"),
        window=replace(OTHER.window, width=WindowSettings().width),
    )
    assert store.load() == expected


def test_autosave_round_trip(store: SettingsStore) -> None:
    scene = Scene(identity=Identity(742, edits=(("smile", 1.5),)), truncation_psi=0.4)
    assert store.load_timeline() is None
    store.save_autosave(scene, Animation())
    assert store.load_autosave() == scene
    assert store.load_timeline() is None
    animation = Animation((Keyframe(0.0, scene), Keyframe(1.0)))
    store.save_autosave(scene, animation)
    assert store.load_autosave() == scene
    assert store.load_timeline() == animation


def test_recent_models_are_limited_and_listed_once() -> None:
    settings = Settings()
    for name in [*map(str, range(12)), "5"]:
        settings = settings.with_recent_model(name)
    assert settings.recent_models == ("5", "11", "10", "9", "8", "7", "6", "4")


def test_settings_are_saved_though_the_session_cannot_be(tmp_path: Path) -> None:
    store = SettingsStore(tmp_path)
    autosave = Autosave(store, Scene(), Animation(), Settings())
    store.autosave_path.mkdir()
    with pytest.raises(OutputError):
        autosave.write(Scene(identity=Identity(1)), Animation(), Settings(device="cpu"))
    assert store.load().device == "cpu"
