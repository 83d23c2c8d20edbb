"""The base class of the adversarial phases: draws generated images' inputs and measures.

A phase computes its gradients in chunks (training/optimizing.py) with losses that are modules
(adversarial/terms/); the loop (training/loop.py) calls its steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from stylesdf_core.model.poses import Poses
from stylesdf_core.seeds import seeded
from stylesdf_core.training.adversarial.batches.draws import Fakes, draw_fakes
from stylesdf_core.training.adversarial.batches.real_images import RealImages
from stylesdf_core.training.adversarial.phases.snapshots import Snapshots
from stylesdf_core.training.phase import Models, Phase
from stylesdf_core.training.run_config import RunConfig
from stylesdf_core.training.world import World


class Purpose(IntEnum):
    """Numbers that tell apart the generators of a run's seed."""

    SPHERE = 12
    DISCRIMINATOR = 22
    GENERATOR = 23
    PATH = 24
    AUGMENT = 25


@dataclass(frozen=True)
class PhaseContext:
    """The arguments of every adversarial phase besides the models.

    Attributes:
        world: the processes that train together.
        run: settings common to all stages.
        poses: cameras of the generated images.
        snapshots: writes sample grids and meshes, and measures distances to the images.
    """

    world: World
    run: RunConfig
    poses: Poses
    snapshots: Snapshots


class AdversarialPhase(Phase):
    """A phase on generated images of random latents and cameras.

    Args:
        images: the real images that generated images are compared with; None for no comparison.
    """

    def __init__(self, models: Models, context: PhaseContext, images: RealImages | None) -> None:
        self.models, self.context = models, context
        self.real_images = images

    def draw(self, purpose: Purpose, index: int, batch: int, **settings: Any) -> Fakes:
        """This process's share of the latents, cameras and noise of a step's generated images.

        Args:
            purpose: seeds the generator, with seed, attempt and step.
            index: number of the step.
            batch: images over all processes.
            settings: of :func:`~stylesdf_core.training.adversarial.batches.draws.draw_fakes`.
        """
        context = self.context
        random = seeded(context.run.seed, purpose, self.attempt, index)
        architecture = self.models.live.config
        fakes = draw_fakes(random, batch, architecture, context.poses, **settings)
        return fakes[context.world.share.of(batch)].to(context.world.device)

    def reading_speed(self, seconds: float) -> float | None:
        """See :class:`~stylesdf_core.training.phase.Phase`."""
        return None if self.real_images is None else self.real_images.reading_speed(seconds)

    def evaluate(self, samples: Path) -> dict[str, float]:
        """Write sample grids of the averaged generator; measure its distance to real images."""
        return self.context.snapshots.write(self.models.ema, samples, self.real_images)
