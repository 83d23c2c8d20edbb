"""End-to-end fine-tuning: renderer and decoder against both discriminators at once.

The decoded image's gradient reaches the field through the features. The volume discriminator, the
pose loss, the geometry's losses and a low learning rate keep the field's surface.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim import Adam

from stylesdf_core.model.networks.discriminators import LogitsAndAngles
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.training.adversarial.config import JointConfig
from stylesdf_core.training.adversarial.decoder_phase import (
    DISCRIMINATOR_STEP,
    DecodedImagesPhase,
    decode_fakes,
    new_style_discriminator,
)
from stylesdf_core.training.adversarial.draws import Fakes
from stylesdf_core.training.adversarial.image_terms import (
    DecoderTerms,
    ImageDiscriminatorTerms,
    PathMean,
)
from stylesdf_core.training.adversarial.phase import PhaseContext
from stylesdf_core.training.adversarial.real_images import RealImages
from stylesdf_core.training.adversarial.volume_phase import new_volume_discriminator, train_renderer
from stylesdf_core.training.adversarial.volume_terms import (
    VolumeDiscriminatorTerms,
    VolumeGeneratorTerms,
    render_fakes,
)
from stylesdf_core.training.loop import Models
from stylesdf_core.training.optimizing import Terms, accumulate, lazy_adam, of_chunks, update
from stylesdf_core.training.precision import Autocast


class JointTerms(nn.Module):
    """The loss of renderer and decoder together; the render's activations are recomputed."""

    def __init__(
        self,
        generator: Generator,
        discriminate_volume: Callable[[Tensor], LogitsAndAngles],
        discriminate_image: Callable[[Tensor], Tensor],
        config: JointConfig,
        autocast: Autocast,
    ) -> None:
        super().__init__()
        assert generator.decoder is not None
        self.generator = generator
        self.volume = VolumeGeneratorTerms(generator, discriminate_volume, config.volume, autocast)
        self.image = DecoderTerms(generator.decoder, discriminate_image, autocast)

    def forward(self, fakes: Fakes) -> Terms:
        """All terms of a chunk but the path-length penalty, which trains the decoder alone."""
        mapping = self.generator.mapping
        w, other_w = mapping(fakes.z), mapping(fakes.other_z)
        render = render_fakes(self.generator, w, fakes, recompute=True)
        volume = self.volume.of(render, w, fakes)
        image = self.image(render.features, w, other_w, fakes)
        return {**volume, **image, "loss": volume["loss"] + image["loss"]}


