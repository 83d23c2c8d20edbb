"""The training loop: runs phases one after the other, records, saves, resumes and stops.

Batches are functions of (seed, step) and of the data at hand, so the step is all the randomness
there is to restore: over complete data, stop-and-resume equals an uninterrupted run.
"""

from __future__ import annotations

import copy
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from stylesdf_core.errors import TrainingError
from stylesdf_core.networks.generator import Generator
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.training.run_dir import RunDir


@dataclass(frozen=True)
class Models:
    """The generator in training and the running average of its weights.

    Attributes:
        live: what the optimizers change.
        ema: what is shown, measured and shipped.
    """

    live: Generator
    ema: Generator

    @classmethod
    def of(cls, generator: Generator) -> Models:
        """Start the average at ``generator``'s weights."""
        ema = copy.deepcopy(generator).eval().requires_grad_(False)
        return cls(generator.train(), ema)

    @torch.no_grad()
    def average(self, decay: float) -> None:
        """ema ← decay·ema + (1 − decay)·live, of every parameter that is being trained."""
        pairs = zip(self.ema.parameters(), self.live.parameters(), strict=True)
        trained = [(mean, p) for mean, p in pairs if p.requires_grad]
        if not trained:
            return
        means, values = [list(x) for x in zip(*trained, strict=True)]
        torch._foreach_lerp_(means, values, 1.0 - decay)


class Phase(ABC):
    """A part of a run with its own losses, optimizers and, perhaps, networks.

    Attributes:
        optimizers: by name; saved and restored by the loop.
        networks: networks besides the generator, by name; likewise.
    """

    optimizers: dict[str, Optimizer]
    networks: dict[str, nn.Module]

    @abstractmethod
    def step(self, index: int) -> dict[str, Tensor]:
        """One update, the phase's step ``index`` from 0; returns losses by name (scalars)."""

    @abstractmethod
    def evaluate(self, samples: Path) -> dict[str, float]:
        """Measure the averaged generator on held-out latents and write a picture of it."""


@dataclass(frozen=True)
class PhasePlan:
    """A phase before it begins.

    Attributes:
        name: shown and recorded.
        steps: its length.
        begin: makes the phase; called when it begins or is resumed.
    """

    name: str
    steps: int
    begin: Callable[[Models], Phase]


@dataclass(frozen=True)
class Cadence:
    """How often the loop does what, in steps.

    Attributes:
        record, evaluate, checkpoint: intervals.
        keep: checkpoints kept.
        ema: decay of the average, a step.
    """

    record: int
    evaluate: int
    checkpoint: int
    keep: int
    ema: float


@dataclass(frozen=True)
class TrainingResult:
    """How a run ended.

    Attributes:
        step: of the last checkpoint.
        finished: False when it was asked to stop.
        weights: the averaged generator.
    """

    step: int
    finished: bool
    weights: Path

    def __str__(self) -> str:
        how = "finished" if self.finished else "stopped"
        return f"{how} at step {self.step}: {self.weights}"


def rate_factor(index: int, steps: int, warmup: int) -> float:
    """Learning rate relative to its height: linear warm-up, then a cosine down to zero."""
    if index < warmup:
        return (index + 1) / warmup
    return 0.5 * (1.0 + math.cos(math.pi * (index - warmup) / max(1, steps - warmup)))


def set_rate(optimizer: Optimizer, factor: float) -> None:
    """Set every group's learning rate to ``factor`` times its ``height``."""
    for group in optimizer.param_groups:
        group["lr"] = factor * group["height"]


def train(
    run: RunDir,
    models: Models,
    plans: Sequence[PhasePlan],
    cadence: Cadence,
    metadata: Mapping[str, str],
) -> Operation[TrainingResult]:
    """Run the phases in the folder, from its newest checkpoint on.

    Yields a Progress a step; the caller holds :meth:`RunDir.owned`. ``metadata`` goes into the
    averaged generators' files.

    Raises:
        TrainingError: a loss is no longer finite, or the checkpoint cannot be read.
    """
    plans = [plan for plan in plans if plan.steps > 0]
    total = sum(plan.steps for plan in plans)
    saved = run.load_checkpoint()
    step = _restore_models(models, saved) if saved else 0
    run.trim_stats(step)
    start = 0
    stopped = False
    for plan in plans:
        end = start + plan.steps
        if step < end and not stopped:
            phase = plan.begin(models)
            if saved and saved["phase"] == plan.name:
                _restore_phase(phase, saved)
            saved = None
            clock = time.monotonic()
            while step < end and not stopped:
                losses = phase.step(step - start)
                step += 1
                models.average(min(cadence.ema, (1.0 + step) / (10.0 + step)))
                if step % cadence.record == 0 or step == end:
                    values = _finite(losses, run, plan.name, step)
                    now = time.monotonic()
                    seconds = (now - clock) / cadence.record
                    clock = now
                    run.append_stats(
                        {"step": step, "phase": plan.name, "seconds": seconds, **values}
                    )
                if step % cadence.evaluate == 0 or step == end:
                    record = phase.evaluate(run.sample_path(step))
                    run.append_stats({"step": step, "phase": plan.name, **record})
                stopped = run.stop_requested()
                if step % cadence.checkpoint == 0 or step == end or stopped:
                    _finite(losses, run, plan.name, step)
                    run.save_checkpoint(
                        step,
                        _state(models, phase, plan.name, step),
                        models.ema,
                        keep=cadence.keep,
                        metadata=metadata,
                    )
                yield Progress(step, total, plan.name)
        start = end
    weights = run.latest("ema")
    assert weights is not None
    return TrainingResult(step, step >= total, weights)


def _finite(losses: dict[str, Tensor], run: RunDir, phase: str, step: int) -> dict[str, float]:
    values = {name: float(value.detach()) for name, value in losses.items()}
    for name, value in values.items():
        if not math.isfinite(value):
            raise TrainingError(
                f"{run.path}: loss {name!r} of phase {phase!r} became {value} at step {step}. "
                "The last checkpoint is intact; start a new run from it (init) with a lower "
                "learning rate."
            )
    return values


def _state(models: Models, phase: Phase, name: str, step: int) -> dict[str, Any]:
    return {
        "step": step,
        "phase": name,
        "live": models.live.state_dict(),
        "ema": models.ema.state_dict(),
        "optimizers": {key: value.state_dict() for key, value in phase.optimizers.items()},
        "networks": {key: value.state_dict() for key, value in phase.networks.items()},
    }


def _restore_models(models: Models, saved: dict[str, Any]) -> int:
    models.live.load_state_dict(saved["live"])
    models.ema.load_state_dict(saved["ema"])
    return int(saved["step"])


def _restore_phase(phase: Phase, saved: dict[str, Any]) -> None:
    for key, optimizer in phase.optimizers.items():
        optimizer.load_state_dict(saved["optimizers"][key])
    for key, network in phase.networks.items():
        network.load_state_dict(saved["networks"][key])
