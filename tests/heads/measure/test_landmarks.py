"""The landmarks of the shipped model are those of the face model."""

from __future__ import annotations

from pathlib import Path

from stylesdf_core.heads.measure.landmarks import true_landmarks
from stylesdf_core.heads.person.face_model import MorphableModel
from stylesdf_core.heads.person.posing import HeadPoser
from stylesdf_core.model.landmarks import load_landmarks
from stylesdf_core.resources import shipped


def test_the_shipped_slopes_are_those_of_the_face_model(facekit_path: Path) -> None:
    shipped_ones = load_landmarks(shipped("assets/landmarks/heads.json"))
    points = true_landmarks(HeadPoser(MorphableModel.load(facekit_path)), 100)
    off = points[1:41] - shipped_ones.slopes[:40].numpy()  # identity modes are nearly linear
    assert abs(off).max() < 0.3 * abs(points[1:41]).max()
