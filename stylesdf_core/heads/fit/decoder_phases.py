"""The fit's phases that train the decoder: supervised, end to end, and refinement.

All three decode windows of images (:mod:`stylesdf_core.heads.fit.windows`), mostly where the truth
is rich in detail, and compare them with the truth. They differ in the networks that they train:

======================  =======  =========  =============
phase                   decoder  field      discriminator
======================  =======  =========  =============
SupervisedDecoderPhase  yes      shading    no
EndToEndPhase           yes      all of it  yes
RefinePhase             yes      frozen     yes
======================  =======  =========  =============

Losses against the truth decide what lies where; the discriminator teaches the finest detail, as in
the paper's second stage (non-saturating loss and R1). The sharpness loss would add seams along a
head's outline, which lies a pixel beside the truth's; the ringing loss penalises seams. No phase
adds the decoder's noise, since noise sticks to the screen while the head turns.
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
from stylesdf_core.heads.fit.config import (
    AdversarialConfig,
    DecoderConfig,
    EndToEndConfig,
    FitConfig,
    ImageConfig,
    RefineConfig,
)
from stylesdf_core.heads.fit.field import FastField, render_rays
from stylesdf_core.heads.fit.initial import show_enlarged_render
from stylesdf_core.heads.fit.measures import evaluate_decoder
from stylesdf_core.heads.fit.phase import (
    SMALLEST_BETA,
    FitPhase,
    decoder_optimizer,
    field_optimizer,
)
from stylesdf_core.heads.fit.supervision import PointSupervision
from stylesdf_core.heads.fit.windows import WindowBatch, cut, draw_windows
from stylesdf_core.model.latents.mean_latents import MeanLatents
from stylesdf_core.model.model import Model
from stylesdf_core.model.networks.discriminators import StyleDiscriminator
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Identity, Scene
from stylesdf_core.seeds import seeded_weights
from stylesdf_core.training.adversarial.config.losses import ImageLosses
from stylesdf_core.training.adversarial.terms.discriminator import DiscriminatorTerms
from stylesdf_core.training.losses import (
    extremes_loss,
    generator_loss,
    pyramid_loss,
    ringing_loss,
    sharpness_loss,
)
from stylesdf_core.training.optimizing import lazy_adam
from stylesdf_core.training.phase import Models
from stylesdf_core.training.precision import Autocast

#: In the end-to-end phase: heads with losses on points per rendered head, and points of each;
#: points take little time beside rays.
POINT_HEADS, NEAR_POINTS, SPACE_POINTS = 8, 64, 48
#: Least share of a batch's pixels by which eyes' weights are normalised, so that few pixels of an
#: eye do not count as much as a whole eye.
SMALLEST_SHARE = 2e-3
#: Weight γ of the discriminator's R1 penalty γ/2·‖∇D‖².
R1_WEIGHT = 1.0
#: Steps between R1 penalties; each penalty is multiplied by this number.
R1_EVERY = 16


class ImagePhase(FitPhase):
    """A phase that decodes a window of each picture of a batch and compares it with the truth."""

    warmup = 200

    settings: ImageConfig

    #: Sizes, each half of the one before, at which images are compared.
    levels: ClassVar[int] = 3
    #: Names of the earlier phases that train the decoder.
    decoding_before: ClassVar[tuple[str, ...]]

    def __init__(
        self, models: Models, bank: HeadBank, config: FitConfig, settings: ImageConfig
    ) -> None:
        super().__init__(models, bank, config, settings)
        assert models.live.decoder is not None
        self.decoder = models.live.decoder
        self.size = config.generator.thumb_size
        self.scale = config.generator.output_size // self.size
        self.autocast = Autocast(config.precision, bank.device)
        self.weights = {"sharpness": settings.sharpness, "ringing": settings.ringing}
        self.discriminator: WindowDiscriminator | None = None
        if isinstance(settings, AdversarialConfig) and settings.adversarial > 0:
            self.discriminator = WindowDiscriminator(config, settings, bank.device)
            self.networks["discriminator"] = self.discriminator.network
            self.optimizers["discriminator"] = self.discriminator.optimizer
            self.weights["adversarial"] = settings.adversarial

    def step(self, index: int) -> dict[str, Tensor]:
        """One step of the generator and one of the discriminator, if any; see :class:`Phase`."""
        random, discriminator = self.random(index), self.discriminator
        views = self.bank.views(random, self.heads)
        if index == 0:
            self.start(views, random)
        batch = draw_windows(random, views, self.settings.crop, self.size)
        images, losses = self.show(batch, random)
        losses |= self.compare(images, batch)
        if discriminator is not None:
            losses["adversarial"] = discriminator.generator_term(images)
        seen = self.update(index, losses, self.weights)
        if discriminator is not None:
            seen |= discriminator.train(images.detach(), batch.truth, index)
        return seen

    def start(self, views: ViewBatch, random: torch.Generator) -> None:
        """Before the first step: start from the averaged generator.

        A decoder that nothing has trained yet first shows the field's enlarged volume render.
        """
        self.models.live.load_state_dict(self.models.ema.state_dict())
        if not self.follows(*self.decoding_before):
            show_enlarged_render(self.models, views)

    @abstractmethod
    def show(self, batch: WindowBatch, random: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """The windows' compared parts, decoded (B, 3, S', S'), and losses of the volume render."""

    def decode(self, features: Tensor, w: Tensor, batch: WindowBatch) -> Tensor:
        """The compared parts (B, 3, S', S') in [−1, 1] of windows with these features."""
        styles = self.models.live.broadcast_styles(self.decoder.map(w))
        with self.autocast.on():
            images: Tensor = self.decoder(features, styles, [None] * len(self.decoder.convs))
        return cut(images, [window.compared for window in batch.windows], self.scale).float()

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

    def evaluate(self, samples: Path) -> dict[str, float]:
        """Decoded images of held-out heads against truth and the enlarged volume render."""
        return evaluate_decoder(self.models.ema, self.bank, samples)


