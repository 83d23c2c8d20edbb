"""Depth consistency, the paper's figure of a shape that does not depend on the view.

A head's depth maps from the front and from 1.5 σ of the training's azimuths are back-projected to
points; the figure is their modified Chamfer distance, the median of all points' distances to the
nearest point of the other view. Its unit is the paper's sample bin, (far − near) / 24 = 0.01 world
units, for any model. Points are pixels that the head covers at least by half.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stylesdf_core.engine.engine import Engine
from stylesdf_core.evaluation.measures.rows import Columns
from stylesdf_core.evaluation.metrics.shape_metrics import (
    BIN,
    COVERED,
    back_project,
    median_chamfer,
)
from stylesdf_core.evaluation.reports.report import Figure
from stylesdf_core.model.poses import Poses
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Identity, Scene

FloatArray = npt.NDArray[np.float32]

#: Standard deviations of azimuth between the two views.
DEVIATIONS = 1.5


def depth_inconsistency(
    depths: Sequence[FloatArray], covers: Sequence[FloatArray], cameras: Sequence[OrbitCamera]
) -> float:
    """Modified Chamfer distance of two depth maps, in sample bins; NaN where one shows nothing.

    Args:
        depths: planar depths (H, H), world units.
        covers: how much of each pixel the head covers, (H, H) in [0, 1].
    """
    clouds = [
        back_project(depth, camera)[cover >= COVERED]
        for depth, cover, camera in zip(depths, covers, cameras, strict=True)
    ]
    if not all(map(len, clouds)):
        return float("nan")
    return median_chamfer(clouds[0], clouds[1]) / BIN


@dataclass(frozen=True)
class DepthConsistency:
    """The figure of a model's heads.

    Attributes:
        seed_start: seed of the first head.
    """

    engine: Engine
    seed_start: int
    poses: Poses

    @property
    def cameras(self) -> tuple[OrbitCamera, OrbitCamera]:
        """The front, and 1.5 σ to the side."""
        side = DEVIATIONS * self.poses.azimuth_std
        return self.poses.front, OrbitCamera(side, fov=self.poses.fov)

    def measure(self, things: Sequence[int]) -> Columns:
        """Column ``bins`` (B,): the distance for each head."""
        return {"bins": np.array([self._of(self.seed_start + n) for n in things], np.float32)}

    def figures(self, bins: FloatArray) -> list[Figure]:
        """The mean over heads (N,)."""
        known = bins[np.isfinite(bins)].astype(np.float64)
        detail = f"front to {self.cameras[1].azimuth:.2f} rad, {len(known)} heads"
        if len(known):
            detail += f", worst {known.max():.2f}"
        if lost := len(bins) - len(known):
            detail += f"; {lost} without surface"
        mean = float(known.mean()) if len(known) else float("nan")
        title = "depth consistency, modified Chamfer distance"
        return [Figure("depth_consistency", title, mean, "bins", detail=detail, better="lower")]

    def _of(self, seed: int) -> float:
        views = [
            self.engine.render(
                Scene(identity=Identity(seed), truncation_psi=1.0, camera=c), "depth"
            )
            for c in self.cameras
        ]
        covers = [1.0 - view.background for view in views]
        return depth_inconsistency([view.data[0] for view in views], covers, self.cameras)
