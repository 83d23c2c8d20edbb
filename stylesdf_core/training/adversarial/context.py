"""The part of a run that all adversarial phases share: processes, settings, cameras, snapshots."""

from __future__ import annotations

from dataclasses import dataclass

from stylesdf_core.training.adversarial.config import PosesConfig
from stylesdf_core.training.adversarial.snapshots import Snapshots
from stylesdf_core.training.run_config import RunConfig
from stylesdf_core.training.world import World


@dataclass(frozen=True)
class PhaseContext:
    """What every adversarial phase is given besides the models.

    Attributes:
        world: the processes that train together.
        run: settings common to all stages.
        poses: cameras of the generated images.
        snapshots: writes sample grids and meshes, and measures distances to the images.
    """

    world: World
    run: RunConfig
    poses: PosesConfig
    snapshots: Snapshots
