"""The desktop's file dialog: its command, and its answers; a script stands in for zenity."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from app.workers.concurrency import native_dialog
from app.workers.concurrency.native_dialog import NativeDialog, PathQuestion, native_command

SAVE = PathQuestion("save", "Save it", Path("/tmp/a b"), "face.json", (".json",))


def answer(code: str) -> NativeDialog:
    news = threading.Event()
    dialog = NativeDialog([sys.executable, "-c", code], news)
    assert news.wait(30.0)
    dialog._thread.join(5.0)
    return dialog


def test_the_answer_is_the_path_with_all_its_blanks() -> None:
    dialog = answer("print('/tmp/a b/Größe .png ')")
    assert not dialog.has_failed
    assert dialog.path == Path("/tmp/a b/Größe .png ")


def test_a_cancelled_dialog_has_no_path() -> None:
    dialog = answer("raise SystemExit(1)")
    assert not dialog.has_failed
    assert dialog.path is None


def test_a_dialog_that_cannot_be_shown_has_failed() -> None:
    assert answer("raise SystemExit(255)").has_failed


def test_a_closed_dialog_ends() -> None:
    dialog = NativeDialog([sys.executable, "-c", "input()"], threading.Event())
    dialog.close()
    dialog._thread.join(30.0)
    assert not dialog.is_open
    assert dialog.path is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="zenity and kdialog are Linux'")
@pytest.mark.parametrize(
    ("desktop", "programs", "first"),
    [
        ("GNOME", ("zenity", "kdialog"), "zenity"),
        ("KDE", ("zenity", "kdialog"), "kdialog"),
        ("KDE", ("zenity",), "zenity"),
        ("", (), None),
    ],
)
def test_the_desktop_s_program_is_chosen(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    desktop: str,
    programs: tuple[str, ...],
    first: str | None,
) -> None:
    for program in programs:
        (tmp_path / program).write_text("#!/bin/sh\n")
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CURRENT_DESKTOP", desktop)
    command = native_command(SAVE)
    if first is None:
        assert command is None
        return
    assert command is not None
    assert command[0] == os.path.join(tmp_path, first)


def test_the_programs_get_folder_name_and_suffixes() -> None:
    words = native_dialog._zenity(SAVE)
    assert "--filename=/tmp/a b/face.json" in words
    assert "--save" in words
    assert "--file-filter=Files | *.json *.JSON" in words
    folder = PathQuestion("folder", "Choose", Path("/tmp"))
    assert "--filename=/tmp/" in native_dialog._zenity(folder)
    assert native_dialog._kdialog(SAVE)[2:] == ["--getsavefilename", "/tmp/a b/face.json", "*.json"]
