"""Noise on a ball: normal numbers that stay on the ball while the camera turns."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from stylesdf_core.rendering.camera import NEAR, OrbitCamera
from stylesdf_core.rendering.rays import Rays, make_rays
from stylesdf_core.rendering.surface_noise import ShownSurface, SolidNoise, surface_depth

RADIUS = 0.07
SIZES = (32, 64, 64, 128, 128)


def screen(seed: int = 0) -> list[Tensor]:
    source = torch.Generator().manual_seed(seed)
    return [torch.randn(1, 1, size, size, generator=source) for size in SIZES]


def matrix(camera: OrbitCamera) -> Tensor:
    return torch.from_numpy(camera.cam2world()).float()[None]


def rays_of(camera: OrbitCamera, size: int) -> Rays:
    return make_rays(matrix(camera), camera.focal(size), size)


def hit(rays: Rays) -> Tensor:
    """Planar depths (B, 1, H, W) of the ball, 0 where a ray misses it."""
    a = rays.directions.square().sum(-1)
    b = (rays.directions * rays.origins).sum(-1)
    root = b.square() - a * (rays.origins.square().sum(-1) - RADIUS**2)
    return torch.where(root > 0, (-b - root.clamp_min(0).sqrt()) / a, 0.0)[:, None]


def ball(camera: OrbitCamera, size: int = 32) -> ShownSurface:
    depth = hit(rays_of(camera, size))
    slopes = (math.tan(math.radians(fov)) for fov in (camera.fov, 6.0))
    return ShownSurface(depth, (depth > 0).float(), matrix(camera), *slopes)


def noise_of(camera: OrbitCamera, seed: int = 3) -> list[Tensor]:
    return SolidNoise(seed, torch.device("cpu")).maps(ball(camera), screen())


def test_the_maps_have_the_statistics_of_normal_noise() -> None:
    maps = noise_of(OrbitCamera(0.3))
    for noise, size in zip(maps, SIZES, strict=True):
        assert noise.shape == (1, 1, size, size)
        inside = ball(OrbitCamera(0.3), size).cover > 0
        values = noise[inside]
        tolerance = 6.0 / math.sqrt(len(values))  # a third of the pixels are independent
        assert abs(float(values.mean())) < tolerance
        assert float(values.square().mean()) == pytest.approx(1.0, abs=2.0 * tolerance)
        assert float(values.abs().max()) < 6.0
        beside = (noise[..., 1:] * noise[..., :-1])[inside[..., 1:] & inside[..., :-1]]
        assert float(beside.mean()) < 0.5
    one, other = maps[3][0, 0], maps[4][0, 0]
    assert abs(float((one * other).mean())) < 0.1  # two layers of the same size


def test_every_place_in_a_cell_has_variance_one() -> None:
    values = []
    for seed in range(300):
        surface = ball(OrbitCamera(), 8)
        values.append(SolidNoise(seed, torch.device("cpu"))._seen(surface)[1])
    spread = torch.cat(values).var(dim=0)
    assert float((spread - 1.0).abs().max()) < 5.0 * math.sqrt(2.0 / 300)


def test_background_keeps_the_screen_s_noise() -> None:
    maps, behind = noise_of(OrbitCamera()), screen()
    for noise, still, size in zip(maps, behind, SIZES, strict=True):
        cover = ball(OrbitCamera()).enlarged(size).cover
        torch.testing.assert_close(noise[cover == 0], still[cover == 0])
        assert not torch.isclose(noise[cover == 1], still[cover == 1]).all()
        assert bool(torch.isfinite(noise).all())


def test_the_depth_beside_an_outline_is_the_ball_s() -> None:
    large = ball(OrbitCamera()).enlarged(128)
    touched = large.cover > 0
    assert float(large.depth[touched].max()) < 1.0  # the outline's depth, not the background's 0
    assert float(large.depth[touched].min()) > 1.0 - RADIUS - 0.01
    assert float(large.depth.min()) >= NEAR - 1e-6


def value_at(noise: Tensor, points: Tensor, camera: OrbitCamera) -> Tensor:
    """A map's values, interpolated, at world points (N, 3)."""
    to_camera = matrix(camera)[0]
    local = (points - to_camera[:, 3]) @ to_camera[:, :3]
    place = local[:, :2] / -local[:, 2:] / math.tan(math.radians(camera.fov))
    place = place * torch.tensor([1.0, -1.0])
    return torch.nn.functional.grid_sample(
        noise, place[None, None], mode="bicubic", align_corners=False
    )[0, 0, 0]


@pytest.mark.parametrize("turn", [(0.05, 0.0), (0.0, -0.1)])
def test_the_noise_turns_with_the_ball(turn: tuple[float, float]) -> None:
    """Seen from near, so that maps can be interpolated: a lattice's cell has four pixels."""
    first, second = OrbitCamera(0.2, 0.1, 1.5), OrbitCamera(0.2 + turn[0], 0.1 + turn[1], 1.5)
    one, other = noise_of(first)[-1], noise_of(second)[-1]
    rays = rays_of(first, 128)
    depth = hit(rays).movedim(1, -1)
    points = rays.origins + rays.directions * depth
    facing = (points * rays.directions).sum(-1) < -0.95 * RADIUS
    change = value_at(other, points[facing], second) - one[0, 0][facing[0]]
    stuck = value_at(screen()[-1], points[facing], second) - screen()[-1][0, 0][facing[0]]
    assert float(change.abs().mean()) < 0.1 * float(stuck.abs().mean())


def test_seeds_are_honoured() -> None:
    one, again, other = (
        noise_of(OrbitCamera(), 1),
        noise_of(OrbitCamera(), 1),
        noise_of(OrbitCamera(), 2),
    )
    for a, b, c in zip(one, again, other, strict=True):
        assert torch.equal(a, b)
        assert not torch.equal(a, c)


def test_a_batch_is_its_pictures() -> None:
    views = [ball(OrbitCamera(a)) for a in (0.0, 0.4)]
    both = replace(
        views[0],
        **{
            name: torch.cat([getattr(view, name) for view in views])
            for name in ("depth", "cover", "cam2world")
        },
    )
    solid = SolidNoise(5, torch.device("cpu"))
    maps = solid.maps(both, screen())
    for index, view in enumerate(views):
        for noise, own in zip(maps, solid.maps(view, screen()), strict=True):
            torch.testing.assert_close(noise[index : index + 1], own, rtol=0, atol=1e-4)


@pytest.mark.parametrize("error", [-0.004, 0.003])
def test_secant_steps_find_the_ball(error: float) -> None:
    rays = rays_of(OrbitCamera(0.5, -0.2), 32)
    truth = hit(rays)[:, 0]
    facing = truth > 0
    start = torch.where(facing, truth + error, 1.0)

    def distance(depth: Tensor) -> Tensor:
        points = rays.origins + rays.directions * depth[..., None]
        return points.norm(dim=-1) - RADIUS

    found = surface_depth(start, distance)
    off = (found - truth)[facing].abs().numpy()
    assert np.median(off) < 1e-5
    assert np.quantile(off, 0.9) < 3e-4  # rays that graze the ball stay where they were
    assert bool(torch.isfinite(found).all())
