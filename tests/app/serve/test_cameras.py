"""The browser's camera as the scene's; a picture on the browser's canvas."""

from __future__ import annotations

import math

import numpy as np
import pytest

from app.serve.cameras import (
    FARTHEST,
    NEAREST,
    BrowserCamera,
    from_browser,
    to_browser,
    vertical_angle,
)
from app.serve.pictures import empty_canvas, on_canvas
from stylesdf_core.rendering.camera import MAX_ELEVATION, MAX_FOV, MAX_PAN, OrbitCamera


@pytest.mark.parametrize(
    "camera",
    [
        OrbitCamera(),
        OrbitCamera(0.4, -0.2),
        OrbitCamera(-2.5, 1.2, 3.0),
        OrbitCamera(0.3, 0.1, 12.0, 0.05, -0.02),
    ],
)
def test_a_camera_goes_to_the_browser_and_comes_back(camera: OrbitCamera) -> None:
    back = from_browser(to_browser(camera))
    for name in ("azimuth", "elevation", "fov", "pan_x", "pan_y"):
        assert getattr(back, name) == pytest.approx(getattr(camera, name), abs=1e-9)


def test_the_default_camera_stands_before_the_face() -> None:
    assert to_browser(OrbitCamera()) == BrowserCamera((0.0, 0.0, 1.0), (0.0, 0.0, 0.0))
    assert NEAREST < 1.0 < FARTHEST


def test_cameras_beyond_the_scene_s_limits_are_brought_back() -> None:
    far = from_browser(BrowserCamera((0.0, 0.0, 50.0), (9.0, -9.0, 0.0)))
    assert (far.fov, far.pan_x, far.pan_y) == (MAX_FOV, MAX_PAN, -MAX_PAN)
    above = from_browser(BrowserCamera((0.0, 1.0, 0.0), (0.0, 0.0, 0.0)))
    assert above.elevation == MAX_ELEVATION
    same = from_browser(BrowserCamera((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)))
    assert math.isfinite(same.azimuth)


def test_the_picture_fits_into_wide_and_high_canvases() -> None:
    half = math.radians(6.0)
    assert vertical_angle(2.0) == pytest.approx(2 * half)
    assert math.tan(vertical_angle(0.5) / 2) == pytest.approx(2 * math.tan(half))
    white = np.ones((8, 8, 3), np.float32)
    wide, high = on_canvas(white, 2.0), on_canvas(white, 0.5)
    assert (wide.shape, high.shape) == ((8, 16, 3), (16, 8, 3))
    for canvas in (wide, high.swapaxes(0, 1)):
        assert (canvas[:, 4:12] == 255).all()
        assert (canvas[:, :4] == empty_canvas()[0, 0]).all()
