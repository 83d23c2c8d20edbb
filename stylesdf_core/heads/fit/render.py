"""Second phase of the fit: volume renders against rendered truth.

Samples are 0.01 apart (the paper's 24) or half of it, many times β: what a ray shows depends on
where its samples fall. This phase lets field and β settle so that the *sampled* render is right,
while the points' losses go on holding distances and what the guides taught.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from stylesdf_core.heads.fit.config import FitConfig, RenderConfig
from stylesdf_core.heads.fit.crops import interest_of
from stylesdf_core.heads.fit.data import HeadBank, ViewBatch
from stylesdf_core.heads.fit.fast_field import FastField
from stylesdf_core.heads.fit.points import (
    WARMUP,
    fast_field,
    field_optimizer,
    total,
    update,
)
from stylesdf_core.heads.fit.samples import FOV, evaluate_volume
from stylesdf_core.heads.fit.supervision import PointSupervision
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.rendering.camera import focal_length
from stylesdf_core.rendering.rays import cam2world, make_rays
from stylesdf_core.rendering.volume_rendering import (
    compositing_weights,
    sample_depths,
    sample_distances,
    sample_points,
)
from stylesdf_core.training.loop import Models, Phase, rate_factor, set_rate
from stylesdf_core.training.losses import detail_weights

#: Samples a ray that receive gradients: the heaviest ones; the background sample comes on top.
HEAVY_SAMPLES = 6
#: A hundredth of the spacing of 24 samples, world units: sharper than any outline needs.
SMALLEST_BETA = 1e-4
#: How much likelier a ray of interest is where the truth is rich in detail.
DETAIL = 3.0
#: Heads whose points are held for each that is shown, and points of each.
POINT_HEADS, NEAR_POINTS, SPACE_POINTS = 3, 64, 24


@dataclass(frozen=True)
class RayRender:
    """What rays accumulate.

    Attributes:
        rgb: (B, R, 3) in [0, 1].
        features: (B, R, width).
        coverage: (B, R, 1), one minus the background's weight.
    """

    rgb: Tensor
    features: Tensor
    coverage: Tensor


class RenderPhase(Phase):
    """Volume-rendered rays and supervised points together; β is trained."""

    later = PointSupervision.LATER

    def __init__(self, models: Models, bank: HeadBank, config: FitConfig) -> None:
        self.models = models
        self.bank = bank
        self.config = config
        models.live.requires_grad_(False)
        models.live.mapping.requires_grad_(True)
        models.live.field.requires_grad_(True)
        self.field = fast_field(models.live, config)
        self.supervision = PointSupervision(models.live, self.field, bank, config)
        self.networks = self.supervision.networks
        height = config.render.learning_rate
        self.optimizers = {"field": field_optimizer(models.live, height)}
        self.optimizers |= self.supervision.optimizers

    def step(self, index: int) -> dict[str, Tensor]:
        """One Adam step on random rays of random views; see :class:`Phase`."""
        settings, generator = self.config.render, self.models.live
        random = self.bank.random(self.config.seed * 1_000_003 + 500_000_000 + index)
        views = self.bank.views(random, settings.heads)
        if index == 0 and (self.config.init is not None or self.config.points.steps):
            self.supervision.find_surface(random)
        size = self.config.thumb_size
        pixels = chosen_pixels(views, settings, size, random)
        focal = focal_length(FOV, size)
        rays = make_rays(cam2world(views.azimuth, views.elevation), focal, size)
        picked = [_pick(x, pixels) for x in (rays.origins, rays.directions, rays.viewdirs)]
        w = generator.mapping(views.z)
        render = render_rays(self.field, generator, w, *picked)
        truth = _pick((views.thumbs(size).movedim(1, -1) + 1.0) / 2.0, pixels)
        covered = _pick(views.coverage(size).movedim(1, -1), pixels)
        heads = POINT_HEADS * settings.heads
        losses = self.supervision.losses(random, heads, NEAR_POINTS, SPACE_POINTS)
        losses["render"] = 2.0 * (render.rgb - truth).abs().mean()
        losses["coverage"] = (render.coverage - covered).abs().mean()
        optimizers = list(self.optimizers.values())
        for optimizer in optimizers:
            set_rate(optimizer, rate_factor(index, settings.steps, WARMUP))
        update(optimizers, total(losses), generator)
        with torch.no_grad():
            generator.field.sigmoid_beta.clamp_(min=SMALLEST_BETA)
        seen = {name: loss.detach() for name, loss in losses.items()}
        return {**seen, "beta": generator.field.sigmoid_beta.detach()[0]}

    def evaluate(self, samples: Path) -> dict[str, float]:
        """As in the points phase."""
        return evaluate_volume(self.models.ema, self.bank, samples)


def chosen_pixels(
    views: ViewBatch, settings: RenderConfig, size: int, random: torch.Generator
) -> Tensor:
    """Flat indices (B, R) of the pixels whose rays are rendered."""
    sought = round(settings.interest * settings.rays)
    shape = (settings.heads, settings.rays - sought)
    pixels = torch.randint(size * size, shape, generator=random, device=random.device)
    if sought == 0:
        return pixels
    interest = interest_of(views, detail_weights(views.images, DETAIL), size).flatten(1)
    found = interest.to(random.device).multinomial(sought, generator=random)
    return torch.cat([pixels, found], dim=1).to(interest.device)


def _pick(image: Tensor, pixels: Tensor) -> Tensor:
    """Values (B, R, C) of images (B, H, W, C) at flat pixel indices (B, R)."""
    flat = image.flatten(1, 2)
    return torch.gather(flat, 1, pixels[..., None].expand(-1, -1, flat.shape[-1]))


def render_rays(
    field: FastField,
    generator: Generator,
    w: Tensor,
    origins: Tensor,
    directions: Tensor,
    viewdirs: Tensor,
) -> RayRender:
    """Volume-render rays (B, R, 3) with gradients through the samples that matter.

    All samples are looked at without gradients first; the ``HEAVY_SAMPLES`` heaviest of each ray
    and its background sample are then evaluated again with them. The others' densities still
    dim what lies behind them, as constants.
    """
    samples = generator.config.samples
    batch, count = origins.shape[:2]
    t_vals = sample_depths(samples, origins)
    points = sample_points(origins, directions, t_vals)  # (B, R, N, 3)
    distances = sample_distances(t_vals, directions)
    with torch.no_grad():
        scalar = field.scalar(points.flatten(1, 2), w).view(batch, count, samples)
        weights = compositing_weights(generator.sigma(scalar), distances, force_background=True)
        heavy = weights[..., :-1].topk(min(HEAVY_SAMPLES, samples - 1), dim=-1).indices
        last = torch.full_like(heavy[..., :1], samples - 1)
        chosen = torch.cat([heavy, last], dim=-1)  # (B, R, K)
    k = chosen.shape[-1]
    near = torch.gather(points, 2, chosen[..., None].expand(-1, -1, -1, 3))
    beside = viewdirs[:, :, None].expand_as(near)
    output = field(near.flatten(1, 2), beside.flatten(1, 2), w)
    scalar = scalar.scatter(2, chosen, output.scalar.view(batch, count, k))
    weights = compositing_weights(generator.sigma(scalar), distances, force_background=True)
    shares = torch.gather(weights, 2, chosen)
    # The few percent of samples left out show what those do that were not.
    shares = (shares / shares.sum(dim=-1, keepdim=True).clamp_min(1e-6))[..., None]
    rgb = torch.sigmoid(output.rgb).view(batch, count, k, 3)
    features = output.features.view(batch, count, k, -1)
    return RayRender(
        (shares * rgb).sum(dim=-2), (shares * features).sum(dim=-2), 1.0 - weights[..., -1:]
    )
