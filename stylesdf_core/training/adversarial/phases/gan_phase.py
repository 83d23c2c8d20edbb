"""The generator against discriminators: the paper's two stages, and both together.

=================  ====================  ===========================================
stage              trained               discriminators
=================  ====================  ===========================================
renderer (1)       mapping and fields    of volume renders (paper, Eq. 6)
decoder (2)        decoder               StyleGAN2's, of images
joint              all of the generator  both
=================  ====================  ===========================================

A step updates the discriminators, then the generator; phases with a decoder have one more update
every few steps, by the path-length penalty.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from stylesdf_core.engine.batch_render import BatchRender
from stylesdf_core.model.networks.discriminators import StyleDiscriminator, VolumeDiscriminator
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.seeds import seeded, seeded_weights
from stylesdf_core.training.adversarial.batches.augmentation import NUMBERS, Augmentation
from stylesdf_core.training.adversarial.batches.draws import Fakes
from stylesdf_core.training.adversarial.batches.patches import cut_patches
from stylesdf_core.training.adversarial.batches.real_images import RealBatch, RealImages
from stylesdf_core.training.adversarial.config.losses import ImageLosses, VolumeLosses
from stylesdf_core.training.adversarial.config.stages import (
    DecoderStageConfig,
    JointConfig,
    RendererConfig,
)
from stylesdf_core.training.adversarial.phases.phase import AdversarialPhase, PhaseContext, Purpose
from stylesdf_core.training.adversarial.terms.discriminator import DiscriminatorTerms
from stylesdf_core.training.adversarial.terms.image import (
    DecoderTerms,
    PathMean,
    decode,
    path_terms,
)
from stylesdf_core.training.adversarial.terms.volume import (
    VolumeGeneratorTerms,
    drawn_fakes,
    render_fakes,
)
from stylesdf_core.training.losses import path_length_mean
from stylesdf_core.training.optimizing import Terms, accumulate, lazy_adam, of_chunks, update
from stylesdf_core.training.phase import Models
from stylesdf_core.training.precision import Autocast

# Added to a run's seed for the initial weights of its discriminators.
_VOLUME_WEIGHTS, _IMAGE_WEIGHTS = 11, 21


class GanPhase(AdversarialPhase):
    """The parts of a generator that a stage trains, against the discriminators of their pictures.

    Attributes:
        d_terms: losses of the stage's discriminators by their names, wrapped by DDP if there are
            several processes.
        augmentations: the transforms before the discriminators, by the same names; empty if the
            images are seen as they are.
        path: running mean of path lengths; unused by a phase without decoder.
        g_terms: the generator's losses, wrapped by DDP if there are several processes.
    """

    from_images = True

    def __init__(
        self,
        models: Models,
        context: PhaseContext,
        config: RendererConfig | DecoderStageConfig | JointConfig,
        images: RealImages,
    ) -> None:
        super().__init__(models, context, images)
        self.config, self.images, self.batch = config, images, config.batch
        self.volume = None if isinstance(config, DecoderStageConfig) else config.volume
        self.image = None if isinstance(config, RendererConfig) else config.image
        world, live = context.world, models.live
        self.autocast = Autocast(context.run.precision, world.device)
        self.path = PathMean().to(world.device)
        self.optimizers, self.networks = {}, {}
        losses = [part for part in (self.volume, self.image) if part is not None]
        self.lazy = {name: every for part in losses for name, every in part.lazy.items()}
        self.d_terms: dict[str, nn.Module] = {}
        self.augmentations: dict[str, Augmentation] = {}
        live.requires_grad_(False)
        if self.volume is not None:
            rate = self.volume.generator_rate
            if isinstance(config, JointConfig):
                rate = config.renderer_rate
            groups = trained_renderer(live, rate, self.volume.background_speed)
            self.optimizers["renderer"] = Adam(groups, rate, betas=(0.0, 0.9))
            judge = new_volume_discriminator(live, self.volume, context.run.seed).to(world.device)
            rate = self.volume.discriminator_rate
            adam = Adam(judge.parameters(), rate, betas=(0.0, 0.9))
            self._add_judge("volume_discriminator", judge, adam, self.volume)
        if self.image is not None:
            image, decoder = self.image, live.decoder
            assert decoder is not None
            decoder.requires_grad_(True)
            self.optimizers["decoder"] = lazy_adam(decoder, image.rate, image.path_every)
            style_judge = new_style_discriminator(live, image, context.run.seed).to(world.device)
            adam = lazy_adam(style_judge, image.rate, image.r1_every)
            self._add_judge("discriminator", style_judge, adam, image)
            self.networks["path_mean"] = self.path
        # Renderer and decoder share one backward pass, hence one scaler.
        self.moving = [self.optimizers[n] for n in ("renderer", "decoder") if n in self.optimizers]
        self.scalers = {name: self.autocast.scaler() for name in ("generator", *self.d_terms)}
        judged: dict[str, Callable[[Tensor, Fakes], Any]] = {
            name: partial(self._discriminate, name) for name in self.d_terms
        }
        self.g_terms = world.replicate(
            GeneratorTerms(live, judged, self.volume, self.image, self.autocast)
        )

    def _add_judge(
        self,
        name: str,
        network: VolumeDiscriminator | StyleDiscriminator,
        optimizer: Optimizer,
        weights: VolumeLosses | ImageLosses,
    ) -> None:
        terms = DiscriminatorTerms(network, weights, self.autocast)
        self.d_terms[name] = self.context.world.replicate(terms)
        self.networks[name], self.optimizers[name] = network, optimizer
        if self.config.augment.is_on(len(self.images)):
            self.augmentations[name] = Augmentation(self.config.augment, self.context.world.device)
            self.networks[f"{name}_augmentation"] = self.augmentations[name]

    def _discriminate(self, name: str, images: Tensor, fakes: Fakes) -> Any:
        """What a discriminator says of generated images."""
        seen = self._augmented(name, images, fakes.augment)
        patches = () if fakes.patches is None else (fakes.patches,)
        return self.networks[name](seen, *patches)

    def _augmented(self, name: str, images: Tensor, numbers: Tensor) -> Tensor:
        """The images as a discriminator sees them."""
        augmentation = self.augmentations.get(name)
        return images if augmentation is None else augmentation(images, numbers)

    def step(self, index: int) -> Terms:
        """One update of each discriminator, then one or two of the generator."""
        limit = self.context.run.max_gradient_norm
        record = self.accumulate_discriminators(index)
        record |= self.adapt_augmentations(index, record)
        for name in self.d_terms:
            norm = update([self.optimizers[name]], self.scalers[name], limit)
            record[f"{name}_gradient_norm"] = norm
        record |= self.accumulate_generator(index)
        record["g_gradient_norm"] = update(self.moving, self.scalers["generator"], limit)
        if self.volume is not None and self.models.live.config.field == "sdf":
            with torch.no_grad():
                self.models.live.field.sigmoid_beta.clamp_(min=self.volume.least_beta)
            for generator in (self.models.live, self.models.ema):
                generator.place_surface()
        return record | self.update_path(index)

    def accumulate_discriminators(self, index: int) -> Terms:
        """The discriminators' gradients of a step, from the same fakes."""
        device = self.context.world.device
        fakes = self._draw(Purpose.DISCRIMINATOR, index, self.config.batch)
        real = self.images.batch(index, self.config.batch, self.attempt)
        thumbs, images = self._show(fakes)
        numbers = self._real_numbers(index).to(device) if self.augmentations else fakes.augment
        record: Terms = {}
        if fakes.patches is not None:  # of generated and of real images the same ones
            cut = cut_patches(real.pixels, fakes.patches, self.models.live.config.thumb_size)
            real = RealBatch(real.pixels, cut)
        for name, terms in self.d_terms.items():
            self.networks[name].requires_grad_(True)
            weights: VolumeLosses | ImageLosses | None = self.volume
            true, fake = real.thumbs, thumbs
            if name == "discriminator":
                weights, true, fake = self.image, real.images, images
            assert weights is not None
            with_r1 = weights.r1 > 0 and index % weights.r1_every == 0
            true_images = self._augmented(name, true(device), numbers)
            fake = self._augmented(name, fake, fakes.augment)
            part = partial(_judge, terms, true_images, fake, fakes, with_r1)
            record |= self._accumulate(terms, part, len(fakes), name)
        return record

    def adapt_augmentations(self, index: int, record: Terms) -> Terms:
        """Let the transforms' probability follow the scores of real images."""
        device = self.context.world.device
        for name, augmentation in self.augmentations.items():
            sign = self.context.world.mean(record[f"{_prefix(name)}real_score_sign"])
            augmentation.follow(index, sign, self.config.batch)
        return {
            f"{_prefix(name)}augment_p": augmentation.probability.to(device, copy=True)
            for name, augmentation in self.augmentations.items()
        }

    def _real_numbers(self, index: int) -> Tensor:
        """The random numbers of this process's share of a step's real images, (B, 8, 3)."""
        random = seeded(self.context.run.seed, Purpose.AUGMENT, self.attempt, index)
        numbers = torch.rand(self.config.batch, *NUMBERS, generator=random)
        return numbers[self.context.world.share.of(self.config.batch)]

    def accumulate_generator(self, index: int) -> Terms:
        """The generator's gradients of a step."""
        for name in self.d_terms:
            self.networks[name].requires_grad_(False)
        fakes = self._draw(Purpose.GENERATOR, index, self.config.batch)
        anchor = 0.0
        if isinstance(self.config, RendererConfig) and self.config.init is None:
            anchor = self.config.volume.anchor_at(index)

        def part(chunk: slice) -> Terms:
            terms: Terms = self.g_terms(fakes[chunk], anchor)
            return terms

        return self._accumulate(self.g_terms, part, len(fakes), "generator")

    def update_path(self, index: int) -> Terms:
        """Every few steps: one more update of the decoder, by the path-length penalty alone.

        The penalty has an optimizer step of its own, as in StyleGAN2: for these steps, n in n + 1,
        Adam's rate and betas are corrected (:func:`lazy_adam`).
        """
        image = self.image
        if image is None or image.path_length == 0 or index % image.path_every:
            return {}
        record = self.accumulate_path(index)
        limit = self.context.run.max_gradient_norm
        record["path_gradient_norm"] = update(
            [self.optimizers["decoder"]], self.scalers["generator"], limit
        )
        return record

    def accumulate_path(self, index: int) -> Terms:
        """The decoder's gradients of the path-length penalty, on half a batch."""
        world, decoder, weights = self.context.world, self.models.live.decoder, self.image
        assert decoder is not None
        assert weights is not None
        half = self._draw(Purpose.PATH, index, max(1, self.config.batch // 2))

        def part(chunk: slice) -> Terms:
            mine = half[chunk]
            w, other_w, render = self._render(mine)
            return path_terms(decoder, render.features, w, other_w, mine, self.path.mean, weights)

        record = self._accumulate(decoder, part, len(half), "generator")
        world.average_gradients(decoder)
        lengths = world.mean(record["path_length"])
        self.path.mean.copy_(path_length_mean(self.path.mean, lengths))
        return record

    def _draw(self, purpose: Purpose, index: int, batch: int) -> Fakes:
        mixing = 0.0 if self.image is None else self.image.mixing
        rays = 0 if self.volume is None else self.volume.geometry_rays
        least = None
        if isinstance(self.config, RendererConfig) and self.config.output == "direct":
            least = self.config.patch.scale_at(index, self.config.generator.thumb_size)
        return self.draw(purpose, index, batch, mixing=mixing, rays=rays, least_scale=least)

    def _accumulate(
        self, module: nn.Module, part: Callable[[slice], Terms], count: int, scaler: str
    ) -> Terms:
        chunks = of_chunks(part, count, self.config.chunk_size)
        return accumulate(module, chunks, self.scalers[scaler])

    @torch.no_grad()
    def _render(self, fakes: Fakes) -> tuple[Tensor, Tensor, BatchRender]:
        """Both w of a chunk, and its volume render."""
        live = self.models.live
        w, other_w = live.mapping(fakes.z), live.mapping(fakes.other_z)
        return w, other_w, drawn_fakes(live, w, fakes)

    @torch.no_grad()
    def _show(self, fakes: Fakes) -> tuple[Tensor, Tensor]:
        """Thumbs and images of all fakes, a chunk at a time; thumbs twice without a decoder."""
        size, decoder = self.config.chunk_size, self.models.live.decoder
        thumbs, images = [], []
        for start in range(0, len(fakes), size):
            mine = fakes[start : start + size]
            w, other_w, render = self._render(mine)
            thumbs.append(render.rgb)
            if self.image is not None and decoder is not None:
                with self.autocast.on():
                    image, _ = decode(decoder, render.features, w, other_w, mine)
                images.append(image.float())
        return torch.cat(thumbs), torch.cat(images or thumbs)


def _prefix(name: str) -> str:
    """Begins the recorded terms of a discriminator; see :class:`DiscriminatorTerms`."""
    return "image_" if name == "discriminator" else ""


def _judge(
    terms: nn.Module, real: Tensor, fake: Tensor, fakes: Fakes, with_r1: bool, chunk: slice
) -> Terms:
    """A discriminator's terms of a chunk."""
    own = fakes[chunk]
    found: Terms = terms(real[chunk], fake[chunk], own.angles, with_r1, own.patches)
    return found


class GeneratorTerms(nn.Module):
    """The generator's losses by the volume renders and by the images, those that a stage has.

    Args:
        judged: calls the discriminators, by their names, on the images of fakes. The discriminators
            must not be submodules: their parameters are not trained here.
        volume, image: weights of the losses; None for none.
    """

    def __init__(
        self,
        generator: Generator,
        judged: dict[str, Callable[[Tensor, Fakes], Any]],
        volume: VolumeLosses | None,
        image: ImageLosses | None,
        autocast: Autocast,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.volume = self.image = None
        if volume is not None:
            judge = judged["volume_discriminator"]
            self.volume = VolumeGeneratorTerms(generator, judge, volume, autocast)
        if image is not None and generator.decoder is not None:
            self.image = DecoderTerms(generator.decoder, judged["discriminator"], autocast)

    def forward(self, fakes: Fakes, anchor: float = 0.0) -> Terms:
        """Loss of a chunk; see the losses' modules.

        A render that the decoder's losses reach too is computed again in the backward pass, instead
        of keeping its activations.
        """
        if self.image is None:
            assert self.volume is not None
            terms: Terms = self.volume(fakes, anchor)
            return terms
        mapping = self.generator.mapping
        w, other_w = mapping(fakes.z), mapping(fakes.other_z)
        if self.volume is None:
            drawn = drawn_fakes(self.generator, w, fakes)
            alone: Terms = self.image(drawn.features, w, other_w, fakes)
            return alone
        render = render_fakes(self.generator, w, fakes, recompute=True)
        image: Terms = self.image(render.features, w, other_w, fakes)
        volume = self.volume.of(render, w, fakes)
        return {**volume, **image, "loss": volume["loss"] + image["loss"]}


def trained_renderer(live: Generator, rate: float, background_speed: float) -> list[dict[str, Any]]:
    """Adam's groups: mapping and field, which are now trained, and a background field if any."""
    live.mapping.requires_grad_(True)
    live.field.requires_grad_(True)
    if live.config.field == "density":
        live.field.sigmoid_beta.requires_grad_(False)  # a density has no β
    groups: list[dict[str, Any]] = [{"params": [p for p in live.parameters() if p.requires_grad]}]
    if live.background is not None:
        live.background.requires_grad_(True)
        behind = list(live.background.parameters())
        groups.append({"params": behind, "lr": background_speed * rate})
    return groups


def new_volume_discriminator(
    generator: Generator, weights: VolumeLosses, seed: int
) -> VolumeDiscriminator:
    """A discriminator of volume renders with initial weights of the run's seed."""
    with seeded_weights(seed + _VOLUME_WEIGHTS):
        discriminator = VolumeDiscriminator(
            generator.config.thumb_size, weights.discriminator_channels
        )
    with torch.no_grad():
        for parameter in discriminator.parameters():
            parameter.mul_(weights.discriminator_gain)
    return discriminator


def new_style_discriminator(
    generator: Generator, weights: ImageLosses, seed: int
) -> StyleDiscriminator:
    """A discriminator of images with initial weights of the run's seed."""
    size, multiplier = generator.config.output_size, generator.config.channel_multiplier
    with seeded_weights(seed + _IMAGE_WEIGHTS):
        return StyleDiscriminator(size, multiplier, weights.widest, weights.stddev_group)
