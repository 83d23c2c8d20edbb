"""dlib's networks: a detector of faces, 68 landmarks, and an embedding that tells people apart.

The detector (HOG, five views) is part of dlib. Landmarks (Kazemi and Sullivan 2014, trained on the
iBUG 300-W data, which is not for commercial use) and embedding (a residual network of 29 layers,
99.38 % on Labeled Faces in the Wild) are files of the package `face-recognition-models`, whose
Python module is never imported: it needs an old setuptools.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stylesdf_core.errors import InputError
from stylesdf_core.foreign import reading
from stylesdf_core.judges.face import FoundFace
from stylesdf_core.judges.photo import Box, Photo, Pixels

FloatArray = npt.NDArray[np.float64]

#: Least score of a face; round patterns reach 0.15, faces in profile 1.
_LEAST_SCORE = 0.3
#: Pictures up to this edge are enlarged for the detector, so that it finds faces half as small.
_ENLARGED = 1024
#: Pixels along the face for the landmarks, and what is read around it, in widths of the face.
_FACE_EDGE, _AROUND = 200, 0.5


class DlibJudge:
    """Faces, landmarks and embeddings; make with :func:`dlib_judge`."""

    name = "dlib"

    def __init__(self) -> None:
        import dlib

        self._dlib = dlib
        self._detector = dlib.get_frontal_face_detector()
        self._landmarks = _load(dlib.shape_predictor, "shape_predictor_68_face_landmarks.dat")
        self._embedding: Any = None

    def boxes(self, pixels: Pixels) -> list[Box]:
        """Boxes of the upright faces in a picture (H, W, 3), largest first.

        Faces are found from 80 pixels on; from 40 pixels on in pictures of up to 1024².
        """
        enlarge = int(max(pixels.shape[:2]) <= _ENLARGED)
        found, _, _ = self._detector.run(np.ascontiguousarray(pixels), enlarge, _LEAST_SCORE)
        found = sorted(found, key=lambda box: -box.width())
        return [(box.left(), box.top(), box.right() + 1, box.bottom() + 1) for box in found]

    def face(self, photo: Photo, box: Box) -> FoundFace:
        """The face in a box of the photograph."""
        pixels, origin, factor = _around(photo, box)
        shape = self._landmarks(pixels, self._rectangle(box, origin, factor))
        points = np.array([(point.x, point.y) for point in shape.parts()], np.float64)
        return FoundFace.of_landmarks(box, origin + (points + 0.5) * factor)

    def embedding(self, photo: Photo, face: FoundFace) -> FloatArray:
        """128 numbers; the Euclidean distance of two people's is above 0.6, as a rule.

        Args:
            face: found by this judge.
        """
        assert face.landmarks is not None
        if self._embedding is None:
            self._embedding = _load(
                self._dlib.face_recognition_model_v1, "dlib_face_recognition_resnet_model_v1.dat"
            )
        pixels, origin, factor = _around(photo, face.box)
        points = np.rint((face.landmarks - origin) / factor - 0.5).astype(int)
        shape = self._dlib.full_object_detection(
            self._rectangle(face.box, origin, factor),
            [self._dlib.point(x, y) for x, y in points.tolist()],
        )
        return np.array(self._embedding.compute_face_descriptor(pixels, shape))

    def _rectangle(self, box: Box, origin: FloatArray, factor: int) -> Any:
        corners = (np.reshape(box, (2, 2)) - origin) / factor
        return self._dlib.rectangle(*np.rint(corners).astype(int).reshape(-1).tolist())


@cache
def dlib_judge() -> DlibJudge:
    """The judge, loaded once (a second).

    Raises:
        InputError: the extra `judges` is not installed, or a file of its networks is damaged.
    """
    if not has_dlib():
        raise InputError(
            "Faces and their landmarks need dlib: pip install 'stylesdf-studio[judges]'."
        )
    return DlibJudge()


def has_dlib() -> bool:
    """Whether the extra `judges` is installed."""
    return find_spec("dlib") is not None and find_spec("face_recognition_models") is not None


def _load(kind: Any, name: str) -> Any:
    package = find_spec("face_recognition_models")
    assert package is not None
    assert package.origin is not None
    path = Path(package.origin).parent / "models" / name
    advice = "Install the package face-recognition-models again."
    with reading(path, "a network of dlib's", advice=advice):
        return kind(str(path))


def _around(photo: Photo, box: Box) -> tuple[Pixels, FloatArray, int]:
    """The face and what is around it, its corner in the photograph, and by what it is shrunk."""
    corners = np.reshape(box, (2, 2)).astype(np.float64)
    width = corners[1, 0] - corners[0, 0]
    factor = max(1, int(width / _FACE_EDGE))
    size = np.array(photo.size)
    low = np.floor(corners[0] - _AROUND * width).astype(int).clip(0, size - 1)
    high = np.ceil(corners[1] + _AROUND * width).astype(int).clip(low + 1, size)
    region = photo.region((low, high), factor)
    return np.ascontiguousarray(region), low.astype(np.float64), factor
