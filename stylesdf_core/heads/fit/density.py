"""Between renders and decoder: β and one offset of the distances, chosen by what samples show.

σ = sigmoid(−d/β)/β is half opaque a little outside d = 0 where rays graze the surface. Training
answers with an ever smaller β, which leaves outlines jagged. A β of a quarter pixel with the
surface a millimetre or two further in gives smooth outlines in the right place; gradient descent
does not go there, since the points hold the surface where it is. So both are searched.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from stylesdf_core.heads.fit.config import FitConfig
from stylesdf_core.heads.fit.data import HeadBank, ViewBatch
from stylesdf_core.heads.fit.samples import FOV, evaluate_volume
from stylesdf_core.heads.fit.supervision import KNOWN_HEADS, KNOWN_POINTS, Surface
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.rendering.camera import focal_length
from stylesdf_core.rendering.rays import cam2world, make_rays
from stylesdf_core.rendering.volume_rendering import (
    compositing_weights,
    sample_depths,
    sample_distances,
    sample_points,
    sdf_to_sigma,
)
from stylesdf_core.training.loop import Models, Phase
from stylesdf_core.training.losses import psnr

#: World units. Offsets end where the depth map's error would reach a hundredth of a head; they are
#: from the true surface, whatever the field had before.
BETAS = (2e-4, 4e-4, 6e-4, 8e-4, 1e-3)
OFFSETS = (0.0, 4e-4, 8e-4, 1.2e-3, 1.6e-3)
VIEWS = 16


class DensityPhase(Phase):
    """One step that sets β and the distances' offset, of the averaged and the live generator."""

    def __init__(self, models: Models, bank: HeadBank, config: FitConfig) -> None:
        self.models = models
        self.bank = bank
        self.config = config
        models.live.requires_grad_(False)
        self.optimizers = {}
        self.networks = {}

    def step(self, index: int) -> dict[str, Tensor]:
        """Search on views that are trained on."""
        random = self.bank.random(self.config.seed * 1_000_003 + 600_000_000 + index)
        live, ema = self.models.live, self.models.ema
        views = self.bank.views(random, VIEWS)
        surface = Surface().to(views.z.device)
        surface.find(ema, self.bank.points(random, KNOWN_HEADS, KNOWN_POINTS, 1))
        ema.field.scalar_head.bias.sub_(surface.offset)
        best = search_density(ema, views)
        ema.field.sigmoid_beta.fill_(best["beta"])
        ema.field.scalar_head.bias.add_(best["offset"])
        live.load_state_dict(ema.state_dict())
        return {name: torch.tensor(value) for name, value in best.items()}

    def evaluate(self, samples: Path) -> dict[str, float]:
        """As in the phases before."""
        return evaluate_volume(self.models.ema, self.bank, samples)


@torch.no_grad()
def search_density(generator: Generator, views: ViewBatch) -> dict[str, float]:
    """The ``beta``, ``offset`` and ``psnr_thumb`` of the best render among the grid's."""
    size = generator.config.thumb_size
    totals: dict[tuple[float, float], float] = {}
    truth = views.thumbs(size)
    for index in range(len(views.z)):
        one = slice(index, index + 1)
        cameras = cam2world(views.azimuth[one], views.elevation[one])
        rays = make_rays(cameras, focal_length(FOV, size), size)
        t_vals = sample_depths(generator.config.samples, truth)
        points = sample_points(rays.origins, rays.directions, t_vals)  # (1, H, W, N, 3)
        viewdirs = rays.viewdirs[..., None, :].expand_as(points)
        output = generator.field(
            points.flatten(1, 3), viewdirs.flatten(1, 3), generator.mapping(views.z[one])
        )
        scalar = output.scalar.view(points.shape[:-1])
        colors = torch.sigmoid(output.rgb).view(points.shape)
        distances = sample_distances(t_vals, rays.directions)
        for beta in BETAS:
            for offset in OFFSETS:
                sigma = sdf_to_sigma(scalar + offset, beta)
                weights = compositing_weights(sigma, distances, force_background=True)
                rgb = 2.0 * (weights[..., None] * colors).sum(dim=-2) - 1.0
                score = psnr(rgb.movedim(-1, 1), truth[one])
                totals[beta, offset] = totals.get((beta, offset), 0.0) + score
    beta, offset = max(totals, key=lambda key: totals[key])
    return {
        "beta": beta,
        "offset": offset,
        "psnr_thumb": totals[beta, offset] / len(views.z),
    }
