"""The browser's camera as the scene's, and back.

The browser's camera keeps its opening angle and comes closer; the scene's stays on the unit sphere
and narrows its field of view. From either the head is equally large.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stylesdf_core.rendering.camera import (
    MAX_ELEVATION,
    MAX_FOV,
    MAX_PAN,
    MIN_FOV,
    OrbitCamera,
)

Vector = npt.NDArray[np.float64]
_TAN = math.tan(math.radians(OrbitCamera.fov))
#: Distances of the browser's camera from the point that it looks at, for the limits of ``fov``.
NEAREST, FARTHEST = (math.tan(math.radians(fov)) / _TAN for fov in (MIN_FOV, MAX_FOV))


@dataclass(frozen=True)
class BrowserCamera:
    """Where a browser's camera stands, and the point that it looks at, world units."""

    position: tuple[float, float, float]
    look_at: tuple[float, float, float]

    def is_near(self, other: BrowserCamera | None) -> bool:
        """Whether another camera shows the same, to rounding."""
        if other is None:
            return False
        own, its = (np.array([c.position, c.look_at]) for c in (self, other))
        return bool(np.abs(own - its).max() < 1e-4)


def to_browser(camera: OrbitCamera) -> BrowserCamera:
    """The browser's camera that shows the head as ``camera`` does."""
    right, up, backward, _ = camera.cam2world().T
    look_at = camera.pan_x * right + camera.pan_y * up
    position = look_at + backward * math.tan(math.radians(camera.fov)) / _TAN
    return BrowserCamera(_triple(position), _triple(look_at))


def from_browser(camera: BrowserCamera) -> OrbitCamera:
    """The scene's camera that shows the head as a browser's does, within the scene's limits."""
    look_at = np.array(camera.look_at)
    offset = np.array(camera.position) - look_at
    distance = max(float(np.linalg.norm(offset)), 1e-6)
    elevation = math.asin(min(1.0, max(-1.0, float(offset[1]) / distance)))
    turned = OrbitCamera(
        math.atan2(float(offset[0]), float(offset[2])),
        min(MAX_ELEVATION, max(-MAX_ELEVATION, elevation)),
        min(MAX_FOV, max(MIN_FOV, math.degrees(math.atan(distance * _TAN)))),
    )
    right, up, _, _ = turned.cam2world().T
    pan = (float(look_at @ axis) for axis in (right, up))
    return turned.pan(*(min(MAX_PAN, max(-MAX_PAN, shift)) for shift in pan))


def vertical_angle(aspect: float) -> float:
    """The browser's vertical opening angle, radians: the head's square fits into the canvas.

    Args:
        aspect: the canvas's width by its height.
    """
    return 2.0 * math.atan(_TAN / min(1.0, aspect))


def _triple(vector: Vector) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in vector)
    return x, y, z
