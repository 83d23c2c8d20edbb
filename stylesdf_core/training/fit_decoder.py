"""Third phase of the fit: the decoder learns the full-size image; geometry is frozen.

The field's shading (view layer and colour head) goes on learning with it: supervised colours
leave most features to chance, and where a ray's samples fall changes them at random. Here they
learn to say what the decoder needs. The volume render's own colours are held to the truth.

It trains on crops: a crop of the feature map, a few pixels of margin for the convolutions'
padding, and the same part of the truth. Eight crops of a quarter of the picture cost what two
whole pictures do, and show eight heads instead of two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from stylesdf_core.camera import focal_length
from stylesdf_core.config import RenderOptions
from stylesdf_core.networks.decoder import Decoder
from stylesdf_core.rays import Rays, cam2world, make_rays
from stylesdf_core.training.fast_field import FastField
from stylesdf_core.training.fit_config import FitConfig
from stylesdf_core.training.fit_data import HeadBank, ViewBatch
from stylesdf_core.training.fit_init import start_decoder
from stylesdf_core.training.fit_points import fast_field
from stylesdf_core.training.fit_samples import FOV, evaluate_decoder, render_views
from stylesdf_core.training.loop import Models, Phase, rate_factor, set_rate
from stylesdf_core.training.losses import (
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    pyramid_loss,
    sharpness_loss,
)
from stylesdf_core.training.patch_discriminator import PatchDiscriminator
from stylesdf_core.volume_rendering import (
    compositing_weights,
    sample_depths,
    sample_distances,
    sample_points,
)

WARMUP = 100
#: Pixels of the feature map at a crop's edge that padding has touched; not compared.
MARGIN = 2
#: Samples of each ray that are shaded in training; the rest weigh next to nothing.
SHADED_SAMPLES = 5
#: Training's first share without the adversarial term, which only sharpens what is there.
ADVERSARIAL_START = 0.4


@dataclass(frozen=True)
class Crop:
    """A rectangle of the feature map, the same in all images of a batch; in its pixels."""

    top: int
    left: int
    height: int
    width: int

    def of(self, maps: Tensor, scale: int = 1) -> Tensor:
        """Cut (…, H, W) maps that are ``scale`` times as large as the feature map."""
        rows = slice(self.top * scale, (self.top + self.height) * scale)
        columns = slice(self.left * scale, (self.left + self.width) * scale)
        return maps[..., rows, columns]

    def trustworthy(self, size: int) -> Crop:
        """The part, relative to the crop, that padding has not touched.

        At the picture's own edges (of a ``size``² map) the padding belongs to the picture.
        """
        top, left = MARGIN * (self.top > 0), MARGIN * (self.left > 0)
        bottom = MARGIN * (self.top + self.height < size)
        right = MARGIN * (self.left + self.width < size)
        return Crop(top, left, self.height - top - bottom, self.width - left - right)

    def part(self, inner: Crop) -> Crop:
        """``inner``, which is relative to this crop, relative to the picture."""
        return Crop(self.top + inner.top, self.left + inner.left, inner.height, inner.width)


class DecoderPhase(Phase):
    """Decoder, shading and patch discriminator; geometry and mapping frozen at their averages."""

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
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.discriminator = PatchDiscriminator()
        height = config.decoder.learning_rate
        self.optimizers = {
            "decoder": _adam(self.decoder, height, momentum=0.9),
            "shading": _adam(self.shading, 0.1 * height, momentum=0.9),
            # Without equalised rates it needs a tenth; momentum would chase the other's last move.
            "discriminator": _adam(self.discriminator, 0.1 * height, momentum=0.0),
        }
        self.networks = {"discriminator": self.discriminator}
        self._autocast = config.precision == "bfloat16"

    def step(self, index: int) -> dict[str, Tensor]:
        """One step of the decoder and, once it counts, of the discriminator."""
        settings = self.config.decoder
        random = torch.Generator().manual_seed(self.config.seed * 1_000_003 + 700_000_000 + index)
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
        adversarial = settings.adversarial > 0 and index >= ADVERSARIAL_START * settings.steps
        if adversarial:
            self.discriminator.requires_grad_(False)
            losses["adversarial"] = generator_loss(self._judge(images))
            self.discriminator.requires_grad_(True)
        loss = losses["image"] + losses["thumb"] + settings.sharpness * losses["sharpness"]
        if adversarial:
            loss = loss + settings.adversarial * losses["adversarial"]
        _step([self.optimizers["decoder"], self.optimizers["shading"]], loss)
        if adversarial:
            losses |= self._train_discriminator(images.detach(), truth, index)
        return losses

    def _start(self, views: ViewBatch) -> None:
        """Begin from the averaged field, and with its enlarged volume render."""
        live, ema = self.models.live, self.models.ema
        live.mapping.load_state_dict(ema.mapping.state_dict())
        live.field.load_state_dict(ema.field.state_dict())
        if self.config.init is not None:
            return
        assert ema.decoder is not None
        render = render_views(live, views)
        with torch.no_grad():
            styles = live.broadcast_styles(self.decoder.map(live.mapping(views.z)))
        start_decoder(self.decoder, render.features, render.rgb, styles)
        ema.decoder.load_state_dict(self.decoder.state_dict())

    def _train_discriminator(self, fake: Tensor, real: Tensor, index: int) -> dict[str, Tensor]:
        settings = self.config.decoder
        loss = discriminator_loss(self._judge(real), self._judge(fake))
        losses = {"discriminator": loss}
        total = loss
        if index % settings.r1_every == 0:
            real = real.clone().requires_grad_(True)
            penalty = gradient_penalty(self.discriminator(real), real)
            total = total + 0.5 * settings.r1 * settings.r1_every * penalty
        _step([self.optimizers["discriminator"]], total)
        return losses

    def _judge(self, images: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=self._autocast):
            logits: Tensor = self.discriminator(images)
        return logits.float()

    def _decode(self, views: ViewBatch, crop: Crop) -> tuple[Tensor, Tensor]:
        """Decoded crops (B, 3, S', S') and their volume renders (B, 3, h, w), in [−1, 1]."""
        generator = self.models.live
        size = self.config.thumb_size
        with torch.no_grad():
            w = generator.mapping(views.z)
        cameras = cam2world(views.azimuth, views.elevation)
        rays = crop_rays(make_rays(cameras, focal_length(FOV, size), size), crop)
        render = render_crop(self.field, generator.sigma, w, rays)
        noise: list[Tensor | None] = []
        for map_ in generator.noise_maps(RenderOptions()):
            assert map_ is not None
            noise.append(crop.of(map_, map_.shape[-1] // size))
        styles = generator.broadcast_styles(self.decoder.map(w))
        with torch.autocast("cpu", torch.bfloat16, enabled=self._autocast):
            images: Tensor = self.decoder(render.features, styles, noise)
        return images.float(), render.rgb

    def evaluate(self, samples: Path) -> dict[str, float]:
        """Decoded images against truth and against the enlarged volume render."""
        return evaluate_decoder(self.models.ema, self.bank, samples)


def random_crop(random: torch.Generator, size: int, edge: int) -> Crop:
    """A crop of ``edge``² somewhere in a map of ``size``²; its borders come up often enough."""
    place = torch.randint(-edge // 8, size - edge + edge // 8 + 1, (2,), generator=random)
    top, left = (int(min(max(0, p), size - edge)) for p in place)
    return Crop(top, left, edge, edge)


def crop_rays(rays: Rays, crop: Crop) -> Rays:
    """The rays (B, height, width, 3) of part of a picture."""

    def cut(values: Tensor) -> Tensor:
        return crop.of(values.movedim(-1, 1)).movedim(1, -1)

    return Rays(cut(rays.origins), cut(rays.directions), cut(rays.viewdirs))


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
    field: FastField, sigma: Callable[[Tensor], Tensor], w: Tensor, rays: Rays, samples: int = 24
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


def _adam(network: nn.Module, height: float, *, momentum: float) -> torch.optim.Adam:
    group = {"params": list(network.parameters()), "height": height}
    return torch.optim.Adam([group], lr=height, betas=(momentum, 0.99), fused=True)


def _step(optimizers: list[torch.optim.Optimizer], loss: Tensor) -> None:
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)
    loss.backward()
    for optimizer in optimizers:
        optimizer.step()
