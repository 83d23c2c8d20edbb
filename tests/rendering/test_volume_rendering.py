"""Against hand-computed numbers and a sphere, whose depth and silhouette are known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from stylesdf_core.rendering.camera import FAR, NEAR, OrbitCamera
from stylesdf_core.rendering.rays import make_rays
from stylesdf_core.rendering.volume_rendering import (
    composite,
    compositing_weights,
    density_to_sigma,
    sample_depths,
    sample_distances,
    sample_points,
    sdf_to_sigma,
)

RADIUS = 0.08


def test_depths_start_at_near_and_never_reach_far() -> None:
    depths = sample_depths(24, torch.zeros(1))
    assert float(depths[0]) == pytest.approx(NEAR)
    assert float(depths[-1]) == pytest.approx(FAR - (FAR - NEAR) / 24)
    jittered = sample_depths(24, torch.zeros(1), torch.tensor([[0.5]]))
    torch.testing.assert_close(jittered[0], depths + 0.005)


def test_density_of_a_distance() -> None:
    beta = 0.01
    sigma = sdf_to_sigma(torch.tensor([0.0, -1.0, 1.0]), beta)
    torch.testing.assert_close(sigma, torch.tensor([0.5 / beta, 1.0 / beta, 0.0]))
    assert float(density_to_sigma(torch.zeros(1))) == pytest.approx(math.log(2.0))


def test_weights_by_hand() -> None:
    sigma = torch.tensor([1.0, 2.0, 0.5])
    delta = torch.tensor([0.1, 0.2, 0.3])
    a = [1 - math.exp(-0.1), 1 - math.exp(-0.4), 1 - math.exp(-0.15)]
    expected = [a[0], (1 - a[0]) * a[1], (1 - a[0]) * (1 - a[1]) * a[2]]
    torch.testing.assert_close(compositing_weights(sigma, delta), torch.tensor(expected))
    forced = compositing_weights(sigma, delta, force_background=True)
    torch.testing.assert_close(forced.sum(), torch.tensor(1.0))
    torch.testing.assert_close(forced[:2], torch.tensor(expected[:2]))


def render_sphere(size: int, samples: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Depth, background, true depth (inf outside), and how far rays pass from the centre."""
    camera = OrbitCamera(azimuth=0.6, elevation=0.2)
    rays = make_rays(torch.from_numpy(camera.cam2world())[None], camera.focal(size), size)
    t_vals = sample_depths(samples, rays.origins)
    points = sample_points(rays.origins, rays.directions, t_vals)
    sdf = points.norm(dim=-1) - RADIUS
    weights = compositing_weights(
        sdf_to_sigma(sdf, 1e-4), sample_distances(t_vals, rays.directions), force_background=True
    )
    blank = torch.zeros_like(points)
    result = composite(weights, blank, blank, points, t_vals)
    direction = rays.directions
    a, b = direction.square().sum(-1), (rays.origins * direction).sum(-1)
    c = rays.origins.square().sum(-1) - RADIUS**2
    root = (b.square() - a * c).sqrt()  # NaN where the ray misses
    true = ((-b - root) / a).nan_to_num(nan=torch.inf)
    passing = (rays.origins.square().sum(-1) - b.square() / a).sqrt()
    return result.depth[0], result.mask[0], true[0], passing[0]


def test_sphere_depth_and_silhouette() -> None:
    samples = 240
    depth, background, true, passing = render_sphere(24, samples)
    inside = true.isfinite() & (background < 0.5)
    disagree = (background < 0.5) != true.isfinite()
    # Only rays that graze the surface may take its thin halo of density for the sphere.
    assert ((passing - RADIUS)[disagree].abs() < 0.001).all()
    assert 0.3 < inside.float().mean() < 0.6
    spacing = (FAR - NEAR) / samples
    assert (depth - true)[inside].abs().median() < spacing


def test_colour_is_minus_one_to_one() -> None:
    weights = torch.tensor([0.25, 0.75])
    rgb = torch.tensor([[0.0, 50.0, -50.0]] * 2)
    zero = torch.zeros(2, 3)
    colour = composite(weights, rgb, zero, zero, torch.tensor([0.9, 1.0])).rgb
    torch.testing.assert_close(colour, torch.tensor([0.0, 1.0, -1.0]))
