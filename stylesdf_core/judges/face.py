"""A face in a photograph: where it is, how it stands, and the frames of its crops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from stylesdf_core.data.frame_presets import FramePreset
from stylesdf_core.errors import InputError
from stylesdf_core.judges.framing import CropFrame, ffhq_frame
from stylesdf_core.judges.photo import Box, Photo, Pixels
from stylesdf_core.judges.pose import (
    HeadPose,
    anchors_of,
    anchors_of_marks,
    frontal_anchors,
    frontal_pose,
    pose_of_landmarks,
)

FloatArray = npt.NDArray[np.float64]
#: Least area of the parallelogram of eyes and mouth, as a share of its squared sides.
_LEAST_AREA = 0.05


@dataclass(frozen=True)
class FoundFace:
    """One face; make with :func:`~stylesdf_core.judges.finding.find_faces`.

    Attributes:
        box: left, top, right, bottom of the face from brows to chin, the photograph's pixels.
        anchors: (4, 2), middle of the left and of the right eye, left and right corner of the
            mouth.
        pose: how the head stands; taken to be frontal, but for its roll, without landmarks.
        landmarks: (68, 2), the points of the iBUG 300-W annotation; None where no judge gives them.
    """

    box: Box
    anchors: FloatArray
    pose: HeadPose
    landmarks: FloatArray | None = None

    @classmethod
    def of_landmarks(cls, box: Box, landmarks: FloatArray) -> FoundFace:
        """With landmarks (68, 2), which give anchors and pose."""
        return cls(box, anchors_of(landmarks), pose_of_landmarks(landmarks), landmarks)

    @classmethod
    def of_anchors(cls, box: Box, anchors: FloatArray) -> FoundFace:
        """Of which only the eyes and the corners of the mouth are known, or guessed: (4, 2)."""
        return cls(box, anchors, frontal_pose(anchors))

    @classmethod
    def of_marks(cls, marks: FloatArray) -> FoundFace:
        """Whose left eye, right eye and middle of the mouth somebody has marked: (3, 2)."""
        anchors = anchors_of_marks(marks)
        low, high = anchors.min(axis=0), anchors.max(axis=0)
        return cls.of_anchors((*low.tolist(), *high.tolist()), anchors)

    @property
    def marks(self) -> FloatArray:
        """Left eye, right eye and middle of the mouth, (3, 2)."""
        return np.stack([*self.anchors[:2], self.anchors[2:].mean(axis=0)])

    @property
    def width(self) -> float:
        """Pixels from the left to the right side of the box."""
        return self.box[2] - self.box[0]

    def frame(self, preset: FramePreset) -> CropFrame:
        """The square of the photograph that a crop shows."""
        return ffhq_frame(self.anchors) if preset == "ffhq" else self.pose.frame


def ordered(marks: FloatArray) -> FloatArray:
    """Marks (3, 2) of two eyes, in any order, and a mouth, with the face's eyes from left to right.

    Raises:
        InputError: the marks lie on a line.
    """
    left, right, mouth = marks
    across, down = right - left, mouth - left
    area = float(across[0] * down[1] - across[1] * down[0])
    if abs(area) <= _LEAST_AREA * float(across @ across + down @ down):
        raise InputError("the marks of eyes and mouth lie on a line.")
    return marks if area > 0.0 else marks[[1, 0, 2]]


def usual_marks(preset: FramePreset) -> FloatArray:
    """Where a frontal face's eyes and mouth lie in its frame: (3, 2), −1 to 1, y down."""
    face = FoundFace.of_anchors((-1.0, -1.0, 1.0, 1.0), frontal_anchors())
    return face.frame(preset).inside(face.marks)


class Judge(Protocol):
    """What finds faces: dlib, or OpenCV's cascades."""

    #: Name of the library, for reports.
    name: str

    def boxes(self, pixels: Pixels) -> list[Box]:
        """Boxes of the upright faces in a picture (H, W, 3), largest first."""

    def face(self, photo: Photo, box: Box) -> FoundFace:
        """The face in a box of the photograph."""
