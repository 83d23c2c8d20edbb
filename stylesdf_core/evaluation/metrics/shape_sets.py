"""Two sets of shapes against each other: nearest shapes, coverage, and the angles of their normals.

For shapes without a truth each, such as a GAN's heads. Figures after Achlioptas et al., *Learning
Representations and Generative Models for 3D Point Clouds*, ICML 2018; the angle of normals at
nearest points after the normal consistency of Mescheder et al., *Occupancy Networks*, CVPR 2019.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from stylesdf_core.evaluation.metrics.shape_metrics import angles
from stylesdf_core.progress import Operation, Progress

FloatArray = npt.NDArray[np.float32]

#: Points of a surface, spread evenly over its pixels, whose nearest points on others are sought.
_ASKED = 500


@dataclass(frozen=True)
class SeenSurface:
    """What one camera sees of a shape: points (N, 3) and unit normals (N, 3), world units."""

    points: FloatArray
    normals: FloatArray

    @classmethod
    def of(cls, points: FloatArray) -> SeenSurface:
        """The surface of a map of points (H, W, 3) from the camera's pixels, NaN beside the shape.

        A point belongs to the surface if its four neighbours do; its normal is that of the plane
        through the neighbours.
        """
        across = points[1:-1, 2:] - points[1:-1, :-2]
        upwards = points[:-2, 1:-1] - points[2:, 1:-1]
        normals = np.cross(across, upwards)
        lengths = np.linalg.norm(normals, axis=-1, keepdims=True)
        inner = points[1:-1, 1:-1]
        known = np.isfinite(inner).all(axis=-1) & (lengths[..., 0] > 0.0)
        return cls(inner[known], (normals[known] / lengths[known]).astype(np.float32))

    @property
    def asked(self) -> npt.NDArray[np.intp]:
        """The points whose nearest points on other surfaces are sought."""
        count = len(self.points)
        return np.linspace(0, count - 1, min(count, _ASKED)).astype(np.intp)


def chamfer_distances(
    ones: Sequence[SeenSurface], others: Sequence[SeenSurface]
) -> Operation[npt.NDArray[np.float64]]:
    """Symmetric Chamfer distances (N, M), world units; yields Progress in surfaces.

    The mean of the mean distances from each surface's points to the other's nearest ones; infinite
    where a surface has no points.
    """
    total = len(ones) + len(others)
    there = yield from _directed(ones, others, 0, total)
    back = yield from _directed(others, ones, len(others), total)
    return 0.5 * (there + back.T)


def coverage(distances: npt.NDArray[np.float64]) -> float:
    """Share of the M true shapes that are the nearest one of some generated shape.

    1 / M where all generated shapes are alike; of two samples of one distribution about a half,
    since a true shape is often the nearest one of several.

    Args:
        distances: (N, M), from generated to true shapes; infinite for a shape without surface.
    """
    seen = distances[np.isfinite(distances).any(axis=1)]
    return len(set(seen.argmin(axis=1).tolist())) / len(distances[0])


def minimum_matching_distance(distances: npt.NDArray[np.float64]) -> float:
    """Mean distance of the true shapes to the nearest generated shape; arguments as above."""
    return float(distances.min(axis=0).mean())


def normals_angle(one: SeenSurface, other: SeenSurface) -> float:
    """Mean angle between the normals at nearest points, degrees, both ways; NaN without points."""
    if not len(one.points) or not len(other.points):
        return float("nan")
    found = []
    for here, there in ((one, other), (other, one)):
        nearest = cKDTree(there.points).query(here.points)[1]
        found.append(angles(here.normals, there.normals[nearest]).mean(dtype=np.float64))
    return float(np.mean(found))


def _directed(
    ones: Sequence[SeenSurface], others: Sequence[SeenSurface], done: int, total: int
) -> Operation[npt.NDArray[np.float64]]:
    """Mean distances (N, M) of each surface's points to the nearest points of each other one."""
    asked = [one.points[one.asked] for one in ones]
    points = np.concatenate(asked)
    owners = np.repeat(np.arange(len(ones)), [len(each) for each in asked])
    counts = np.bincount(owners, minlength=len(ones))
    found = np.full((len(ones), len(others)), np.inf)
    for column, other in enumerate(others):
        yield Progress(done + column, total, "comparing surfaces")
        if len(other.points):
            distances = cKDTree(other.points).query(points)[0]
            sums = np.bincount(owners, distances, minlength=len(ones))
            found[counts > 0, column] = sums[counts > 0] / counts[counts > 0]
    return found
