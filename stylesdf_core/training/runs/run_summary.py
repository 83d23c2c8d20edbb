"""A run at a glance: stage, state, steps and the reason of a failure; read without torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stylesdf_core.errors import InputError
from stylesdf_core.training.runs.processes import last_words
from stylesdf_core.training.runs.run_dir import RunDir
from stylesdf_core.training.runs.stages import read_config

RunState = Literal["new", "running", "stopping", "stopped", "finished", "failed"]


@dataclass(frozen=True)
class RunSummary:
    """One run.

    Attributes:
        path: the run's folder.
        stage: name of the stage that is trained.
        preset: name of the settings' preset; empty for a stage without presets.
        state: "new" was never started; "stopped" and "failed" runs can be resumed.
        step: steps done; of a run that is not running, the newest checkpoint's step.
        total: steps in all.
        hours_left: estimate while the run is running; None before the first record.
        words: why the run failed, one sentence; empty if the run did not fail.
        has_weights: whether there is an averaged generator to look at.
        process: id of the process that trains the run now; None if no process does.
    """

    path: Path
    stage: str
    preset: str
    state: RunState
    step: int
    total: int
    hours_left: float | None = None
    words: str = ""
    has_weights: bool = False
    process: int | None = None

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.path.name

    @property
    def is_alive(self) -> bool:
        """Whether a process trains the run."""
        return self.state in ("running", "stopping")

    def __str__(self) -> str:
        doing = self.state if self.process is None else f"{self.state} (process {self.process})"
        line = f"{self.path}  {self.stage}  step {self.step:,} of {self.total:,}  {doing}"
        return f"{line}: {self.words}" if self.words else line


def summary(run: RunDir) -> RunSummary:
    """Summarise a run.

    Raises:
        InputError: the folder holds no run, or its config.json cannot be read.
    """
    kind, config = read_config(run)
    stage, total, preset = kind.name, config.total_steps, getattr(config, "preset", "")
    process, saved, last = run.running_process(), run.saved_step(), run.last_stats()
    has_weights = run.latest("ema") is not None
    recorded = int(last["step"]) if last else 0
    if process is not None:
        left = last.get("seconds") if last else None
        return RunSummary(
            run.path,
            stage,
            preset,
            "stopping" if run.stop_requested() else "running",
            recorded,
            total,
            None if left is None else (total - recorded) * float(left) / 3600.0,
            has_weights=has_weights,
            process=process,
        )
    state: RunState
    words = _failure(run) if saved < total else ""
    if saved >= total:
        state = "finished"
    elif words:
        state = "failed"
    elif saved or recorded:
        state = "stopped"
    else:
        state = "new"
    return RunSummary(run.path, stage, preset, state, saved, total, None, words, has_weights)


def summary_or_failure(path: Path) -> RunSummary:
    """Summarise the run in a folder; a run that cannot be read is shown as failed, and why."""
    try:
        return summary(RunDir(path))
    except InputError as error:
        return RunSummary(path, "", "", "failed", 0, 0, None, str(error))


def _failure(run: RunDir) -> str:
    """Why the run failed: its process was killed, or its log ends with a reason; else empty."""
    if run.was_killed:
        return "its process was killed; resume it from the last checkpoint"
    words = last_words(run)
    if words is None:
        return ""
    # A newer start from a terminal writes records but no log: the logged reason is out of date.
    log, stats = run.log_file, run.stats_file
    if stats.exists() and stats.stat().st_mtime > log.stat().st_mtime:
        return ""
    return words.text
