"""Culled compositing against compositing of every sample."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from stylesdf_core.engine.compiled import compiled_loops
from stylesdf_core.engine.field.baked_field import BakedField
from stylesdf_core.engine.march.distance_grid import COARSE, FINE, DistanceGrid
from stylesdf_core.engine.march.ray_march import (
    VISIBLE,
    VISIBLE_IN_MOTION,
    MarchedRays,
    RayMarch,
    _sum_by_ray,
    relevant_band,
)
from stylesdf_core.mesh.sdf_grid import FloatArray
from stylesdf_core.rendering.camera import FAR, NEAR, OrbitCamera
from stylesdf_core.rendering.rays import make_rays
from stylesdf_core.rendering.volume_rendering import (
    Composite,
    composite,
    compositing_weights,
    density_to_sigma,
    sample_depths,
    sample_distances,
    sample_points,
    sdf_to_sigma,
)
from tests.models import tiny_generator

RADIUS = 0.08
EDGE = 32
CPU = torch.device("cpu")


#: The march that the tests are about, in a list of one.
marching: list[type[RayMarch]] = []


@pytest.fixture(params=["plain", "compiled"], autouse=True)
def _both(request: pytest.FixtureRequest) -> None:
    if request.param == "plain":
        marching[:] = [RayMarch]
        return
    if not compiled_loops.usable():
        pytest.skip("Numba is not installed, or turned off")
    from stylesdf_core.engine.march.compiled_march import CompiledRayMarch

    marching[:] = [CompiledRayMarch]


@dataclass
class CoatedSphere:
    """A sphere in the shape of a BakedField: its colours depend on point and view direction.

    A point's trunk is the point itself.
    """

    radius: float = RADIUS
    asked: list[Tensor] = field(default_factory=list)

    def trunk(self, points: Tensor) -> Tensor:
        self.asked.append(points)
        return points

    def scalar_of(self, trunk: Tensor) -> Tensor:
        return trunk.norm(dim=-1) - self.radius

    def direction_terms(self, viewdirs: Tensor) -> Tensor:
        return 3.0 * viewdirs

    width = 3

    def shade(self, trunk: Tensor, direction_terms: Tensor, rays: Tensor) -> Tensor:
        return torch.sin(40.0 * trunk + direction_terms[rays])

    def logits_of(self, features: Tensor) -> Tensor:
        return features

    @property
    def evaluated(self) -> int:
        return sum(len(points) for points in self.asked)


class Counted(BakedField):
    """A real field that keeps the points it was asked for."""

    asked: list[Tensor]

    def trunk(self, points: Tensor) -> Tensor:
        self.asked.append(points)
        return super().trunk(points)


@dataclass(frozen=True)
class View:
    origins: Tensor
    directions: Tensor
    viewdirs: Tensor

    @classmethod
    def of(cls, camera: OrbitCamera, edge: int = EDGE) -> View:
        matrix = torch.from_numpy(camera.cam2world().astype(np.float32))[None]
        rays = make_rays(matrix, camera.focal(edge), edge)
        return cls(*(x.reshape(-1, 3) for x in (rays.origins, rays.directions, rays.viewdirs)))


@torch.no_grad()
def marched(march: RayMarch, view: View, *, features: bool = True) -> MarchedRays:
    return march(view.origins, view.directions, view.viewdirs, features=features)


@torch.no_grad()
def every_sample(march: RayMarch, view: View) -> Composite:
    """The same rays through the pure functions, all samples evaluated and shaded."""
    count, samples = len(view.origins), len(march.t_vals)
    points = sample_points(view.origins, view.directions, march.t_vals)
    trunk = (
        BakedField.trunk(march.field, points.reshape(-1, 3))
        if isinstance(march.field, Counted)
        else points.reshape(-1, 3)
    )
    sigma = march.sigma(march.field.scalar_of(trunk)).view(count, samples)
    weights = compositing_weights(
        sigma,
        sample_distances(march.t_vals, view.directions),
        force_background=march.force_background,
    )
    rays = torch.arange(count).repeat_interleave(samples)
    features = march.field.shade(trunk, march.field.direction_terms(view.viewdirs), rays)
    raw = march.field.logits_of(features)
    shape = (count, samples, -1)
    return composite(weights, raw.view(shape), features.view(shape), points, march.t_vals)


def sphere_march(beta: float, *, samples: int = 24, resolution: int = FINE) -> RayMarch:
    sphere = CoatedSphere()

    def distance(points: FloatArray) -> FloatArray:
        return np.linalg.norm(points, axis=-1) - np.float32(RADIUS)

    band = relevant_band(beta, (FAR - NEAR) / 24)
    grid = DistanceGrid.sample(distance, band, CPU, resolution=resolution)
    t_vals = sample_depths(samples, torch.zeros(1))
    march = marching[0]
    return march(sphere, lambda d: sdf_to_sigma(d, beta), beta, t_vals, grid, True)  # type: ignore[arg-type]


def network_march(kind: str, beta: float = 0.01) -> RayMarch:
    generator = tiny_generator(field=kind)
    generator.field.sigmoid_beta.fill_(beta)
    source = torch.Generator().manual_seed(2)
    w = 0.3 * generator.mapping(torch.randn(1, 256, generator=source))
    if kind == "sdf":  # half of the volume is inside
        points = 0.24 * torch.rand(1, 4000, 3, generator=source) - 0.12
        generator.field.scalar_head.bias -= generator.field.scalar(points, w).median()
    network = Counted(generator.field, w)
    network.asked = []
    grid = None
    if kind == "sdf":
        band = relevant_band(beta, (FAR - NEAR) / 24)
        grid = DistanceGrid.sample(
            lambda points: network.scalar(torch.from_numpy(points)).numpy(),
            band,
            CPU,
            resolution=FINE,
        )
    t_vals = sample_depths(24, torch.zeros(1))
    march = marching[0] if kind == "sdf" else RayMarch
    return march(network, generator.sigma, beta, t_vals, grid, True)


def assert_same(drawn: MarchedRays, true: Composite, tolerance: float) -> None:
    """Within what samples that weigh ``tolerance`` together can do."""
    torch.testing.assert_close(drawn.background, true.mask, rtol=0, atol=tolerance)
    torch.testing.assert_close(drawn.rgb, true.rgb, rtol=0, atol=2 * tolerance)
    assert drawn.features is not None
    torch.testing.assert_close(drawn.features, true.features, rtol=0, atol=2 * tolerance)
    solid = true.mask < 0.9
    assert float(solid.float().mean()) > 0.03
    # what is left out of so much is at most its share of the volume's depth
    shift = 10 * tolerance * (FAR - NEAR)
    torch.testing.assert_close(drawn.depth[solid], true.depth[solid], rtol=0, atol=shift)


def evaluated_samples(march: RayMarch, view: View) -> Tensor:
    """Which samples (R, N) the field was asked for, found by their points."""
    asked = torch.cat(march.field.asked).numpy()  # type: ignore[attr-defined]
    points = sample_points(view.origins, view.directions, march.t_vals).reshape(-1, 3).numpy()
    distance, _ = cKDTree(asked).query(points, distance_upper_bound=1e-5)
    return torch.from_numpy(np.isfinite(distance)).view(len(view.origins), -1)


CAMERAS = [
    OrbitCamera(),
    OrbitCamera(2.5, 1.2, 3.0, 0.02, -0.05),
    OrbitCamera(-0.7, 0.3, 20.0, -0.12, 0.12),
]


@pytest.mark.parametrize("samples", [8, 24, 128])
@pytest.mark.parametrize("beta", [0.001, 0.005, 0.05])
@pytest.mark.parametrize("camera", CAMERAS)
def test_sphere(camera: OrbitCamera, beta: float, samples: int) -> None:
    march, view = sphere_march(beta, samples=samples), View.of(camera)
    assert_same(marched(march, view), every_sample(march, view), 2e-3 if samples <= 24 else 1e-2)


@pytest.mark.parametrize("beta", [0.001, 0.01, 0.05])
@pytest.mark.parametrize("kind", ["sdf", "density"])
def test_network(kind: str, beta: float) -> None:
    march = network_march(kind, beta)
    for camera in CAMERAS:
        assert_same(marched(march, View.of(camera)), every_sample(march, View.of(camera)), 2e-3)


@pytest.mark.parametrize("resolution", [COARSE, FINE])
@pytest.mark.parametrize("beta", [0.001, 0.005, 0.05])
def test_no_visible_sample_is_left_out(beta: float, resolution: int) -> None:
    for camera in CAMERAS:
        march, view = sphere_march(beta, resolution=resolution), View.of(camera)
        true = every_sample(march, view).weights
        marched(march, view)
        seen = evaluated_samples(march, view)
        assert not bool((true[~seen] > 1.001 * VISIBLE).any())


def test_few_samples_are_evaluated() -> None:
    march, view = sphere_march(0.001), View.of(OrbitCamera())
    marched(march, view)
    everything = len(view.origins) * len(march.t_vals)
    fine = march.field.evaluated  # type: ignore[attr-defined]
    assert 0 < fine < 0.15 * everything
    in_motion = replace(march, field=CoatedSphere(), visible=VISIBLE_IN_MOTION)  # type: ignore[arg-type]
    drawn = marched(in_motion, view)
    assert in_motion.field.evaluated < 0.95 * fine  # type: ignore[attr-defined]
    assert_same(drawn, every_sample(march, view), 24 * VISIBLE_IN_MOTION)


def test_no_sample_is_evaluated_twice() -> None:
    march, view = sphere_march(0.005), View.of(OrbitCamera())
    marched(march, view)
    sphere = march.field
    assert len(np.unique(torch.cat(sphere.asked).numpy(), axis=0)) == sphere.evaluated  # type: ignore[attr-defined]


def test_a_density_field_is_evaluated_everywhere() -> None:
    march, view = network_march("density"), View.of(OrbitCamera(), 8)
    march.field.asked.clear()  # type: ignore[attr-defined]
    marched(march, view)
    assert [len(points) for points in march.field.asked] == [64 * 24]  # type: ignore[attr-defined]


def test_a_surface_that_the_grid_takes_for_deeper_is_mended_by_the_second_round() -> None:
    """The grid's distances are 0.02 off and say so: what they hide is looked at all the same."""
    march, view = sphere_march(0.001), View.of(OrbitCamera())
    assert march.grid is not None
    values = march.grid.values.clone()
    values[:, 0] -= 0.02
    values[:, 1] += 0.02
    swollen = replace(march, grid=DistanceGrid(values, march.grid.grid))
    drawn = marched(swollen, view)
    assert len(swollen.field.asked) == 2  # type: ignore[attr-defined]
    assert_same(drawn, every_sample(march, view), 2e-3)


