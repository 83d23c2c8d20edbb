"""The orbit camera, and the conventions of all rooms: frames, units, where the volume lies.

The camera is the first step to a picture; rays.py casts rays through its pixels.

World frame: right-handed, +y up, the head at the origin looking along +z. The camera orbits on
the unit sphere and looks along its own −z; at azimuth 0 and elevation 0 it stands at (0, 0, 1).
A growing azimuth moves it to +x, a growing elevation to +y. Angles are radians, except ``fov``,
which is, as in the paper, the *half* opening angle in degrees. Depths ``t`` are planar: distance
along the camera's axis, not along the ray.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from stylesdf_core.dataclass_json import check_finite
from stylesdf_core.errors import check_range

NEAR = 0.88
FAR = 1.12
#: Points are multiplied by this factor before they enter the network.
VOLUME_SCALE = 2.0 / (FAR - NEAR)
#: Half the edge of the cube that holds everything rendered, world units.
VOLUME_RADIUS = (FAR - NEAR) / 2.0

#: Size of the shipped model's heads: 0.105 world units are 14.3 cm. Other models state no size;
#: their heads fill the picture as much and are taken to be as large.
METRES_PER_UNIT = 0.143 / 0.105

#: Standard deviations of the paper's training poses for FFHQ, radians.
AZIMUTH_STD = 0.3
ELEVATION_STD = 0.15

MAX_ELEVATION = math.radians(85.0)
MIN_FOV, MAX_FOV = 1.0, 20.0
MAX_PAN = VOLUME_RADIUS


@dataclass(frozen=True)
class OrbitCamera:
    """A camera on the unit sphere around the origin.

    Attributes:
        azimuth: radians; any value (wraps at ±π when orbiting).
        elevation: radians, within ±85°.
        fov: half opening angle, degrees, 1 to 20; the models are trained at 6.
        pan_x, pan_y: shift of the camera in its own image plane, world units, within ±0.12.
    """

    azimuth: float = 0.0
    elevation: float = 0.0
    fov: float = 6.0
    pan_x: float = 0.0
    pan_y: float = 0.0

    def __post_init__(self) -> None:
        check_finite(self)
        check_range("fov, the half opening angle,", self.fov, MIN_FOV, MAX_FOV, "degrees")
        check_range("pan_x", self.pan_x, -MAX_PAN, MAX_PAN, "world units")
        check_range("pan_y", self.pan_y, -MAX_PAN, MAX_PAN, "world units")
        check_range("elevation", self.elevation, -math.pi / 2, math.pi / 2, "radians")

    def orbit(self, d_azimuth: float, d_elevation: float) -> OrbitCamera:
        """Turn by the given angles, radians; slows down and stops before the poles."""
        azimuth = math.remainder(self.azimuth + d_azimuth, 2.0 * math.pi)
        # Motion towards a pole slows over the last 15° and ends at the limit.
        room = (MAX_ELEVATION - math.copysign(1.0, d_elevation) * self.elevation) / 0.26
        elevation = self.elevation + d_elevation * min(1.0, max(0.0, room))
        elevation = min(MAX_ELEVATION, max(-MAX_ELEVATION, elevation))
        return replace(self, azimuth=azimuth, elevation=elevation)

    def pan(self, dx: float, dy: float) -> OrbitCamera:
        """Shift by world units in the image plane; the head's volume stays in reach."""
        return replace(
            self,
            pan_x=min(MAX_PAN, max(-MAX_PAN, self.pan_x + dx)),
            pan_y=min(MAX_PAN, max(-MAX_PAN, self.pan_y + dy)),
        )

    def zoom(self, factor: float) -> OrbitCamera:
        """Divide the field of view by ``factor`` (above 1 enlarges)."""
        return replace(self, fov=min(MAX_FOV, max(MIN_FOV, self.fov / factor)))

    def cam2world(self) -> npt.NDArray[np.float64]:
        """Camera-to-world matrix [R|t], shape (3, 4), with the pan applied to t."""
        cos_a, sin_a = math.cos(self.azimuth), math.sin(self.azimuth)
        cos_e, sin_e = math.cos(self.elevation), math.sin(self.elevation)
        right = np.array([cos_a, 0.0, -sin_a])
        backward = np.array([cos_e * sin_a, sin_e, cos_e * cos_a])  # also the location
        up = np.cross(backward, right)
        location = backward + self.pan_x * right + self.pan_y * up
        return np.stack([right, up, backward, location], axis=1)

    def focal(self, resolution: int) -> float:
        """Focal length in pixels of a square image of ``resolution``²."""
        return focal_length(self.fov, resolution)


def focal_length(fov: float, resolution: int) -> float:
    """0.5 · resolution / tan(fov), pixels; ``fov`` is the half angle in degrees."""
    return 0.5 * resolution / math.tan(math.radians(fov))
