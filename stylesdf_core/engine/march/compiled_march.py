"""The ray march of :mod:`.ray_march` with compiled loops, for signed distance fields on a CPU.

Torch multiplies the matrices. In plain torch, the steps between two products are some seventy small
operations per tile. Each of these operations waits for Python's global lock, which the other tiles
and the window need as well. The loops in ``compiled/cpu_kernels.py`` run without the lock.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stylesdf_core.engine.compiled import cpu_kernels
from stylesdf_core.engine.march.distance_grid import RADIUS
from stylesdf_core.engine.march.ray_march import MarchedRays, RayMarch


@dataclass(frozen=True)
class CompiledRayMarch(RayMarch):
    """Gives the results of :class:`RayMarch`, to rounding; needs a distance grid and Numba."""

    def __call__(
        self,
        origins: Tensor,
        directions: Tensor,
        viewdirs: Tensor,
        *,
        features: bool,
        colors: bool = True,
    ) -> MarchedRays:
        """Composite rays; arguments and result as in :class:`RayMarch`."""
        assert self.grid is not None
        shape = len(origins), len(self.t_vals)
        spacing = ((self.t_vals[1] - self.t_vals[0]) * directions.norm(dim=-1)).numpy()
        t_vals = self.t_vals.numpy()
        lines = origins.contiguous().numpy(), directions.contiguous().numpy()
        inside = self._inside(origins, directions)
        may_lie = np.empty((0, 0), np.bool_) if inside is None else inside.numpy()
        upper, depths = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        selected = np.zeros(shape, np.bool_)
        evaluated = np.zeros(shape, np.bool_) if inside is None else ~may_lie
        count = cpu_kernels.bound_depths(
            self.grid.interleaved, self.grid.nearest, RADIUS, t_vals, self.beta, self.visible,
            *lines, spacing, may_lie, upper, depths, selected,
        )  # fmt: skip
        rounds = []
        for _ in range(2):
            rays, samples = np.empty(count, np.int64), np.empty(count, np.int64)
            points = np.empty((count, 3), np.float32)
            cpu_kernels.list_selected(selected, t_vals, *lines, rays, samples, points)
            trunk = self.field.trunk(torch.from_numpy(points))
            scalar = self.field.scalar_of(trunk).numpy()
            rounds.append((rays, samples, trunk))
            count = cpu_kernels.record_evaluated(
                scalar, rays, samples, spacing, self.beta, self.visible,
                upper, depths, evaluated, selected,
            )  # fmt: skip
            if count == 0:
                break
        weights = np.empty(shape, np.float32)
        background, distance = np.empty(shape[0], np.float32), np.empty(shape[0], np.float32)
        cpu_kernels.compute_weights(
            depths, evaluated, t_vals, self.force_background, weights, background, distance
        )

        terms = self.field.direction_terms(viewdirs)
        rgb = np.zeros((shape[0], 3), np.float32)
        feature_sum = np.zeros((shape[0], self.field.width if features else 0), np.float32)
        for rays, samples, trunk in rounds if colors else []:
            rows, seen = np.empty(len(rays), np.int64), np.empty(len(rays), np.int64)
            shares = np.empty(len(rays), np.float32)
            count = cpu_kernels.select_visible(
                weights, self.visible, rays, samples, rows, seen, shares
            )
            own, seen = torch.from_numpy(rows[:count]), seen[:count]
            shaded = self.field.shade(trunk.index_select(0, own), terms, torch.from_numpy(seen))
            logits = self.field.logits_of(shaded).numpy()
            cpu_kernels.accumulate(shares[:count], seen, logits, shaded.numpy(), rgb, feature_sum)
        marched = MarchedRays(
            rgb=torch.from_numpy(rgb).mul_(2.0).sub_(1.0),
            features=torch.from_numpy(feature_sum) if features else None,
            background=torch.from_numpy(background),
            depth=torch.from_numpy(distance),
        )
        if self.behind is not None:
            return marched.before(self.behind(origins, directions) if colors else None)
        return self._with_border(marched, torch.from_numpy(weights), inside)
