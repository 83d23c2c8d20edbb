from __future__ import annotations

import numpy as np
import torch

from stylesdf_core.engine.march.distance_grid import FINE, RADIUS, DistanceGrid
from stylesdf_core.mesh.sdf_grid import FloatArray

BAND = (-0.004, 0.01)


def bumpy_sphere(points: FloatArray) -> FloatArray:
    ripple = 0.002 * np.sin(80.0 * points[:, 0]) * np.sin(70.0 * points[:, 1])
    distance: FloatArray = np.linalg.norm(points, axis=-1) - np.float32(0.08) + ripple
    return distance.astype(np.float32)


def test_bounds_hold_and_are_useful() -> None:
    asked = []

    def field(points: FloatArray) -> FloatArray:
        asked.append(len(points))
        return bumpy_sphere(points)

    grid = DistanceGrid.sample(field, BAND, torch.device("cpu"))
    assert sum(asked) < 0.6 * grid.values[0, 0].numel()
    points = np.random.default_rng(3).uniform(-RADIUS, RADIUS, (40000, 3)).astype(np.float32)
    truth = torch.from_numpy(bumpy_sphere(points))
    distance, reach = grid.interpolate(torch.from_numpy(points))
    inside_band = (truth > BAND[0]) & (truth < BAND[1])
    assert int(inside_band.sum()) > 1000
    assert bool(((distance - truth).abs() <= reach)[inside_band].all())
    assert float(reach[inside_band].median()) < 0.004
    # What seems out of the band is out of it.
    assert not bool(((distance - reach > BAND[1]) & (truth < BAND[1])).any())
    assert not bool(((distance + reach < BAND[0]) & (truth > BAND[0])).any())


def test_nothing_is_claimed_outside() -> None:
    grid = DistanceGrid.sample(bumpy_sphere, BAND, torch.device("cpu"))
    outside = torch.tensor([[RADIUS + 1e-3, 0.0, 0.0], [0.0, 0.0, -1.0]])
    assert grid.interpolate(outside)[1].isinf().all()


def test_bounds_of_a_field_that_bends_within_its_cells() -> None:
    """Latents far from all trained ones give such fields; their bounds are wide, but they hold."""

    def wild(points: FloatArray) -> FloatArray:
        waves = np.sin(400.0 * points) * np.sin(np.float32([390.0, 350.0, 370.0]) * points[:, ::-1])
        return (0.01 + 0.02 * waves.sum(axis=-1)).astype(np.float32)

    grid = DistanceGrid.sample(wild, BAND, torch.device("cpu"), resolution=FINE)
    assert grid.grid.fraction_evaluated > 0.9
    points = np.random.default_rng(3).uniform(-RADIUS, RADIUS, (40000, 3)).astype(np.float32)
    distance, reach = grid.interpolate(torch.from_numpy(points))
    strays = (distance - torch.from_numpy(wild(points))).abs() > reach
    assert float(strays.float().mean()) < 1e-3
