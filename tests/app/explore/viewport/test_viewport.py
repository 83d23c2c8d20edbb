"""Geometry of the viewport and its gestures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.explore.viewport.viewport import Pane, centred, orbit_angles, pane_layout
from app.workers.picture_worker import enlarged, resampled
from stylesdf_core.rendering.camera import OrbitCamera


def project(point: np.ndarray, camera: OrbitCamera, edge: float) -> np.ndarray:
    """Pixel of a world point: x to the right, y down, from the pane's centre."""
    matrix = camera.cam2world()
    local = matrix[:, :3].T @ (point - matrix[:, 3])
    x, y = camera.focal(1) * edge * local[:2] / -local[2]
    return np.array([x, -y])


@pytest.mark.parametrize("drag", [(3.0, 0.0), (-2.0, 0.0), (0.0, 3.0), (0.0, -4.0)])
def test_the_head_follows_the_mouse(drag: tuple[float, float]) -> None:
    """The surface point under the cursor moves by what the mouse moved."""
    camera, edge = OrbitCamera(0.3, 0.1), 700.0
    matrix = camera.cam2world()
    nearest = 0.1 * matrix[:, 2]
    before = project(nearest, camera, edge)
    moved = camera.orbit(*orbit_angles(*drag, camera, edge))
    after = project(nearest, moved, edge)
    np.testing.assert_allclose(after - before, drag, atol=0.05 * max(map(abs, drag)))


def test_a_smaller_head_turns_faster() -> None:
    camera = OrbitCamera()
    wide = orbit_angles(10, 0, replace(camera, fov=12.0), 700)
    assert abs(wide[0]) > abs(orbit_angles(10, 0, camera, 700)[0])


def test_panes_are_equal_squares_inside() -> None:
    for width, height in ((700, 700), (1400, 700), (300, 900), (10, 10)):
        for count in (1, 2):
            panes = pane_layout(width, height, count=count, gap=8)
            assert len({pane.edge for pane in panes}) == 1
            if min(width, height) > 40:
                assert all(pane.x >= 0 and pane.x + pane.edge <= width + 1e-6 for pane in panes)
                assert all(pane.y >= 0 and pane.y + pane.edge <= height + 1e-6 for pane in panes)
    left, right = pane_layout(1408, 700, count=2, gap=8)
    assert (left.x, right.x, left.edge) == (0, 708, 700)


@pytest.mark.parametrize(("edge", "shown"), [(16, 512), (256, 512), (512, 512), (1024, 1024)])
def test_small_pictures_are_enlarged(edge: int, shown: int) -> None:
    pixels = np.full((edge, edge, 3), 0.25, np.float32)
    result = enlarged(pixels)
    assert result.shape == (shown, shown, 3)
    np.testing.assert_allclose(result, 0.25, atol=0.5 / 255)


def test_too_large_pictures_are_reduced() -> None:
    assert enlarged(np.zeros((2048, 2048, 3), np.float32)).shape == (1024, 1024, 3)


def test_a_last_pass_is_resampled_by_lanczos_filter_to_the_pane() -> None:
    x = np.linspace(0.0, 1.0, 64, dtype=np.float32)
    wave = np.broadcast_to(0.5 + 0.4 * np.sin(2 * np.pi * 8 * x)[None, :, None], (64, 64, 3))
    finer = resampled(wave, 256)
    at = (np.arange(256) + 0.5) / 4 - 0.5
    ideal = 0.5 + 0.4 * np.sin(2 * np.pi * 8 * at / 63)
    inner = slice(16, -16)
    error = np.abs(finer[128, inner, 0] - ideal[inner]).max()
    linear = np.abs(np.interp(at, np.arange(64), wave[0, :, 0]) - ideal)[inner].max()
    assert finer.shape == (256, 256, 3)
    assert error < 0.4 * linear, "linear interpolation, as on the graphics card"
    assert resampled(finer, 256) is finer


@pytest.mark.parametrize(
    ("edge", "expected"),
    [(256, Pane(322.0, 172.0, 256.0)), (700, Pane(100.0, -50.0, 700.0)), (999, None)],
)
def test_own_pixels_lie_in_the_middle_on_whole_pixels(edge: int, expected: Pane | None) -> None:
    pane = Pane(100.0, -50.0, 700.0)
    assert centred(pane, edge) == (expected or pane)
