"""Squares in a photograph, and the crops of them, reflected where they reach beyond its edge."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylesdf_core.data.images import shrink
from stylesdf_core.judges.photo import Photo, Pixels

FloatArray = npt.NDArray[np.float64]

#: Pixels around a frame that its interpolation reads.
_MARGIN = 4
#: Points along an edge by which a frame's area outside of the photograph is measured.
_GRID = 64


@dataclass(frozen=True)
class CropFrame:
    """A square in a photograph, which may be turned and reach beyond the edges.

    Attributes:
        middle: x and y, the photograph's pixels.
        right: from the middle to the middle of the right side.
    """

    middle: tuple[float, float]
    right: tuple[float, float]

    @property
    def edge(self) -> float:
        """Pixels of the photograph along a side."""
        return 2.0 * math.hypot(*self.right)

    @property
    def roll(self) -> float:
        """By which the square is turned clockwise, radians."""
        return math.atan2(self.right[1], self.right[0])

    def point(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Points (..., 2) of the photograph at x and y in the square, −1 to 1, y down."""
        (mx, my), (rx, ry) = self.middle, self.right
        return np.stack([mx + x * rx - y * ry, my + x * ry + y * rx], axis=-1)

    def inside(self, points: FloatArray) -> FloatArray:
        """Where points (..., 2) of the photograph lie in the square, −1 to 1, y down."""
        x, y = np.moveaxis(points - np.array(self.middle), -1, 0)
        placed = (x + 1j * y) / complex(*self.right)
        return np.stack([placed.real, placed.imag], axis=-1)

    def corners(self) -> FloatArray:
        """Top left, top right, bottom right, bottom left: (4, 2)."""
        return self.point(np.array([-1.0, 1.0, 1.0, -1.0]), np.array([-1.0, -1.0, 1.0, 1.0]))

    def outside(self, size: tuple[int, int]) -> float:
        """Share of the square that lies outside of a photograph of this width and height."""
        along = (np.arange(_GRID) + 0.5) * 2.0 / _GRID - 1.0
        points = self.point(*np.meshgrid(along, along))
        return float(1.0 - ((points >= 0.0) & (points <= size)).all(axis=-1).mean())


def ffhq_frame(anchors: FloatArray) -> CropFrame:
    """The square that FFHQ cuts out of a photograph (Karras et al. 2019, appendix A).

    The square's middle lies below the middle of the eyes by a tenth of the way to the mouth's
    middle. Half of its edge is 2.0 times the distance of the eyes, or 1.8 times the distance from
    eyes to mouth if that is more; it is turned as the eyes' line and the line from mouth to eyes
    are on average.

    Args:
        anchors: (4, 2), see :func:`~stylesdf_core.judges.pose.anchors_of`.
    """
    left, right, *mouth = anchors
    eyes, across = 0.5 * (left + right), right - left
    down = np.mean(mouth, axis=0) - eyes
    turned = across + np.array([down[1], -down[0]])
    half = max(2.0 * math.hypot(*across), 1.8 * math.hypot(*down)) / math.hypot(*turned)
    middle = eyes + 0.1 * down
    return CropFrame((middle[0], middle[1]), (half * turned[0], half * turned[1]))


def crop(photo: Photo, frame: CropFrame, size: int) -> Pixels:
    """The square as an upright picture (size, size, 3).

    A photograph with more pixels is averaged, so that nothing aliases. Beyond the photograph's
    edges lies its mirror image.
    """
    corners = frame.corners()
    factor = max(1, int(frame.edge / (2.0 * size)))
    reach = _MARGIN * factor
    low = np.floor(corners.min(axis=0) - reach).astype(int)
    high = np.ceil(corners.max(axis=0) + reach).astype(int)
    part, origin = _reflected(photo, low, high, factor)
    # The photograph's pixels per pixel of the picture before its last resampling, at most 1.
    fine = size * max(1, math.ceil(frame.edge / factor / size))
    step_x, step_y = (2.0 / fine * value / factor for value in frame.right)
    start = (corners[0] - origin) / factor
    affine = (step_x, -step_y, start[0], step_y, step_x, start[1])
    turned = Image.fromarray(part).transform(
        (fine, fine), Image.Transform.AFFINE, affine, Image.Resampling.BICUBIC
    )
    return shrink(np.asarray(turned), size)


def _reflected(
    photo: Photo, low: npt.NDArray[np.int_], high: npt.NDArray[np.int_], factor: int
) -> tuple[Pixels, FloatArray]:
    """The box from ``low`` to ``high`` shrunk by ``factor``, and where its corner lies."""
    inner_low = np.clip(low, 0, np.array(photo.size) - 1)
    inner_high = np.maximum(np.minimum(high, photo.size), inner_low + 1)
    part = photo.region((inner_low, inner_high), factor)
    before = -(-(inner_low - low).clip(min=0) // factor)
    after = -(-(high - inner_high).clip(min=0) // factor)
    pads = ((before[1], after[1]), (before[0], after[0]), (0, 0))
    return np.pad(part, pads, "symmetric"), inner_low - before * float(factor)
