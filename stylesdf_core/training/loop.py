"""The training loop, for any stage: runs phases, records, saves, resumes and stops.

A batch is a function of seed, step, attempt (number of roll-backs) and the data on the disk. So a
checkpoint holds step and attempt, but no generator's state, and with the same data a resumed run
equals an uninterrupted run. Steps draw from generators made for the step (seeds.py at the root),
never from torch's global generators.

After a step with a loss or norm that is not finite, the run goes back to its last checkpoint and
draws other batches from there. If the run diverges again before it has saved another checkpoint, it
stops and says why.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from stylesdf_core.errors import OutputError, TrainingError
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.training.finite import damaged, not_finite
from stylesdf_core.training.phase import Phase, PhasePlan, PreparedRun
from stylesdf_core.training.runs.monitor import Monitor
from stylesdf_core.training.runs.run_dir import RunDir
from stylesdf_core.training.runs.stages import read_config


@dataclass(frozen=True)
class TrainingResult:
    """How a run ended.

    Attributes:
        step: step of the last checkpoint.
        finished: False if the run was asked to stop.
        weights: file of the averaged generator; None if the run stopped before its first
            checkpoint.
    """

    step: int
    finished: bool
    weights: Path | None

    def __str__(self) -> str:
        if self.weights is None:
            return "stopped before the first step"
        how = "finished" if self.finished else "stopped"
        return f"{how} at step {self.step}: {self.weights}"


@dataclass
class _Run:
    """The state of a run in progress.

    Attributes:
        step: steps done, over all phases; saved.
        attempt: roll-backs so far; saved.
        best: lowest ``frechet`` so far; saved.
        diverged_at: step of the last roll-back, or 0; a later checkpoint allows another one.
    """

    prepared: PreparedRun
    step: int = 0
    attempt: int = 0
    best: float = math.inf
    diverged_at: int = 0

    def begin(self, plan: PhasePlan, saved: dict[str, Any] | None) -> Phase:
        """Make the plan's phase; restore its state if ``saved`` was written in this phase."""
        phase = plan.begin(self.prepared.models)
        phase.attempt = self.attempt
        if saved and saved["phase"] == plan.name:
            _restore_phase(phase, saved)
        return phase

    def restore(self, saved: dict[str, Any]) -> None:
        """Set models and counters to a checkpoint's."""
        models = self.prepared.models
        models.live.load_state_dict(saved["live"])
        models.ema.load_state_dict(saved["ema"])
        self.step = int(saved["step"])
        self.attempt = int(saved["attempt"])
        self.best = float(saved["best"])

    def save(self, phase: Phase, name: str, score: float) -> None:
        """Write a checkpoint; mark it as the best if no earlier one's ``frechet`` was as low.

        Args:
            score: ``frechet`` of these weights; infinite if it was not measured.
        """
        prepared, models = self.prepared, self.prepared.models
        is_best = score < self.best
        self.best = min(self.best, score)
        state = {
            "step": self.step,
            "attempt": self.attempt,
            "best": self.best,
            "phase": name,
            "config": prepared.config,
            "live": models.live.state_dict(),
            "ema": models.ema.state_dict(),
            "optimizers": {key: value.state_dict() for key, value in phase.optimizers.items()},
            "networks": {**phase.carried, **{k: v.state_dict() for k, v in phase.networks.items()}},
            "scalers": {key: value.state_dict() for key, value in phase.scalers.items()},
        }
        prepared.folder.save_checkpoint(
            self.step,
            state,
            models.ema,
            keep=prepared.cadence.keep,
            keep_every=prepared.cadence.keep_every,
            metadata=prepared.metadata,
            best=is_best,
        )


def train_run(run: RunDir) -> Operation[TrainingResult]:
    """Train in a run's folder by its config.json, whatever its stage.

    Raises:
        InputError: the config, the data or the initial weights are wrong.
        TrainingError: see :func:`train`.
    """
    stage, config = read_config(run)
    result: TrainingResult = yield from stage.train(run, config, train)
    return result


