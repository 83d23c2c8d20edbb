"""Poses from landmarks: exact on the projected generic face, near on rendered heads."""

from __future__ import annotations

import numpy as np
import pytest

from stylesdf_core.judges.generic_face import FIRST, POSITIONS
from stylesdf_core.judges.pose import anchors_of, frontal_pose, pose_of_landmarks
from stylesdf_core.rendering.camera import OrbitCamera


def landmarks(azimuth: float, elevation: float, roll: float) -> np.ndarray:
    """The generic face's 68 landmarks in a picture 200 pixels large around (300, 250)."""
    camera = OrbitCamera(azimuth, elevation)
    matrix = camera.cam2world()
    x, y, z = ((POSITIONS - matrix[:, 3]) @ matrix[:, :3]).T
    points = 100.0 * camera.focal(2) * np.stack([x / -z, -y / -z], axis=-1)
    turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    return np.concatenate([np.zeros((FIRST, 2)), points @ turn.T + [300.0, 250.0]])


@pytest.mark.parametrize(
    ("azimuth", "elevation", "roll"),
    [(0.0, 0.0, 0.0), (0.6, 0.0, 0.3), (-0.8, 0.3, -0.5), (0.2, -0.4, 2.0)],
)
def test_the_pose_of_the_generic_face_is_exact(
    azimuth: float, elevation: float, roll: float
) -> None:
    pose = pose_of_landmarks(landmarks(azimuth, elevation, roll))
    assert (pose.azimuth, pose.elevation, pose.roll) == pytest.approx(
        (azimuth, elevation, roll), abs=1e-5
    )
    assert pose.frame.middle == pytest.approx((300.0, 250.0), abs=1e-2)
    assert pose.frame.edge == pytest.approx(200.0, abs=1e-2)


def test_a_smile_does_not_look_like_a_nod() -> None:
    points = landmarks(0.1, 0.1, 0.0)
    points[48:60, 1] -= 8.0
    assert pose_of_landmarks(points).elevation == pytest.approx(0.1, abs=1e-5)


def test_four_points_give_the_frame_of_a_frontal_face() -> None:
    pose = frontal_pose(anchors_of(landmarks(0.0, 0.0, 0.2)))
    assert (pose.azimuth, pose.elevation) == (0.0, 0.0)
    assert pose.roll == pytest.approx(0.2)
    assert pose.frame.edge == pytest.approx(200.0, abs=1e-2)
