"""Help › About, and the sessions that the File menu lists."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.state.about import about
from app.state.settings import SettingsStore
from app.state.workbench import Workbench
from stylesdf_core import __version__
from stylesdf_core.resources import shipped


@pytest.fixture
def workbench(tmp_path: Path) -> Iterator[Workbench]:
    workbench = Workbench(SettingsStore(tmp_path / "config"))
    yield workbench
    workbench.close()


def test_about_names_version_device_folders_and_licences(
    workbench: Workbench, tmp_path: Path
) -> None:
    rows = dict(about(workbench))
    assert __version__ in rows["Version"]
    assert rows["Device"].startswith("auto")
    assert str(tmp_path) in rows["Settings"]
    assert "not for commercial use" in rows["Licences"]


def test_the_manual_comes_with_the_program() -> None:
    assert shipped("README.md").read_text(encoding="utf-8").startswith("#")


def test_sessions_saved_and_opened_are_remembered_newest_first(
    workbench: Workbench, tmp_path: Path
) -> None:
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    workbench.save_session(one)
    workbench.save_session(two)
    workbench.open_session(one)
    assert workbench.settings.recent_sessions == (str(one), str(two))
    workbench.open_session(tmp_path / "missing.json")
    assert workbench.settings.recent_sessions[0] == str(one)