class JointPhase(DecodedImagesPhase):
    """Renderer, decoder and both discriminators learn together."""

    config: JointConfig

    def __init__(
        self, models: Models, context: PhaseContext, config: JointConfig, images: RealImages
    ) -> None:
        super().__init__(models, context, images)
        self.config, self.images, self.batch = config, images, config.batch
        self.rays = config.volume.geometry_rays
        device, live = context.world.device, models.live
        assert live.decoder is not None
        train_renderer(live)
        live.decoder.requires_grad_(True)
        seed, image = context.run.seed, config.image
        self.volume_discriminator = new_volume_discriminator(live, config.volume, seed).to(device)
        self.image_discriminator = new_style_discriminator(live, image, seed).to(device)
        self.discriminators = (self.volume_discriminator, self.image_discriminator)
        self.path = PathMean().to(device)
        autocast = Autocast(context.run.precision, device)
        self.autocast = autocast
        self.networks = {
            "volume_discriminator": self.volume_discriminator,
            "discriminator": self.image_discriminator,
            "path_mean": self.path,
        }
        renderer = [*live.mapping.parameters(), *live.field.parameters()]
        renderer = [p for p in renderer if p.requires_grad]
        rate = config.volume.discriminator_rate
        self.optimizers = {
            "renderer": Adam(renderer, config.renderer_rate, betas=(0.0, 0.9)),
            "decoder": lazy_adam(live.decoder, image.rate, image.path_every),
            "volume_discriminator": Adam(
                self.volume_discriminator.parameters(), rate, betas=(0.0, 0.9)
            ),
            "discriminator": lazy_adam(self.image_discriminator, image.rate, image.r1_every),
        }
        # Renderer and decoder share one backward pass, hence one scaler.
        names = ("generator", "volume_discriminator", "discriminator")
        self.scalers = {name: autocast.scaler() for name in names}
        replicate = context.world.replicate
        self.volume_d_terms = replicate(
            VolumeDiscriminatorTerms(self.volume_discriminator, config.volume, autocast)
        )
        self.image_d_terms = replicate(
            ImageDiscriminatorTerms(self.image_discriminator, image, autocast)
        )
        self.g_terms = replicate(
            JointTerms(
                live,
                self.volume_discriminator.__call__,
                self.image_discriminator.__call__,
                config,
                autocast,
            )
        )
        thumbs = {f"{name} of thumbs": every for name, every in config.volume.lazy.items()}
        self.lazy = {**image.lazy, **thumbs}

    def step(self, index: int) -> Terms:
        """One update of both discriminators, then one of the whole generator.

        Every few steps comes one more of the decoder (:meth:`update_path`).
        """
        limit = self.context.run.max_gradient_norm
        record = self.accumulate_discriminators(index)
        for name in ("volume_discriminator", "discriminator"):
            norm = update([self.optimizers[name]], self.scalers[name], limit)
            record[f"{name}_gradient_norm"] = norm
        record |= self.accumulate_generator(index)
        both = [self.optimizers["renderer"], self.optimizers["decoder"]]
        record["g_gradient_norm"] = update(both, self.scalers["generator"], limit)
        return record | self.update_path(index)

    def accumulate_discriminators(self, index: int) -> Terms:
        """Both discriminators' gradients of a step, from the same fakes."""
        config, world = self.config, self.context.world
        fakes = self._draw(DISCRIMINATOR_STEP, index, config.batch)
        real = self.images.batch(index, config.batch, self.attempt)
        real_images, real_thumbs = real.images(world.device), real.thumbs(world.device)
        for discriminator in self.discriminators:
            discriminator.requires_grad_(True)
        thumbs, images = self._render(fakes)

        def of_thumbs(chunk: slice) -> Terms:
            with_r1 = config.volume.r1 > 0 and index % config.volume.r1_every == 0
            angles = fakes.angles[chunk]
            terms: Terms = self.volume_d_terms(real_thumbs[chunk], thumbs[chunk], angles, with_r1)
            return terms

        def of_images(chunk: slice) -> Terms:
            with_r1 = config.image.r1 > 0 and index % config.image.r1_every == 0
            terms: Terms = self.image_d_terms(real_images[chunk], images[chunk], with_r1)
            return terms

        count, size = len(fakes), config.chunk_size
        record = accumulate(
            self.volume_d_terms,
            of_chunks(of_thumbs, count, size),
            self.scalers["volume_discriminator"],
        )
        return record | accumulate(
            self.image_d_terms, of_chunks(of_images, count, size), self.scalers["discriminator"]
        )

    def generator_terms(self, fakes: Fakes) -> Terms:
        """See :class:`DecodedImagesPhase`."""
        terms: Terms = self.g_terms(fakes)
        return terms

    @torch.no_grad()
    def _render(self, fakes: Fakes) -> tuple[Tensor, Tensor]:
        """Thumbs and images of all fakes, a chunk at a time."""
        live, config = self.models.live, self.config
        assert live.decoder is not None
        thumbs, images = [], []
        for start in range(0, len(fakes), config.chunk_size):
            mine = fakes[start : start + config.chunk_size]
            w, other_w = live.mapping(mine.z), live.mapping(mine.other_z)
            render = render_fakes(live, w, mine)
            thumbs.append(render.rgb)
            images.append(
                decode_fakes(live.decoder, render.features, w, other_w, mine, self.autocast)
            )
        return torch.cat(thumbs), torch.cat(images)
