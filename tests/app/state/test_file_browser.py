"""The program's own file dialog, without its window: lists, typed paths, words."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from app.state.file_browser import FileBrowser, places, size_in_words

LONG = "x" * 196 + ".png"
NAMES = ("face10.png", "face2.png", "Größe und Ähre.png", LONG, "notes.txt", ".hidden.png")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / name).write_bytes(b"1234")
    (tmp_path / "a folder").mkdir()
    return tmp_path


def names(browser: FileBrowser) -> list[str]:
    return [entry.path.name for entry in browser.entries]


def test_folders_come_first_and_files_in_the_order_that_people_count_in(folder: Path) -> None:
    browser = FileBrowser("open", folder, (".png",))
    assert names(browser) == ["a folder", "face2.png", "face10.png", "Größe und Ähre.png", LONG]
    browser.show_hidden(True)
    assert ".hidden.png" in names(browser)
    assert names(FileBrowser("folder", folder)) == ["a folder"]


@pytest.mark.parametrize("name", ["face2.png", "Größe und Ähre.png", LONG])
def test_names_and_absolute_paths_are_taken(folder: Path, name: str) -> None:
    browser = FileBrowser("open", folder, (".png",))
    assert browser.accept(name) == folder / name
    assert browser.accept(str(folder / name)) == folder / name
    assert browser.accept(f" {name} ") == folder / name
    assert FileBrowser("open", folder / "a folder").accept(f"../{name}") == folder / name


def test_the_home_folder_s_sign_is_understood(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    browser = FileBrowser("open", folder / "a folder", (".png",))
    assert browser.accept("~/face2.png") == folder / "face2.png"
    assert browser.accept("~") is None
    assert browser.folder == folder


def test_a_folder_s_name_lists_the_folder_or_is_the_answer(folder: Path) -> None:
    browser = FileBrowser("open", folder)
    assert browser.accept("a folder") is None
    assert (browser.folder, browser.problem) == (folder / "a folder", "")
    assert FileBrowser("folder", folder).accept("a folder") == folder / "a folder"
    assert FileBrowser("folder", folder).accept("") == folder


def test_a_file_to_write_gets_its_suffix(folder: Path) -> None:
    browser = FileBrowser("save", folder, (".json",))
    assert browser.accept("session") == folder / "session.json"
    assert browser.accept("v1.2") == folder / "v1.2.json"
    assert browser.accept("face.JSON") == folder / "face.JSON"
    assert browser.accept("nowhere/face") is None
    assert browser.problem == f"There is no folder {folder / 'nowhere'}."


@pytest.mark.parametrize(
    ("typed", "problem"),
    [("none.png", "There is no file"), ("notes.txt", "notes.txt is none of .png"), ("", "Choose")],
)
def test_a_path_that_cannot_be_taken_is_explained(folder: Path, typed: str, problem: str) -> None:
    browser = FileBrowser("open", folder, (".png",))
    assert browser.accept(typed) is None
    assert browser.problem.startswith(problem)


def test_a_folder_that_is_gone_becomes_the_folder_above(folder: Path) -> None:
    assert FileBrowser("open", folder / "gone" / "deeper").folder == folder


def test_places_exist_and_are_named_once(folder: Path) -> None:
    found = places([str(folder), str(folder / "gone"), str(folder)])
    assert [name for name, path in found if path == folder] == [folder.name]
    assert all(path.is_dir() for _, path in found)


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1.0 kB"), (12_345, "12 kB"),
        (999_600, "1.0 MB"), (203_000_000, "203 MB"), (3_400_000_000, "3.4 GB"),
    ],
)  # fmt: skip
def test_sizes_are_written_in_english_units(size: int, words: str) -> None:
    assert size_in_words(size) == words


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have no such names")
def test_names_that_are_not_utf_8_are_left_out_and_counted(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    (tmp_path / os.fsdecode(b"caf\xe9.png")).touch()
    browser = FileBrowser("open", tmp_path, (".png",))
    assert [entry.path.name for entry in browser.entries] == ["a.png"]
    assert browser.problem == "1 name is not UTF-8: not listed."
