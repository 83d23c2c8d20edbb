"""Faces, identity, pose and landmarks of the shipped model's heads across views."""

from __future__ import annotations

import numpy as np
import pytest

from stylesdf_core.engine.engine import Engine
from stylesdf_core.evaluation.measures.judged_views import (
    AZIMUTHS,
    FRONT,
    JudgedViews,
    identity_figures,
    pose_figures,
)
from stylesdf_core.judges.dlib_judge import has_dlib
from stylesdf_core.model.model import load_model


@pytest.mark.skipif(not has_dlib(), reason="needs the extra judges")
def test_the_shipped_models_heads_stay_themselves() -> None:
    rows = JudgedViews(Engine(load_model("heads")), 0).measure([0, 1])
    figures = {figure.key: figure for figure in identity_figures(rows["embedding"])}
    assert figures["faces_found"].value == 100.0
    assert figures["identity_same"].value < 0.35 < figures["identity_different"].value
    errors = {f.key: f for f in pose_figures(rows["angle_error"], rows["landmark_error"])}
    assert errors["azimuth_error"].value < 0.06
    assert errors["elevation_error"].value < 0.12
    assert errors["landmark_error"].value < 1.5


def test_views_without_a_face_do_not_count() -> None:
    embedding = np.zeros((2, len(AZIMUTHS), 128))
    embedding[0, 0] = np.nan
    embedding[1, :, 0] = 0.5
    embedding[1, FRONT + 1, 0] = 0.8
    found, same, different = identity_figures(embedding)
    assert found.value == 90.0
    assert same.value == pytest.approx(0.3 / 7)
    assert different.value == pytest.approx(0.5)
    none = identity_figures(np.full((1, len(AZIMUTHS), 128), np.nan))
    assert [figure.value_text for figure in none] == ["0.0 %", "not measured", "not measured"]


def test_landmarks_without_a_face_do_not_count() -> None:
    angles = np.full((1, 5, 2), np.nan)
    angles[0, :2] = [[0.1, -0.2], [-0.3, 0.0]]
    landmarks = np.array([[np.nan, 0.01, np.nan, 0.03, np.nan]])
    azimuth, elevation, landmark = pose_figures(angles, landmarks)
    assert (azimuth.value, elevation.value) == pytest.approx((0.2, 0.1))
    assert "bias -0.100" in azimuth.detail
    assert landmark.value == pytest.approx(2.0)
