"""The faces of a photograph, or its one face, and what to say where there is none."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylesdf_core.data.frame_presets import FramePreset
from stylesdf_core.errors import InputError
from stylesdf_core.judges.cascade import cascade_judge
from stylesdf_core.judges.dlib_judge import dlib_judge, has_dlib
from stylesdf_core.judges.face import FoundFace, Judge, ordered
from stylesdf_core.judges.photo import Photo

FloatArray = npt.NDArray[np.float64]

#: Longest edge of the copy in which faces are looked for, pixels.
_EDGE = 2048
#: Longest edge of the copy in which turned faces are looked for.
_TURNED_EDGE = 640
#: Turns that are tried, degrees clockwise: a lying picture first.
_TURNS = (90, 270, 180, 45, 315, 135, 225)
#: Least edge of a face's frame, photograph's pixels.
_SMALLEST = 64


def find_judge() -> Judge:
    """dlib; OpenCV's cascades where dlib is missing.

    Raises:
        InputError: neither extra is installed.
    """
    if not has_dlib() and find_spec("cv2") is not None:
        return cascade_judge()
    return dlib_judge()


def find_faces(photo: Photo, judge: Judge | None = None) -> list[FoundFace]:
    """All upright faces, largest first; faces turned by more than 30° are not found.

    A face that is 8 % of the photograph's longer edge and 40 pixels wide is found, and in
    photographs of many sizes a face of half that width.

    Raises:
        InputError: no judge is installed.
    """
    judge = judge or find_judge()
    pixels, factor = photo.reduced(_EDGE)
    boxes = [tuple(factor * value for value in box) for box in judge.boxes(pixels)]
    return [judge.face(photo, (left, top, right, bottom)) for left, top, right, bottom in boxes]


def turned_face(photo: Photo, judge: Judge | None = None) -> int | None:
    """By how many degrees a face is turned clockwise, in steps of 45; None if no face is found.

    To be asked where :func:`find_faces` finds no upright face.
    """
    judge = judge or find_judge()
    small = Image.fromarray(photo.reduced(_TURNED_EDGE)[0])
    for turn in _TURNS:
        # Image.rotate turns anticlockwise, which sets a face upright that is turned clockwise.
        pixels = np.asarray(small.rotate(turn, Image.Resampling.BILINEAR, expand=True))
        if judge.boxes(pixels):
            return turn
    return None


def why_none(photo: Photo, judge: Judge | None = None) -> str:
    """Why a photograph without upright face cannot be used: the end of a sentence on it."""
    turn = turned_face(photo, judge)
    if turn is None:
        return (
            "no face is found (it must be upright, and its width at least 40 pixels and 8 % of "
            "the picture's longer edge)"
        )
    side = f"{turn}° clockwise" if turn <= 180 else f"{360 - turn}° anticlockwise"
    return f"its face is turned by about {side}; turn it upright"


def one_face(
    photo: Photo,
    number: int | None = None,
    *,
    preset: FramePreset = "heads",
    smallest: int = _SMALLEST,
    judge: Judge | None = None,
) -> FoundFace:
    """The face of a photograph.

    Args:
        number: which face, from 1, the largest, on; None for the only one.
        smallest: least edge of the face's frame, photograph's pixels.

    Raises:
        InputError: there is no face, there are several and no number says which, the face is
            turned, or too small.
    """
    faces = find_faces(photo, judge)
    if not faces:
        raise InputError(f"{photo.name}: {why_none(photo, judge)}.")
    if number is None and len(faces) > 1:
        raise InputError(
            f"{photo.name} shows {len(faces)} faces; choose one with --face, from 1 (the "
            f"largest) to {len(faces)}."
        )
    if not 1 <= (number or 1) <= len(faces):
        raise InputError(f"{photo.name} shows {len(faces)} faces; there is no face {number}.")
    return _large_enough(photo, faces[(number or 1) - 1], preset, smallest)


def marked_face(photo: Photo, marks: FloatArray, *, preset: FramePreset = "heads") -> FoundFace:
    """The face of which somebody has marked the eyes and the mouth; no judge is needed.

    Args:
        marks: both eyes, in any order, and the middle of the mouth, (3, 2), upright pixels.

    Raises:
        InputError: a mark lies outside of the photograph, the marks lie on a line, or the face is
            too small.
    """
    width, height = photo.size
    for x, y in marks.tolist():
        if not (0.0 <= x <= width and 0.0 <= y <= height):
            raise InputError(
                f"{photo.name} has {width} × {height} pixels; the point {x:g},{y:g} lies outside."
            )
    try:
        marks = ordered(marks)
    except InputError as error:
        raise InputError(f"{photo.name}: {error}") from None
    return _large_enough(photo, FoundFace.of_marks(marks), preset, _SMALLEST)


def _large_enough(photo: Photo, face: FoundFace, preset: FramePreset, smallest: int) -> FoundFace:
    edge = face.frame(preset).edge
    if edge < smallest:
        raise InputError(
            f"{photo.name}: the head is {int(edge)} pixels large; at least {smallest} are needed."
        )
    return face
