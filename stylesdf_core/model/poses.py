"""Poses: the cameras that a model was trained with, which belong to the model.

Training writes them into the metadata of every checkpoint and later stages take them over;
evaluation draws its cameras from them, and the window shows them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from stylesdf_core.dataclass_json import check_finite
from stylesdf_core.errors import check_range
from stylesdf_core.rendering.camera import (
    AZIMUTH_STD,
    ELEVATION_STD,
    MAX_FOV,
    MIN_FOV,
    OrbitCamera,
)

#: Key of the poses in the metadata of a weights file, as JSON.
POSES = "poses"
#: Standard deviations at which :meth:`Poses.cameras` cuts normal poses.
_CUT = 3.0


@dataclass(frozen=True)
class Poses:
    """A distribution of cameras; the defaults are the paper's for FFHQ.

    Attributes:
        azimuth_std, elevation_std: radians, 0 to 1 and 0 to 0.5.
        distribution: normal, or uniform with the same standard deviations.
        fov: half opening angle, degrees, 1 to 20.
        static_viewdirs: whether the field saw view directions in the camera's frame, so that its
            colours cannot depend on the pose.
    """

    azimuth_std: float = AZIMUTH_STD
    elevation_std: float = ELEVATION_STD
    distribution: Literal["normal", "uniform"] = "normal"
    fov: float = OrbitCamera.fov
    static_viewdirs: bool = False

    def __post_init__(self) -> None:
        check_finite(self)
        check_range("azimuth_std", self.azimuth_std, 0, 1, "rad")
        check_range("elevation_std", self.elevation_std, 0, 0.5, "rad")
        check_range("fov", self.fov, MIN_FOV, MAX_FOV, "degrees")

    @property
    def front(self) -> OrbitCamera:
        """The camera of these poses that stands straight before the head."""
        return OrbitCamera(fov=self.fov)

    def deviation(self, camera: OrbitCamera) -> float:
        """How far a camera stands from the front, in standard deviations (of the ellipse)."""
        sides = ((camera.azimuth, self.azimuth_std), (camera.elevation, self.elevation_std))
        return math.hypot(*(angle / std if std else math.inf for angle, std in sides if angle))

    def cameras(self, count: int, seed: int) -> list[OrbitCamera]:
        """The first ``count`` cameras of a seed: a larger count begins with the same cameras.

        Normal poses are cut at 3σ.
        """
        random = np.random.default_rng([seed, 0xCA3])
        if self.distribution == "uniform":
            angles = random.uniform(-math.sqrt(3.0), math.sqrt(3.0), (count, 2))
        else:
            angles = random.standard_normal((count, 2)).clip(-_CUT, _CUT)
        angles = angles * [self.azimuth_std, self.elevation_std]
        return [OrbitCamera(float(a), float(e), self.fov) for a, e in angles]

    def __str__(self) -> str:
        return f"{self.distribution}, σ {self.azimuth_std:g} and {self.elevation_std:g} rad"


#: The paper's poses for FFHQ, assumed of models that do not state theirs.
FFHQ_POSES = Poses()
