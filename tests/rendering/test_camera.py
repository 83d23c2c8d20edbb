from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from stylesdf_core.errors import InputError
from stylesdf_core.rendering.camera import MAX_ELEVATION, OrbitCamera, focal_length
from stylesdf_core.rendering.rays import cam2world, make_rays


def test_camera_stands_on_the_unit_sphere_and_looks_at_the_origin() -> None:
    matrix = OrbitCamera(azimuth=0.7, elevation=-0.4).cam2world()
    assert np.linalg.norm(matrix[:, 3]) == pytest.approx(1.0)
    np.testing.assert_allclose(matrix[:, 2], matrix[:, 3], atol=1e-12)  # +z points away
    np.testing.assert_allclose(matrix[:, :3].T @ matrix[:, :3], np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix[:, :3]) == pytest.approx(1.0)


def test_positive_angles_move_the_camera_right_and_up() -> None:
    assert OrbitCamera(azimuth=0.3).cam2world()[0, 3] > 0
    assert OrbitCamera(elevation=0.3).cam2world()[1, 3] > 0


def test_pan_shifts_in_the_image_plane() -> None:
    camera = OrbitCamera(azimuth=0.5, elevation=0.2)
    panned = camera.pan(0.03, -0.01).cam2world()
    shift = camera.cam2world()[:, :3].T @ (panned[:, 3] - camera.cam2world()[:, 3])
    np.testing.assert_allclose(shift, [0.03, -0.01, 0.0], atol=1e-12)


def test_orbit_wraps_and_stops_softly_at_the_poles() -> None:
    assert OrbitCamera(azimuth=3.1).orbit(0.2, 0).azimuth == pytest.approx(3.3 - 2 * math.pi)
    camera, steps = OrbitCamera(), []
    for _ in range(200):
        moved = camera.orbit(0.0, 0.05)
        steps.append(moved.elevation - camera.elevation)
        camera = moved
    assert camera.elevation <= MAX_ELEVATION
    assert steps[0] == pytest.approx(0.05)
    assert 0 <= steps[-1] < 0.001
    assert camera.orbit(0, -0.05).elevation == pytest.approx(camera.elevation - 0.05)


def test_zoom_is_bounded() -> None:
    assert OrbitCamera().zoom(2.0).fov == pytest.approx(3.0)
    assert OrbitCamera().zoom(1e9).fov == 1.0


@pytest.mark.parametrize("name", ["azimuth", "elevation", "fov", "pan_x", "pan_y"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_cameras_of_numbers_that_are_not_finite_are_refused(name: str, value: float) -> None:
    with pytest.raises(InputError, match=f"{name} must be a finite number"):
        OrbitCamera(**{name: value})


@pytest.mark.parametrize("wrong", [{"fov": 0.0}, {"pan_x": 0.2}, {"elevation": 2.0}])
def test_impossible_cameras_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="must lie between"):
        OrbitCamera(**wrong)


def test_rays_pass_through_pixel_centres_at_planar_depth() -> None:
    camera = OrbitCamera(azimuth=0.4, elevation=0.1)
    matrix = torch.from_numpy(camera.cam2world()).float()[None]
    size = 8
    rays = make_rays(matrix, camera.focal(size), size)
    point = rays.origins[0, 2, 5] + 0.9 * rays.directions[0, 2, 5]
    local = matrix[0, :, :3].T @ (point - matrix[0, :, 3])
    assert float(local[2]) == pytest.approx(-0.9, abs=1e-6)  # t is planar depth
    x = float(local[0] / -local[2]) * focal_length(6.0, size) + size / 2
    y = -float(local[1] / -local[2]) * focal_length(6.0, size) + size / 2
    assert (x, y) == (pytest.approx(5.5, abs=1e-4), pytest.approx(2.5, abs=1e-4))


def test_static_view_directions_do_not_turn_with_the_camera() -> None:
    one, other = cam2world(torch.tensor([0.0, 1.0]), torch.tensor([0.0, 0.3])).split(1)
    static = [make_rays(m, 30.0, 4).viewdirs for m in (one, other)]
    world = [make_rays(m, 30.0, 4, static_viewdirs=False).viewdirs for m in (one, other)]
    torch.testing.assert_close(static[0], static[1])
    assert (world[0] - world[1]).abs().max() > 0.5
    torch.testing.assert_close(world[1].norm(dim=-1), torch.ones(1, 4, 4))
