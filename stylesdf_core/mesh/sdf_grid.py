"""A scalar field sampled on a cube of grid points, evaluated only where its surface can be.

The grid is the first step from a field to a mesh; :mod:`.surface` makes triangles of the grid. The
engine's distance grid is sampled in the same way.

The grid is refined from coarse to fine. A cell is refined if the field could take the level inside
the cell. Second differences and slopes bound how far the field is from its trilinear interpolation.
Values in other cells are interpolated, which cannot create a crossing. On the finest grid the same
bound selects single points instead of cells. Last, the surface is followed: while an edge crosses
the level and one of the edge's ends is interpolated, that end is evaluated.

The triangles equal those of a fully evaluated grid, because marching cubes reads only values that
were evaluated: the ends of crossing edges, and the corners of a face whose four edges all cross.
One exception: a separate component may be missed if it is smaller than a coarse cell and the field
bends more inside it than around it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stylesdf_core.errors import InputError, check_range
from stylesdf_core.mesh.neighbours import beside, largest_around, pairwise
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.rendering.camera import VOLUME_RADIUS

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
Corner = tuple[float, float, float]
#: Points (N, 3) float32, world units -> values (N,): negative (or smaller) inside.
ScalarField = Callable[[FloatArray], FloatArray]
#: Points (N, 3) float32, world units -> (N, 3): unit normals, or colours in [0, 1].
VectorField = Callable[[FloatArray], FloatArray]

#: Lower and upper corner of the cube that holds everything the models render, world units.
VOLUME_BOUNDS: tuple[Corner, Corner] = ((-VOLUME_RADIUS,) * 3, (VOLUME_RADIUS,) * 3)
MIN_RESOLUTION, MAX_RESOLUTION = 32, 512

_COARSE_CELLS = 10  # fewest cells per axis; smaller features are found by the field's slope alone
# In a cell of half diagonal h, a field of slope L differs by at most L·h from the corners' values.
# This factor on the measured slope leaves a margin.
_SLOPE = 1.5
# A field differs from its trilinear interpolation by at most Σ h²·|f″|/8 over the axes. Second
# differences measure f″ between grid points only, hence two factors: on the measured bend, and on
# the bound L·h, for bends that were not measured. On the coarsest grid, where a nose is a few cells
# wide, both factors are larger. (With half of these factors, no sign differs from the dense grid's
# on six seeds of the shipped model.)
_COARSEST, _FINER = (2.0, 0.15), (1.0, 0.02)


@dataclass(frozen=True, eq=False)
class SdfGrid:
    """Values of a scalar field on an axis-aligned grid, evaluated near one or more levels.

    Attributes:
        values: (R, R, R) float32, indexed [x, y, z]; the first and last index of an axis lie on
            the bounds. Where ``evaluated`` is false they are interpolated.
        evaluated: (R, R, R) bool, the points where the field itself was asked.
        lower, upper: corners of the grid, world units.
    """

    values: FloatArray
    evaluated: BoolArray
    lower: Corner
    upper: Corner

    @property
    def resolution(self) -> int:
        """Grid points per axis."""
        return len(self.values)

    @property
    def pitch(self) -> npt.NDArray[np.float64]:
        """Distance of neighbouring grid points along each axis, (3,), world units."""
        return _pitch(self.lower, self.upper, self.resolution)

    @property
    def fraction_evaluated(self) -> float:
        """Share of the grid points at which the field was evaluated, 0 to 1."""
        return float(self.evaluated.mean())

    def fits(self, resolution: int, bounds: tuple[Corner, Corner]) -> bool:
        """Whether a grid of ``resolution`` and ``bounds`` contains every point of this grid."""
        nested = (resolution - 1) % (self.resolution - 1) == 0
        return nested and (self.lower, self.upper) == bounds


def sample_grid(
    sdf: ScalarField,
    *,
    resolution: int = 128,
    level: float = 0.0,
    bounds: tuple[Corner, Corner] = VOLUME_BOUNDS,
    reuse: SdfGrid | None = None,
    chunk_points: int = 32768,
) -> Operation[SdfGrid]:
    """Sample ``sdf`` so that its surface at ``level`` is exact on the grid; yields Progress 0 to 1.

    Args:
        sdf: the field; called with at most ``chunk_points`` points at a time.
        resolution: grid points per axis, both boundary planes included, 32 to 512.
        level: value of the surface to be meshed.
        bounds: lower and upper corner, world units.
        reuse: a grid sampled before from the *same* field. Where it fits, its values are kept, so
            another ``level``, or cells an integer times finer, need only the missing values.

    Raises:
        InputError: resolution or bounds out of range, or the field is not finite.
    """
    _check_request(resolution, level, bounds)
    return (
        yield from sample_band(
            sdf,
            resolution=resolution,
            band=(level, level),
            bounds=bounds,
            reuse=reuse,
            chunk_points=chunk_points,
        )
    )


def sample_band(
    sdf: ScalarField,
    *,
    resolution: int,
    band: tuple[float, float],
    bounds: tuple[Corner, Corner],
    reuse: SdfGrid | None = None,
    chunk_points: int = 32768,
) -> Operation[SdfGrid]:
    """Evaluate ``sdf`` wherever its value may lie within ``band``.

    Args:
        band: lowest and highest value of interest; twice the same value for a surface alone. The
            other arguments are those of :func:`sample_grid`.
    """
    if reuse is not None and not reuse.fits(resolution, bounds):
        reuse = None
    lower, upper = bounds
    pitch = _pitch(lower, upper, resolution)
    is_surface = band[0] == band[1]

    strides = grid_strides(resolution)
    effort = np.cumsum([4.0**step for step in range(len(strides))])  # cells at a surface grow ×4
    indices = _indices(resolution, strides[0])
    values = np.zeros((len(indices),) * 3, np.float32)
    evaluated = np.zeros(values.shape, np.bool_)
    wanted = np.ones(values.shape, np.bool_)
    for step, stride in enumerate(strides):
        if step > 0:
            reach = interpolation_reach(values, indices, pitch, coarsest=step == 1)
            previous, indices = indices, _indices(resolution, stride)
            kept = np.searchsorted(indices, previous)
            values = _interpolate(values, previous, indices)
            was_evaluated, evaluated = evaluated, np.zeros(values.shape, np.bool_)
            evaluated[np.ix_(kept, kept, kept)] = was_evaluated
            if stride == 1 and is_surface:
                wanted = _points_near(values, band[0], reach, kept)
                wanted |= _ends_of_crossed_edges(values, band[0])
            else:
                wanted = _corners_of(_cells_near(values, band, split_cells(reach, kept)))
        if reuse is not None:
            _copy_known(reuse, indices, values, evaluated)
        start, stop = (effort[step - 1] if step else 0.0) / effort[-1], effort[step] / effort[-1]
        wanted &= ~evaluated
        reached = 0.0
        while wanted.any():  # later rounds follow the surface out of the selected cells
            for done in _evaluate(sdf, values, wanted, indices, lower, pitch, chunk_points):
                reached = max(reached, done)
                yield Progress(start + (stop - start) * reached, 1.0, "sampling the surface")
            evaluated |= wanted
            if stride == 1 and is_surface:
                wanted = _ends_of_crossed_edges(values, band[0])
            else:
                wanted = _corners_of(_crossed_cells(values, band))
            wanted &= ~evaluated
    return SdfGrid(values, evaluated, lower, upper)


def _check_request(resolution: int, level: float, bounds: tuple[Corner, Corner]) -> None:
    check_range("Mesh resolution", resolution, MIN_RESOLUTION, MAX_RESOLUTION, "points an edge")
    if not np.isfinite(level):
        raise InputError(f"The surface level must be a finite number, not {level}.")
    lower, upper = bounds
    if not all(low < high for low, high in zip(lower, upper, strict=True)):
        raise InputError(f"The mesh volume is empty: lower corner {lower}, upper corner {upper}.")


def _pitch(lower: Corner, upper: Corner, resolution: int) -> npt.NDArray[np.float64]:
    return np.subtract(upper, lower) / (resolution - 1)


def grid_strides(resolution: int) -> list[int]:
    """Steps from coarse to fine in grid points: a power of two, halved down to 1."""
    strides = [1]
    while (resolution - 1) / (2 * strides[0]) > _COARSE_CELLS - 1:
        strides.insert(0, 2 * strides[0])
    return strides


def _indices(resolution: int, stride: int) -> IntArray:
    """Grid indices sampled along each axis at ``stride``; the last cell may be narrower."""
    return np.append(np.arange(0, resolution - 1, stride), resolution - 1)


def _interpolate(values: FloatArray, old: IntArray, new: IntArray) -> FloatArray:
    """Trilinear interpolation of values at grid indices ``old`` (per axis) to ``new``."""
    right = np.clip(np.searchsorted(old, new, side="right"), 1, len(old) - 1)
    left = right - 1
    w = ((new - old[left]) / (old[right] - old[left])).astype(np.float32)
    result = np.empty((len(new),) * 3, np.float32)
    for i in range(len(new)):  # plane by plane: temporaries stay small at 512³
        plane = (1.0 - w[i]) * values[left[i]] + w[i] * values[right[i]]
        plane = (1.0 - w)[:, None] * plane[left] + w[:, None] * plane[right]
        result[i] = (1.0 - w) * plane[:, left] + w * plane[:, right]
    return result


def interpolation_reach(
    values: FloatArray, indices: IntArray, pitch: npt.NDArray[np.float64], *, coarsest: bool
) -> FloatArray:
    """Estimate of how far a field may be from its trilinear interpolation in each cell.

    Args:
        values: (n, n, n), the field at grid points.
        indices: (n,), grid index of each point along an axis, in units of ``pitch`` (3,).
        coarsest: whether this is the coarsest grid, between whose points more may be hidden.

    Returns:
        (n−1, n−1, n−1), in the field's unit.
    """
    gaps = np.diff(indices)
    bend, unseen = _COARSEST if coarsest else _FINER
    lipschitz = _lipschitz_reach(values, gaps, pitch)
    reach: FloatArray = np.minimum(lipschitz, bend * _bend(values, gaps) + unseen * lipschitz)
    return reach


def _cells_near(
    values: FloatArray, band: tuple[float, float], reach: FloatArray | float
) -> BoolArray:
    """Cells in which the interpolation comes within ``reach`` of the band."""
    lowest, highest = values, values
    for axis in range(3):
        lowest = pairwise(np.minimum, lowest, axis)
        highest = pairwise(np.maximum, highest, axis)
    near: BoolArray = (lowest - reach <= band[1]) & (highest + reach >= band[0])
    return near


def _points_near(values: FloatArray, level: float, reach: FloatArray, kept: IntArray) -> BoolArray:
    """Points no farther from the level than the reach of a (coarse) cell beside them."""
    owner = np.repeat(np.arange(len(kept) - 1), np.diff(kept))  # coarse cell of each fine cell
    before, after = owner[[0, *range(len(owner))]], owner[[*range(len(owner)), -1]]  # of a point
    near = np.empty(values.shape, np.bool_)
    for plane in range(len(values)):  # plane by plane: temporaries stay small at 512³
        widest = np.maximum(reach[before[plane]], reach[after[plane]])
        widest = np.maximum(widest[before], widest[after])
        widest = np.maximum(widest[:, before], widest[:, after])
        near[plane] = np.abs(values[plane] - np.float32(level)) <= widest
    return near


def _ends_of_crossed_edges(values: FloatArray, level: float) -> BoolArray:
    """Points that have a neighbour along an axis on the other side of the level."""
    ends = np.zeros(values.shape, np.bool_)
    for plane in range(len(values)):
        pair = values[max(plane - 1, 0) : plane + 1] < level
        ends[max(plane - 1, 0) : plane + 1] |= pair[0] != pair[-1]
        for flags, points in ((ends[plane], pair[-1]), (ends[plane].T, pair[-1].T)):
            crossed = points[1:] != points[:-1]
            flags[1:] |= crossed
            flags[:-1] |= crossed
    return ends


def _lipschitz_reach(
    values: FloatArray, gaps: IntArray, pitch: npt.NDArray[np.float64]
) -> FloatArray:
    """Bound on the field's distance from its corners' values in each cell, from its slopes."""
    slope_squared = np.zeros((len(gaps),) * 3, np.float32)
    for axis in range(3):
        slope = np.abs(np.diff(values, axis=axis)) / _along(gaps * pitch[axis], axis)
        for other in {0, 1, 2} - {axis}:  # the steepest of a cell's four edges along this axis
            slope = pairwise(np.maximum, slope, other)
        slope_squared += slope * slope
    # The neighbours count too: detail near a cell hints at detail in the cell. The median is the
    # least slope, lest cells on a plateau (a medial axis, a saturated field) pass for flat.
    lipschitz = np.sqrt(largest_around(slope_squared))
    lipschitz = np.maximum(lipschitz, np.median(lipschitz))
    half_diagonal = 0.5 * float(np.linalg.norm(gaps.max() * pitch))
    reach: FloatArray = np.float32(_SLOPE * half_diagonal) * lipschitz
    return reach


def _bend(values: FloatArray, gaps: IntArray) -> FloatArray:
    """Bound on the field's distance from its interpolation in each cell, by second differences."""
    total = np.zeros((len(gaps),) * 3, np.float32)
    for axis in range(3):
        # Divided differences: the last gap may be narrower than the others.
        slopes = np.diff(values, axis=axis) / _along(gaps, axis)
        bend = np.abs(np.diff(slopes, axis=axis)) / _along(0.5 * (gaps[1:] + gaps[:-1]), axis)
        at_cells = beside(np.maximum, bend, axis)
        for k in {0, 1, 2} - {axis}:
            at_cells = pairwise(np.maximum, at_cells, k)
        total += at_cells * _along(gaps * gaps, axis)
    wider: FloatArray = largest_around(total) / np.float32(8.0)
    return wider


