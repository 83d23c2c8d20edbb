"""Shipped files are found in a checkout; what is absent is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from stylesdf_core import resources
from stylesdf_core.errors import StyleSDFError


def test_a_checkout_has_them_beside_the_package(repository: Path) -> None:
    assert resources.shipped("assets/directions") == repository / "assets" / "directions"


def test_a_wheels_copy_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed, checkout = tmp_path / "_shipped", tmp_path
    for root in (installed, checkout):
        (root / "assets").mkdir(parents=True)
        (root / "assets" / "icon.png").touch()
    monkeypatch.setattr(resources, "_ROOTS", (installed, checkout))
    assert resources.shipped("assets/icon.png") == installed / "assets" / "icon.png"


def test_what_is_missing_is_named() -> None:
    with pytest.raises(StyleSDFError, match=r"assets/no-such-file .* install StyleSDF Studio"):
        resources.shipped("assets/no-such-file")
