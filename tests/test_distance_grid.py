from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from stylesdf_core.distance_grid import RADIUS, DistanceGrid


def bumpy_sphere(points: Tensor) -> Tensor:
    ripple = 0.002 * torch.sin(80.0 * points[:, 0]) * torch.sin(70.0 * points[:, 1])
    return points.norm(dim=-1) - 0.08 + ripple


def test_bound_holds_and_is_useful() -> None:
    grid = DistanceGrid.sample(bumpy_sphere, torch.device("cpu"))
    source = np.random.default_rng(3).uniform(-RADIUS, RADIUS, (20000, 3))
    points = torch.from_numpy(source.astype(np.float32))
    points = points[
        points.norm(dim=-1) > 0.03
    ]  # the kink at the centre, deep inside, is no surface
    slack = bumpy_sphere(points) - grid.lower_bound(points)
    assert float(slack.min()) >= 0.0
    assert float(slack.median()) < 0.01


def test_nothing_is_claimed_outside() -> None:
    grid = DistanceGrid.sample(bumpy_sphere, torch.device("cpu"))
    outside = torch.tensor([[RADIUS + 1e-3, 0.0, 0.0], [0.0, 0.0, -1.0]])
    assert grid.lower_bound(outside).isneginf().all()