class RenderedImagePhase(ImagePhase):
    """A phase that decodes volume renders of its steps, with gradients that reach the field."""

    field: FastField

    def show(self, batch: WindowBatch, random: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Windows decoded from volume renders, and the losses of these renders."""
        live, views = self.models.live, batch.views
        w = live.mapping(views.z)
        render = render_rays(self.field, live, w, batch.rays(self.size))
        thumbs, coverage = views.thumbs(self.size), views.coverage(self.size)
        losses = {
            "render": (render.rgb - batch.decoded(thumbs)).abs().mean(),
            "coverage": (render.coverage - batch.decoded(coverage)).abs().mean(),
        }
        return self.decode(render.features, w, batch), losses


class SupervisedDecoderPhase(RenderedImagePhase):
    """Decoder and shading learn the full-size image; geometry and mapping are frozen.

    The field's shading (view layer and colour head) is trained with the decoder, since losses on
    colours do not determine the features, which then vary at random with the places of a ray's
    samples. A loss on the volume render's colours keeps them right.
    """

    name = "decoder"
    decoding_before = ()

    settings: DecoderConfig

    def __init__(self, models: Models, bank: HeadBank, config: FitConfig) -> None:
        settings = config.decoder
        super().__init__(models, bank, config, settings)
        live, rate = models.live, settings.learning_rate
        live.requires_grad_(False)
        shading = nn.ModuleList([live.field.view_layer, live.field.rgb_head])
        for module in (self.decoder, shading):
            module.requires_grad_(True)
        self.field = FastField(live.field, config.precision, compiled=config.compiled)
        self.optimizers |= {
            "decoder": decoder_optimizer(self.decoder, rate),
            "shading": decoder_optimizer(shading, 0.1 * rate),
        }


class EndToEndPhase(RenderedImagePhase):
    """Mapping, field and decoder learn images together.

    The decoder's gradients teach the field features that help to decode strands of hair or an iris,
    and correct places that are half a pixel off, which the decoder cannot. A step therefore needs a
    volume render with gradients. Losses on points and on the volume render keep distances, colours
    and hidden layers right.
    """

    name = "end-to-end"
    decoding_before = ("decoder",)

    settings: EndToEndConfig

    def __init__(self, models: Models, bank: HeadBank, config: FitConfig) -> None:
        settings = config.end_to_end
        super().__init__(models, bank, config, settings)
        live = models.live
        live.requires_grad_(True)
        self.supervision = PointSupervision(live, bank, config)
        self.field = self.supervision.field
        self.weights |= self.supervision.weights
        self.networks |= self.supervision.networks
        self.optimizers |= {
            "field": field_optimizer(live, settings.learning_rate),
            "decoder": decoder_optimizer(self.decoder, settings.decoder_rate),
            **self.supervision.optimizers,
        }
        self.clipped = [*live.mapping.parameters(), *live.field.parameters()]

    def step(self, index: int) -> dict[str, Tensor]:
        """As :class:`ImagePhase`; keeps β above ``SMALLEST_BETA``."""
        seen, beta = super().step(index), self.models.live.field.sigmoid_beta
        with torch.no_grad():
            beta.clamp_(min=SMALLEST_BETA)
        return {**seen, "beta": beta.detach()[0]}

    def start(self, views: ViewBatch, random: torch.Generator) -> None:
        """Also measure the offset of a trained surface."""
        super().start(views, random)
        if self.follows("points", "render"):
            self.supervision.find_surface(self.models, random)

    def show(self, batch: WindowBatch, random: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Also losses on points."""
        images, losses = super().show(batch, random)
        heads = POINT_HEADS * self.heads
        return images, losses | self.supervision.losses(random, heads, NEAR_POINTS, SPACE_POINTS)


class RefinePhase(ImagePhase):
    """The decoder alone learns; renderer and mapping are frozen at their averages.

    The engine renders a view's feature map once and keeps it, so that a step takes only the time of
    the decoder. Eyeballs count more, and a loss compares their catchlights and pupils.
    """

    name = "refine"
    levels = 2
    decoding_before = ("decoder", "end-to-end")

    settings: RefineConfig

    def __init__(self, models: Models, bank: HeadBank, config: FitConfig) -> None:
        settings = config.refine
        super().__init__(models, bank, config, settings)
        models.live.requires_grad_(False)
        self.decoder.requires_grad_(True)
        self.optimizers["decoder"] = decoder_optimizer(self.decoder, settings.learning_rate)
        self.weights |= dict.fromkeys(("eyes", "extremes"), settings.eyes)
        self._features: FeatureCache | None = None

    def show(self, batch: WindowBatch, random: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Windows decoded from kept feature maps; no further losses."""
        if self._features is None:  # the first step has frozen the averages by now
            self._features = FeatureCache(self.models.live, self.settings.cache_gb)
        maps = zip(batch.windows, self._features.of(batch.views), strict=True)
        features = torch.stack([window.decoded.of(features) for window, features in maps])
        features = features.float().contiguous(memory_format=torch.channels_last)
        return self.decode(features, self.models.live.mapping(batch.views.z), batch), {}

    def compare(self, images: Tensor, batch: WindowBatch) -> dict[str, Tensor]:
        """Also losses on eyeballs: differences, and the brightest and darkest values nearby."""
        losses = super().compare(images, batch)
        if self.settings.eyes > 0:
            eyes = batch.compared(F.adaptive_avg_pool2d(batch.views.eyes, self.size))
            eyes = F.interpolate(eyes, scale_factor=self.scale)
            eyes = eyes / eyes.mean().clamp_min(SMALLEST_SHARE)
            losses["eyes"] = (eyes * (images - batch.truth).abs()).mean()
            losses["extremes"] = extremes_loss(images, batch.truth, eyes)
        return losses


class WindowDiscriminator:
    """StyleGAN2's discriminator of windows, with the losses and optimizer of the paper's stage 2.

    Args:
        config: the run's settings.
        settings: the phase's settings.
        device: where to compute.
    """

    def __init__(
        self, config: FitConfig, settings: AdversarialConfig, device: torch.device
    ) -> None:
        edge = settings.crop * (config.generator.output_size // config.generator.thumb_size)
        with seeded_weights(config.seed):
            self.network = StyleDiscriminator(edge, widest=settings.widest).to(device)
        self._autocast = Autocast(config.precision, device)
        losses = ImageLosses(r1=R1_WEIGHT, r1_every=R1_EVERY)
        self._terms = DiscriminatorTerms(self.network, losses, self._autocast)
        self.optimizer = lazy_adam(self.network, settings.discriminator_rate, R1_EVERY)

    def generator_term(self, fake: Tensor) -> Tensor:
        """The generator's adversarial loss; gradients reach images (B, 3, S, S) only."""
        self.network.requires_grad_(False)
        with self._autocast.on():
            logits = self.network(fake)
        self.network.requires_grad_(True)
        return generator_loss(logits.float())

    def train(self, fake: Tensor, real: Tensor, index: int) -> dict[str, Tensor]:
        """Step ``index`` of the discriminator; returns its loss and mean scores by name.

        Args:
            fake, real: (B, 3, S, S) in [−1, 1].
        """
        terms: dict[str, Tensor] = self._terms(real, fake, real.new_zeros(0), index % R1_EVERY == 0)
        self.optimizer.zero_grad(set_to_none=True)
        terms.pop("loss").backward()
        self.optimizer.step()
        return terms


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
        columns = (views.rows, views.z, views.azimuth, views.elevation)
        return [self._of(*view) for view in zip(*(x.tolist() for x in columns), strict=True)]

    def _of(self, row: int, z: list[float], azimuth: float, elevation: float) -> Tensor:
        if row in self._maps:
            return self._maps[row]
        identity, camera = Identity(z=tuple(z)), OrbitCamera(azimuth, elevation, VIEW_FOV)
        scene = Scene(identity=identity, truncation_psi=1.0, camera=camera)
        size = self._engine.config.thumb_size
        features = self._engine.render_volume(scene, size, features=True).features
        assert features is not None
        features = features.half()
        if len(self._maps) < self.capacity:
            self._maps[row] = features
        return features
