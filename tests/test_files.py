from __future__ import annotations

from pathlib import Path

import pytest

from stylesdf_core.errors import OutputError
from stylesdf_core.files import atomic_output, free_path, write_json


def test_nothing_is_left_when_writing_fails(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "result.txt"
    target.parent.mkdir()
    target.write_text("old")

    def fail_half_way() -> None:
        with atomic_output(target) as temporary:
            temporary.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert target.read_text() == "old"
    assert list(target.parent.iterdir()) == [target]


def test_folders_are_made_and_suffix_kept(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "x.obj"
    with atomic_output(target) as temporary:
        assert temporary.suffix == ".obj"
        assert temporary.parent == target.parent
        temporary.write_text("v 0 0 0")
        assert not target.exists()
    assert target.read_text() == "v 0 0 0"
    assert list(target.parent.iterdir()) == [target]


def test_impossible_places_are_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder"), atomic_output(tmp_path):
        pass
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="Cannot write"), atomic_output(tmp_path / "file" / "x"):
        pass


def test_free_path_counts_up(tmp_path: Path) -> None:
    path = tmp_path / "face.png"
    assert free_path(path) == path
    path.touch()
    assert free_path(path).name == "face-2.png"
    (tmp_path / "face-2.png").touch()
    assert free_path(path).name == "face-3.png"


def test_json_is_readable(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"a": 1})
    assert (tmp_path / "x.json").read_text() == '{\n  "a": 1\n}\n'
