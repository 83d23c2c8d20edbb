"""The ray march of :mod:`.ray_march` with every sample evaluated, for a GPU.

On a GPU, finding the samples that can be seen takes longer than evaluating all of them, and every
step whose size depends on values makes the host wait for the device. This march has no such step.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from stylesdf_core.engine.march.ray_march import MarchedRays, RayMarch
from stylesdf_core.rendering.volume_rendering import sample_points


@dataclass(frozen=True)
class DenseRayMarch(RayMarch):
    """Gives the results of :class:`RayMarch` for ``visible`` = 0, whatever ``visible`` is."""

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
        gap = self.t_vals[1] - self.t_vals[0]
        points = sample_points(origins, directions, self.t_vals)  # (R, N, 3)
        trunk = self.field.trunk_of_all(points.flatten(0, 1))  # (R·N, width)
        depths = self.sigma(self.field.scalar_of(trunk)).view(points.shape[:2])
        depths = depths * (gap * directions.norm(dim=-1, keepdim=True))
        inside = self._inside(origins, directions)
        if inside is not None:
            depths = depths.masked_fill(~inside, 0.0)
        weights = self._weights(depths, gap)
        front = weights[:, :-1]
        rgb, feature_sum = torch.full_like(viewdirs, -1.0), None
        if colors:
            terms = self.field.direction_terms(viewdirs)
            shaded = self.field.shade_samples(trunk, terms)  # (R, N, width)
            color = torch.sigmoid(self.field.logits_of(shaded.flatten(0, 1)))
            own = weights if inside is None else weights * inside  # beyond: see _with_border
            share = own[:, None]  # (R, 1, N)
            rgb = 2.0 * torch.bmm(share, color.view(*points.shape[:2], 3))[:, 0] - 1.0
            feature_sum = torch.bmm(share, shaded)[:, 0] if features else None
        marched = MarchedRays(
            rgb,
            feature_sum,
            background=weights[:, -1],
            depth=front @ self.t_vals[:-1] / front.sum(dim=-1).clamp_min(1e-6),
        )
        if self.behind is not None:
            return marched.before(self.behind(origins, directions) if colors else None)
        return self._with_border(marched, weights, inside)
