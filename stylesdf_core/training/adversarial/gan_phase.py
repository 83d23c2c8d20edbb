"""Stage 2: the decoder against StyleGAN2's discriminator, on a frozen renderer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from stylesdf_core.model.networks.decoder import Decoder
from stylesdf_core.model.networks.discriminators import StyleDiscriminator
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.training.adversarial.config import DecoderStageConfig, ImageLosses, JointConfig
from stylesdf_core.training.adversarial.draws import Fakes
from stylesdf_core.training.adversarial.image_terms import (
    DecoderTerms,
    ImageDiscriminatorTerms,
    PathMean,
    decode,
    path_terms,
)
from stylesdf_core.training.adversarial.phase import AdversarialPhase, PhaseContext
from stylesdf_core.training.adversarial.real_images import RealImages
from stylesdf_core.training.adversarial.volume_terms import render_fakes
from stylesdf_core.training.loop import Models
from stylesdf_core.training.losses import path_length_mean
from stylesdf_core.training.optimizing import Terms, accumulate, lazy_adam, of_chunks, update
from stylesdf_core.training.precision import Autocast
from stylesdf_core.training.seeds import seeded_weights

# Numbers that tell apart the generators of one seed.
_WEIGHTS, DISCRIMINATOR_STEP, GENERATOR_STEP, _PATH_STEP = 21, 22, 23, 24


class DecodedImagesPhase(AdversarialPhase):
    """A phase on decoded images, with StyleGAN2's path-length penalty.

    Attributes:
        path: the running mean of path lengths.
        g_terms: module of the generator's losses, wrapped by DDP if there are several processes.
        discriminators: all discriminators of the generator's images.
        rays: rays of each generated image on which the geometry's losses are computed.
    """

    from_images = True

    config: DecoderStageConfig | JointConfig
    images: RealImages
    path: PathMean
    g_terms: nn.Module
    discriminators: Sequence[nn.Module]
    rays: int = 0

    def _draw(self, purpose: int, index: int, batch: int) -> Fakes:
        return self.draw(purpose, index, batch, mixing=self.config.image.mixing, rays=self.rays)

    @abstractmethod
    def generator_terms(self, fakes: Fakes) -> Terms:
        """The generator's terms of a chunk."""

    def accumulate_generator(self, index: int) -> Terms:
        """The generator's gradients of a step."""
        for discriminator in self.discriminators:
            discriminator.requires_grad_(False)
        fakes = self._draw(GENERATOR_STEP, index, self.config.batch)
        work = of_chunks(
            lambda c: self.generator_terms(fakes[c]), len(fakes), self.config.chunk_size
        )
        return accumulate(self.g_terms, work, self.scalers["generator"])

    def update_path(self, index: int) -> Terms:
        """Every few steps: one more update of the decoder, by the path-length penalty alone.

        The penalty has an optimizer step of its own, as in StyleGAN2: for these steps, n in n + 1,
        Adam's rate and betas are corrected (:func:`lazy_adam`).
        """
        image = self.config.image
        if image.path_length == 0 or index % image.path_every:
            return {}
        record = self.accumulate_path(index)
        limit = self.context.run.max_gradient_norm
        record["path_gradient_norm"] = update(
            [self.optimizers["decoder"]], self.scalers["generator"], limit
        )
        return record

    def accumulate_path(self, index: int) -> Terms:
        """The decoder's gradients of the path-length penalty, on half a batch."""
        world, decoder = self.context.world, self.models.live.decoder
        assert decoder is not None
        half = self._draw(_PATH_STEP, index, max(1, self.config.batch // 2))

        def part(chunk: slice) -> Terms:
            mine = half[chunk]
            return path_terms(decoder, *self.render(mine), mine, self.path.mean, self.config.image)

        work = of_chunks(part, len(half), self.config.chunk_size)
        record = accumulate(decoder, work, self.scalers["generator"])
        world.average_gradients(decoder)
        lengths = world.mean(record["path_length"])
        self.path.mean.copy_(path_length_mean(self.path.mean, lengths))
        return record

    @torch.no_grad()
    def render(self, fakes: Fakes) -> tuple[Tensor, Tensor, Tensor]:
        """Features and both w of a chunk, all that a decoder is given."""
        live = self.models.live
        w, other_w = live.mapping(fakes.z), live.mapping(fakes.other_z)
        return render_fakes(live, w, fakes).features, w, other_w


class AdversarialDecoderPhase(DecodedImagesPhase):
    """Decoder against discriminator; mapping and field are frozen."""

    config: DecoderStageConfig

    def __init__(
        self,
        models: Models,
        context: PhaseContext,
        config: DecoderStageConfig,
        images: RealImages,
    ) -> None:
        super().__init__(models, context, images)
        self.config, self.images, self.batch = config, images, config.batch
        device, live = context.world.device, models.live
        assert live.decoder is not None
        self.decoder: Decoder = live.decoder
        live.requires_grad_(False)
        self.decoder.requires_grad_(True)
        seed = context.run.seed
        self.discriminator = new_style_discriminator(live, config.image, seed).to(device)
        self.discriminators = (self.discriminator,)
        self.path = PathMean().to(device)
        autocast = Autocast(context.run.precision, device)
        self.autocast = autocast
        self.scalers = {"generator": autocast.scaler(), "discriminator": autocast.scaler()}
        self.networks = {"discriminator": self.discriminator, "path_mean": self.path}
        image = config.image
        self.optimizers = {
            "decoder": lazy_adam(self.decoder, image.rate, image.path_every),
            "discriminator": lazy_adam(self.discriminator, image.rate, image.r1_every),
        }
        self.d_terms = context.world.replicate(
            ImageDiscriminatorTerms(self.discriminator, image, autocast)
        )
        self.g_terms = context.world.replicate(
            DecoderTerms(self.decoder, self.discriminator.__call__, autocast)
        )
        self.lazy = image.lazy

    def step(self, index: int) -> Terms:
        """One update of the discriminator, then one or two of the decoder."""
        limit = self.context.run.max_gradient_norm
        record = self.accumulate_discriminator(index)
        record["image_d_gradient_norm"] = update(
            [self.optimizers["discriminator"]], self.scalers["discriminator"], limit
        )
        record |= self.accumulate_generator(index)
        record["image_g_gradient_norm"] = update(
            [self.optimizers["decoder"]], self.scalers["generator"], limit
        )
        return record | self.update_path(index)

    def accumulate_discriminator(self, index: int) -> Terms:
        """The discriminator's gradients of a step."""
        config, world = self.config, self.context.world
        fakes = self._draw(DISCRIMINATOR_STEP, index, config.batch)
        real = self.images.batch(index, config.batch, self.attempt).images(world.device)
        with_r1 = config.image.r1 > 0 and index % config.image.r1_every == 0

        def part(chunk: slice) -> Terms:
            mine = fakes[chunk]
            with torch.no_grad():
                rendered = self.render(mine)
                fake = decode_fakes(self.decoder, *rendered, mine, self.autocast)
            terms: Terms = self.d_terms(real[chunk], fake, with_r1)
            return terms

        self.discriminator.requires_grad_(True)
        return accumulate(
            self.d_terms,
            of_chunks(part, len(fakes), config.chunk_size),
            self.scalers["discriminator"],
        )

    def generator_terms(self, fakes: Fakes) -> Terms:
        """See :class:`DecodedImagesPhase`."""
        terms: Terms = self.g_terms(*self.render(fakes), fakes)
        return terms


def decode_fakes(
    decoder: Decoder, features: Tensor, w: Tensor, other_w: Tensor, fakes: Fakes, autocast: Autocast
) -> Tensor:
    """Images (B, 3, S, S) of a chunk for the discriminator, float32."""
    with autocast.on():
        images, _ = decode(decoder, features, w, other_w, fakes)
    return images.float()


def new_style_discriminator(
    generator: Generator, weights: ImageLosses, seed: int
) -> StyleDiscriminator:
    """A discriminator with initial weights of the run's seed."""
    config = generator.config
    with seeded_weights(seed + _WEIGHTS):
        return StyleDiscriminator(
            config.output_size, config.channel_multiplier, weights.widest, weights.stddev_group
        )
