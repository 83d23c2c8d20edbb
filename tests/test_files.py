from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stylesdf_core.errors import OutputError
from stylesdf_core.files import (
    atomic_output,
    check_destination,
    free_path,
    locked,
    write_json,
    write_text,
)


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


def test_json_has_no_nan(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"a": [float("nan"), (1.5, float("inf"))]})
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": [None, [1.5, None]]}


def test_an_output_without_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    with pytest.raises(OutputError, match="nothing arrived"), atomic_output(path):
        pass
    assert list(tmp_path.iterdir()) == []
    write_text(path, "")  # an empty text is meant
    assert path.read_bytes() == b""


def test_an_output_that_does_not_read_back_is_not_put_in_place(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("old")

    def check(file: Path) -> None:
        if file.read_text() != "whole":
            raise ValueError("half of it is missing")

    message = r"x\.txt was written but does not read back: half of it is missing"
    with pytest.raises(OutputError, match=message), atomic_output(path, check=check) as temporary:
        temporary.write_text("who")
    assert path.read_text() == "old"
    with atomic_output(path, check=check) as temporary:
        temporary.write_text("whole")
    assert path.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_symbolic_link_is_followed(tmp_path: Path) -> None:
    target, link = tmp_path / "there" / "x.txt", tmp_path / "x.txt"
    link.symlink_to(target)
    write_text(link, "text")
    assert link.is_symlink()
    assert target.read_text() == "text"


def test_a_lock_is_held_by_one_process_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "folder" / ".lock"
    code = (
        "import sys, pathlib; from stylesdf_core.files import locked\n"
        "with locked(pathlib.Path(sys.argv[1])): print('mine', flush=True)"
    )
    with locked(path):
        other = subprocess.Popen(
            [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
        )
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(timeout=3)
    assert other.communicate(timeout=30)[0] == "mine\n"


@pytest.mark.parametrize("suffix", [".json", ".npy", ".npz", ".pt", ".safetensors", ".png", ".GIF"])
def test_every_format_is_read_back(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"x{suffix}"
    with pytest.raises(OutputError, match="does not read back"), atomic_output(path) as temporary:
        temporary.write_bytes(b"half")
    assert list(tmp_path.iterdir()) == []


def test_impossible_destinations_are_refused_before_anything_is_computed(tmp_path: Path) -> None:
    check_destination(tmp_path / "new" / "deep" / "x.PNG", (".png", ".npy"))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    cases = {
        tmp_path / "x.jpg": r"must end in \.png or \.npy",
        tmp_path: "is a folder",
        tmp_path / "file" / "x.png": "Cannot write",
        tmp_path / "file" / "deep" / "x.png": "Cannot write",
        tmp_path / f"{'x' * 300}.png": "Cannot write",
    }
    for path, message in cases.items():
        suffixes = () if path == tmp_path else (".png", ".npy")
        with pytest.raises(OutputError, match=message):
            check_destination(path, suffixes)


def test_a_folder_that_cannot_be_written_is_refused_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(OutputError, match="not yours to write"):
        check_destination(tmp_path / "x.png")


def test_names_near_the_limit_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / f"{'é' * 120}.json"
    write_json(path, [])
    assert path.exists()
