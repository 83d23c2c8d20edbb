"""The Train form's estimate comes from the command's dry run, in a process of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.train.state import dry_run
from app.train.state.dry_run import rows
from app.train.state.new_run import NewRun
from stylesdf_core.commands.train.stages import TrainRequest
from tests.waiting import wait_until


def stub(monkeypatch: pytest.MonkeyPatch, code: str) -> list[TrainRequest]:
    """Run Python code instead of the program; returns the requests that are made."""
    asked: list[TrainRequest] = []

    def words(request: TrainRequest, program: object) -> list[str]:
        asked.append(request)
        return [sys.executable, "-c", code]

    monkeypatch.setattr(dry_run, "command_words", words)
    return asked


def wait(new: NewRun, done: Callable[[], bool], folder: Path) -> None:
    wait_until(done, lambda: new.tick(folder, shown=False))


@pytest.fixture
def new(tmp_path: Path) -> NewRun:
    new = NewRun("", tmp_path)
    new.change(stage="sphere-init")
    return new


def test_the_form_shows_what_the_command_prints(
    new: NewRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = stub(monkeypatch, "print('memory    a process needs 1 GB'); print('          at most')")
    new.estimate()
    assert new.is_measuring
    wait(new, lambda: not new.is_measuring, tmp_path)
    assert rows(new.take_estimate()) == [("memory", "a process needs 1 GB"), ("", "at most")]
    assert new.take_estimate() == "", "shown once"
    (request,) = asked
    assert request.dry_run
    assert request.config == new.request().config
    assert not list(tmp_path.iterdir())
    new.close()


def test_a_failed_measurement_says_why_and_forbids_nothing(
    new: NewRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub(monkeypatch, "import sys; print('stylesdf-studio: No room.'); sys.exit(2)")
    new.estimate()
    wait(new, lambda: not new.is_measuring, tmp_path)
    assert rows(new.take_estimate()) == [("problem", "No room.")]
    assert new.problem is None
    new.close()


def test_a_measurement_can_be_stopped(
    new: NewRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, ended = tmp_path / "started", tmp_path / "ended"
    stub(
        monkeypatch,
        "import pathlib, signal, sys, time\n"
        f"signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path({str(ended)!r}).touch(),"
        f" sys.exit()))\npathlib.Path({str(started)!r}).touch()\ntime.sleep(60)",
    )
    new.estimate()
    wait(new, started.exists, tmp_path)
    new.estimate()
    assert not new.is_measuring
    wait(new, ended.exists, tmp_path)
    assert new.take_estimate() == ""
    new.close()
