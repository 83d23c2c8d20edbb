"""Fixtures of the tests of the supervised fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from stylesdf_core.heads.fit import decoder_phases
from stylesdf_core.heads.fit.config import FitConfig
from tests.heads.fit.spheres import tiny_fit, write_spheres


@pytest.fixture(autouse=True)
def on_one_thread(one_thread: None) -> None:
    """Every test of this room sums in one order."""


@pytest.fixture(autouse=True)
def frequent_penalties(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps of a phase have one with the R1 penalty and one without."""
    monkeypatch.setattr(decoder_phases, "R1_EVERY", 2)


@pytest.fixture(scope="session")
def spheres(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spheres")
    write_spheres(folder)
    return folder


@pytest.fixture
def tiny(spheres: Path) -> FitConfig:
    return tiny_fit(spheres)
