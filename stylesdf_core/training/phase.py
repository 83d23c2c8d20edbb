"""What the training loop runs: the models in training, and the phases of a run."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.progress import Operation
from stylesdf_core.training.run_config import Cadence
from stylesdf_core.training.runs.run_dir import RunDir
from stylesdf_core.training.world import World


@dataclass(frozen=True)
class Models:
    """The generator in training and the running average of its weights.

    Attributes:
        live: the generator that the optimizers change.
        ema: the averaged generator, which is measured, shown in sample grids and saved as the
            model.
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
        networks: networks besides the generator, by name; saved and restored by the loop.
        carried: state dicts of networks that only a later stage needs, by name, such as the volume
            discriminator while the decoder trains; saved beside the phase's networks.
        scalers: loss scalers for float16, by name; saved and restored by the loop.
        batch: images per step, for images per second; 0 where the phase counts no images.
        attempt: number of roll-backs of the run; steps of another attempt draw other batches.
        from_images: whether the phase learns from images. Such a phase is measured before its
            first step too, so that later figures can be compared with the first.
        lazy: terms that are computed only every few steps (lazy regularisation), by name: from
            step 0 on, every so many steps.
    """

    optimizers: dict[str, Optimizer]
    networks: dict[str, nn.Module]
    carried: Mapping[str, Any] = {}
    scalers: Mapping[str, torch.amp.GradScaler] = {}
    batch: int = 0
    attempt: int = 0
    from_images: ClassVar[bool] = False
    lazy: Mapping[str, int] = {}

    @abstractmethod
    def step(self, index: int) -> dict[str, Tensor]:
        """One update, the phase's step ``index`` from 0; returns losses by name (scalars)."""

    @abstractmethod
    def evaluate(self, samples: Path) -> dict[str, float]:
        """Measure the averaged generator on held-out latents and write a sample grid.

        A ``frechet`` among the figures decides which checkpoint is the best (lowest).
        """

    def reading_speed(self, seconds: float) -> float | None:
        """Real images a second that are read from the disk; None where none are read.

        Args:
            seconds: to measure for.
        """
        return None


@dataclass(frozen=True)
class PhasePlan:
    """A phase before it begins.

    Attributes:
        name: shown, and written into the records.
        steps: optimizer steps.
        begin: makes the phase; called when the phase begins or is resumed.
    """

    name: str
    steps: int
    begin: Callable[[Models], Phase]


@dataclass(frozen=True)
class PreparedRun:
    """A run's folder with the models and the phases to train there.

    Attributes:
        plans: the phases in order; phases of 0 steps are left out.
        metadata: entries of the averaged generators' files.
        config: the settings as JSON values, for the checkpoints.
        world: the processes that train together. Every process has a PreparedRun and reads the
            folder; only the first process writes.
    """

    folder: RunDir
    models: Models
    plans: Sequence[PhasePlan]
    cadence: Cadence
    metadata: Mapping[str, str]
    config: Any
    world: World

    def __post_init__(self) -> None:
        object.__setattr__(self, "plans", [plan for plan in self.plans if plan.steps > 0])

    @property
    def steps(self) -> int:
        """Optimizer steps of all phases."""
        return sum(plan.steps for plan in self.plans)


#: What runs the phases: :func:`~.loop.train`, or something that only looks at a few steps.
Loop: TypeAlias = Callable[[PreparedRun], Operation[Any]]
