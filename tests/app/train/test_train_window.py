"""The Train tab in a real window, from nothing to a run's face in the viewport."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from stylesdf_core.training.runs.run_dir import RunDir
from tests.app.test_window import display_command
from tests.models import save_tiny

# Seconds of training, but every start of a process brings torch along.
pytestmark = [pytest.mark.window, pytest.mark.timeout(3600)]

FIRST = ("empty", "locked", "start", "stop_and_resume", "open_checkpoint", "leave")


def test_runs_are_started_followed_and_opened_and_outlive_the_window(
    tmp_path: Path, repository: Path
) -> None:
    model = save_tiny(tmp_path / "tiny.safetensors")
    left = RunDir(tmp_path / "runs" / "second")
    try:
        for steps in (FIRST, ("attach",)):
            result = subprocess.run(
                [
                    *display_command(), sys.executable, "-m", "tests.app.train.train_driver",
                    str(model), str(tmp_path), *steps,
                ],
                cwd=repository,
                capture_output=True,
                text=True,
                timeout=1700,
                check=False,
            )  # fmt: skip
            report = f"{result.stdout}\n{result.stderr}"
            assert result.returncode == 0, report
            assert "all steps succeeded" in result.stdout, report
            if steps is FIRST:
                assert left.running_process() is not None, "the run ended with the window"
    finally:
        left.path.mkdir(parents=True, exist_ok=True)
        left.request_stop()
