"""Meshes of fields with known surfaces, and the coarse-to-fine grid against the dense one."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from stylesdf_core.engine.engine import Engine
from stylesdf_core.errors import EmptySurfaceError, InputError
from stylesdf_core.mesh.sdf_grid import VOLUME_BOUNDS, FloatArray, ScalarField, SdfGrid, sample_grid
from stylesdf_core.mesh.surface import (
    SurfaceMesh,
    extract_surface,
    largest_component,
    mesh_grid,
    report,
)
from stylesdf_core.model.model import load_model
from stylesdf_core.progress import Progress, drain
from stylesdf_core.scene.scene import Identity, Scene
from tests.mesh.shapes import head, opposed, wedge

RADIUS = 0.08


def sphere(
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0), radius: float = RADIUS
) -> ScalarField:
    return lambda points: np.linalg.norm(points - np.float32(centre), axis=1) - np.float32(radius)


def torus(points: FloatArray) -> FloatArray:
    ring = np.hypot(points[:, 0], points[:, 2]) - 0.07
    return np.hypot(ring, points[:, 1]) - np.float32(0.03)


def two_spheres(points: FloatArray) -> FloatArray:
    return np.minimum(sphere((-0.04, 0, 0), 0.05)(points), sphere((0.08, 0, 0), 0.02)(points))


def density(points: FloatArray) -> FloatArray:
    """A density field as the engine hands it over: negated, flat outside, steep at the surface."""
    return -np.logaddexp(0.0, -3000.0 * sphere()(points)).astype(np.float32)


def dense_grid(field: ScalarField, resolution: int) -> SdfGrid:
    axis = np.linspace(VOLUME_BOUNDS[0][0], VOLUME_BOUNDS[1][0], resolution)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    values = field(points.astype(np.float32)).reshape((resolution,) * 3)
    return SdfGrid(values.astype(np.float32), np.ones(values.shape, np.bool_), *VOLUME_BOUNDS)


def face_normals(mesh: SurfaceMesh) -> FloatArray:
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces].astype(np.float64), 1, 0)
    cross = np.cross(b - a, c - a)
    return cross / np.linalg.norm(cross, axis=1, keepdims=True)


class CountingField:
    def __init__(self, field: ScalarField) -> None:
        self.field, self.points, self.largest = field, 0, 0

    def __call__(self, points: FloatArray) -> FloatArray:
        assert points.dtype == np.float32
        self.points += len(points)
        self.largest = max(self.largest, len(points))
        return self.field(points)


@pytest.mark.parametrize("resolution", [32, 63, 128])
def test_sphere_has_its_radius_and_points_outward(resolution: int) -> None:
    mesh = drain(extract_surface(sphere(), resolution=resolution))
    pitch = 0.24 / (resolution - 1)
    radii = np.linalg.norm(mesh.vertices, axis=1)
    assert np.abs(radii - RADIUS).max() < 0.5 * pitch
    outward = mesh.vertices / radii[:, None]
    assert (mesh.normals * outward).sum(axis=1).min() > 0.995
    centres = mesh.vertices[mesh.faces].mean(axis=1)
    assert ((face_normals(mesh) * centres).sum(axis=1) > 0).all()  # counter-clockwise from outside
    facts = report(mesh)
    assert facts.watertight
    assert (facts.components, facts.euler, facts.largest_fraction) == (1, 2, 1.0)
    assert facts.volume == pytest.approx(4 / 3 * math.pi * RADIUS**3, rel=0.02)
    assert facts.area == pytest.approx(4 * math.pi * RADIUS**2, rel=0.02)
    assert np.abs(np.abs(facts.bounds) - RADIUS).max() < 0.5 * pitch
    assert mesh.vertices.dtype == mesh.normals.dtype == np.float32
    assert mesh.faces.dtype == np.int32


@pytest.mark.parametrize(
    ("field", "level", "most"),
    [
        (sphere(), 0.0, 0.032),
        (head, 0.0, 0.044),
        (head, 0.012, 0.052),
        (torus, 0.0, 0.034),
        (density, -9.0, 0.035),
    ],
    ids=["sphere", "head", "head grown", "torus", "density"],
)
def test_coarse_to_fine_makes_the_dense_grid_s_triangles(
    field: ScalarField, level: float, most: float
) -> None:
    grid = drain(sample_grid(field, resolution=128, level=level))
    mesh = drain(mesh_grid(grid, level=level))
    dense = drain(mesh_grid(dense_grid(field, 128), level=level))
    assert grid.fraction_evaluated < most
    assert np.array_equal(mesh.faces, dense.faces)
    assert np.abs(mesh.vertices - dense.vertices).max() < 1e-5  # float32 grid positions


def test_surface_is_followed_out_of_the_foreseen_cells() -> None:
    """A needle thinner than any coarse cell, on a ball that is easily seen."""

    def needle(points: FloatArray) -> FloatArray:
        spike = np.hypot(points[:, 1] - 0.003, points[:, 2] - 0.003) - 0.003
        steep = 50.0 * np.maximum(spike, np.abs(points[:, 0]) - 0.1)  # far from Lipschitz 1
        return np.minimum(sphere(radius=0.04)(points), np.clip(steep, -1, 0.02)).astype(np.float32)

    mesh = drain(extract_surface(needle, resolution=128))
    assert report(mesh).components == 1
    assert mesh.vertices[:, 0].max() == pytest.approx(0.1, abs=0.002)
    assert mesh.vertices[:, 0].min() == pytest.approx(-0.1, abs=0.002)


def test_cut_surface_is_closed_by_a_flat_cap_on_the_boundary() -> None:
    mesh = drain(extract_surface(sphere((0, -0.1, 0)), resolution=65))
    facts = report(mesh)
    assert facts.watertight
    assert facts.euler == 2
    bottom = np.float32(-0.12)
    assert mesh.vertices[:, 1].min() == bottom
    on_cap = mesh.vertices[:, 1] == bottom
    radius = math.sqrt(RADIUS**2 - 0.02**2)
    assert np.hypot(*mesh.vertices[on_cap][:, [0, 2]].T).max() == pytest.approx(radius, abs=0.001)
    inside = np.hypot(*mesh.vertices[:, [0, 2]].T) < radius - 0.004
    assert (mesh.normals[on_cap & inside] == [0, -1, 0]).all()
    cap_faces = on_cap[mesh.faces].all(axis=1)
    assert face_normals(mesh)[cap_faces][:, 1].max() < -0.999


def test_a_cap_has_the_colours_of_the_skin_beside_it() -> None:
    def colors(points: np.ndarray) -> np.ndarray:
        """Green at the surface of the ball, and red inside it, as in an untrained depth."""
        depth = RADIUS - np.linalg.norm(points - (0, -0.1, 0), axis=1)
        return np.where(depth[:, None] < 0.002, (0, 1, 0), (1, 0, 0)).astype(np.float32)

    mesh = drain(extract_surface(sphere((0, -0.1, 0)), resolution=65, colors=colors))
    assert mesh.colors is not None
    assert (mesh.vertices[:, 1] == np.float32(-0.12)).sum() > 100
    assert (mesh.colors == (0, 1, 0)).all()


def test_caps_that_meet_in_edges_of_the_volume_stay_watertight() -> None:
    """The ball reaches through all six faces and over the twelve edges, but not to the corners."""
    mesh = drain(extract_surface(sphere(radius=0.18), resolution=48))
    facts = report(mesh)
    assert facts.watertight
    assert facts.euler == 2
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces].astype(np.float64), 1, 0)
    assert np.linalg.norm(np.cross(b - a, c - a), axis=1).min() > 0.0
    assert np.abs(np.linalg.norm(mesh.normals, axis=1) - 1.0).max() < 1e-5


def test_random_surface_is_watertight() -> None:
    rng = np.random.default_rng(5)
    waves = rng.normal(0.0, 60.0, (3, 30)).astype(np.float32)
    phases = rng.uniform(0.0, 2.0 * math.pi, 30).astype(np.float32)
    mesh = drain(
        extract_surface(lambda points: np.cos(points @ waves + phases).mean(axis=1), resolution=64)
    )
    assert report(mesh).watertight


def test_torus_has_a_hole() -> None:
    facts = report(drain(extract_surface(torus, resolution=64)))
    assert facts.watertight
    assert facts.euler == 0
    assert facts.volume == pytest.approx(2 * math.pi**2 * 0.07 * 0.03**2, rel=0.03)


def test_largest_component() -> None:
    mesh = drain(extract_surface(two_spheres, resolution=64, colors=lambda points: points + 0.5))
    facts = report(mesh)
    assert facts.components == 2
    assert 0.5 < facts.largest_fraction < 1.0
    alone = largest_component(mesh)
    assert report(alone).components == 1
    assert alone.vertices[:, 0].max() < 0.012
    assert alone.colors is not None
    assert np.allclose(alone.colors, alone.vertices + 0.5)

    coloured = CountingField(lambda points: points + 0.5)
    at_once = drain(extract_surface(two_spheres, resolution=64, colors=coloured, largest_only=True))
    assert coloured.points == len(at_once.vertices)
    assert np.array_equal(at_once.faces, alone.faces)


def test_open_mesh_is_reported_as_such() -> None:
    mesh = drain(extract_surface(sphere(), resolution=32))
    assert not report(SurfaceMesh(mesh.vertices, mesh.faces[1:], mesh.normals)).watertight
    flipped = mesh.faces.copy()
    flipped[0] = flipped[0, ::-1]
    assert not report(SurfaceMesh(mesh.vertices, flipped, mesh.normals)).watertight


def test_normals_and_colors_come_from_the_callables_in_chunks() -> None:
    normals = CountingField(lambda points: points / np.linalg.norm(points, axis=1, keepdims=True))
    colors = CountingField(lambda points: points * 10)  # out of range: clipped
    mesh = drain(
        extract_surface(
            sphere((0, -0.05, 0)), resolution=48, normals=normals, colors=colors, chunk_points=500
        )
    )
    assert normals.largest == colors.largest == 500
    assert mesh.colors is not None
    assert mesh.colors.min() == 0.0
    assert mesh.colors.max() <= 1.0
    on_top = mesh.vertices[:, 1] > -0.119
    expected = mesh.vertices / np.linalg.norm(mesh.vertices, axis=1, keepdims=True)
    assert np.allclose(mesh.normals[on_top], expected[on_top], atol=1e-5)
    assert (mesh.normals == [0, -1, 0]).all(axis=1).any()  # the cap keeps its flat normal


@pytest.mark.parametrize("level", [-0.5, 0.5])
def test_field_without_a_surface_says_its_range(level: float) -> None:
    with pytest.raises(EmptySurfaceError) as caught:
        drain(extract_surface(sphere(), resolution=33, level=level))
    assert caught.value.minimum == pytest.approx(-RADIUS, abs=0.002)
    assert caught.value.maximum == pytest.approx(0.12 * math.sqrt(3) - RADIUS, abs=0.002)
    assert caught.value.level == level
    assert "try level" in str(caught.value)


def test_another_level_reuses_what_was_evaluated() -> None:
    field = CountingField(head)
    first = drain(sample_grid(field, resolution=96))
    cost = field.points
    assert int(first.evaluated.sum()) == cost  # no point is asked for twice

    again = drain(sample_grid(field, resolution=96, reuse=first))
    assert field.points == cost
    assert np.array_equal(again.values, first.values)

    grown = drain(sample_grid(field, resolution=96, level=0.002, reuse=first))
    assert field.points - cost < 0.5 * cost
    mesh = drain(mesh_grid(grown, level=0.002))
    fresh = drain(extract_surface(head, resolution=96, level=0.002))
    assert np.array_equal(mesh.faces, fresh.faces)
    assert np.allclose(mesh.vertices, fresh.vertices, atol=1e-6)

    other = drain(sample_grid(field, resolution=48, reuse=first))  # does not fit: starts anew
    assert other.resolution == 48


def test_bounds_may_be_any_box() -> None:
    bounds = ((-0.1, 0.0, -0.09), (0.09, 0.1, 0.1))
    mesh = drain(extract_surface(sphere(), resolution=64, bounds=bounds))
    assert report(mesh).watertight
    assert mesh.vertices[:, 1].min() == 0.0
    off_cap = mesh.vertices[:, 1] > 1e-3
    radii = np.linalg.norm(mesh.vertices[off_cap], axis=1)
    assert np.abs(radii - RADIUS).max() < 0.0015


def test_progress_rises_to_one_and_stops_between_chunks() -> None:
    field = CountingField(head)
    operation = extract_surface(field, resolution=64, colors=head_color, chunk_points=4096)
    fractions = []
    while True:
        try:
            progress = next(operation)
        except StopIteration:
            break
        assert isinstance(progress, Progress)
        fractions.append(progress.fraction)
    assert all(before <= after for before, after in pairwise(fractions))
    assert fractions[-1] == 1.0
    assert field.largest == 4096

    cancelled = CountingField(head)
    operation = extract_surface(cancelled, resolution=64, chunk_points=4096)
    next(operation)
    operation.close()
    assert cancelled.points == 4096


def head_color(points: FloatArray) -> FloatArray:
    return np.full_like(points, 0.5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"resolution": 31},
        {"resolution": 513},
        {"level": math.nan},
        {"bounds": ((0.1, 0.0, 0.0), (0.0, 0.1, 0.1))},
    ],
)
def test_requests_out_of_range_are_input_errors(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        drain(extract_surface(sphere(), **wrong))  # type: ignore[arg-type]


def test_broken_field_is_an_input_error() -> None:
    with pytest.raises(InputError, match="not finite"):
        drain(extract_surface(lambda points: points[:, 0] * np.nan, resolution=32))


@pytest.mark.parametrize("resolution", [32, 64])
@pytest.mark.parametrize("field", [sphere(), head, wedge])
def test_no_normal_points_against_its_triangles(field: ScalarField, resolution: int) -> None:
    def normals(points: FloatArray) -> FloatArray:
        step = 1e-4 * np.eye(3, dtype=np.float32)
        return np.stack([field(points + side) - field(points - side) for side in step], axis=1)

    for given in (None, normals):
        mesh = drain(extract_surface(field, resolution=resolution, normals=given))
        assert opposed(mesh) == 0


@pytest.mark.parametrize("resolution", [64, 128])
def test_no_normal_of_a_shipped_head_points_against_its_triangles(resolution: int) -> None:
    engine, scene = Engine(load_model("heads")), Scene(identity=Identity(742))
    grid = drain(sample_grid(engine.sdf(scene), resolution=resolution))
    for normals in (None, engine.normals(scene)):
        assert opposed(drain(mesh_grid(grid, normals=normals, largest_only=True))) == 0
