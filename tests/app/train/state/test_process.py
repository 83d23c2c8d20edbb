"""Processes that train: started, followed, stopped, killed and resumed, without a window."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from app.train.state.process import TrainingProcess
from stylesdf_core.dataclass_json import to_json
from stylesdf_core.training.runs import processes
from stylesdf_core.training.runs.run_dir import RunDir
from stylesdf_core.training.runs.run_summary import summary
from tests.training.adversarial.stage_phases import stage_config, write_images
from tests.waiting import wait_until

# Every start of a process brings torch along, and training leaves the CPU to everybody else.
pytestmark = pytest.mark.timeout(1800)


def wait(condition: Callable[[], object], what: str, seconds: float = 600.0) -> None:
    wait_until(condition, seconds=seconds, state=lambda: what)


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    """Two steps of a sphere and two hundred of a renderer of no account."""
    write_images(tmp_path / "images")
    config = to_json(stage_config("renderer", tmp_path))
    config["steps"] = 200
    config["run"]["threads"] = 1
    run = RunDir(tmp_path / "runs" / "faces")
    run.write_config(config)
    return run


def test_a_run_is_started_stopped_killed_and_resumed(run: RunDir) -> None:
    job = TrainingProcess(run.path)
    job.start()
    assert job.is_starting
    wait(lambda: run.latest() is not None, "a checkpoint")
    owner = run.running_process()
    assert owner is not None
    if sys.platform != "win32":
        assert psutil.Process(owner).nice() >= 10, "the window comes first"
        assert os.getsid(owner) != os.getsid(0), "it outlives the window"
    job.start()
    assert run.running_process() == owner, "nobody starts a run twice"
    job.stop()
    assert job.is_stopping
    wait(job.poll, "its end")
    assert (job.status, job.is_stopping, summary(run).state) == (0, False, "stopped")
    stopped_at = run.saved_step()
    job.start()
    wait(lambda: run.saved_step() > stopped_at, "more steps")
    owner = run.running_process()
    assert owner is not None
    os.kill(owner, signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
    wait(job.poll, "its death")
    assert job.status
    killed = summary(run)
    assert (killed.state, killed.process) == ("failed", None)
    assert "killed" in killed.words
    saved = run.saved_step()
    another = TrainingProcess(run.path)  # as after a restart of the studio
    another.start()
    wait(lambda: run.saved_step() > saved, "it goes on")
    another.stop()
    wait(another.poll, "its end")
    assert summary(run).state == "stopped"


def test_a_process_that_is_asked_to_stop_while_it_starts_stops(run: RunDir) -> None:
    """The process forgets stop files that are older than itself."""
    job = TrainingProcess(run.path)
    job.start()
    job.stop()
    wait(job.poll, "its end")
    assert run.saved_step() < 200
    assert not run.stop_requested()


def test_the_end_of_the_log_says_why_a_process_failed(run: RunDir) -> None:
    for picture in (run.path.parents[1] / "images").iterdir():
        picture.unlink()
    job = TrainingProcess(run.path)
    job.start()
    wait(job.poll, "its end")
    assert job.status == 2
    words = processes.last_words(run)
    assert words is not None
    assert words.is_mistake
    assert "holds no images" in summary(run).words
    assert summary(run).state == "failed"
