"""The fit's phases that train the decoder: supervised, end to end, and refinement.

All three compare windows (:mod:`stylesdf_core.heads.fit.windows`) of decoded images with the truth,
but they train different networks:

======================  =======  ========  =====================
phase                   decoder  field     discriminator
======================  =======  ========  =====================
SupervisedDecoderPhase  yes      shading   no
EndToEndPhase           yes      all of it yes
RefinePhase             yes      frozen    yes
======================  =======  ========  =====================
"""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

import psutil
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylesdf_core.engine.engine import Engine
from stylesdf_core.heads.fit.bank import VIEW_FOV, HeadBank, ViewBatch
from stylesdf_core.heads.fit.config import AdversarialConfig, FitConfig
from stylesdf_core.heads.fit.discriminator import WindowDiscriminator
from stylesdf_core.heads.fit.fast_field import FastField, as_map, flat, render_rays, shade_rays
from stylesdf_core.heads.fit.initial import noise_strengths, show_enlarged_render, without_noise
from stylesdf_core.heads.fit.measures import evaluate_decoder
from stylesdf_core.heads.fit.phase import (
    SMALLEST_BETA,
    FitPhase,
    decoder_optimizer,
    detached,
    field_optimizer,
    total,
)
from stylesdf_core.heads.fit.supervision import PointSupervision
from stylesdf_core.heads.fit.windows import (
    Window,
    WindowBatch,
    cut,
    cut_rays,
    draw_windows,
    random_window,
)
from stylesdf_core.model.model import MeanLatents, Model
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Identity, Scene
from stylesdf_core.training.loop import Models
from stylesdf_core.training.losses import (
    extremes_loss,
    pyramid_loss,
    ringing_loss,
    sharpness_loss,
)

#: In the end-to-end phase: heads with losses on points per rendered head, and points of each;
#: points take little time beside rays.
POINT_HEADS, NEAR_POINTS, SPACE_POINTS = 8, 64, 48
#: Least share of a batch's pixels by which eyes' weights are normalised, so that few pixels of an
#: eye do not count as much as a whole eye.
SMALLEST_SHARE = 2e-3


class ImagePhase(FitPhase):
    """A phase that decodes windows of images."""

    def __init__(self, models: Models, bank: HeadBank, config: FitConfig) -> None:
        super().__init__(models, bank, config)
        assert models.live.decoder is not None
        self.decoder = models.live.decoder
        self.size = config.generator.thumb_size
        self.scale = config.generator.output_size // self.size

    def decode(
        self, features: Tensor, w: Tensor, windows: list[Window], noise: list[Tensor | None]
    ) -> Tensor:
        """The compared parts (B, 3, S', S') in [−1, 1] of windows with these features."""
        styles = self.models.live.broadcast_styles(self.decoder.map(w))
        mixed = self.config.precision == "bfloat16"
        with torch.autocast(w.device.type, torch.bfloat16, enabled=mixed):
            images: Tensor = self.decoder(features, styles, noise)
        return cut(images, [window.compared for window in windows], self.scale).float()

    def evaluate(self, samples: Path) -> dict[str, float]:
        """Decoded images of held-out heads against truth and the enlarged volume render."""
        return evaluate_decoder(self.models.ema, self.bank, samples)


