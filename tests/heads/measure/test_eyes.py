"""The eye detector on true heads, with and without their features."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from stylesdf_core.errors import GraphicsError, InputError
from stylesdf_core.evaluation.metrics.image_metrics import blur
from stylesdf_core.heads.measure.eyes import EyeDetector
from stylesdf_core.heads.measure.truth import HeadTruth
from stylesdf_core.rendering.camera import OrbitCamera


def test_eyes_are_found_in_the_truth_and_not_in_its_blur(facekit_path: Path) -> None:
    pytest.importorskip("cv2")
    detector = EyeDetector()
    try:
        truth = HeadTruth(facekit_path)
    except GraphicsError as error:
        pytest.skip(str(error))
    images = [truth.image(truth.head(seed), OrbitCamera(), 256) for seed in range(3)]
    truth.close()
    assert all(detector.finds_both(image) for image in images)
    assert not any(detector.finds_both(blur(image, 12.0)) for image in images)
    half = images[0].copy()
    half[:, 128:] = half[:, 127:128]
    assert not detector.finds_both(half)


def test_a_blank_picture_has_no_eyes() -> None:
    pytest.importorskip("cv2")
    assert not EyeDetector().finds_both(np.full((64, 64, 3), 0.5, np.float32))


def test_missing_opencv_is_an_input_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(InputError, match="stylesdf-studio\\[eval\\]"):
        EyeDetector()