# --- background -----------------------------------------------------------------------------------


@pytest.mark.parametrize("beta", [0.001, 0.05])
@pytest.mark.parametrize("kind", ["sphere", "sdf", "density"])
def test_background_that_is_not_forced(kind: str, beta: float) -> None:
    march = sphere_march(beta) if kind == "sphere" else network_march(kind, beta)
    march = replace(march, force_background=False)
    for camera in CAMERAS[:2]:
        view = View.of(camera)
        drawn, true = marched(march, view), every_sample(march, view)
        torch.testing.assert_close(drawn.background, true.mask, rtol=0, atol=2e-3)
        torch.testing.assert_close(drawn.rgb, true.rgb, rtol=0, atol=4e-3)


@pytest.mark.parametrize("force", [True, False])
def test_rays_that_meet_nothing(force: bool) -> None:
    """All is background; without one, nothing at all is left to be summed."""
    march = replace(sphere_march(0.001), force_background=force)
    view = View.of(OrbitCamera(fov=1.0, pan_x=0.12, pan_y=0.12), 8)
    drawn, true = marched(march, view), every_sample(march, view)
    assert drawn.features is not None
    torch.testing.assert_close(drawn.background, torch.full((64,), float(force)))
    torch.testing.assert_close(drawn.rgb, true.rgb, rtol=0, atol=1e-5)
    torch.testing.assert_close(drawn.features, true.features, rtol=0, atol=1e-5)
    assert bool((drawn.depth == 0).all())


