"""Fields that are hard to mesh, and a measure of normals."""

from __future__ import annotations

import numpy as np

from stylesdf_core.mesh.sdf_grid import FloatArray
from stylesdf_core.mesh.surface import SurfaceMesh


def head(points: FloatArray) -> FloatArray:
    """An ellipsoid with thin ears, a neck that leaves the volume, and a ripple on everything."""
    scale = np.float32([0.075, 0.1, 0.09])
    p = (points - np.float32([0, 0.015, 0])) / scale
    k = np.linalg.norm(p, axis=1)
    skull = k * (k - 1) / np.maximum(np.linalg.norm(p / scale, axis=1), 1e-6)
    ear = np.abs(points - np.float32([0.075, 0.01, 0])) - np.float32([0.012, 0.02, 0.004])
    neck = np.hypot(points[:, 0], points[:, 2] + 0.02) - 0.045
    solid = np.minimum(np.minimum(skull, ear.max(axis=1)), np.maximum(neck, points[:, 1] + 0.05))
    ripple = 8e-4 * np.sin(300 * points[:, 0]) * np.sin(280 * points[:, 1])
    return (solid + ripple).astype(np.float32)


def brim(points: FloatArray) -> FloatArray:
    """A slab that thins out along the bottom of the volume, 1e-4 above it where x is 0.02."""
    above = points[:, 1] + np.float32(0.12 - 1e-4) - 0.2 * (points[:, 0] - np.float32(0.02))
    sides = np.abs(points[:, [0, 2]]).max(axis=1) - 0.08
    return np.maximum(above, sides).astype(np.float32)


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