class SupervisedDecoderPhase(ImagePhase):
    """Decoder and shading learn the full-size image; geometry and mapping are frozen.

    The field's shading (view layer and colour head) is trained with the decoder, since losses on
    colours do not determine the features, which then vary at random with the places of a ray's
    samples. A loss on the volume render's colours keeps them right.
    """

    warmup, first_seed = 100, 700_000_000

    def __init__(self, models: Models, bank: HeadBank, config: FitConfig) -> None:
        super().__init__(models, bank, config)
        live, rate = models.live, config.decoder.learning_rate
        live.requires_grad_(False)
        shading = nn.ModuleList([live.field.view_layer, live.field.rgb_head])
        for module in (self.decoder, shading):
            module.requires_grad_(True)
        self.field = FastField.of(live, config)
        self.optimizers = {
            "decoder": decoder_optimizer(self.decoder, rate),
            "shading": decoder_optimizer(shading, 0.1 * rate),
        }

    def step(self, index: int) -> dict[str, Tensor]:
        """One step of decoder and shading; see :class:`Phase`."""
        settings, random = self.config.decoder, self.random(index)
        views = self.bank.views(random, self.heads(settings))
        if index == 0:
            self._start(views)
        windows = [random_window(random, self.size, settings.crop)] * len(views.z)
        images, thumbs = self._show(views, windows)
        truth = cut(views.images, [window.truth for window in windows], self.scale)
        true_thumbs = cut(views.thumbs(self.size), [window.decoded for window in windows])
        losses = {
            "image": pyramid_loss(images, truth),
            "sharpness": sharpness_loss(images, truth),
            "thumb": (thumbs - true_thumbs).abs().mean(),
        }
        self.update(index, settings.steps, total(losses))
        return detached(losses)

    def _start(self, views: ViewBatch) -> None:
        """Start from the averaged field; a new decoder shows the field's enlarged volume render."""
        live, ema = self.models.live, self.models.ema
        live.mapping.load_state_dict(ema.mapping.state_dict())
        live.field.load_state_dict(ema.field.state_dict())
        if self.config.init is None:
            show_enlarged_render(self.models, views)

    def _show(self, views: ViewBatch, windows: list[Window]) -> tuple[Tensor, Tensor]:
        """Decoded images (B, 3, S', S') and volume renders (B, 3, h, w), in [−1, 1]."""
        live, crop = self.models.live, windows[0].decoded
        with torch.no_grad():
            w = live.mapping(views.z)
        rays = cut_rays(views.rays(self.size), [window.decoded for window in windows])
        render = shade_rays(self.field, live, w, flat(rays))
        noise: list[Tensor | None] = [
            crop.of(map_, map_.shape[-1] // self.size) for map_ in self.decoder.fixed_noise()
        ]
        images = self.decode(as_map(render.features, crop.height), w, windows, noise)
        return images, 2.0 * as_map(render.rgb, crop.height) - 1.0


class AdversarialImagePhase(ImagePhase):
    """A phase with StyleGAN2's discriminator; each image of a batch has its own window.

    Windows lie mostly where the truth is rich in detail. Losses against the truth decide what lies
    where; the discriminator teaches the finest detail, as in the paper's second stage
    (non-saturating loss and R1). The sharpness loss would add seams along a head's outline, which
    lies a pixel beside the truth's; the ringing loss penalises seams.
    """

    warmup = 200
    #: Sizes, each half of the one before, at which images are compared.
    levels: ClassVar[int] = 3

    def __init__(
        self, models: Models, bank: HeadBank, config: FitConfig, settings: AdversarialConfig
    ) -> None:
        super().__init__(models, bank, config)
        self.settings = settings
        self.batch = self.heads(settings)
        self.discriminator = WindowDiscriminator(
            config, settings, models.live.field.sigmoid_beta.device
        )
        self.networks = {"discriminator": self.discriminator.network}
        self.weights = {
            name: getattr(settings, name) for name in ("sharpness", "ringing", "adversarial")
        }
        #: Parameters whose gradient's norm is clipped.
        self.clipped: list[nn.Parameter] = []

    def step(self, index: int) -> dict[str, Tensor]:
        """One step of the generator and one of the discriminator; see :class:`Phase`."""
        settings, random = self.settings, self.random(index)
        views = self.bank.views(random, self.batch)
        if index == 0:
            self.start(views, random)
        batch = draw_windows(random, views, settings.crop, self.size)
        images, losses = self.show(batch, random)
        losses |= self.compare(images, batch)
        if settings.adversarial > 0:
            losses["adversarial"] = self.discriminator.generator_term(images)
        self.update(index, settings.steps, total(losses, self.weights), self.clipped)
        seen = detached(losses)
        if settings.adversarial > 0:
            seen |= self.discriminator.train(images, batch.truth, index)
        return seen

    def start(self, views: ViewBatch, random: torch.Generator) -> None:
        """Before the first step: start from the averaged generator, without the decoder's noise."""
        without_noise(self.models)

    @abstractmethod
    def show(self, batch: WindowBatch, random: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """The windows' compared parts, decoded (B, 3, S', S'), and losses of the volume render."""

    def compare(self, images: Tensor, batch: WindowBatch) -> dict[str, Tensor]:
        """Losses of the decoded windows (B, 3, S', S') against their truth, by name."""
        truth, outline = batch.truth, batch.compared(batch.views.outline(self.size))
        outline = F.interpolate(outline, scale_factor=self.scale)
        weights = batch.detail / batch.detail.mean()
        return {
            "image": pyramid_loss(images, truth, levels=self.levels),
            "sharpness": sharpness_loss(images, truth),
            "ringing": ringing_loss(images, truth, outline),
            "detail": (weights * (images - truth).abs()).mean(),
        }


class EndToEndPhase(AdversarialImagePhase):
    """Mapping, field and decoder learn images together.

    The decoder's gradients teach the field features that help to decode strands of hair or an iris,
    and correct places that are half a pixel off, which the decoder cannot. A step therefore needs a
    volume render with gradients. Losses on points and on the volume render keep distances, colours
    and hidden layers right.
    """

    first_seed = 900_000_000

    def __init__(self, models: Models, bank: HeadBank, config: FitConfig) -> None:
        settings = config.end_to_end
        super().__init__(models, bank, config, settings)
        live = models.live
        live.requires_grad_(True)
        for strength in noise_strengths(self.decoder):
            strength.requires_grad_(False)
        self.field = FastField.of(live, config)
        self.supervision = PointSupervision(live, self.field, bank, config)
        field = field_optimizer(live, settings.learning_rate)
        self.optimizers = {
            "field": field,
            "decoder": decoder_optimizer(self.decoder, settings.decoder_rate),
            "discriminator": self.discriminator.optimizer,
            **self.supervision.optimizers,
        }
        self.networks |= self.supervision.networks
        self.clipped = [p for group in field.param_groups for p in group["params"]]

    def step(self, index: int) -> dict[str, Tensor]:
        """As :class:`AdversarialImagePhase`; keeps β above ``SMALLEST_BETA``."""
        seen, beta = super().step(index), self.models.live.field.sigmoid_beta
        with torch.no_grad():
            beta.clamp_(min=SMALLEST_BETA)
        return {**seen, "beta": beta.detach()[0]}

    def start(self, views: ViewBatch, random: torch.Generator) -> None:
        """Also set a new decoder to the enlarged render; measure a trained surface's offset."""
        super().start(views, random)
        config = self.config
        if config.init is None and config.decoder.steps == 0:
            show_enlarged_render(self.models, views)
        if config.init is not None or config.points.steps or config.render.steps:
            self.supervision.find_surface(random)

    def show(self, batch: WindowBatch, random: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Windows decoded from volume renders; losses on these renders and on points."""
        live, views = self.models.live, batch.views
        w = live.mapping(views.z)
        rays = cut_rays(views.rays(self.size), [window.decoded for window in batch.windows])
        height = rays.origins.shape[1]
        render = render_rays(self.field, live, w, flat(rays))
        noise: list[Tensor | None] = [None] * len(self.decoder.convs)
        images = self.decode(as_map(render.features, height), w, batch.windows, noise)
        heads = POINT_HEADS * self.batch
        points = self.supervision.losses(random, heads, NEAR_POINTS, SPACE_POINTS)
        losses = {f"points_{name}": loss for name, loss in points.items()}
        rgb, covered = 2.0 * as_map(render.rgb, height) - 1.0, as_map(render.coverage, height)
        losses["render"] = (rgb - batch.decoded(views.thumbs(self.size))).abs().mean()
        losses["coverage"] = (covered - batch.decoded(views.coverage(self.size))).abs().mean()
        return images, losses


class RefinePhase(AdversarialImagePhase):
    """The decoder alone learns; renderer and mapping are frozen at their averages.

    The engine renders a view's feature map once and keeps it, so that a step takes only the time of
    the decoder. Eyeballs count more, and a loss compares their catchlights and pupils.
    """

    first_seed = 800_000_000
    levels = 2

    def __init__(self, models: Models, bank: HeadBank, config: FitConfig) -> None:
        settings = config.refine
        super().__init__(models, bank, config, settings)
        models.live.requires_grad_(False)
        self.decoder.requires_grad_(True)
        for strength in noise_strengths(self.decoder):
            strength.requires_grad_(False)
        self.optimizers = {
            "decoder": decoder_optimizer(self.decoder, settings.learning_rate),
            "discriminator": self.discriminator.optimizer,
        }
        self.weights |= dict.fromkeys(("eyes", "extremes"), settings.eyes)
        self._features: FeatureCache | None = None

    def show(self, batch: WindowBatch, random: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Windows decoded from kept feature maps; no further losses."""
        if self._features is None:  # the first step has frozen the averages by now
            self._features = FeatureCache(self.models.live, self.config.refine.cache_gb)
        maps = zip(batch.windows, self._features.of(batch.views), strict=True)
        features = torch.stack([window.decoded.of(features) for window, features in maps])
        features = features.float().contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            w = self.models.live.mapping(batch.views.z)
        # Zeros, not None: so the strengths of the noise have gradients, of zero, and stay.
        noise: list[Tensor | None] = [w.new_zeros(1)] * len(self.decoder.convs)
        return self.decode(features, w, batch.windows, noise), {}

    def compare(self, images: Tensor, batch: WindowBatch) -> dict[str, Tensor]:
        """Also losses on eyeballs: differences, and the brightest and darkest values nearby."""
        losses = super().compare(images, batch)
        if self.config.refine.eyes > 0:
            eyes = batch.compared(F.adaptive_avg_pool2d(batch.views.eyes, self.size))
            eyes = F.interpolate(eyes, scale_factor=self.scale)
            eyes = eyes / eyes.mean().clamp_min(SMALLEST_SHARE)
            losses["eyes"] = (eyes * (images - batch.truth).abs()).mean()
            losses["extremes"] = extremes_loss(images, batch.truth, eyes)
        return losses


class FeatureCache:
    """Feature maps of a frozen renderer, kept as 16-bit floats as far as memory allows.

    Args:
        generator: only its decoder may change.
        gigabytes: most memory for maps; at most half of the free memory is used.
    """

    def __init__(self, generator: Generator, gigabytes: float) -> None:
        nothing = MeanLatents(torch.zeros(1, generator.config.z_dim), torch.zeros(1, 512))
        model = Model("training", Path(), generator, nothing, ())
        device = generator.field.sigmoid_beta.device
        self._engine = Engine(model, device.type, exact=True)
        self._maps: dict[int, Tensor] = {}
        cuda = device.type == "cuda"
        free = torch.cuda.mem_get_info()[0] if cuda else psutil.virtual_memory().available
        config = generator.config
        of_one = 2 * config.width * config.thumb_size**2
        self.capacity = int(min(gigabytes * 1e9, free / 2) / of_one)

    def of(self, views: ViewBatch) -> list[Tensor]:
        """The maps (width, thumb_size, thumb_size) of views, float16."""
        return [self._of(views, place, row) for place, row in enumerate(views.rows.tolist())]

    def _of(self, views: ViewBatch, place: int, row: int) -> Tensor:
        known = self._maps.get(row)
        if known is not None:
            return known
        azimuth, elevation = float(views.azimuth[place]), float(views.elevation[place])
        scene = Scene(
            identity=Identity(z=tuple(views.z[place].tolist())),
            truncation_psi=1.0,
            camera=OrbitCamera(azimuth, elevation, VIEW_FOV),
        )
        features = self._engine.features(scene).half()
        if len(self._maps) < self.capacity:
            self._maps[row] = features
        return features
