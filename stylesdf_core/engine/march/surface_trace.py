"""Where rays first meet the surface, by a grid of its distances: sphere tracing.

From a point at distance d from the surface a ray may go on by d without meeting the surface. The
grid's interpolated distances make the steps; the view ``direct`` then asks the field itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stylesdf_core.engine.compiled import compiled_loops
from stylesdf_core.engine.march.distance_grid import (
    CAUTION,
    LEAST,
    RADIUS,
    UNKNOWN,
    DistanceGrid,
)
from stylesdf_core.rendering.camera import VOLUME_RADIUS
from stylesdf_core.rendering.trained_volume import TrainedVolume


@dataclass(frozen=True)
class Crossings:
    """Where R rays first meet the surface.

    Attributes:
        depth: (R,), planar depth there; ∞ for a ray that meets nothing.
        slope: (R,), how fast the distance falls with planar depth there, at least a tenth of its
            most.
    """

    depth: Tensor
    slope: Tensor

    def chosen(self, rays: Tensor) -> Crossings:
        """The crossings of some rays, by their indices."""
        return Crossings(self.depth[rays], self.slope[rays])


@dataclass(frozen=True)
class SurfaceTrace:
    """Traces rays from planar depth ``near`` to ``far``.

    Attributes:
        grid: distances of the surface, exact in the cells that it crosses.
        volume: beyond which there is no surface; None where no ray leaves it.
    """

    grid: DistanceGrid
    volume: TrainedVolume | None
    near: float
    far: float

    def __call__(self, origins: Tensor, directions: Tensor) -> Crossings:
        """The first crossings of rays (R, 3)."""
        if origins.device.type == "cpu" and compiled_loops.usable():
            return self._compiled(origins, directions)
        return self._in_torch(origins, directions)

    def _compiled(self, origins: Tensor, directions: Tensor) -> Crossings:
        from stylesdf_core.engine.march.trace_kernel import trace_rays

        depth, slope = (np.empty(len(origins), np.float32) for _ in range(2))
        rotation, reach = np.zeros((3, 3), np.float32), 0.0
        if self.volume is not None:
            rotation = self.volume.rotation.contiguous().view(3, 3).numpy()
            reach = math.tan(math.radians(self.volume.fov))
        trace_rays(
            self.grid.interleaved, RADIUS, self.near, self.far,
            origins.contiguous().numpy(), directions.contiguous().numpy(),
            rotation, reach, VOLUME_RADIUS, depth, slope,
        )  # fmt: skip
        return Crossings(torch.from_numpy(depth), torch.from_numpy(slope))

    def _in_torch(self, origins: Tensor, directions: Tensor) -> Crossings:
        """On any device; all rays take each step together."""
        count, pitch = len(origins), 2.0 * RADIUS / (self.grid.values.shape[-1] - 1)
        length = directions.norm(dim=-1)
        depth, slope = torch.full_like(length, torch.inf), length.clone()
        alive = torch.arange(count, device=origins.device)
        t = torch.full_like(length, self.near)
        before_t, before = t, torch.full_like(length, UNKNOWN)
        while len(alive):
            points = origins[alive] + directions[alive] * t[:, None]
            distance, reach = self.grid.interpolate(points)
            known = ~reach.isinf()
            if self.volume is not None:
                known &= self.volume.contains(points)
            distance = torch.where(known, distance, UNKNOWN)
            own, met, bracketed = length[alive], distance <= 0.0, before < UNKNOWN
            fall = (before - distance) / (t - before_t).clamp_min(1e-9)
            crossing = torch.where(bracketed, before_t + before / fall.clamp_min(1e-9), t)
            fall = torch.where(bracketed, torch.maximum(fall, 0.1 * own), own)
            depth[alive[met]], slope[alive[met]] = crossing[met], fall[met]
            step = torch.where(known, (CAUTION * distance).clamp_min(LEAST * pitch) / own, pitch)
            goes_on = ~met & (t + step < self.far)
            before_t, before = t[goes_on], distance[goes_on]
            alive, t = alive[goes_on], (t + step)[goes_on]
        return Crossings(depth, slope)
