"""A run at a glance: what state it is in, and why."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import replace
from pathlib import Path

import pytest

from stylesdf_core.dataclass_json import to_json
from stylesdf_core.errors import InputError
from stylesdf_core.heads.fit.config import FitConfig
from stylesdf_core.model.config import GeneratorConfig
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.training.runs.run_dir import RunDir
from stylesdf_core.training.runs.run_summary import summary, summary_or_failure
from tests.training.adversarial.stage_phases import THUMB, stage_config

LOG = "--- started 2026-01-01 10:00:00+00:00 ---\n"


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    """A renderer of six steps: two of a sphere, four of its own."""
    run = RunDir(tmp_path / "faces")
    run.write_config(to_json(stage_config("renderer", tmp_path)))
    return run


def save(run: RunDir, step: int) -> None:
    run.append_stats({"step": step, "seconds": 1800.0})
    run.save_checkpoint(step, {"step": step}, Generator(THUMB), keep=2)


def test_a_folder_that_cannot_be_read_is_a_failed_run(run: RunDir) -> None:
    config = run.read_config()
    (run.path / "config.json").write_text(json.dumps({**config, "latent_steps": 5}))
    with pytest.raises(InputError, match="latent_steps"):
        summary(run)
    failed = summary_or_failure(run.path)
    assert (failed.state, failed.name) == ("failed", "faces")
    assert "latent_steps" in str(failed)


def test_from_new_to_finished(run: RunDir) -> None:
    assert (summary(run).state, summary(run).total) == ("new", 6)
    with run.owned():
        assert summary(run).state == "running"
        assert summary(run).hours_left is None
        save(run, 2)
        run.append_stats({"step": 4, "seconds": 1800.0})
        shown = summary(run)
        assert (shown.step, shown.hours_left, shown.process) == (4, 1.0, os.getpid())
        run.request_stop()
        assert summary(run).state == "stopping"
    stopped = summary(run)
    assert (stopped.state, stopped.step, stopped.has_weights) == ("stopped", 2, True)
    save(run, 6)
    assert summary(run).state == "finished"


def test_a_failure_has_its_reason(run: RunDir) -> None:
    run.log_file.write_text(f"{LOG}training: the disk is full.\n{LOG}all is well\n")
    assert summary(run).state == "new", "an earlier start's failure is over"
    run.log_file.write_text(f"{LOG}all is well\ntraining: the disk is full.\n")
    assert (summary(run).state, summary(run).words) == ("failed", "the disk is full.")
    run.log_file.write_text(f"{LOG}Traceback (most recent call last):\n  File\nValueError: no\n")
    assert summary(run).words == "ValueError: no"
    save(run, 2)
    os.utime(run.stats_file, (4e9, 4e9))
    assert summary(run).state == "stopped", "resumed in a terminal since"


def test_a_killed_run_says_so(run: RunDir) -> None:
    (run.path / "process.json").write_text(
        json.dumps({"pid": os.getpid(), "host": platform.node(), "started": 1.0})
    )
    shown = summary(run)
    assert (shown.state, shown.process) == ("failed", None)
    assert "killed" in shown.words


def test_supervised_fits_are_runs_too(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    config = FitConfig(generator=GeneratorConfig(output_size=64))
    run.write_config(to_json(config))
    shown = summary(run)
    assert (shown.stage, shown.total) == ("fit", 30_000 + 5_000 + 1), "no decoder to train"
    run.write_config(to_json(replace(config, keep=4)), ("keep",))
    with pytest.raises(InputError, match=r"no config\.json"):
        summary(RunDir(tmp_path / "nowhere"))