def train(prepared: PreparedRun) -> Operation[TrainingResult]:
    """Run the phases in the folder, from its newest checkpoint on.

    Yields a Progress after each step; the caller holds :meth:`RunDir.owned`.

    Raises:
        TrainingError: a loss is no longer finite, the disk is full, or the checkpoint cannot be
            read.
    """
    run, world, cadence = prepared.folder, prepared.world, prepared.cadence
    models, total = prepared.models, prepared.steps
    state = _Run(prepared)
    saved = run.load_checkpoint()
    if saved:
        state.restore(saved)
    world.wait()  # every process has read the folder before the first one writes there
    with (
        _disk_errors(run),
        Monitor(run, total, state.step, is_main=world.is_main, device=world.device) as monitor,
    ):
        start, stopped = 0, False
        for plan in prepared.plans:
            end = start + plan.steps
            if state.step >= end or stopped:
                start = end
                continue
            phase = state.begin(plan, saved)
            saved = None
            monitor.begin(plan.name, phase.batch, state.step, first=start)
            # The newest value of each term: some terms are computed only every few steps.
            unrecorded: dict[str, Tensor] = {}
            begins = state.step == start and phase.from_images
            if begins and world.is_main and not _is_measured(run, start, plan.name):
                monitor.figures(start, phase.evaluate(run.sample_path(start)))
            while state.step < end and not stopped:
                losses = phase.step(state.step - start)
                state.step += 1
                step = state.step
                asked = world.is_main and run.stop_requested()
                saves = step % cadence.checkpoint_every == 0 or step == end or asked
                wrong = not_finite(losses, plan.name)
                if saves and not wrong:
                    wrong = damaged(models.live, *phase.networks.values())
                diverged, stopped = world.any(bool(wrong), asked)
                if diverged:
                    wrong = wrong or "a figure of another process was not finite"
                    phase = _roll_back(state, plan, wrong)
                    monitor.rolled_back(state.step, wrong)
                    unrecorded = {}
                    continue
                models.average(min(cadence.ema, (1.0 + step) / (10.0 + step)))
                unrecorded |= losses
                if step % cadence.record_every == 0 or step == end:
                    recorded, unrecorded = world.gather(unrecorded), {}
                    if world.is_main:
                        monitor.losses(step, recorded)
                if world.is_main:
                    record: dict[str, float] = {}
                    if step % cadence.evaluate_every == 0 or step == end:
                        record = phase.evaluate(run.sample_path(step))
                        monitor.figures(step, record)
                    if saves:
                        state.save(phase, plan.name, record.get("frechet", math.inf))
                yield Progress(step, total, monitor.headline(plan.name))
            start = end
    world.wait()
    weights = run.latest("ema")
    if weights is None:
        raise TrainingError(f"{run.path} holds no checkpoint; is the folder on a shared disk?")
    return TrainingResult(state.step, state.step >= total, weights)


def _is_measured(run: RunDir, step: int, phase: str) -> bool:
    """Whether an earlier process has already measured the phase before its first step."""
    return any(
        record["step"] == step and record.get("phase") == phase and "frechet" in record
        for record in run.read_stats()
    )


def _roll_back(state: _Run, plan: PhasePlan, wrong: str) -> Phase:
    """Go back to the last checkpoint and draw other batches from there, once a checkpoint."""
    folder, step = state.prepared.folder, state.step
    saved = folder.load_checkpoint()
    again = saved is not None and saved["step"] <= state.diverged_at
    if saved is None or again:
        behind = " again, after a roll-back" if again else ""
        left = "The last checkpoint is intact; start a new run from it (init)"
        if saved is None:
            left = "There is no checkpoint yet; start again"
        raise TrainingError(
            f"{folder.path}: {wrong} at step {step}{behind}. {left} with a lower learning rate."
        )
    attempt = state.attempt + 1
    state.restore(saved)
    state.attempt, state.diverged_at = attempt, step
    return state.begin(plan, saved)


@contextmanager
def _disk_errors(run: RunDir) -> Iterator[None]:
    """Turn errors of writing, such as a full or removed disk, into a TrainingError.

    Raises:
        TrainingError: a file could not be written.
    """
    try:
        yield
    except (OSError, OutputError) as error:
        saved = run.latest()
        intact = f"the last checkpoint, {saved.name}, is intact" if saved else "none was saved yet"
        raise TrainingError(
            f"{run.path} cannot be written ({error}); {intact}. Make room on the disk and run "
            "the same command again to resume."
        ) from error


def _restore_phase(phase: Phase, saved: dict[str, Any]) -> None:
    for name, parts in (("optimizers", phase.optimizers), ("networks", phase.networks)):
        for key, part in parts.items():
            part.load_state_dict(saved[name][key])
    phase.carried = {k: v for k, v in saved["networks"].items() if k not in phase.networks}
    for key, scaler in phase.scalers.items():
        scaler.load_state_dict(saved["scalers"][key])
