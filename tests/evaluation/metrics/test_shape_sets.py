"""Matching of shapes: known distances, a mode that collapsed, a shape that is turned."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from stylesdf_core.evaluation.metrics.shape_metrics import back_project
from stylesdf_core.evaluation.metrics.shape_sets import (
    SeenSurface,
    chamfer_distances,
    coverage,
    minimum_matching_distance,
    normals_angle,
)
from stylesdf_core.progress import drain
from stylesdf_core.rendering.camera import OrbitCamera
from tests.evaluation.spheres import sphere_depth

FloatArray = npt.NDArray[np.float32]
FRONT = OrbitCamera()


def sphere(radius: float, camera: OrbitCamera = FRONT) -> SeenSurface:
    return SeenSurface.of(back_project(sphere_depth(radius), camera))


def plane(slope: float, *, size: int = 64) -> SeenSurface:
    """A plane through the origin whose depth rises to the right by ``slope``."""
    offset = (np.arange(size) + 0.5 - 0.5 * size) / FRONT.focal(size)
    x, _ = np.meshgrid(offset, offset)
    return SeenSurface.of(back_project((1.0 / (1.0 - slope * x)).astype(np.float32), FRONT))


def distances(ones: list[SeenSurface], others: list[SeenSurface]) -> npt.NDArray[np.float64]:
    return drain(chamfer_distances(ones, others))


NOTHING = SeenSurface.of(np.full((64, 64, 3), np.nan, np.float32))


def test_equal_sets_match_and_cover_each_other() -> None:
    heads = [sphere(radius) for radius in (0.05, 0.06, 0.07)]
    found = distances(heads, heads)
    assert np.allclose(found, found.T)
    assert minimum_matching_distance(found) == 0.0
    assert coverage(found) == 1.0
    assert normals_angle(heads[0], heads[0]) < 0.1


def test_spheres_are_as_far_apart_as_their_radii() -> None:
    found = distances([sphere(0.075)], [sphere(0.08), sphere(0.09)])
    # Within the pixels' distance: a point's neighbour along the normal lies between two pixels.
    assert found[0] == pytest.approx([0.005, 0.015], rel=0.08)
    near, far = sphere(0.06), sphere(0.08)
    assert minimum_matching_distance(distances([near, far], [far])) == 0.0


def test_a_set_of_one_repeated_shape_covers_one_of_many() -> None:
    true = [sphere(radius) for radius in (0.05, 0.06, 0.07, 0.08)]
    found = distances([sphere(0.061)] * 4, true)
    assert coverage(found) == 1 / 4
    assert found.argmin(axis=1).tolist() == [1] * 4


def test_normals_of_a_plane_are_off_by_its_tilt() -> None:
    for slope in (0.0, 0.2, 0.5):
        tilt = math.degrees(math.atan(slope))
        assert normals_angle(plane(slope), plane(0.0)) == pytest.approx(tilt, abs=0.05)
    assert normals_angle(plane(0.2), plane(-0.2)) == pytest.approx(2 * 11.31, abs=0.05)


def test_normals_of_a_sphere_point_away_from_its_middle() -> None:
    for camera in (FRONT, OrbitCamera(0.4, -0.2)):
        seen = sphere(0.08, camera)
        outwards = seen.points / np.linalg.norm(seen.points, axis=1, keepdims=True)
        steep = np.einsum("ni,ni->n", outwards, seen.normals)
        assert np.degrees(np.arccos(np.median(steep))) < 1.0
        assert normals_angle(seen, sphere(0.08, FRONT)) < 12.0, "as far as both see it"


def test_a_shape_without_surface_is_near_nothing() -> None:
    found = distances([NOTHING, sphere(0.06)], [sphere(0.06), sphere(0.07)])
    assert np.isinf(found[0]).all()
    assert coverage(found) == 1 / 2
    assert math.isfinite(minimum_matching_distance(found))
    assert math.isnan(normals_angle(NOTHING, sphere(0.06)))
    assert math.isinf(minimum_matching_distance(distances([NOTHING], [sphere(0.06)])))
    assert coverage(distances([NOTHING], [sphere(0.06)])) == 0.0