def _along(vector: npt.NDArray[Any], axis: int) -> FloatArray:
    """A vector as float32 that broadcasts along one of three axes."""
    shape = [1, 1, 1]
    shape[axis] = -1
    return vector.astype(np.float32).reshape(shape)


def _crossed_cells(values: FloatArray, band: tuple[float, float]) -> BoolArray:
    """Cells whose eight corners are not all on one side of the band's lower or upper end."""
    crossed = np.zeros([n - 1 for n in values.shape], np.bool_)
    for level in set(band):
        some = every = values < level
        for axis in range(3):
            some = pairwise(np.logical_or, some, axis)
            every = pairwise(np.logical_and, every, axis)
        crossed |= some & ~every
    return crossed


def split_cells(cells: FloatArray, kept: IntArray) -> FloatArray:
    """Copy each coarse cell's value to the finer cells in it.

    Args:
        kept: the coarse corners' indices among the finer ones.
    """
    owner = np.repeat(np.arange(len(kept) - 1), np.diff(kept))
    return cells[np.ix_(owner, owner, owner)]


def _corners_of(cells: BoolArray) -> BoolArray:
    """Grid points (n, n, n) that are a corner of a flagged cell (n−1, n−1, n−1)."""
    corners = cells
    for axis in range(3):
        corners = beside(np.logical_or, corners, axis)
    return corners


