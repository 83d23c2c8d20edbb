"""A coarse grid of one face's signed distances, which says where nothing can be seen.

It depends on the style alone, so that one grid serves every camera of an orbit. It is sampled from
coarse to fine towards what can be seen (:mod:`stylesdf_core.sdf_grid`), and knows for every cell
how far the field may be from what it interpolates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stylesdf_core.progress import drain
from stylesdf_core.sdf_grid import (
    FloatArray,
    SdfGrid,
    interpolation_reach,
    sample_band,
    split_cells,
)

RESOLUTION = 29
#: Half the grid's edge, world units: the trained view's samples lie within, whatever the azimuth.
RADIUS = 0.18


@dataclass(frozen=True)
class DistanceGrid:
    """Trilinear bounds of a field's signed distance.

    Attributes:
        values: (1, 2, R, R, R), indexed x, y, z: the distance, and how far it may be off.
    """

    values: Tensor

    @classmethod
    def sample(
        cls,
        scalar: Callable[[FloatArray], FloatArray],
        band: tuple[float, float],
        device: torch.device,
    ) -> DistanceGrid:
        """Sample a field.

        Args:
            scalar: (N, 3) world -> (N,).
            band: distances between which the bounds are to be tight, world units: from where all
                light is lost to where nothing can be seen.
        """
        bounds = ((-RADIUS,) * 3, (RADIUS,) * 3)
        grid = drain(sample_band(scalar, resolution=RESOLUTION, band=band, bounds=bounds))
        values = np.stack([grid.values, _at_points(_cell_reach(grid))])[None]
        return cls(torch.from_numpy(values).to(device))

    @cached_property
    def interleaved(self) -> FloatArray:
        """The values as (R, R, R, 2), on the CPU."""
        return np.ascontiguousarray(np.moveaxis(self.values[0].numpy(), 0, -1))

    def interpolate(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Distance and how far it may be off, each (…), at points (…, 3); off by ∞ outside."""
        # grid_sample takes x for the last axis
        position = points.flip(-1).reshape(1, 1, 1, -1, 3) / RADIUS
        found = F.grid_sample(self.values, position, align_corners=True, padding_mode="border")
        distance, reach = found.view(2, *points.shape[:-1])
        outside = points.abs().amax(dim=-1) > RADIUS
        return distance, reach.masked_fill_(outside, torch.inf)


def _cell_reach(grid: SdfGrid) -> FloatArray:
    """How far the field may stray in each cell: finely known where all corners were evaluated."""
    every = np.arange(RESOLUTION)
    coarse = every[::2]  # the grid's first points, all of them evaluated
    rough = interpolation_reach(grid.values[::2, ::2, ::2], coarse, grid.pitch, coarsest=True)
    fine = interpolation_reach(grid.values, every, grid.pitch, coarsest=False)
    known = grid.evaluated
    for axis in range(3):
        before, after = (np.take(known, range(i, known.shape[axis] - 1 + i), axis) for i in (0, 1))
        known = before & after
    return np.where(known, fine, split_cells(rough, coarse)).astype(np.float32)


def _at_points(cells: FloatArray) -> FloatArray:
    """Each grid point's largest value of the cells around it, so that interpolation never falls
    below a cell's own.
    """
    padded = np.pad(cells, 1, mode="edge")
    for axis in range(3):
        before, after = (
            np.take(padded, range(i, padded.shape[axis] - 1 + i), axis) for i in (0, 1)
        )
        padded = np.maximum(before, after)
    return padded
