"""The plane that cuts a head open; :mod:`.sdf_slice` draws the cut. Needs no PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from stylesdf_core.dataclass_json import check_finite
from stylesdf_core.errors import check_range
from stylesdf_core.rendering.camera import VOLUME_RADIUS


@dataclass(frozen=True)
class Cut:
    """A plane across the head.

    Attributes:
        axis: that the plane is at right angles to: x for side halves, y for a horizontal plane, z
            for front and back.
        offset: place on the axis, world units; 0 is the head's middle.
        level: distance from the model's surface at which the shown surface lies, world units.
    """

    axis: Literal["x", "y", "z"] = "z"
    offset: float = 0.0
    level: float = 0.0

    def __post_init__(self) -> None:
        check_finite(self)
        check_range("The place of a cut", self.offset, -VOLUME_RADIUS, VOLUME_RADIUS)
