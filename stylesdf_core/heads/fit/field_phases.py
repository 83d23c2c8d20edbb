"""The fit's phases that train the field: points, renders, and the search of a density.

The phase of points renders nothing, so a step takes a tenth of the time of a step with volume
renders. The phase of renders then trains the *sampled* render: a ray's samples lie 0.01 apart (24
samples, as in the paper) or 0.005 (48), many times β, so its colour depends on where the samples
lie. Losses on points go on in this phase.

The density search follows. With σ = sigmoid(−d/β)/β (Eq. 3), a ray that grazes the surface is half
opaque a little outside d = 0. Training reduces this error with an ever smaller β, which makes
outlines jagged. A β of a quarter pixel and a surface one or two millimetres farther inside give
smooth outlines in the right place. Gradient descent does not find them, since the losses on points
keep the surface at d = 0, so a grid of values is searched.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from stylesdf_core.heads.fit.bank import HeadBank, ViewBatch
from stylesdf_core.heads.fit.config import FitConfig, RenderConfig
from stylesdf_core.heads.fit.fast_field import FastField, flat, render_rays
from stylesdf_core.heads.fit.measures import evaluate_volume
from stylesdf_core.heads.fit.phase import (
    SMALLEST_BETA,
    FitPhase,
    detached,
    field_optimizer,
    total,
)
from stylesdf_core.heads.fit.supervision import (
    KNOWN_HEADS,
    KNOWN_POINTS,
    PointSupervision,
    Surface,
)
from stylesdf_core.heads.fit.windows import DETAIL, interest_of
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.rendering.rays import Rays
from stylesdf_core.rendering.volume_rendering import (
    compositing_weights,
    sample_depths,
    sample_distances,
    sample_points,
    sdf_to_sigma,
)
from stylesdf_core.training.loop import Models
from stylesdf_core.training.losses import detail_weights, psnr

#: β of a new field in the phase of points: a twentieth of the spacing of 24 samples, so that the
#: density falls to 0 well within a pixel of the outline.
POINTS_BETA = 0.0005
#: In the phase of renders: heads with losses on points per rendered head, and points of each.
POINT_HEADS, NEAR_POINTS, SPACE_POINTS = 3, 64, 24
#: Searched values, world units. Larger offsets would make the depth map's error a hundredth of the
#: head's height.
BETAS = (2e-4, 4e-4, 6e-4, 8e-4, 1e-3)
OFFSETS = (0.0, 4e-4, 8e-4, 1.2e-3, 1.6e-3)
#: Views on which β and offset are searched.
SEARCH_VIEWS = 16


class FieldPhase(FitPhase):
    """A phase that trains mapping and field with losses on points."""

    warmup = 300

    def __init__(
        self, models: Models, bank: HeadBank, config: FitConfig, learning_rate: float
    ) -> None:
        super().__init__(models, bank, config)
        live = models.live
        live.requires_grad_(False)
        live.mapping.requires_grad_(True)
        live.field.requires_grad_(True)
        self.field = FastField.of(live, config)
        self.supervision = PointSupervision(live, self.field, bank, config)
        self.networks = self.supervision.networks
        self.optimizers = {
            "field": field_optimizer(live, learning_rate),
            **self.supervision.optimizers,
        }
        self.clipped = [*live.mapping.parameters(), *live.field.parameters()]

    def evaluate(self, samples: Path) -> dict[str, float]:
        """Volume renders of held-out heads against truth."""
        return evaluate_volume(self.models.ema, self.bank, samples)


class PointsPhase(FieldPhase):
    """Coloured points supervise the field; β is not trained.

    A new field gets ``POINTS_BETA``. Weights of ``init`` keep their β and their surface's offset.
    """

    first_seed = 0

    def __init__(self, models: Models, bank: HeadBank, config: FitConfig) -> None:
        super().__init__(models, bank, config, config.points.learning_rate)
        if config.init is None:
            for model in (models.live, models.ema):
                nn.init.constant_(model.field.sigmoid_beta, POINTS_BETA)
        models.live.field.sigmoid_beta.requires_grad_(False)

    def step(self, index: int) -> dict[str, Tensor]:
        """One Adam step on points of random heads; see :class:`Phase`."""
        settings, random = self.config.points, self.random(index)
        if index == 0 and self.config.init is not None:
            self.supervision.find_surface(random)
        heads = self.heads(settings)
        losses = self.supervision.losses(random, heads, settings.near, settings.space)
        self.update(index, settings.steps, total(losses), self.clipped)
        return detached(losses)


class RenderPhase(FieldPhase):
    """Volume-rendered rays and supervised points together; β is trained."""

    first_seed = 500_000_000

    def __init__(self, models: Models, bank: HeadBank, config: FitConfig) -> None:
        super().__init__(models, bank, config, config.render.learning_rate)

    def step(self, index: int) -> dict[str, Tensor]:
        """One Adam step on random rays of random views; see :class:`Phase`."""
        settings, live, random = self.config.render, self.models.live, self.random(index)
        heads, size = self.heads(settings), live.config.thumb_size
        views = self.bank.views(random, heads)
        if index == 0 and (self.config.init is not None or self.config.points.steps):
            self.supervision.find_surface(random)
        pixels = chosen_pixels(views, settings, size, random)
        rays = flat(views.rays(size))
        picked = [_pick(x, pixels) for x in (rays.origins, rays.directions, rays.viewdirs)]
        render = render_rays(self.field, live, live.mapping(views.z), Rays(*picked))
        truth = _pick((views.thumbs(size).movedim(1, -1).flatten(1, 2) + 1.0) / 2.0, pixels)
        covered = _pick(views.coverage(size).movedim(1, -1).flatten(1, 2), pixels)
        losses = self.supervision.losses(random, POINT_HEADS * heads, NEAR_POINTS, SPACE_POINTS)
        losses["render"] = 2.0 * (render.rgb - truth).abs().mean()
        losses["coverage"] = (render.coverage - covered).abs().mean()
        self.update(index, settings.steps, total(losses), self.clipped)
        with torch.no_grad():
            live.field.sigmoid_beta.clamp_(min=SMALLEST_BETA)
        return {**detached(losses), "beta": live.field.sigmoid_beta.detach()[0]}


def chosen_pixels(
    views: ViewBatch, settings: RenderConfig, size: int, random: torch.Generator
) -> Tensor:
    """Flat indices (B, R) of the pixels whose rays are rendered."""
    sought = round(settings.interest * settings.rays)
    shape = (len(views.z), settings.rays - sought)
    pixels = torch.randint(size * size, shape, generator=random, device=random.device)
    if sought == 0:
        return pixels
    interest = interest_of(views, detail_weights(views.images, DETAIL), size).flatten(1)
    found = interest.to(random.device).multinomial(sought, generator=random)
    return torch.cat([pixels, found], dim=1).to(interest.device)


def _pick(values: Tensor, pixels: Tensor) -> Tensor:
    """Values (B, R, C) of images (B, H·W, C) at flat pixel indices (B, R)."""
    return torch.gather(values, 1, pixels[..., None].expand(-1, -1, values.shape[-1]))


class DensityPhase(FitPhase):
    """One step, which sets β and the distances' offset of the averaged and the live generator."""

    first_seed = 600_000_000

    def step(self, index: int) -> dict[str, Tensor]:
        """Search on random training views; see :func:`search_density`."""
        random, live, ema = self.random(index), self.models.live, self.models.ema
        live.requires_grad_(False)
        views = self.bank.views(random, SEARCH_VIEWS)
        surface = Surface().to(views.z.device)
        surface.find(ema, self.bank.points(random, KNOWN_HEADS, KNOWN_POINTS, 1))
        ema.field.scalar_head.bias.sub_(surface.offset)
        best = search_density(ema, views)
        ema.field.sigmoid_beta.fill_(best["beta"])
        ema.field.scalar_head.bias.add_(best["offset"])
        live.load_state_dict(ema.state_dict())
        return {name: torch.tensor(value) for name, value in best.items()}

    def evaluate(self, samples: Path) -> dict[str, float]:
        """Volume renders of held-out heads against truth."""
        return evaluate_volume(self.models.ema, self.bank, samples)


