"""Compiled loops on the disk: of two versions of Numba, and of sources that change."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

numba = pytest.importorskip("numba")

from stylesdf_core.engine.compiled import disk_cache  # noqa: E402

Use = Callable[[], tuple[int, int]]


@pytest.fixture
def use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Use:
    """What a loop makes of 4, as a new process would call it, and how often its code was there."""
    (tmp_path / "redoubling.py").write_text(
        "from numbers_beside import FACTOR\n\ndef redouble(x):\n    return FACTOR * x\n"
    )
    (tmp_path / "numbers_beside.py").write_text("FACTOR = 4\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def call() -> tuple[int, int]:
        disk_cache._sources.cache_clear()
        for name in ("redoubling", "numbers_beside"):
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        loop = disk_cache.compiled()(importlib.import_module("redoubling").redouble)
        return loop(4), sum(loop.stats.cache_hits.values())  # type: ignore[attr-defined]

    return call


def test_two_versions_of_numba_keep_their_loops_side_by_side(
    use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for version in ("1.0", "2.0", "1.0", "2.0"):
        monkeypatch.setattr(numba, "__version__", version)
        found.append(use())
    assert found == [(16, 0), (16, 0), (16, 1), (16, 1)]


def test_a_number_of_another_file_that_has_changed_is_compiled_in(use: Use, tmp_path: Path) -> None:
    assert [use(), use()] == [(16, 0), (16, 1)]
    (tmp_path / "numbers_beside.py").write_text("FACTOR = 5\n")
    assert use() == (20, 0)
