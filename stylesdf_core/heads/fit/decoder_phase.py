"""Third phase of the fit: decoder and shading learn the full-size image; geometry is frozen.

The field's shading (view layer and colour head) goes on learning with the decoder: supervised
colours leave most features to chance, and where a ray's samples fall changes them at random. Here
they learn to say what the decoder needs. The volume render's own colours are held to the truth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from stylesdf_core.heads.fit.config import FitConfig
from stylesdf_core.heads.fit.crops import Crop, cut_rays, random_crop
from stylesdf_core.heads.fit.data import HeadBank, ViewBatch
from stylesdf_core.heads.fit.decoding import adam, show_enlarged_render
from stylesdf_core.heads.fit.fast_field import FastField
from stylesdf_core.heads.fit.points import fast_field
from stylesdf_core.heads.fit.samples import FOV, evaluate_decoder
from stylesdf_core.model.config import RenderOptions
from stylesdf_core.model.networks.decoder import Decoder
from stylesdf_core.rendering.camera import focal_length
from stylesdf_core.rendering.rays import Rays, cam2world, make_rays
from stylesdf_core.rendering.volume_rendering import (
    compositing_weights,
    sample_depths,
    sample_distances,
    sample_points,
)
from stylesdf_core.training.loop import Models, Phase, rate_factor, set_rate
from stylesdf_core.training.losses import pyramid_loss, sharpness_loss

WARMUP = 100
#: Samples of each ray that are shaded in training; the rest weigh next to nothing.
SHADED_SAMPLES = 5


class DecoderPhase(Phase):
    """Decoder and shading; geometry and mapping frozen at their averages."""

    def __init__(self, models: Models, bank: HeadBank, config: FitConfig) -> None:
        self.models = models
        self.bank = bank
        self.config = config
        live = models.live
        live.requires_grad_(False)
        assert live.decoder is not None
        self.decoder: Decoder = live.decoder
        self.shading = nn.ModuleList([live.field.view_layer, live.field.rgb_head])
        for module in (self.decoder, self.shading):
            module.requires_grad_(True)
        self.field = fast_field(live, config)
        height = config.decoder.learning_rate
        self.optimizers = {
            "decoder": adam(self.decoder, height),
            "shading": adam(self.shading, 0.1 * height),
        }
        self.networks = {}
        self._autocast = config.precision == "bfloat16"

    def step(self, index: int) -> dict[str, Tensor]:
        """One step of decoder and shading."""
        settings = self.config.decoder
        random = self.bank.random(self.config.seed * 1_000_003 + 700_000_000 + index)
        views = self.bank.views(random, settings.heads)
        if index == 0:
            self._start(views)
        size = self.config.thumb_size
        crop = random_crop(random, size, settings.crop)
        inner = crop.trustworthy(size)
        scale = self.config.output_size // size
        truth = crop.part(inner).of(views.images, scale)
        decoded, thumbs = self._decode(views, crop)
        images = inner.of(decoded, scale)
        for optimizer in self.optimizers.values():
            set_rate(optimizer, rate_factor(index, settings.steps, WARMUP))
        losses = {
            "image": pyramid_loss(images, truth),
            "sharpness": sharpness_loss(images, truth),
            "thumb": (thumbs - crop.of(views.thumbs(size))).abs().mean(),
        }
        loss = losses["image"] + losses["thumb"] + settings.sharpness * losses["sharpness"]
        for optimizer in self.optimizers.values():
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for optimizer in self.optimizers.values():
            optimizer.step()
        return losses

    def _start(self, views: ViewBatch) -> None:
        """Begin from the averaged field, and with its enlarged volume render."""
        live, ema = self.models.live, self.models.ema
        live.mapping.load_state_dict(ema.mapping.state_dict())
        live.field.load_state_dict(ema.field.state_dict())
        if self.config.init is None:
            show_enlarged_render(self.models, views)

    def _decode(self, views: ViewBatch, crop: Crop) -> tuple[Tensor, Tensor]:
        """Decoded crops (B, 3, S', S') and their volume renders (B, 3, h, w), in [−1, 1]."""
        generator = self.models.live
        size = self.config.thumb_size
        with torch.no_grad():
            w = generator.mapping(views.z)
        cameras = cam2world(views.azimuth, views.elevation)
        rays = make_rays(cameras, focal_length(FOV, size), size)
        rays = cut_rays(rays, [crop] * len(w))
        render = render_crop(self.field, generator.sigma, w, rays, generator.config.samples)
        noise: list[Tensor | None] = []
        for map_ in generator.noise_maps(RenderOptions()):
            assert map_ is not None
            noise.append(crop.of(map_, map_.shape[-1] // size))
        styles = generator.broadcast_styles(self.decoder.map(w))
        with torch.autocast(w.device.type, torch.bfloat16, enabled=self._autocast):
            images: Tensor = self.decoder(render.features, styles, noise)
        return images.float(), render.rgb

    def evaluate(self, samples: Path) -> dict[str, float]:
        """Decoded images against truth and against the enlarged volume render."""
        return evaluate_decoder(self.models.ema, self.bank, samples)


@dataclass(frozen=True)
class CropRender:
    """What the rays of a crop accumulate.

    Attributes:
        rgb: (B, 3, h, w) in [−1, 1].
        features: (B, C, h, w).
    """

    rgb: Tensor
    features: Tensor


def render_crop(
    field: FastField, sigma: Callable[[Tensor], Tensor], w: Tensor, rays: Rays, samples: int
) -> CropRender:
    """Volume-render rays (B, h, w, 3) at test-time settings; gradients reach only the shading.

    Only the ``SHADED_SAMPLES`` heaviest samples of each ray are shaded.
    """
    batch, height, width = rays.origins.shape[:3]
    count = height * width
    with torch.no_grad():
        t_vals = sample_depths(samples, w)
        points = sample_points(rays.origins, rays.directions, t_vals)  # (B, h, w, N, 3)
        trunk = field.trunk(points.reshape(batch, -1, 3), w)
        scalar = field.field.scalar_head(trunk).view(batch, height, width, samples)
        distances = sample_distances(t_vals, rays.directions)
        weights = compositing_weights(sigma(scalar), distances, force_background=True)
        heavy = weights.view(batch, count, samples).topk(SHADED_SAMPLES, dim=-1)
        chosen = heavy.indices[..., None].expand(-1, -1, -1, trunk.shape[-1])
        x = torch.gather(trunk.view(batch, count, samples, -1), 2, chosen).flatten(1, 2)
    viewdirs = rays.viewdirs.reshape(batch, count, 1, 3).expand(-1, -1, SHADED_SAMPLES, -1)
    rgb, features = field.shade(x, viewdirs.flatten(1, 2), w)
    shares = heavy.values[..., None]  # (B, R, K, 1)
    colors = (shares * torch.sigmoid(rgb).unflatten(1, (count, -1))).sum(dim=2)
    mixed = (shares * features.unflatten(1, (count, -1))).sum(dim=2)
    # Channels last in memory: the decoder's convolutions are a sixth faster on it.
    return CropRender(
        rgb=2.0 * colors.unflatten(1, (height, width)).movedim(-1, 1) - 1.0,
        features=mixed.unflatten(1, (height, width)).movedim(-1, 1),
    )
