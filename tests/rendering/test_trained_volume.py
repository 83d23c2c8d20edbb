"""Which points a camera may ask a field for, and the background beyond them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.rendering.rays import make_rays
from stylesdf_core.rendering.trained_volume import (
    BorderBackground,
    TrainedVolume,
    sees_trained,
)
from stylesdf_core.rendering.volume_rendering import sample_depths, sample_points


def volume_and_samples(camera: OrbitCamera, fov: float) -> tuple[TrainedVolume, torch.Tensor]:
    matrix = torch.from_numpy(camera.cam2world().astype(np.float32))
    rays = make_rays(matrix[None], camera.focal(64), 64)
    points = sample_points(rays.origins, rays.directions, sample_depths(24, matrix))[0]
    return TrainedVolume(matrix[:, :3], fov), points


@pytest.mark.parametrize("fov", [6.0, 11.0])
@pytest.mark.parametrize("angles", [(0.0, 0.0), (0.7, -0.4), (3.0, 1.2)])
def test_a_camera_of_the_training_sees_only_the_volume(
    angles: tuple[float, float], fov: float
) -> None:
    camera = OrbitCamera(*angles, fov)
    volume, points = volume_and_samples(camera, fov)
    assert sees_trained(camera, volume.fov)
    assert bool(volume.contains(points).all())


@pytest.mark.parametrize("camera", [OrbitCamera(fov=9.0), OrbitCamera(pan_x=0.05)])
def test_wide_and_shifted_cameras_see_beyond(camera: OrbitCamera) -> None:
    volume, points = volume_and_samples(camera, 6.0)
    assert not sees_trained(camera, volume.fov)
    assert not bool(volume.contains(points).all())


def test_the_cube_belongs_to_the_volume_from_all_sides() -> None:
    rotation = torch.from_numpy(OrbitCamera(0.8, 0.3).cam2world()[:, :3])
    corners = 0.1199 * torch.cartesian_prod(*[torch.tensor([-1.0, 1.0], dtype=torch.float64)] * 3)
    assert bool(TrainedVolume(rotation, 1.0).contains(corners).all())
    assert not bool(TrainedVolume(rotation, 1.0).contains(1.01 * corners).any())


def test_the_border_s_background_ignores_the_head_and_the_middle() -> None:
    mask = torch.ones(1, 1, 8, 8)
    mask[..., -1, 2:6] = 0.0  # a neck
    sky = torch.where(mask > 0.5, 0.25, -0.9).expand(1, 3, 8, 8).clone()
    sky[..., 3:5, 3:5] = 1.0
    border = BorderBackground.around(sky, sky[:, :2], mask)
    torch.testing.assert_close(torch.sigmoid(border.logits) * 2 - 1, torch.full((1, 3), 0.25))
    torch.testing.assert_close(border.features, torch.full((1, 2), 0.25))
