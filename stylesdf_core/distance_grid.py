"""A coarse grid of one face's signed distances, which says where nothing can be seen.

It depends on the style alone, so that one grid serves every camera of an orbit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

RESOLUTION = 28
#: Half the grid's edge, world units: the trained view's samples lie within, whatever the azimuth.
RADIUS = 0.18
# Where interpolation is held against the field, and the margin on the largest error found.
_PROBES = np.random.default_rng(0).uniform(-RADIUS, RADIUS, (2048, 3)).astype(np.float32)
_ERROR_MARGIN = 1.25


@dataclass(frozen=True)
class DistanceGrid:
    """Trilinear lower bounds of a field's signed distance.

    Attributes:
        values: (1, 1, R, R, R), indexed z, y, x; the interpolation error is already taken off.
    """

    values: Tensor

    @classmethod
    def sample(cls, scalar: Callable[[Tensor], Tensor], device: torch.device) -> DistanceGrid:
        """Evaluate ``scalar``, (N, 3) world -> (N,), at the grid's points and a few probes."""
        axis = torch.linspace(-RADIUS, RADIUS, RESOLUTION, device=device)
        z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
        probes = torch.from_numpy(_PROBES).to(device)
        found = scalar(torch.cat([torch.stack([x, y, z], dim=-1).view(-1, 3), probes]))
        values, truth = found.split([RESOLUTION**3, len(probes)])
        grid = cls(values.view(1, 1, RESOLUTION, RESOLUTION, RESOLUTION))
        error = _ERROR_MARGIN * (grid.lower_bound(probes) - truth).max()
        return cls(grid.values - error)

    def lower_bound(self, points: Tensor) -> Tensor:
        """A distance that the field does not fall below, (…), at points (…, 3); −inf outside."""
        position = points.reshape(1, 1, 1, -1, 3) / RADIUS
        bound = F.grid_sample(self.values, position, align_corners=True, padding_mode="border")
        bound = bound.view(points.shape[:-1])
        outside = points.abs().amax(dim=-1) > RADIUS
        return bound.masked_fill_(outside, -torch.inf)
