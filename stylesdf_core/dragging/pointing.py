"""From a place in a picture to a ray and a plane of the world, and back; plain NumPy.

Places are fractions of the picture's edge from its upper left corner, x to the right, y down, so
that they mean the same at every size.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from stylesdf_core.rendering.camera import OrbitCamera

Vector: TypeAlias = "tuple[float, float, float]"
Floats: TypeAlias = "npt.NDArray[np.float64]"


def ray(camera: OrbitCamera, x: float, y: float) -> tuple[Floats, Floats]:
    """Origin and direction (3,) each of the ray through a place; t along it is planar depth."""
    matrix, slope = camera.cam2world(), math.tan(math.radians(camera.fov))
    in_camera = np.array([slope * (2.0 * x - 1.0), slope * (1.0 - 2.0 * y), -1.0])
    return matrix[:, 3], matrix[:, :3] @ in_camera


def seen_at(camera: OrbitCamera, point: Vector) -> tuple[float, float]:
    """The place in the picture at which a world point lies."""
    matrix, slope = camera.cam2world(), math.tan(math.radians(camera.fov))
    local = (np.asarray(point) - matrix[:, 3]) @ matrix[:, :3]
    depth = max(1e-6, float(-local[2]))
    return (
        0.5 + 0.5 * float(local[0]) / (slope * depth),
        0.5 - 0.5 * float(local[1]) / (slope * depth),
    )


def beside(camera: OrbitCamera, point: Vector, x: float, y: float) -> Vector:
    """The point at a place of the picture that is as deep in the picture as ``point``.

    A drag moves a point in this plane, parallel to the picture.
    """
    matrix = camera.cam2world()
    depth = float(-(np.asarray(point) - matrix[:, 3]) @ matrix[:, 2])
    origin, direction = ray(camera, x, y)
    moved = origin + depth * direction
    return float(moved[0]), float(moved[1]), float(moved[2])
