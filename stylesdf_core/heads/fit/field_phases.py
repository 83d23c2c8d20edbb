"""The fit's phases that train the field: points, renders, and the search of a density.

The phase of points renders nothing, so a step takes a tenth of the time of a step with volume
renders. The phase of renders then trains the *sampled* render: a ray's samples lie 0.01 apart (24
samples, as in the paper) or 0.005 (48), many times β, so its colour depends on where the samples
lie. Losses on points go on in this phase. Of a model without decoder, whose image is the direct
view (``generator.decoder`` direct), the phase compares the surface's own colours with pixels of the
whole image instead: the truth has any number of pixels, and a ray costs the same in all of them.

The density search follows. With σ = sigmoid(−d/β)/β (Eq. 3), a ray that grazes the surface is half
opaque a little outside d = 0. Training reduces this error with an ever smaller β, which makes
outlines jagged. A β of a quarter pixel and a surface one or two millimetres farther inside give
smooth outlines in the right place. Gradient descent does not find them, since the losses on points
keep the surface at d = 0, so a grid of values is searched. The model states the distance at which
its surface lies since (``Generator.surface_level``).
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from stylesdf_core.heads.fit.bank import HeadBank, ViewBatch
from stylesdf_core.heads.fit.config import FitConfig, PhaseConfig, PointsConfig, RenderConfig
from stylesdf_core.heads.fit.field import render_rays, render_surface
from stylesdf_core.heads.fit.phase import SMALLEST_BETA, FitPhase, field_optimizer
from stylesdf_core.heads.fit.supervision import PointSupervision, Surface
from stylesdf_core.heads.fit.windows import DETAIL, interest_of, rays_at
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.rendering.volume_rendering import (
    compositing_weights,
    sample_depths,
    sample_distances,
    sample_points,
    sdf_to_sigma,
)
from stylesdf_core.training.losses import detail_weights, psnr
from stylesdf_core.training.phase import Models

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
        self, models: Models, bank: HeadBank, config: FitConfig, settings: PhaseConfig
    ) -> None:
        super().__init__(models, bank, config, settings)
        live = models.live
        live.requires_grad_(False)
        live.mapping.requires_grad_(True)
        live.field.requires_grad_(True)
        self.supervision = PointSupervision(live, bank, config)
        self.networks = self.supervision.networks
        field = field_optimizer(live, settings.learning_rate)
        self.optimizers = {"field": field, **self.supervision.optimizers}
        self.clipped = [*live.mapping.parameters(), *live.field.parameters()]


class PointsPhase(FieldPhase):
    """Coloured points supervise the field; β is not trained.

    A new field gets ``POINTS_BETA``. Weights of ``init`` keep their β and their surface's offset.
    """

    name = "points"

    settings: PointsConfig

    def __init__(self, models: Models, bank: HeadBank, config: FitConfig) -> None:
        super().__init__(models, bank, config, config.points)
        if not self.follows():
            for model in (models.live, models.ema):
                nn.init.constant_(model.field.sigmoid_beta, POINTS_BETA)
        models.live.field.sigmoid_beta.requires_grad_(False)

    def step(self, index: int) -> dict[str, Tensor]:
        """One Adam step on points of random heads; see :class:`Phase`."""
        settings, random = self.settings, self.random(index)
        if index == 0 and self.follows():
            self.supervision.find_surface(self.models, random)
        losses = self.supervision.losses(random, self.heads, settings.near, settings.space)
        return self.update(index, losses, self.supervision.weights)


class RenderPhase(FieldPhase):
    """Rendered rays and supervised points together; β is trained, unless the view is direct."""

    name = "render"

    settings: RenderConfig

    def __init__(self, models: Models, bank: HeadBank, config: FitConfig) -> None:
        super().__init__(models, bank, config, config.render)

    def step(self, index: int) -> dict[str, Tensor]:
        """One Adam step on random rays of random views; see :class:`Phase`."""
        live, random = self.models.live, self.random(index)
        is_direct = live.config.is_direct
        size = live.config.output_size if is_direct else live.config.thumb_size
        views = self.bank.views(random, self.heads)
        if index == 0 and self.follows("points"):
            self.supervision.find_surface(self.models, random)
        pick = partial(_pick, pixels=chosen_pixels(views, self.settings, size, random))
        rays = rays_at(views.rays(size), pick)
        field, w = self.supervision.field, live.mapping(views.z)
        truth, covered = pick(views.thumbs(size)), pick(views.coverage(size))
        heads = POINT_HEADS * self.heads
        losses = self.supervision.losses(random, heads, NEAR_POINTS, SPACE_POINTS)
        if is_direct:
            surface = render_surface(field, live, w, rays)
            seen = surface.meets * (covered == 1.0)  # elsewhere pixels show background as well
            error = seen * (surface.rgb - truth).abs().mean(dim=1, keepdim=True)
            losses["render"] = error.sum() / seen.sum().clamp_min(1.0)
        else:
            render = render_rays(field, live, w, rays)
            losses["render"] = (render.rgb - truth).abs().mean()
            losses["coverage"] = (render.coverage - covered).abs().mean()
        record = self.update(index, losses, self.supervision.weights)
        with torch.no_grad():
            live.field.sigmoid_beta.clamp_(min=SMALLEST_BETA)
        return {**record, "beta": live.field.sigmoid_beta.detach()[0]}


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
    return torch.cat([pixels, interest.multinomial(sought, generator=random)], dim=1)


def _pick(maps: Tensor, pixels: Tensor) -> Tensor:
    """Values (B, C, R, 1) of maps (B, C, H, W) at flat pixel indices (B, R)."""
    return maps.flatten(2).gather(2, pixels[:, None].expand(-1, maps.shape[1], -1))[..., None]


class DensityPhase(FitPhase):
    """One step, which sets β and the distances' offset of the averaged and the live generator.

    The offset becomes the level at which meshes and the direct view have the surface.
    """

    name = "density"

    def __init__(self, models: Models, bank: HeadBank, config: FitConfig) -> None:
        super().__init__(models, bank, config, PhaseConfig(steps=1, heads=SEARCH_VIEWS))

    def step(self, index: int) -> dict[str, Tensor]:
        """Search on random training views; see :func:`search_density`."""
        random, live, ema = self.random(index), self.models.live, self.models.ema
        live.requires_grad_(False)
        views = self.bank.views(random, SEARCH_VIEWS)
        surface = Surface().to(views.z.device)
        surface.find(ema, self.bank, random)
        ema.field.scalar_head.bias.sub_(surface.offset)
        best = search_density(ema, views)
        ema.field.sigmoid_beta.fill_(best["beta"])
        ema.field.scalar_head.bias.add_(best["offset"])
        ema.surface_level.fill_(best["offset"])
        live.load_state_dict(ema.state_dict())
        return {name: torch.tensor(value) for name, value in best.items()}


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
