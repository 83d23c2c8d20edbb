"""Stage 1: a sphere, then the volume renderer against its discriminator (paper, Eq. 6–8)."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim import Adam

from stylesdf_core.model.networks.discriminators import VolumeDiscriminator
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.training.adversarial.config import RendererConfig, SphereConfig, VolumeLosses
from stylesdf_core.training.adversarial.phase import AdversarialPhase, PhaseContext
from stylesdf_core.training.adversarial.real_images import RealImages
from stylesdf_core.training.adversarial.volume_terms import (
    SphereTerms,
    VolumeDiscriminatorTerms,
    VolumeGeneratorTerms,
    render_fakes,
)
from stylesdf_core.training.loop import Models
from stylesdf_core.training.optimizing import Terms, accumulate, of_chunks, update
from stylesdf_core.training.precision import Autocast
from stylesdf_core.training.seeds import seeded_weights

# Numbers that tell apart the generators of one seed.
_WEIGHTS, _SPHERE, _DISCRIMINATOR_STEP, _GENERATOR_STEP = 11, 12, 13, 14


class SpherePhase(AdversarialPhase):
    """The field learns the distance to a sphere, for any latent."""

    def __init__(self, models: Models, context: PhaseContext, settings: SphereConfig) -> None:
        super().__init__(models, context, None)
        self.settings, self.batch = settings, settings.batch
        live = models.live
        live.requires_grad_(False)
        for model in (live, models.ema):
            nn.init.constant_(model.field.sigmoid_beta, settings.beta)
        for module in (live.mapping, live.field.trunk, live.field.scalar_head):
            module.requires_grad_(True)
        trained = [p for p in live.parameters() if p.requires_grad]
        self.optimizers = {"sphere": Adam(trained, settings.learning_rate, betas=(0.0, 0.9))}
        self.networks = {}
        self.scaler = Autocast("float32", context.world.device).scaler()
        self.terms = context.world.replicate(SphereTerms(live))

    def step(self, index: int) -> Terms:
        """One step on random rays of random cameras."""
        settings = self.settings
        fakes = self.draw(_SPHERE, index, settings.batch, rays=settings.rays)
        record = accumulate(self.terms, [lambda: (self.terms(fakes), 1.0)], self.scaler)
        limit = self.context.run.max_gradient_norm
        record["gradient_norm"] = update([self.optimizers["sphere"]], self.scaler, limit)
        return record


class VolumePhase(AdversarialPhase):
    """Volume renderer against volume discriminator; the generator's decoder is not trained."""

    from_images = True

    def __init__(
        self,
        models: Models,
        context: PhaseContext,
        config: RendererConfig,
        images: RealImages,
    ) -> None:
        super().__init__(models, context, images)
        self.config, self.images, self.batch = config, images, config.batch
        device, live = context.world.device, models.live
        seed = context.run.seed
        self.discriminator = new_volume_discriminator(live, config.volume, seed).to(device)
        train_renderer(live)
        autocast = Autocast(context.run.precision, device)
        self.scalers = {"generator": autocast.scaler(), "discriminator": autocast.scaler()}
        self.networks = {"volume_discriminator": self.discriminator}
        rates = config.volume
        trained = [p for p in live.parameters() if p.requires_grad]
        self.optimizers = {
            "generator": Adam(trained, rates.generator_rate, betas=(0.0, 0.9)),
            "discriminator": Adam(
                self.discriminator.parameters(), rates.discriminator_rate, betas=(0.0, 0.9)
            ),
        }
        self.d_terms = context.world.replicate(
            VolumeDiscriminatorTerms(self.discriminator, config.volume, autocast)
        )
        self.g_terms = context.world.replicate(
            VolumeGeneratorTerms(live, self.discriminator.__call__, config.volume, autocast)
        )
        self.lazy = config.volume.lazy

    def step(self, index: int) -> Terms:
        """One update of the discriminator, then one of the generator."""
        record = self.accumulate_discriminator(index)
        limit = self.context.run.max_gradient_norm
        record["d_gradient_norm"] = update(
            [self.optimizers["discriminator"]], self.scalers["discriminator"], limit
        )
        record |= self.accumulate_generator(index)
        record["g_gradient_norm"] = update(
            [self.optimizers["generator"]], self.scalers["generator"], limit
        )
        return record

    def accumulate_discriminator(self, index: int) -> Terms:
        """The discriminator's gradients of a step."""
        config, world = self.config, self.context.world
        fakes = self.draw(
            _DISCRIMINATOR_STEP, index, config.batch, rays=config.volume.geometry_rays
        )
        real = self.images.batch(index, config.batch, self.attempt).thumbs(world.device)
        with_r1 = config.volume.r1 > 0 and index % config.volume.r1_every == 0

        def part(chunk: slice) -> Terms:
            mine = fakes[chunk]
            with torch.no_grad():
                w = self.models.live.mapping(mine.z)
                fake = render_fakes(self.models.live, w, mine).rgb
            terms: Terms = self.d_terms(real[chunk], fake, mine.angles, with_r1)
            return terms

        self.discriminator.requires_grad_(True)
        return accumulate(
            self.d_terms,
            of_chunks(part, len(fakes), config.chunk_size),
            self.scalers["discriminator"],
        )

    def accumulate_generator(self, index: int) -> Terms:
        """The generator's gradients of a step."""
        config = self.config
        fakes = self.draw(_GENERATOR_STEP, index, config.batch, rays=config.volume.geometry_rays)
        anchor = config.volume.anchor_at(index) if config.init is None else 0.0

        def part(chunk: slice) -> Terms:
            terms: Terms = self.g_terms(fakes[chunk], anchor)
            return terms

        self.discriminator.requires_grad_(False)
        return accumulate(
            self.g_terms,
            of_chunks(part, len(fakes), config.chunk_size),
            self.scalers["generator"],
        )


def train_renderer(live: Generator) -> None:
    """Train mapping and field, but not the decoder; a density field has no β to train."""
    live.requires_grad_(False)
    live.mapping.requires_grad_(True)
    live.field.requires_grad_(True)
    if live.config.field == "density":
        live.field.sigmoid_beta.requires_grad_(False)


def new_volume_discriminator(
    generator: Generator, weights: VolumeLosses, seed: int
) -> VolumeDiscriminator:
    """A discriminator with initial weights of the run's seed."""
    with seeded_weights(seed + _WEIGHTS):
        return VolumeDiscriminator(generator.config.thumb_size, weights.discriminator_channels)
