"""Shipped files are found in a checkout; what is absent is named."""

from __future__ import annotations

import sys
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


@pytest.mark.skipif(sys.platform == "win32", reason="the user id of POSIX")
def test_a_user_without_a_name_and_a_home_has_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr("pwd.getpwuid", nobody)
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_PICTURES_DIR"):
        monkeypatch.delenv(name, raising=False)
    assert resources.home().is_dir()
    assert resources.expanded("~/models/face.pt") == Path("~/models/face.pt")
    kinds = ("cache", "config", "data", "pictures")
    folders = {resources.user_folder(kind) for kind in kinds}
    assert len(folders) == 4
    assert all(folder.is_relative_to(resources.home()) for folder in folders)
