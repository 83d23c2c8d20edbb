"""A surface whose normals point against the triangles at its rim, and how many such there are."""

from __future__ import annotations

import numpy as np

from stylesdf_core.mesh.sdf_grid import FloatArray
from stylesdf_core.mesh.surface import SurfaceMesh


def wedge(points: FloatArray) -> FloatArray:
    """A thin slab that leaves the volume below at 14°, so that one side faces up at its rim."""
    along = points @ np.float32([0.97, 0.24, 0.0])
    across = points @ np.float32([-0.24, 0.97, 0.0]) + np.float32(0.11)
    slab = np.maximum(np.abs(across) - 0.01, np.abs(along) - 0.1)
    return np.maximum(slab, np.abs(points[:, 2]) - 0.05).astype(np.float32)


def opposed(mesh: SurfaceMesh) -> int:
    """Vertices whose normal points against the mean of their triangles, weighted by area."""
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces].astype(np.float64), 1, 0)
    means = np.zeros(mesh.vertices.shape)
    for corner in mesh.faces.T:
        np.add.at(means, corner, np.cross(b - a, c - a))
    return int((np.einsum("ij,ij->i", means, mesh.normals) <= 0.0).sum())