@torch.no_grad()
def search_density(generator: Generator, views: ViewBatch) -> dict[str, float]:
    """``beta`` and ``offset`` of the grid's best render, and its ``psnr_thumb``."""
    size = generator.config.thumb_size
    totals = {(beta, offset): 0.0 for beta in BETAS for offset in OFFSETS}
    truth, all_rays = views.thumbs(size), views.rays(size)
    for index in range(len(views.z)):
        one = slice(index, index + 1)
        directions, viewdirs = all_rays.directions[one], all_rays.viewdirs[one]
        t_vals = sample_depths(generator.config.samples, truth)
        points = sample_points(all_rays.origins[one], directions, t_vals)  # (1, H, W, N, 3)
        viewdirs = viewdirs[..., None, :].expand_as(points)
        output = generator.field(
            points.flatten(1, 3), viewdirs.flatten(1, 3), generator.mapping(views.z[one])
        )
        scalar = output.scalar.view(points.shape[:-1])
        colors = torch.sigmoid(output.rgb).view(points.shape)
        distances = sample_distances(t_vals, directions)
        for beta, offset in totals:
            sigma = sdf_to_sigma(scalar + offset, beta)
            weights = compositing_weights(sigma, distances, force_background=True)
            rgb = 2.0 * (weights[..., None] * colors).sum(dim=-2) - 1.0
            totals[beta, offset] += psnr(rgb.movedim(-1, 1), truth[one])
    beta, offset = max(totals, key=lambda key: totals[key])
    return {"beta": beta, "offset": offset, "psnr_thumb": totals[beta, offset] / len(views.z)}
