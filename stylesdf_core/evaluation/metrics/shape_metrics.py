"""Scores of a shape against another shape, in world units: silhouettes, points, normals, field."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.ndimage import label
from scipy.spatial import cKDTree

from stylesdf_core.rendering.camera import FAR, NEAR, OrbitCamera

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
ScalarField = Callable[[FloatArray], FloatArray]

#: Sample bin of the paper's 24 samples a ray, world units: the unit of depth consistency.
BIN = (FAR - NEAR) / 24
#: Share of a pixel from which the pixel belongs to the head that covers it.
COVERED = 0.5
#: Half the distance of two points whose difference is a gradient, world units.
_STEP = 5e-4


def intersection_over_union(a: BoolArray, b: BoolArray) -> float:
    """|a ∧ b| / |a ∨ b| of two masks of one shape; 1 for two empty ones."""
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 1.0


def separate_parts(mask: BoolArray, smallest: int = 1) -> int:
    """How many parts of at least ``smallest`` pixels a mask has besides its largest part.

    Pixels belong together where they touch, at corners too.
    """
    parts, count = label(mask, np.ones((3, 3)))
    if count == 0:
        return 0
    sizes = np.sort(np.bincount(parts.reshape(-1))[1:])
    return int((sizes[:-1] >= smallest).sum())


def back_project(depth: FloatArray, camera: OrbitCamera) -> FloatArray:
    """World points (H, H, 3) of a map of planar depths (H, H), at its pixels' centres."""
    size = len(depth)
    offset = (np.arange(size) + 0.5 - 0.5 * size) / camera.focal(size)
    x, y = np.meshgrid(offset, -offset)
    rays = np.stack([x, y, -np.ones_like(x)], axis=-1)  # camera frame
    matrix = camera.cam2world()
    points = matrix[:, 3] + depth[..., None] * (rays @ matrix[:, :3].T)
    return np.asarray(points, np.float32)


def nearest_distances(points: FloatArray, surface: FloatArray) -> FloatArray:
    """Distance (N,) of each of ``points`` (N, 3) to the nearest of ``surface`` (M, 3)."""
    tree = cKDTree(surface, balanced_tree=False, compact_nodes=False)
    return np.asarray(tree.query(points)[0], np.float32)


def median_chamfer(a: FloatArray, b: FloatArray) -> float:
    """Median of the nearest distances from a to b and from b to a (the paper's depth consistency).

    The median, unlike the mean, is not changed by the few points that only one of two views sees.
    """
    return float(np.median(np.concatenate([nearest_distances(a, b), nearest_distances(b, a)])))


def dents(
    points: FloatArray, heights: FloatArray, *, radius: float, least: float
) -> tuple[float, float]:
    """Concavities that a true surface lacks: their share of the points, and their mean depth.

    A point's height is compared with the mean height of the points around it, so that a surface
    that lies everywhere too deep, or is too large, has no dents.

    Args:
        points: (N, 3), spread evenly over the measured surface.
        heights: (N,), how far each point lies outside the true surface; negative inside.
        radius: of the surroundings, larger than the dents that are looked for.
        least: depth from which a point belongs to a dent.

    Returns:
        share in [0, 1] and depth in the unit of the heights; (0, 0) without dents, NaN without
        points.
    """
    if not len(points):
        return math.nan, math.nan
    tree = cKDTree(points)
    around = tree.query_ball_point(points, radius)
    mean = np.array([heights[near].mean() for near in around])
    depths = mean - heights
    dented = depths > least
    return float(dented.mean()), float(depths[dented].mean()) if dented.any() else 0.0


def gradient_norms(field: ScalarField, points: FloatArray) -> FloatArray:
    """‖∇d‖ of a field at ``points`` (N, 3), by central differences; (N,)."""
    squared = np.zeros(len(points), np.float64)
    for axis in range(3):
        offset = np.zeros(3, np.float32)
        offset[axis] = _STEP
        difference = field(points + offset).astype(np.float64) - field(points - offset)
        squared += np.square(difference / (2.0 * _STEP))
    return np.asarray(np.sqrt(squared), np.float32)


def angles(a: FloatArray, b: FloatArray) -> FloatArray:
    """Angles (N,) between unit vectors (N, 3), degrees."""
    cosine = np.einsum("ni,ni->n", a.astype(np.float64), b.astype(np.float64))
    return np.asarray(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))), np.float32)
