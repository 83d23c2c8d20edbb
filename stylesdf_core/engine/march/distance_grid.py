"""A coarse grid of one identity's signed distances, by which the ray march skips empty space.

The grid depends on the style alone, so that one grid serves every camera of an orbit. It is sampled
from coarse to fine towards the surface (:mod:`stylesdf_core.mesh.sdf_grid`), and holds a bound on
the error of its interpolation in every cell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stylesdf_core.mesh.neighbours import beside, pairwise
from stylesdf_core.mesh.sdf_grid import (
    FloatArray,
    SdfGrid,
    grid_strides,
    interpolation_reach,
    sample_band,
    split_cells,
)
from stylesdf_core.progress import drain

#: Grid points per axis of the coarse and of the fine grid. The fine grid takes two and a half times
#: as many evaluations as the coarse grid, and saves a 64² picture a seventh of its evaluations.
COARSE, FINE = 29, 57
#: Half the grid's edge, world units: it holds all samples of the trained view at any azimuth.
RADIUS = 0.18
#: A ray steps by this share of the grid's distance, since a learned field is no exact distance; and
#: at least by this share of a cell, since a ray along the surface would take too many steps.
CAUTION, LEAST = 0.9, 0.25
#: Distance that a ray takes for points outside the grid or the volume, world units.
UNKNOWN = 1e9
#: Above this share of evaluated points, a field is taken to bend within single cells. A face needs
#: up to half of the points; a latent far from all trained latents needs nearly all.
_WILD = 0.7


@dataclass(frozen=True)
class DistanceGrid:
    """Trilinear bounds of a field's signed distance.

    Attributes:
        values: (1, 2, R, R, R), indexed x, y, z: the distance, and its largest possible error.
        grid: the sampled grid from which the values were computed.
    """

    values: Tensor
    grid: SdfGrid

    @classmethod
    def sample(
        cls,
        scalar: Callable[[FloatArray], FloatArray],
        band: tuple[float, float],
        device: torch.device,
        *,
        resolution: int = COARSE,
        reuse: DistanceGrid | None = None,
    ) -> DistanceGrid:
        """Sample a field.

        Args:
            scalar: (N, 3) world -> (N,).
            band: range of distances, world units, in which the bounds are to be tight; see
                :func:`~.ray_march.relevant_band`.
            resolution: grid points per axis.
            reuse: a coarser grid of the same field.
        """
        sampling = sample_band(
            scalar,
            resolution=resolution,
            band=band,
            bounds=((-RADIUS,) * 3, (RADIUS,) * 3),
            reuse=None if reuse is None else reuse.grid,
        )
        grid = drain(sampling)
        values = np.stack([grid.values, _at_points(_cell_reach(grid))])[None]
        return cls(torch.from_numpy(values).to(device), grid)

    @cached_property
    def interleaved(self) -> FloatArray:
        """The values as (R, R, R, 2), on the CPU."""
        return np.ascontiguousarray(np.moveaxis(self.values[0].numpy(), 0, -1))

    @cached_property
    def nearest(self) -> FloatArray:
        """Least possible distance in each cell, (R−1, R−1, R−1), on the CPU."""
        distance, reach = self.values[0].numpy()
        cells: FloatArray = distance - reach
        for axis in range(3):
            cells = pairwise(np.minimum, cells, axis)
        return np.ascontiguousarray(cells)

    def interpolate(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Distances and largest errors, each (…), at points (…, 3); off the grid, errors are ∞."""
        # grid_sample takes x for the last axis
        position = points.flip(-1).reshape(1, 1, 1, -1, 3) / RADIUS
        found = F.grid_sample(self.values, position, align_corners=True, padding_mode="border")
        distance, reach = found.view(2, *points.shape[:-1])
        outside = points.abs().amax(dim=-1) > RADIUS
        return distance, reach.masked_fill_(outside, torch.inf)


def _cell_reach(grid: SdfGrid) -> FloatArray:
    """Largest error of the interpolation in each cell, from the finest points evaluated there."""
    indices = np.arange(grid.resolution)
    wild = grid.fraction_evaluated > _WILD
    reach: FloatArray | None = None
    for stride in grid_strides(grid.resolution):
        every = slice(None, None, stride)
        values, known = grid.values[every, every, every], grid.evaluated[every, every, every]
        unseen = wild or reach is None
        own = interpolation_reach(values, indices[every], grid.pitch, coarsest=unseen)
        if reach is not None:
            for axis in range(3):
                known = pairwise(np.logical_and, known, axis)
            rough = split_cells(reach, indices[: len(values) : 2])
            own = np.where(known, own, rough).astype(np.float32)
        reach = own
    assert reach is not None
    return reach


def _at_points(cells: FloatArray) -> FloatArray:
    """Largest value of the cells around each grid point, whose interpolation bounds each cell's."""
    for axis in range(3):
        cells = beside(np.maximum, cells, axis)
    return cells


class ShapeGrids:
    """The grids of the shape that was last asked for, by their resolutions.

    Args:
        band: of scalars whose samples can be seen; a grid that leaves out samples is finest there.
    """

    def __init__(self, band: tuple[float, float], device: torch.device) -> None:
        self._band, self._device = band, device
        self._shape = b""
        self._grids: dict[int, DistanceGrid] = {}

    def of(
        self,
        shape: bytes,
        resolution: int,
        scalar: Callable[[FloatArray], FloatArray],
        *,
        exact: bool,
    ) -> DistanceGrid:
        """The grid of a shape; other shapes' grids are forgotten.

        Args:
            shape: the same only for the same latents of the field.
            scalar: the shape's scalar, as of :meth:`DistanceGrid.sample`.
            exact: for a grid that decides pixels: it must not depend on earlier views.
        """
        if shape != self._shape:
            self._shape, self._grids = shape, {}
        if resolution not in self._grids:
            band, reuse = ((0.0, 0.0), None) if exact else (self._band, self._grids.get(COARSE))
            self._grids[resolution] = DistanceGrid.sample(
                scalar, band, self._device, resolution=resolution, reuse=reuse
            )
        return self._grids[resolution]
