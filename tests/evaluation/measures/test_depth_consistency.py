"""Depth consistency: 0 of a sphere, 1 of a depth map that is moved by a bin."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from stylesdf_core.engine.engine import Engine
from stylesdf_core.evaluation.measures.depth_consistency import (
    DepthConsistency,
    depth_inconsistency,
)
from stylesdf_core.evaluation.metrics.shape_metrics import BIN
from stylesdf_core.model.poses import Poses
from stylesdf_core.rendering.camera import OrbitCamera
from tests.models import tiny_model

FloatArray = npt.NDArray[np.float32]
CAMERAS = (OrbitCamera(), OrbitCamera(0.45))


def sphere(camera: OrbitCamera, size: int = 128, radius: float = 0.09) -> tuple[FloatArray, ...]:
    """Depth and cover of a sphere around the origin."""
    offset = (np.arange(size) + 0.5 - 0.5 * size) / camera.focal(size)
    x, y = np.meshgrid(offset, offset)
    a = x**2 + y**2 + 1.0
    root = 1.0 - a * (1.0 - radius**2)
    depth = (1.0 - np.sqrt(root.clip(min=0.0))) / a
    return depth.astype(np.float32), (root > 0.0).astype(np.float32)


def inconsistency(moved: float) -> float:
    (front, front_cover), (side, side_cover) = (sphere(camera) for camera in CAMERAS)
    return depth_inconsistency(
        [front, side + np.float32(moved)], [front_cover, side_cover], CAMERAS
    )


def test_a_sphere_is_consistent() -> None:
    assert inconsistency(0.0) < 0.1


def test_a_plane_moved_by_a_bin_is_one() -> None:
    assert pytest.approx(0.01) == BIN
    flat, cover = np.full((96, 96), 1.0, np.float32), np.ones((96, 96), np.float32)
    for bins in (1.0, 2.0):
        moved = flat + np.float32(bins * BIN)
        found = depth_inconsistency([flat, moved], [cover, cover], [CAMERAS[0]] * 2)
        assert found == pytest.approx(bins, rel=0.02)


def test_a_view_without_surface_has_no_figure() -> None:
    depth, cover = sphere(CAMERAS[0])
    assert math.isnan(depth_inconsistency([depth, depth], [cover, 0.0 * cover], CAMERAS))


def test_a_models_heads_are_seen_from_the_front_and_the_side() -> None:
    measure = DepthConsistency(Engine(tiny_model(), "cpu"), 3, Poses(0.2, 0.1))
    assert [camera.azimuth for camera in measure.cameras] == pytest.approx([0.0, 0.3])
    bins = measure.measure([0, 1])["bins"]
    assert bins.shape == (2,)
    (figure,) = measure.figures(np.array([1.0, 2.0, np.nan], np.float32))
    assert figure.value == 1.5
    assert "1 without surface" in figure.detail
