"""The direct view: rays traced to the surface, its own colours, exact opacity."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from stylesdf_core.commands.scenes.options.backgrounds import Background
from stylesdf_core.engine.compiled import compiled_loops
from stylesdf_core.engine.engine import Engine
from stylesdf_core.engine.march.distance_grid import DistanceGrid
from stylesdf_core.engine.march.surface_trace import Crossings, SurfaceTrace
from stylesdf_core.engine.march.volume import CameraRays
from stylesdf_core.engine.passes import passes
from stylesdf_core.progress import drain
from stylesdf_core.rendering.camera import FAR, NEAR, OrbitCamera
from stylesdf_core.scene.scene import Identity, Scene
from tests.models import tiny_model

CPU = torch.device("cpu")
RADIUS = 0.07
Trace = Callable[[SurfaceTrace, Tensor, Tensor], Crossings]


def in_torch(trace: SurfaceTrace, origins: Tensor, directions: Tensor) -> Crossings:
    return trace._in_torch(origins, directions)


def compiled(trace: SurfaceTrace, origins: Tensor, directions: Tensor) -> Crossings:
    if not compiled_loops.usable():
        pytest.skip("needs Numba")
    return trace._compiled(origins, directions)


def sphere(camera: OrbitCamera, edge: int = 64) -> tuple[SurfaceTrace, CameraRays]:
    """Rays to a sphere of RADIUS in a grid."""
    grid = DistanceGrid.sample(
        lambda points: np.linalg.norm(points, axis=1) - np.float32(RADIUS),
        (0.0, 0.0),
        CPU,
        resolution=113,
    )
    rays = CameraRays.of(camera, edge, 6.0, CPU, static=True)
    return SurfaceTrace(grid, rays.volume, NEAR, FAR), rays


@pytest.mark.parametrize("way", [in_torch, compiled])
@pytest.mark.parametrize("camera", [OrbitCamera(), OrbitCamera(0.7, -0.3), OrbitCamera(fov=12.0)])
def test_rays_meet_a_sphere_where_it_is(way: Trace, camera: OrbitCamera) -> None:
    trace, rays = sphere(camera)
    crossings = way(trace, rays.origins, rays.directions)
    # |o + t·d| = r
    o, d = rays.origins.double(), rays.directions.double()
    a, b, c = (d * d).sum(1), (o * d).sum(1), (o * o).sum(1) - RADIUS**2
    root = b * b - a * c
    met = crossings.depth < math.inf
    assert not (met ^ (root > 0))[root.abs() > 2e-4].any()
    true = (-b - root.clamp_min(0).sqrt()) / a
    sure = root > 2e-3
    assert int(sure.sum()) > 100
    assert (crossings.depth - true)[sure].abs().max() < 1e-4
    slope = root.clamp_min(0).sqrt() / RADIUS  # of the distance along the ray
    torch.testing.assert_close(crossings.slope[sure].double(), slope[sure], atol=0.05, rtol=0)


def test_compiled_and_torch_agree_in_a_wide_view() -> None:
    trace, rays = sphere(OrbitCamera(0.3, 0.2, 15.0, 0.02, 0.01))
    assert trace.volume is not None
    one, other = (way(trace, rays.origins, rays.directions) for way in (in_torch, compiled))
    assert (torch.isinf(one.depth) == torch.isinf(other.depth)).float().mean() > 0.999
    both = torch.isfinite(one.depth) & torch.isfinite(other.depth)
    torch.testing.assert_close(one.depth[both], other.depth[both], atol=1e-5, rtol=0)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(tiny_model(), "cpu", exact=True)


def test_colours_are_the_field_s_at_its_surface(engine: Engine) -> None:
    scene = Scene(identity=Identity(5), camera=OrbitCamera(0.2))
    picture = engine.direct(scene, 48)
    covered = picture.background < 0.5
    assert 0.05 < covered.mean() < 0.95
    rays = engine.rays(scene, 48)
    render = engine.direct_render(scene, rays, 48)
    depth = drain(render.crossings(rays)).depth
    points = (rays.origins + rays.directions * depth[:, None])[depth < math.inf].numpy()
    assert np.median(np.abs(engine.sdf(scene)(points))) < 1e-3
    assert np.isfinite(picture.data).all()
    assert np.abs(picture.data).max() <= 1.0


def test_the_direct_view_and_meshes_have_the_surface_at_the_model_s_level(engine: Engine) -> None:
    """As those of a field that is shifted by the level; the volume render does not move."""
    scene, points = Scene(identity=Identity(5)), 0.1 * np.eye(3, dtype=np.float32)
    level = 0.004
    stated, shifted = tiny_model(), tiny_model()
    stated.generator.surface_level.fill_(level)
    shifted.generator.field.scalar_head.bias.data -= level
    found, expected = Engine(stated, "cpu", exact=True), Engine(shifted, "cpu", exact=True)
    pictures = [each.direct(scene, 48) for each in (engine, found, expected)]
    np.testing.assert_allclose(pictures[1].data, pictures[2].data, atol=1e-3)
    assert np.abs(pictures[1].background - pictures[0].background).max() == 1.0
    np.testing.assert_allclose(found.sdf(scene)(points), expected.sdf(scene)(points), atol=1e-6)
    for view in ("volume", "depth", "normals"):
        same = (each.render(scene, view).data for each in (found, engine))
        np.testing.assert_array_equal(*same)


def test_pixels_may_be_rendered_alone(engine: Engine) -> None:
    """The direct view needs those of the background."""
    scene, pixels = Scene(identity=Identity(5)), torch.arange(16 * 16) % 3 == 0
    some, every = (engine._march(scene, 16, False, 1e-3, which) for which in (pixels, None))
    for name in ("rgb", "background", "depth"):
        found, expected = (getattr(x, name).reshape(-1, 16 * 16) for x in (some, every))
        torch.testing.assert_close(found[:, pixels], expected[:, pixels], atol=1e-5, rtol=0)
        assert (found[:, ~pixels] == 0.0).all()


def test_outlines_are_where_the_surface_ends_or_steps_back(engine: Engine) -> None:
    depth = torch.ones(6, 6)
    depth[:, 4:], depth[3:, :2] = torch.inf, 0.9
    render = engine.direct_render(Scene(), engine.rays(Scene(), 48), 48)
    found = replace(render, pixel=0.001)._outline(depth.view(-1), 6).view(6, 6)
    expected = torch.zeros(6, 6, dtype=torch.bool)
    expected[:, 3:5] = True
    expected[2:4, :3] = expected[2:, 1:3] = True
    assert torch.equal(found, expected)


def test_the_work_may_be_interrupted(engine: Engine) -> None:
    steps = engine.direct_steps(Scene(identity=Identity(5)), 384)
    assert 0.0 < next(steps).fraction < next(steps).fraction < 1.0
    steps.close()


def test_opacity_is_exact_and_background_can_be_replaced(engine: Engine) -> None:
    picture = engine.direct(Scene(identity=Identity(5)), 64)
    assert picture.behind is not None
    cut = picture.cut_out()
    np.testing.assert_allclose(cut[..., 3], 1.0 - picture.background, atol=1e-6)
    alpha = cut[..., 3:]
    again = cut[..., :3] * alpha + (1.0 - alpha) * (np.moveaxis(picture.behind, 0, -1) + 1.0) / 2.0
    np.testing.assert_allclose(again, picture.display(), atol=1e-4)
    red = Background(color=(255, 0, 0)).behind(picture)
    assert (red[picture.background == 1.0] == (255, 0, 0)).all()
    shares = picture.background[(picture.background > 0.0) & (picture.background < 1.0)]
    assert set(np.unique(shares)) <= {0.25, 0.5, 0.75}, "outlines are means of four rays"


def test_a_finer_picture_shows_the_same(engine: Engine) -> None:
    scene = Scene(identity=Identity(5))
    coarse, fine = (engine.direct(scene, size).data for size in (32, 128))
    reduced = fine.reshape(3, 32, 4, 32, 4).mean(axis=(2, 4))
    assert np.abs(reduced - coarse).mean() < 0.03
    assert engine.render(scene, "direct").size == engine.config.output_size
    *_, last = passes(engine, scene, "direct", 128)
    np.testing.assert_array_equal(last.picture.data, fine)


def test_without_compiled_loops_the_picture_is_the_same(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(identity=Identity(5))
    before = engine.direct(scene, 48).data
    monkeypatch.setattr(compiled_loops, "usable", lambda: False)
    after = Engine(engine.model, "cpu", exact=True).direct(scene, 48).data
    assert np.abs(before - after).mean() < 1e-3


def test_a_density_shows_its_volume_render() -> None:
    engine = Engine(tiny_model(field="density"), "cpu")
    scene = Scene()
    volume, direct = (engine.render(scene, view, 24) for view in ("volume", "direct"))
    np.testing.assert_array_equal(volume.data, direct.data)
    assert direct.view == "direct"
    assert direct.behind is None


def test_a_face_without_surface_in_view_is_background(engine: Engine) -> None:
    away = Scene(identity=Identity(5), camera=OrbitCamera(fov=1.0, pan_x=0.12, pan_y=0.12))
    picture = engine.direct(away, 16)
    assert np.isfinite(picture.data).all()
