"""What every adversarial phase works in."""

from __future__ import annotations

from dataclasses import dataclass

from stylesdf_core.training.adversarial.config import PosesConfig, RunConfig
from stylesdf_core.training.adversarial.snapshots import Snapshots
from stylesdf_core.training.world import World


@dataclass(frozen=True)
class Surroundings:
    """What every adversarial phase works in.

    Attributes:
        world: the processes that train together.
        run: settings common to all stages.
        poses: cameras of the fakes.
        snapshots: writes what there is to see.
    """

    world: World
    run: RunConfig
    poses: PosesConfig
    snapshots: Snapshots