def _copy_known(
    source: SdfGrid, indices: IntArray, values: FloatArray, evaluated: BoolArray
) -> None:
    """Copy, in place, the values that ``source`` has evaluated at these grid indices."""
    stride = (int(indices[-1])) // (source.resolution - 1)
    shared = np.flatnonzero(indices % stride == 0)
    here = np.ix_(shared, shared, shared)
    there = np.ix_(*[indices[shared] // stride] * 3)
    known = source.evaluated[there]
    values[here] = np.where(known, source.values[there], values[here])
    evaluated[here] |= known


def _evaluate(
    sdf: ScalarField,
    values: FloatArray,
    wanted: BoolArray,
    indices: IntArray,
    lower: Corner,
    pitch: npt.NDArray[np.float64],
    chunk_points: int,
) -> Generator[float, None, None]:
    """Write ``sdf`` into ``values`` where ``wanted``; yields the fraction done after each chunk."""
    flat = np.flatnonzero(wanted)
    axes = [lower[axis] + indices * pitch[axis] for axis in range(3)]
    for first in range(0, len(flat), chunk_points):
        chunk = flat[first : first + chunk_points]
        where = np.unravel_index(chunk, values.shape)
        points = np.stack([axes[axis][where[axis]] for axis in range(3)], axis=-1)
        result = sdf(points.astype(np.float32))
        if not np.isfinite(result).all():
            raise InputError(
                "The model's SDF is not finite; its weights are damaged or its training diverged."
            )
        values.reshape(-1)[chunk] = result
        yield min(1.0, (first + chunk_points) / len(flat))
