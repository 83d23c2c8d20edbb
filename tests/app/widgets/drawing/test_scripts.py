"""Names in scripts that Open Sans lacks get a font of the system, where it has one."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from app.widgets.drawing import fonts, scripts


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Questions to a fontconfig that knows one font for all characters."""
    questions: list[str] = []

    def answer(words: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        questions.append(words[-1])
        return subprocess.CompletedProcess(
            words, 0, "/f/Wide-Bold.ttf\n/f/Wide.ttc\n/f/a.pcf\n", ""
        )

    monkeypatch.setattr(scripts.sys, "platform", "linux")
    monkeypatch.setattr(scripts.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(scripts.subprocess, "run", answer)
    monkeypatch.setattr(scripts, "_found", {})
    return questions


def test_a_script_is_asked_for_once_and_its_plain_font_taken(asked: list[str]) -> None:
    assert scripts.system_font("漢字.png") == Path("/f/Wide.ttc")
    assert scripts.system_font("a 漢") == Path("/f/Wide.ttc")
    assert asked[0] == ":charset=6f22"
    assert len(asked) <= 2  # 字 lies in another block


@pytest.mark.parametrize("text", ["face.png", "Größe – Ψ", "Фото", "0.17 × 0.22 m²", "↑ ≥ …"])
def test_what_open_sans_has_needs_no_other_font(text: str, asked: list[str]) -> None:
    assert scripts.system_font(text) is None
    assert not asked


def test_a_long_path_loses_its_beginning() -> None:
    short = fonts.fitted_start("~/a/very/long/path/session.json", 18, 120)
    assert short.startswith("…")
    assert short.endswith("session.json")
    assert fonts.text_width(short, 18) <= 120
    assert fonts.fitted_start("a.json", 18, 120) == "a.json"
