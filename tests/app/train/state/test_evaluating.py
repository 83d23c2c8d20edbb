"""The Train tab's evaluation of a run: its request, its progress, its end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.state.settings import SettingsStore
from app.state.workbench import Workbench
from app.train.state import evaluating as module
from app.train.state.evaluating import Evaluations, evaluation_request
from app.workers.concurrency.jobs import JobState
from stylesdf_core import resources
from stylesdf_core.commands.evaluation.evaluate import Evaluate
from stylesdf_core.dataclass_json import to_json
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.scene.scene import Scene
from stylesdf_core.training.runs.run_dir import RunDir
from tests.models import save_tiny
from tests.training.adversarial.stage_phases import stage_config, write_images
from tests.waiting import wait_until


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with pictures and an averaged generator."""
    write_images(tmp_path / "images")
    folder = RunDir(tmp_path / "runs" / "small")
    folder.write_config(to_json(stage_config("renderer", tmp_path)))
    folder.checkpoints.mkdir(parents=True)
    save_tiny(folder.checkpoints / "ema-00000004.safetensors", output_size=16)
    return folder.path


@pytest.fixture
def workbench(tmp_path: Path) -> Iterator[Workbench]:
    workbench = Workbench(SettingsStore(tmp_path / "config"), Scene())
    yield workbench
    workbench.close()


def until_over(evaluations: Evaluations, run: Path) -> None:
    wait_until(lambda: evaluations.job(run) is None, seconds=280.0)


def test_the_request_asks_for_what_is_here(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stylesdf_core.judges.dlib_judge.has_dlib", lambda: False)
    request = evaluation_request(run)
    assert request.data is not None
    assert request.report == run / "evaluation"
    assert set(request.metrics.split(",")) == {"depth-consistency", "flicker", "frechet"}
    with monkeypatch.context() as patched:
        patched.setattr("stylesdf_core.evaluation.measures.foreground.has_masks", lambda _: True)
        patched.setattr("stylesdf_core.evaluation.measures.true_depths.has_depths", lambda _: True)
        assert {"foreground", "shapes"} < set(evaluation_request(run).metrics.split(","))
    for picture in request.data.iterdir():
        picture.unlink()
    request.data.rmdir()
    assert "frechet" not in evaluation_request(run).metrics


def test_a_report_is_written_into_the_runs_folder(
    run: Path, workbench: Workbench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(resources, "user_folder", lambda kind: tmp_path / "own" / kind)
    monkeypatch.setattr("stylesdf_core.commands.evaluation.evaluate._PICTURED", 1)
    (weights,) = (run / "checkpoints").glob("*.safetensors")
    small = replace(
        evaluation_request(run), model=str(weights), metrics="flicker", orbits=1, count=16
    )
    monkeypatch.setattr(module, "evaluation_request", lambda _: small)
    evaluations = Evaluations(workbench)
    assert not evaluations.words(run)
    evaluations.start_or_cancel(run)
    job = evaluations.job(run)
    assert job is not None
    until_over(evaluations, run)
    assert job.state is JobState.DONE, job.error
    assert (run / "evaluation" / "report.html").exists()


def test_an_evaluation_shows_its_progress_and_can_be_cancelled(
    run: Path, workbench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forever(_: Evaluate) -> Operation[Any]:
        while True:
            yield Progress(43, 100, "judging faces")
            time.sleep(0.005)

    monkeypatch.setattr(Evaluate, "run", forever)
    evaluations = Evaluations(workbench)
    evaluations.start_or_cancel(run)
    wait_until(lambda: "judging faces, 43%" in evaluations.words(run))
    evaluations.start_or_cancel(run)
    until_over(evaluations, run)
    assert not evaluations.words(run)
    assert not (run / "evaluation").exists()


def test_a_run_without_checkpoint_says_so(workbench: Workbench, tmp_path: Path) -> None:
    evaluations = Evaluations(workbench)
    evaluations.start_or_cancel(tmp_path)
    assert evaluations.job(tmp_path) is None
    assert "no checkpoint" in workbench.messages.toasts[-1].text
