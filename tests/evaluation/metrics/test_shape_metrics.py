"""Shape metrics on spheres, masks and planes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stylesdf_core.evaluation.metrics.shape_metrics import (
    FloatArray,
    angles,
    back_project,
    dents,
    gradient_norms,
    intersection_over_union,
    median_chamfer,
    nearest_distances,
    separate_parts,
)
from stylesdf_core.heads.measure.scores import MeshScore, score_mesh
from stylesdf_core.heads.measure.truth import TrueSurface
from stylesdf_core.mesh.surface import extract_surface
from stylesdf_core.progress import drain
from stylesdf_core.rendering.camera import VOLUME_RADIUS, OrbitCamera

RADIUS = 0.08


def sphere_sdf(points: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.norm(points, axis=1) - RADIUS, np.float32)


def unit_vectors(count: int) -> FloatArray:
    vectors = np.random.default_rng(0).standard_normal((count, 3))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def directions_from_origin(points: FloatArray) -> FloatArray:
    return np.asarray(points / np.linalg.norm(points, axis=1, keepdims=True), np.float32)


def test_intersection_over_union() -> None:
    a, b = np.zeros((2, 4, 4), np.bool_)
    assert intersection_over_union(a, b) == 1.0
    a[:, :2] = True
    assert intersection_over_union(a, b) == 0.0
    b[:, 1:3] = True
    assert intersection_over_union(a, b) == pytest.approx(1.0 / 3.0)


def test_separate_parts_counts_all_but_the_largest() -> None:
    mask = np.zeros((16, 16), np.bool_)
    assert separate_parts(mask) == 0
    mask[2:10, 2:10] = True
    assert separate_parts(mask) == 0
    mask[10, 10] = True  # touches at a corner
    assert separate_parts(mask) == 0
    mask[13, 1:4] = True
    mask[13, 13] = True
    assert separate_parts(mask) == 2
    assert separate_parts(mask, smallest=2) == 1


@pytest.mark.parametrize("camera", [OrbitCamera(), OrbitCamera(0.4, -0.2, pan_x=0.01)])
def test_back_projected_points_lie_where_their_depth_says(camera: OrbitCamera) -> None:
    depth = np.random.default_rng(0).uniform(0.9, 1.1, (8, 8)).astype(np.float32)
    points = back_project(depth, camera)
    matrix = camera.cam2world()
    local = (points - matrix[:, 3]) @ matrix[:, :3]
    assert -local[..., 2] == pytest.approx(depth, abs=1e-6)
    columns = camera.focal(8) * local[..., 0] / depth + 4.0
    assert columns == pytest.approx(np.tile(np.arange(8) + 0.5, (8, 1)), abs=1e-3)
    rows = 4.0 - camera.focal(8) * local[..., 1] / depth
    assert rows == pytest.approx(np.tile(np.arange(8) + 0.5, (8, 1)).T, abs=1e-3)


def test_distances_between_parallel_planes() -> None:
    grid = np.stack(np.meshgrid(np.arange(8.0), np.arange(8.0), [0.0]), axis=-1).reshape(-1, 3)
    plane = grid.astype(np.float32)
    raised = plane + np.array([0.0, 0.0, 0.5], np.float32)
    assert nearest_distances(raised, plane) == pytest.approx(np.full(64, 0.5))
    assert median_chamfer(raised, plane) == pytest.approx(0.5)


def test_gradient_of_a_distance_is_one_and_of_twice_it_two() -> None:
    points = unit_vectors(200) * np.float32(0.09)
    assert gradient_norms(sphere_sdf, points) == pytest.approx(np.ones(200), abs=2e-3)
    doubled = gradient_norms(lambda p: 2.0 * sphere_sdf(p), points)
    assert doubled == pytest.approx(np.full(200, 2.0), abs=4e-3)


def test_angles() -> None:
    x = np.array([[1.0, 0.0, 0.0]], np.float32)
    tilted = np.array([[math.cos(0.3), math.sin(0.3), 0.0]], np.float32)
    assert angles(x, tilted)[0] == pytest.approx(math.degrees(0.3), abs=1e-3)
    assert angles(x, -x)[0] == pytest.approx(180.0)


def test_a_sphere_scores_as_a_perfect_mesh() -> None:
    mesh = drain(extract_surface(sphere_sdf, resolution=64))
    normals = unit_vectors(60_000)
    truth = TrueSurface(normals * np.float32(RADIUS), normals)
    score = score_mesh(3, mesh, sphere_sdf, directions_from_origin, truth, 2 * RADIUS)
    assert score.components == 1
    assert score.largest == 1.0
    assert score.watertight
    assert score.angle < 0.6  # the truth's points lie 0.6° apart
    assert score.distance < 0.01
    assert score.gradient_error < 2e-3


def test_a_second_sphere_is_seen_in_the_mesh() -> None:
    centre = np.array([0.0, 0.0, 0.09], np.float32)

    def two(points: FloatArray) -> FloatArray:
        small = np.linalg.norm(points - centre, axis=1) - 0.02
        large = np.linalg.norm(points + 0.4 * centre, axis=1) - 0.06
        return np.asarray(np.minimum(small, large), np.float32)

    mesh = drain(extract_surface(two, resolution=64))
    normals = unit_vectors(10_000)
    truth = TrueSurface(normals * np.float32(0.06) - 0.4 * centre, normals)
    score = score_mesh(0, mesh, two, directions_from_origin, truth, 0.12)
    assert score.components == 2
    assert score.largest == pytest.approx(0.9, abs=0.03)
    assert score.watertight


def test_meshes_that_are_no_heads_do_not_count_as_free_of_dents() -> None:
    def wall(points: FloatArray) -> FloatArray:
        return np.asarray(VOLUME_RADIUS - 1e-3 - points[:, 1], np.float32)

    normals = unit_vectors(1000)
    truth = TrueSurface(normals * np.float32(RADIUS), normals)
    mesh = drain(extract_surface(wall, resolution=32))
    score = score_mesh(1, mesh, wall, directions_from_origin, truth, 2 * RADIUS)
    assert score == MeshScore.of_nothing(1)
    mesh = drain(extract_surface(sphere_sdf, resolution=32))
    inwards = score_mesh(1, mesh, sphere_sdf, lambda x: -directions_from_origin(x), truth, 1.0)
    assert math.isnan(inwards.dented)


def test_a_dent_has_its_area_and_depth_and_an_offset_is_none() -> None:
    points = unit_vectors(4000)
    cap = points[:, 2] > math.cos(0.2)
    heights = np.where(cap, -0.03, 0.1).astype(np.float32)  # all too high, but for a dimple
    share, depth = dents(points, heights, radius=0.8, least=0.02)
    assert share == pytest.approx(float(cap.mean()), abs=1e-9)
    assert share == pytest.approx(0.5 * (1.0 - math.cos(0.2)), rel=0.2)
    assert depth == pytest.approx(0.13, rel=0.1), "below the surroundings, which hold the dimple"
    assert dents(points, np.full(4000, 0.1, np.float32), radius=0.8, least=0.02) == (0.0, 0.0)
    bump = np.where(cap, 0.13, 0.0).astype(np.float32)
    assert dents(points, bump, radius=0.8, least=0.02) == (0.0, 0.0), "a bump is no dent"