def test_depth_is_the_spheres() -> None:
    march, view = sphere_march(0.001, samples=128), View.of(OrbitCamera(0.6, 0.2))
    depth = marched(march, view).depth
    a, b = view.directions.square().sum(-1), (view.origins * view.directions).sum(-1)
    c = view.origins.square().sum(-1) - RADIUS**2
    true = (-b - (b.square() - a * c).sqrt()) / a  # NaN where the ray misses
    facing = (b.square() / a - view.origins.square().sum(-1)) > -((0.8 * RADIUS) ** 2)
    assert float(facing.float().mean()) > 0.2
    error = (depth - true)[facing]
    # The light is lost over a few β and up to a sample behind the surface.
    assert float(error.abs().max()) < 2 * (FAR - NEAR) / 128 + 0.002


def test_features_only_where_asked_for() -> None:
    march, view = sphere_march(0.001), View.of(OrbitCamera())
    assert marched(march, view, features=False).features is None
    with_features = marched(march, view)
    assert torch.equal(marched(march, view, features=False).rgb, with_features.rgb)


# --- formulas -------------------------------------------------------------------------------------


@pytest.mark.parametrize("beta", [0.0008, 0.005, 0.05])
def test_relevant_band_holds_all_that_can_weigh(beta: float) -> None:
    spacing = (FAR - NEAR) / 24
    low, high = relevant_band(beta, spacing)
    sigma = sdf_to_sigma(torch.tensor([low, high]), beta)
    alpha = 1.0 - torch.exp(-sigma * spacing)
    assert float(alpha[1]) <= VISIBLE * 1.001
    assert float(sigma[0]) > 0.85 / beta  # as dense as it gets, nearly
    assert low < 0.0 <= high


def test_no_band_above_the_surface_for_a_haze() -> None:
    assert relevant_band(1000.0, 0.01) == (-2000.0, 0.0)


def test_sums_by_ray() -> None:
    values = torch.arange(10.0).view(5, 2)
    weights, rays = torch.tensor([1.0, 2.0, 0.5, 1.0, 3.0]), torch.tensor([0, 0, 2, 2, 5])
    expected = torch.zeros(7, 2).index_add(0, rays, weights[:, None] * values)
    torch.testing.assert_close(_sum_by_ray(values, weights, rays, 7), expected)
    nothing = _sum_by_ray(values[:0], weights[:0], rays[:0], 7)
    assert torch.equal(nothing, torch.zeros(7, 2))


def test_densities_are_the_models() -> None:
    """The march asks the model's own density; here of a raw output that softplus lifts."""
    march = network_march("density")
    scalar = torch.tensor([-math.inf, 0.0, 3.0])
    torch.testing.assert_close(march.sigma(scalar), density_to_sigma(scalar))
