"""Stage 1: a sphere, then the volume renderer against its discriminator (paper, Sec. 4.1)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torch.optim import Adam

from stylesdf_core.model.networks.discriminators import VolumeDiscriminator
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.training.adversarial.config import RendererConfig, SphereConfig, VolumeLosses
from stylesdf_core.training.adversarial.context import PhaseContext
from stylesdf_core.training.adversarial.draws import Fakes, draw_fakes
from stylesdf_core.training.adversarial.real_images import RealImages
from stylesdf_core.training.adversarial.volume_terms import (
    SphereTerms,
    VolumeDiscriminatorTerms,
    VolumeGeneratorTerms,
    render_fakes,
)
from stylesdf_core.training.loop import Models, Phase
from stylesdf_core.training.optimizing import Terms, accumulate, of_chunks, update
from stylesdf_core.training.precision import Autocast
from stylesdf_core.training.seeds import seeded, seeded_weights

# What a seed is for: streams must not repeat each other.
_WEIGHTS, _SPHERE, _DISCRIMINATOR_STEP, _GENERATOR_STEP = 11, 12, 13, 14


class SpherePhase(Phase):
    """The field learns the distance to a sphere, for any latent."""

    retries = 1

    def __init__(self, models: Models, context: PhaseContext, settings: SphereConfig) -> None:
        self.models, self.context, self.settings = models, context, settings
        self.batch = settings.batch
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
        context, settings = self.context, self.settings
        random = seeded(context.run.seed, _SPHERE, self.attempt, index)
        fakes = draw_fakes(
            random, settings.batch, self.models.live.config, context.poses, rays=settings.rays
        )
        fakes = fakes[context.world.share.of(settings.batch)].to(context.world.device)
        seen = accumulate(self.terms, [lambda: (self.terms(fakes), 1.0)], self.scaler)
        limit = context.run.max_gradient_norm
        seen["gradient_norm"] = update([self.optimizers["sphere"]], self.scaler, limit)
        return seen

    def evaluate(self, samples: Path) -> dict[str, float]:
        """Pictures of the averaged field."""
        return self.context.snapshots.write(self.models.ema, samples)


class VolumePhase(Phase):
    """Volume renderer against volume discriminator; the generator's decoder is not touched."""

    retries = 1
    from_images = True

    def __init__(
        self,
        models: Models,
        context: PhaseContext,
        config: RendererConfig,
        images: RealImages,
    ) -> None:
        self.models, self.context, self.config, self.images = models, context, config, images
        self.batch = config.batch
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

    def step(self, index: int) -> Terms:
        """One update of the discriminator, then one of the generator."""
        seen = self.accumulate_discriminator(index)
        limit = self.context.run.max_gradient_norm
        seen["d_gradient_norm"] = update(
            [self.optimizers["discriminator"]], self.scalers["discriminator"], limit
        )
        seen |= self.accumulate_generator(index)
        seen["g_gradient_norm"] = update(
            [self.optimizers["generator"]], self.scalers["generator"], limit
        )
        return seen

    def accumulate_discriminator(self, index: int) -> Terms:
        """The discriminator's gradients of a step."""
        config, world = self.config, self.context.world
        fakes = self.draw(index, _DISCRIMINATOR_STEP)
        real = self.images.batch(index, config.batch, self.attempt).thumbs.to(world.device)
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
        fakes = self.draw(index, _GENERATOR_STEP)
        anchor = self.config.volume.anchor_at(index) if self.config.init is None else 0.0

        def part(chunk: slice) -> Terms:
            terms: Terms = self.g_terms(fakes[chunk], anchor)
            return terms

        self.discriminator.requires_grad_(False)
        return accumulate(
            self.g_terms,
            of_chunks(part, len(fakes), self.config.chunk_size),
            self.scalers["generator"],
        )

    def draw(self, index: int, stream: int) -> Fakes:
        """This process's fakes of a step."""
        context, config = self.context, self.config
        fakes = draw_fakes(
            seeded(context.run.seed, stream, self.attempt, index),
            config.batch,
            self.models.live.config,
            context.poses,
            rays=config.volume.geometry_rays,
        )
        return fakes[context.world.share.of(config.batch)].to(context.world.device)

    def evaluate(self, samples: Path) -> dict[str, float]:
        """Pictures, and the distance of the averaged generator's thumbs from real ones."""
        return self.context.snapshots.write(self.models.ema, samples, self.images)


def train_renderer(live: Generator) -> None:
    """Let mapping and field learn, the decoder not; a density field has no β to learn."""
    live.requires_grad_(False)
    live.mapping.requires_grad_(True)
    live.field.requires_grad_(True)
    if live.config.field == "density":
        live.field.sigmoid_beta.requires_grad_(False)


def new_volume_discriminator(
    generator: Generator, weights: VolumeLosses, seed: int
) -> VolumeDiscriminator:
    """Fresh weights, of the run's seed."""
    with seeded_weights(seed + _WEIGHTS):
        return VolumeDiscriminator(generator.config.thumb_size, weights.discriminator_channels)
