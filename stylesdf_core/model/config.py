"""GeneratorConfig, a generator's architecture, and RenderOptions, how it renders a picture.

A weights file holds its GeneratorConfig as JSON; a Scene holds RenderOptions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from stylesdf_core.errors import InputError, check_range

FieldKind = Literal["sdf", "density"]
NoiseMode = Literal["fixed", "random", "surface", "none"]
DecoderKind = Literal["stylegan2", "alias_free"]
ImageKind = Literal["stylegan2", "alias_free", "direct"]
BackgroundKind = Literal["none", "sphere"]

#: Length of the decoder's own w; the published layout fixes it.
DECODER_W_DIM = 512
#: Images in a group of the StyleGAN2 discriminator's minibatch standard deviation.
STDDEV_GROUP = 4
#: Seeds are 32-bit numbers, as NumPy and torch both take them.
MAX_SEED = 2**32 - 1
# Largest sizes accepted, since a damaged or hostile file may state any size.
_LARGEST = {
    "z_dim": 4096,
    "width": 4096,
    "depth": 64,
    "thumb_size": 512,
    "output_size": 4096,
    "channel_multiplier": 16,
    "samples": 1024,
}


@dataclass(frozen=True)
class GeneratorConfig:
    """Architecture of a generator.

    Attributes:
        z_dim: length of z and of the renderer's w.
        width: channels of the field's layers and of the feature map.
        depth: FiLM-SIREN layers in the trunk.
        thumb_size: edge of the volume render, pixels.
        output_size: edge of the image, pixels; equal to ``thumb_size`` for a model without decoder
            and direct view, else a power of two times it.
        channel_multiplier: scales the decoder's channels (2 in the published models).
        field: meaning of the field's scalar: a signed distance, or a density as in π-GAN.
        samples: points per ray the model was trained with, from 2 on.
        decoder: StyleGAN2's, or the same layers with low-pass filters around every non-linearity
            and change of resolution, and without noise, so that details move with the surface; or
            none: ``direct`` makes the image of ``output_size``² pixels from the field itself.
        background: what is behind the samples of a ray: nothing, so that the last sample shows the
            background, as in the paper, or a field of its own outside the sphere around the
            volume, as in NeRF++. With ``sphere``, opacity is the field's alone.
    """

    # The published FFHQ model's.
    z_dim: int = 256
    width: int = 256
    depth: int = 8
    thumb_size: int = 64
    output_size: int = 1024
    channel_multiplier: int = 2
    field: FieldKind = "sdf"
    samples: int = 24
    decoder: ImageKind = "stylegan2"
    background: BackgroundKind = "none"

    def __post_init__(self) -> None:
        if self.decoder not in get_args(ImageKind):
            raise InputError(
                "Generator config: decoder must be stylegan2, alias_free or direct, "
                f"not {self.decoder!r}."
            )
        if self.background not in get_args(BackgroundKind):
            raise InputError(
                f"Generator config: background must be none or sphere, not {self.background!r}."
            )
        for name, most in _LARGEST.items():
            least = 2 if name == "samples" else 1  # a ray's last sample is the background's
            check_range(f"Generator config: {name}", getattr(self, name), least, most)
        ratio = self.output_size / self.thumb_size
        if ratio < 1 or not math.log2(ratio).is_integer():
            raise InputError(
                f"Generator config: output_size {self.output_size} must be thumb_size "
                f"({self.thumb_size}) times 1, 2, 4, 8, …"
            )

    @property
    def has_decoder(self) -> bool:
        """Whether the model decodes the volume render's features to a larger image."""
        return self.has_image and self.decoder != "direct"

    @property
    def has_image(self) -> bool:
        """Whether the image is larger than the volume render: decoded, or the direct view."""
        return self.output_size > self.thumb_size

    @property
    def is_direct(self) -> bool:
        """Whether the image is the direct view of the field."""
        return self.has_image and self.decoder == "direct"

    @property
    def has_background(self) -> bool:
        """Whether a field of its own shows behind the samples of a ray."""
        return self.background != "none"

    @property
    def upsamplings(self) -> int:
        """Number of times the decoder doubles the resolution."""
        return int(math.log2(self.output_size // self.thumb_size))

    @property
    def film_layers(self) -> int:
        """Style inputs of the field: the trunk's layers and the view layer."""
        return self.depth + 1

    @property
    def n_latent(self) -> int:
        """Style inputs of the decoder, 2·log2(output/thumb) + 2; 0 without decoder."""
        return 2 * self.upsamplings + 2 if self.has_decoder else 0


@dataclass(frozen=True)
class RenderOptions:
    """How a picture is rendered; the defaults are the published test-time settings.

    Attributes:
        samples: points per ray, 4 to 128; None for as many as the model was trained with. A
            model's colours are sums over that many samples and look different with more.
        force_background: the last sample takes all remaining weight; without meaning for a model
            with a background field, which takes it.
        static_viewdirs: the view layer gets the view direction in the camera's frame.
        noise: the decoder's noise maps: the checkpoint's, random maps from a seed, random maps
            from a seed that turn with the surface, or none.
        noise_seed: seed of ``noise="random"`` and ``noise="surface"``.
    """

    samples: int | None = None
    force_background: bool = True
    static_viewdirs: bool = True
    noise: NoiseMode = "fixed"
    noise_seed: int = 0

    def __post_init__(self) -> None:
        if self.samples is not None:
            check_range("samples", self.samples, 4, 128)
        if self.noise not in get_args(NoiseMode):
            raise InputError(f"noise must be fixed, random, surface or none, not {self.noise!r}.")
        check_seed(self.noise_seed, "noise_seed")


def check_seed(seed: int, name: str = "seed") -> None:
    """Refuse seeds that are no whole numbers of 32 bits.

    Raises:
        InputError: names the seed.
    """
    if not hasattr(seed, "__index__"):
        raise InputError(f"{name} must be a whole number, not {seed!r}.")
    check_range(name, seed, 0, MAX_SEED)
