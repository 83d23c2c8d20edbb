"""A face in a photograph: where it is, how it stands, and the frames of its crops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from stylesdf_core.judges.framing import CropFrame, ffhq_frame
from stylesdf_core.judges.photo import Box, Photo, Pixels
from stylesdf_core.judges.pose import HeadPose, anchors_of, frontal_pose, pose_of_landmarks

FloatArray = npt.NDArray[np.float64]
#: How a crop frames the face: as FFHQ's pictures, or as those of the shipped synthetic heads.
FramePreset = Literal["ffhq", "heads"]


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

    @property
    def width(self) -> float:
        """Pixels from the left to the right side of the box."""
        return self.box[2] - self.box[0]

    def frame(self, preset: FramePreset) -> CropFrame:
        """The square of the photograph that a crop shows."""
        return ffhq_frame(self.anchors) if preset == "ffhq" else self.pose.frame


class Judge(Protocol):
    """What finds faces: dlib, or OpenCV's cascades."""

    #: Name of the library, for reports.
    name: str

    def boxes(self, pixels: Pixels) -> list[Box]:
        """Boxes of the upright faces in a picture (H, W, 3), largest first."""

    def face(self, photo: Photo, box: Box) -> FoundFace:
        """The face in a box of the photograph."""
