"""Flicker of a ball whose pattern stays on it, and of one whose pattern does not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from stylesdf_core.evaluation.metrics.flicker import (
    ARC,
    FloatArray,
    OrbitFrame,
    flicker,
    project,
    reprojected_difference,
)
from stylesdf_core.evaluation.metrics.shape_metrics import back_project
from stylesdf_core.rendering.camera import OrbitCamera

RADIUS, SIZE = 0.06, 128
Paint = Callable[[FloatArray, FloatArray, float], FloatArray]


def ball(azimuth: float, paint: Paint, depth_size: int = SIZE) -> OrbitFrame:
    """A ball ray traced exactly; ``paint`` makes colours of points, pixels and the azimuth."""
    camera = OrbitCamera(azimuth)
    depth, inside = hit(camera, SIZE)
    points = back_project(depth, camera)
    rows, columns = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    colours = paint(points, np.stack([rows, columns], axis=-1), azimuth)
    image = np.where(inside[..., None], colours, 1.0).astype(np.float32)
    depth, inside = hit(camera, depth_size)
    return OrbitFrame(image, depth, inside.astype(np.float32), camera)


def hit(camera: OrbitCamera, size: int) -> tuple[FloatArray, np.ndarray]:
    """Planar depth (size, size) of the ball, 1 where it is missed; and where it is hit."""
    origin = camera.cam2world()[:, 3]
    rays = back_project(np.ones((size, size), np.float32), camera) - origin
    a, b = np.square(rays).sum(-1), rays @ origin
    root = np.square(b) - a * (origin @ origin - RADIUS**2)
    depth = np.where(root > 0, (-b - np.sqrt(root.clip(0.0))) / a, 1.0)
    return depth.astype(np.float32), root > 0


def on_the_ball(points: FloatArray, pixels: FloatArray, azimuth: float) -> FloatArray:
    return np.asarray(0.5 + 0.4 * np.sin(points * 400.0), np.float32)


def on_the_screen(points: FloatArray, pixels: FloatArray, azimuth: float) -> FloatArray:
    waves = np.sin(np.concatenate([pixels, pixels[..., :1] + pixels[..., 1:]], axis=-1) * 0.3)
    return np.asarray(0.5 + 0.4 * waves, np.float32)


def brighter_by_the_frame(points: FloatArray, pixels: FloatArray, azimuth: float) -> FloatArray:
    return np.full_like(points, 0.4 + azimuth)


@pytest.mark.parametrize("depth_size", [SIZE, SIZE // 2])
def test_a_pattern_on_the_ball_does_not_flicker(depth_size: int) -> None:
    frames = [ball(azimuth, on_the_ball, depth_size) for azimuth in ARC[:5]]
    still = [OrbitFrame(f.image, f.depth, f.opacity, frames[0].camera) for f in frames]
    assert flicker(frames) < 0.25
    assert flicker(still) > 20.0 * flicker(frames)  # the motion itself, not reprojected


def test_a_pattern_on_the_screen_flickers() -> None:
    frames = [ball(azimuth, on_the_screen) for azimuth in ARC[:5]]
    assert flicker(frames) > 5.0


def test_a_change_of_brightness_is_given_in_grey_levels() -> None:
    frames = [ball(azimuth, brighter_by_the_frame) for azimuth in (0.0, 0.02, 0.04)]
    assert flicker(frames) == pytest.approx(0.02 * 255.0, rel=1e-3)


def test_hidden_points_are_not_compared() -> None:
    """A wall beside the ball, seen in one frame only, is masked by the depths."""
    one, other = ball(0.0, on_the_ball), ball(0.02, on_the_ball)
    half = other.depth.copy()
    half[:, : SIZE // 2] -= 0.02
    covered = OrbitFrame(np.zeros_like(other.image), half, other.opacity, other.camera)
    all_points = len(reprojected_difference(one, other))
    seen = len(reprojected_difference(one, covered))
    assert 0.3 * all_points < seen < 0.7 * all_points


def test_nothing_in_common_cannot_be_measured() -> None:
    frame = ball(0.0, on_the_ball)
    thin = OrbitFrame(frame.image, frame.depth, 0.5 * frame.opacity, frame.camera)
    assert np.isnan(flicker([thin, thin]))
    assert np.isnan(flicker([frame]))


def test_projection_is_the_inverse_of_back_projection() -> None:
    camera = OrbitCamera(0.3, -0.2, 7.0, 0.01, -0.02)
    depth = np.random.default_rng(0).uniform(0.9, 1.1, (16, 16)).astype(np.float32)
    rows, columns, found = project(back_project(depth, camera).reshape(-1, 3), camera, 16)
    expected = np.mgrid[:16, :16].reshape(2, -1)
    assert np.allclose(rows, expected[0], atol=1e-3)
    assert np.allclose(columns, expected[1], atol=1e-3)
    assert np.allclose(found, depth.reshape(-1), atol=1e-5)
