"""Losses of decoded images (StyleGAN2's), as modules that DDP can wrap; see volume.py."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from stylesdf_core.model.networks.decoder import Decoder
from stylesdf_core.training.adversarial.batches.draws import Fakes
from stylesdf_core.training.adversarial.config.losses import ImageLosses
from stylesdf_core.training.losses import (
    generator_loss,
    path_length_penalty,
    path_lengths,
)
from stylesdf_core.training.optimizing import Terms
from stylesdf_core.training.precision import Autocast


def mixed_styles(decoder: Decoder, w: Tensor, other_w: Tensor, crossover: Tensor) -> Tensor:
    """The decoder's styles (B, n_latent, 512): ``other_w``'s from layer ``crossover`` (B,) on.

    Args:
        w, other_w: (B, z_dim), the renderer's w.
    """
    layers = torch.arange(decoder.n_latent, device=w.device)
    own, other = decoder.map(w)[:, None], decoder.map(other_w)[:, None]  # (B, 1, 512)
    return torch.where((layers >= crossover[:, None])[..., None], other, own)


def random_noise(decoder: Decoder, seeds: Tensor, device: torch.device) -> list[Tensor]:
    """Noise maps (B, 1, H, W), one for each convolution, from a seed (B,) for each image.

    With a seed per image, the noise does not depend on the chunk. The maps are drawn on the device,
    because an image of 1024² has millions of numbers.
    """
    shapes = [fixed.shape[1:] for fixed in decoder.fixed_noise()]
    images = []
    for seed in seeds.tolist():
        source = torch.Generator(device).manual_seed(seed)
        images.append([torch.randn(shape, generator=source, device=device) for shape in shapes])
    return [torch.stack(maps) for maps in zip(*images, strict=True)]


def decode(
    decoder: Decoder, features: Tensor, w: Tensor, other_w: Tensor, fakes: Fakes
) -> tuple[Tensor, Tensor]:
    """Images (B, 3, S, S) of a chunk, with random noise, and the styles (B, n_latent, 512)."""
    styles = mixed_styles(decoder, w, other_w, fakes.crossover)
    noise = random_noise(decoder, fakes.noise_seed, features.device)
    images: Tensor = decoder(features, styles, noise)
    return images, styles


def path_noise(size: int, seeds: Tensor, device: torch.device) -> Tensor:
    """Standard-normal images (B, 3, size, size): the directions y of the path lengths."""
    images = []
    for seed in seeds.tolist():
        source = torch.Generator(device).manual_seed(seed + 1)
        images.append(torch.randn(3, size, size, generator=source, device=device))
    return torch.stack(images)


class DecoderTerms(nn.Module):
    """The decoder's adversarial loss.

    Args:
        discriminate: calls the discriminator on the images of fakes. The discriminator must not
            be a submodule: its parameters are not trained here.
    """

    def __init__(
        self, decoder: Decoder, discriminate: Callable[[Tensor, Fakes], Tensor], autocast: Autocast
    ) -> None:
        super().__init__()
        self.decoder = decoder
        self._discriminate = discriminate
        self._autocast = autocast

    def forward(self, features: Tensor, w: Tensor, other_w: Tensor, fakes: Fakes) -> Terms:
        """The loss of a chunk."""
        with self._autocast.on():
            images, _ = decode(self.decoder, features, w, other_w, fakes)
            logits = self._discriminate(images, fakes)
        adversarial = generator_loss(logits.float())
        return {"loss": adversarial, "image_g_adversarial": adversarial.detach()}


def path_terms(
    decoder: Decoder,
    features: Tensor,
    w: Tensor,
    other_w: Tensor,
    fakes: Fakes,
    mean: Tensor,
    weights: ImageLosses,
) -> Terms:
    """The weighted path-length penalty of a chunk, differentiated twice, in full precision.

    Args:
        mean: of the path lengths of the steps before, so that chunks and processes agree without a
            second pass.
    """
    images, styles = decode(decoder, features, w, other_w, fakes)
    along = path_noise(images.shape[-1], fakes.noise_seed, w.device)
    lengths = path_lengths(images, styles, along)
    penalty = path_length_penalty(lengths, mean)
    return {
        "loss": weights.path_length * weights.path_every * penalty,
        "path_penalty": penalty.detach(),
        "path_length": lengths.detach().mean(),
    }


class PathMean(nn.Module):
    """The running mean of path lengths, part of the training state."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))
