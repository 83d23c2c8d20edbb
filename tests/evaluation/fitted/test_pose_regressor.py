"""The judge of azimuths, on balls with a nose."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from stylesdf_core.errors import InputError
from stylesdf_core.evaluation.fitted.pose_regressor import (
    AngleFit,
    FloatArray,
    fit_pose_regressor,
    read_angles,
)
from stylesdf_core.model.poses import Poses
from stylesdf_core.progress import drain


def noses(count: int, seed: int) -> tuple[npt.NDArray[np.uint8], FloatArray]:
    """Pictures (N, 32, 32, 3) with a dark spot where a head of these angles has its nose."""
    random = np.random.default_rng(seed)
    angles = random.normal(0.0, [0.3, 0.15], (count, 2)).astype(np.float32)
    line = np.linspace(-1.0, 1.0, 32)
    x, y = line[None, None, :], line[None, :, None]
    left, top = -angles[:, 0, None, None], angles[:, 1, None, None]
    spot = np.exp(-(np.square(x - left) + np.square(y - top)) / 0.05)
    tone = random.uniform(100, 200, (count, 1, 1, 3))
    pixels = tone - 80.0 * spot[..., None]
    return pixels.astype(np.uint8), angles


def test_angles_of_other_pictures_are_judged() -> None:
    fitted = drain(fit_pose_regressor(*noses(800, 1), steps=250))
    assert fitted.held_out.correlation > 0.9
    pixels, angles = noses(100, 2)
    shown = fitted(pixels)
    assert AngleFit.of(angles[:, 0], shown[:, 0]).correlation > 0.9
    assert AngleFit.of(angles[:, 1], shown[:, 1]).correlation > 0.9
    frozen = np.repeat(pixels[:1], 100, axis=0)
    assert np.isnan(AngleFit.of(angles[:, 0], fitted(frozen)[:, 0]).slope) or (
        abs(AngleFit.of(angles[:, 0], fitted(frozen)[:, 0]).slope) < 1e-3
    )


def test_the_same_pictures_give_the_same_judge() -> None:
    one, other = (drain(fit_pose_regressor(*noses(64, 1), steps=5)) for _ in range(2))
    pixels, _ = noses(4, 3)
    assert np.array_equal(one(pixels), other(pixels))


def test_fits_of_known_lines() -> None:
    asked = np.linspace(-1.0, 1.0, 9)
    fit = AngleFit.of(asked, 0.5 * asked + 3.0)
    assert (fit.correlation, fit.slope) == (pytest.approx(1.0), pytest.approx(0.5))
    assert AngleFit.of(asked, -asked).correlation == pytest.approx(-1.0)
    assert AngleFit.of(asked, np.square(asked)).slope == pytest.approx(0.0)
    assert np.isnan(AngleFit.of(asked, np.ones(9)).correlation)


def test_cameras_are_known_for_data_sets_of_heads_only(tmp_path: Path) -> None:
    assert read_angles(tmp_path) == {}
    (tmp_path / "dataset.json").write_text("{}", encoding="utf-8")
    row = {"file": "images/0.png", "azimuth": 0.1, "elevation": -0.2}
    (tmp_path / "metadata.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    assert read_angles(tmp_path) == {"images/0.png": (0.1, -0.2)}
    (tmp_path / "metadata.jsonl").write_text('{"file": "images/0.png"}\n', encoding="utf-8")
    assert read_angles(tmp_path) == {}


def test_poses_have_the_deviations_that_were_asked_for() -> None:
    for distribution in ("normal", "uniform"):
        poses = Poses(0.2, 0.1, distribution)  # type: ignore[arg-type]
        cameras = poses.cameras(4000, 1)
        angles = np.array([[camera.azimuth, camera.elevation] for camera in cameras])
        assert angles.std(axis=0) == pytest.approx([0.2, 0.1], rel=0.05)
        assert cameras[:10] == poses.cameras(10, 1)
        assert np.abs(angles[:, 0]).max() <= 0.6 + 1e-9
    with pytest.raises(InputError, match="azimuth_std"):
        Poses(azimuth_std=2.0)
    with pytest.raises(InputError, match="elevation_std"):
        Poses(elevation_std=-0.1)
