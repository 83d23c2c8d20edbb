"""Views and orbits of perfect, shifted and littered pictures of a ball."""

from __future__ import annotations

import numpy as np
import pytest

from stylesdf_core.engine.picture import Picture
from stylesdf_core.evaluation.metrics.image_metrics import FloatArray, shrink
from stylesdf_core.evaluation.metrics.shape_metrics import back_project
from stylesdf_core.heads.measure.scores import score_orbit, score_view
from stylesdf_core.heads.measure.truth import TrueShape, evaluation_cameras
from stylesdf_core.rendering.camera import OrbitCamera

RADIUS, EDGE, THUMB = 0.08, 64, 16


def ball(camera: OrbitCamera, size: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Image (H, W, 3), opacity (H, W) and planar depth (H, W) of a ball seen from ``camera``."""
    origin = camera.cam2world()[:, 3]
    rays = back_project(np.ones((size, size), np.float32), camera) - origin  # t = 1
    a = np.square(rays).sum(axis=-1)
    b = rays @ origin
    root = b**2 - a * (origin @ origin - RADIUS**2)
    hit = root > 0.0
    depth = np.where(hit, (-b - np.sqrt(np.maximum(root, 0.0))) / a, 1.0).astype(np.float32)
    image = np.where(hit[..., None], 0.5 + 4.0 * (depth[..., None] - 1.0), 0.8)
    return np.repeat(image, 3, axis=2).astype(np.float32), hit.astype(np.float32), depth


def true_shape(camera: OrbitCamera) -> TrueShape:
    _, coverage, depth = ball(camera, EDGE)
    return TrueShape(coverage, back_project(depth, camera)[coverage > 0.5])


def picture(view: str, image: FloatArray, background: FloatArray) -> Picture:
    data = np.moveaxis(image, -1, 0) if image.ndim == 3 else image[None]
    return Picture(view, data if view == "depth" else 2.0 * data - 1.0, background)  # type: ignore[arg-type]


def perfect(camera: OrbitCamera) -> tuple[Picture, Picture, Picture, Picture]:
    image, _, _ = ball(camera, EDGE)
    _, opacity, depth = ball(camera, THUMB)
    background = 1.0 - opacity
    return (
        picture("image", image, np.zeros((EDGE, EDGE), np.float32)),
        picture("volume", shrink(image, THUMB), background),
        picture("depth", depth, background),
        picture("direct", image, np.zeros((EDGE, EDGE), np.float32)),
    )


def test_the_truth_itself_scores_perfectly() -> None:
    camera = OrbitCamera(0.2, 0.1)
    score = score_view(
        1, *perfect(camera), ball(camera, EDGE)[0], true_shape(camera), camera, 0.16, 0.5
    )
    assert score.psnr_thumb > 90.0
    assert min(score.psnr_image, score.psnr_direct) > 90.0
    assert score.psnr_enlarged < 40.0
    assert score.sharpness == pytest.approx(score.true_sharpness, rel=1e-3)
    assert score.iou > 0.9
    assert score.depth_error < 0.02  # at 64² the truth's points lie 2 % of the height apart


def test_a_ball_too_near_shows_as_depth_error() -> None:
    camera = OrbitCamera()
    image, volume, depth, direct = perfect(camera)
    nearer = Picture("depth", depth.data - np.float32(0.016), depth.background)
    pictures, truth = (image, volume, nearer, direct), ball(camera, EDGE)[0]
    score = score_view(1, *pictures, truth, true_shape(camera), camera, 0.16, 0.5)
    assert 0.05 < score.depth_error <= 0.1


def test_orbit_of_a_ball_and_of_a_ball_with_a_floater() -> None:
    cameras = [OrbitCamera(azimuth) for azimuth in (-0.5, 0.0, 0.5)]
    truths = [true_shape(camera) for camera in cameras]
    depths = [perfect(camera)[2] for camera in cameras]
    score = score_orbit(1, depths, truths, cameras, 0.16)
    assert (score.floating, score.true_floating, score.stray) == (0, 0, 0.0)
    assert score.consistency < 0.05

    background = depths[0].background.copy()
    background[0, :3] = 0.2
    near = np.full_like(depths[0].data, 0.9)
    littered = Picture("depth", np.where(background < 0.5, depths[0].data, near), background)
    score = score_orbit(1, [littered, *depths[1:]], truths, cameras, 0.16)
    assert score.floating == 1
    assert score.stray > 0.0


def test_empty_pictures_have_the_worst_scores() -> None:
    cameras = [OrbitCamera(azimuth) for azimuth in (-0.5, 0.0, 0.5)]
    empty = Picture(
        "depth", np.ones((1, THUMB, THUMB), np.float32), np.ones((THUMB, THUMB), np.float32)
    )
    score = score_orbit(1, [empty] * 3, [true_shape(camera) for camera in cameras], cameras, 0.16)
    assert score.iou == 0.0
    assert score.stray == 1.0


def test_evaluation_cameras_are_fixed_and_bounded() -> None:
    cameras = evaluation_cameras(300)
    assert cameras[:10] == evaluation_cameras(10)
    assert max(abs(camera.azimuth) for camera in cameras) <= 0.9
    assert np.std([camera.azimuth for camera in cameras]) == pytest.approx(0.3, rel=0.15)
    assert np.std([camera.elevation for camera in cameras]) == pytest.approx(0.15, rel=0.15)
