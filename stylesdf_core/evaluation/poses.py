"""The distribution of cameras that a model was trained with, for evaluating it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from stylesdf_core.errors import InputError
from stylesdf_core.rendering.camera import AZIMUTH_STD, ELEVATION_STD, OrbitCamera

#: Standard deviations at which normal poses are cut.
_CUT = 3.0


@dataclass(frozen=True)
class Poses:
    """A distribution of cameras.

    Attributes:
        azimuth_std, elevation_std: radians, 0 to 1 and 0 to 0.5.
        distribution: normal, cut at 3σ, or uniform with the same standard deviations.
    """

    azimuth_std: float = AZIMUTH_STD
    elevation_std: float = ELEVATION_STD
    distribution: Literal["normal", "uniform"] = "normal"

    def __post_init__(self) -> None:
        if not 0.0 <= self.azimuth_std <= 1.0:
            raise InputError(f"azimuth_std must lie between 0 and 1 rad, not {self.azimuth_std}.")
        if not 0.0 <= self.elevation_std <= 0.5:
            raise InputError(
                f"elevation_std must lie between 0 and 0.5 rad, not {self.elevation_std}."
            )

    def cameras(self, count: int, seed: int) -> list[OrbitCamera]:
        """The first ``count`` cameras of a seed: a larger count begins with the same cameras."""
        random = np.random.default_rng([seed, 0xCA3])
        if self.distribution == "uniform":
            angles = random.uniform(-math.sqrt(3.0), math.sqrt(3.0), (count, 2))
        else:
            angles = random.standard_normal((count, 2)).clip(-_CUT, _CUT)
        angles = angles * [self.azimuth_std, self.elevation_std]
        return [OrbitCamera(float(azimuth), float(elevation)) for azimuth, elevation in angles]

    def __str__(self) -> str:
        return f"{self.distribution}, σ {self.azimuth_std:g} and {self.elevation_std:g} rad"
