"""Faces by OpenCV's cascades, where dlib is missing: a box, its eyes, and no landmarks.

The mouth is guessed from the eyes; the head is taken to look into the camera.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stylesdf_core.errors import InputError
from stylesdf_core.judges.face import FoundFace
from stylesdf_core.judges.photo import Box, Photo, Pixels

FloatArray = npt.NDArray[np.float64]

#: Where eyes and corners of the mouth lie in a box of the cascade, shares of its edge; measured
#: with dlib on seeds 0 to 39 of the shipped model.
_ANCHORS = np.array([[0.306, 0.422], [0.694, 0.422], [0.33, 0.835], [0.67, 0.835]])
#: Least edge of a face, and the edge at which eyes are looked for, pixels.
_SMALLEST, _FACE_EDGE = 40, 200
#: Farthest that an eye may lie from its usual place, in edges of the box.
_NEAR = 0.12


class CascadeJudge:
    """Faces and eyes; make with :func:`cascade_judge`."""

    name = "OpenCV"

    def __init__(self) -> None:
        purpose = "Looking for faces"
        self._faces = load_cascade("haarcascade_frontalface_alt2.xml", purpose)
        self._eyes = load_cascade("haarcascade_eye.xml", purpose)

    def boxes(self, pixels: Pixels) -> list[Box]:
        """Boxes of the upright faces in a picture (H, W, 3), largest first."""
        found = _detect(self._faces, pixels, scale=1.1, neighbours=4, smallest=_SMALLEST)
        return sorted(found, key=lambda box: box[0] - box[2])

    def face(self, photo: Photo, box: Box) -> FoundFace:
        """The face in a box of the photograph."""
        left, top, right, bottom = (round(value) for value in box)
        edge, corner = right - left, np.array([left, top], np.float64)
        usual = corner + _ANCHORS * edge
        factor = max(1, edge // _FACE_EDGE)
        pixels = photo.region((left, top, right, round(top + 0.6 * (bottom - top))), factor)
        boxes = _detect(self._eyes, pixels, scale=1.05, neighbours=5, smallest=len(pixels) // 6)
        middles = [((x0 + x1) / 2, (y0 + y1) / 2) for x0, y0, x1, y1 in boxes]
        eyes = corner + factor * np.reshape(middles, (-1, 2))
        return FoundFace.of_anchors(box, _laid(usual, eyes, _NEAR * edge))


@cache
def cascade_judge() -> CascadeJudge:
    """The judge, loaded once.

    Raises:
        InputError: OpenCV before version 5, which contains the cascades, is not installed.
    """
    return CascadeJudge()


def load_cascade(name: str, purpose: str) -> Any:
    """A cascade that comes with OpenCV.

    Args:
        purpose: what the user asked for, which begins the sentence of the error.

    Raises:
        InputError: OpenCV before version 5, which contains the cascades, is not installed.
    """
    try:
        import cv2
        from cv2.data import haarcascades

        return cv2.CascadeClassifier(str(Path(haarcascades) / name))
    except (ImportError, AttributeError):
        raise InputError(
            f"{purpose} needs OpenCV before version 5: pip install 'stylesdf-studio[eval]'."
        ) from None


def _detect(
    cascade: Any, pixels: Pixels, *, scale: float, neighbours: int, smallest: int
) -> list[Box]:
    """Left, top, right, bottom of what a cascade finds in a picture (H, W, 3)."""
    import cv2

    grey = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
    found = cascade.detectMultiScale(
        grey, scaleFactor=scale, minNeighbors=neighbours, minSize=(smallest, smallest)
    )
    return [(float(x), float(y), float(x + w), float(y + h)) for x, y, w, h in found]


def _laid(usual: FloatArray, eyes: FloatArray, near: float) -> FloatArray:
    """The usual anchors (4, 2), moved and turned onto the eyes if both are found near them."""
    nearest = []
    for place in usual[:2]:
        distances = np.hypot(*(eyes - place).T)
        if not len(eyes) or distances.min() > near:
            return usual
        nearest.append(eyes[distances.argmin()])
    places, found = (points[:, 0] + 1j * points[:, 1] for points in (usual, np.stack(nearest)))
    turn = (found[1] - found[0]) / (places[1] - places[0])
    moved = found[:2].mean() + turn * (places - places[:2].mean())
    return np.stack([moved.real, moved.imag], axis=-1)
