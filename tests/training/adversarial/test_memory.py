"""What 16 bits save: the bytes that a forward pass keeps for its backward pass."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from stylesdf_core.model.config import GeneratorConfig
from stylesdf_core.model.networks.decoder import Decoder
from stylesdf_core.model.networks.discriminators import StyleDiscriminator, VolumeDiscriminator
from stylesdf_core.training.precision import Autocast
from stylesdf_core.training.run_config import Precision

CONFIG = GeneratorConfig(
    z_dim=8, width=8, depth=1, thumb_size=32, output_size=64, channel_multiplier=1
)


def kept_bytes(forward: Callable[[], Tensor], precision: Precision) -> int:
    """Bytes of all different tensors that autograd keeps for the backward pass."""
    kept: dict[int, Tensor] = {}

    def keep(value: Tensor) -> Tensor:
        kept[value.untyped_storage().data_ptr()] = value
        return value

    autocast = Autocast(precision, torch.device("cpu"))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value), autocast.on():
        forward()
    return sum(value.untyped_storage().nbytes() for value in kept.values())


def decoder() -> Tensor:
    network = Decoder(CONFIG)
    noise = [torch.randn(4, 1, size, size) for size in Decoder.noise_sizes(CONFIG)]
    styles = torch.randn(4, CONFIG.n_latent, 512)
    images: Tensor = network(torch.randn(4, 8, 32, 32), styles, noise)
    return images


def image_discriminator() -> Tensor:
    logits: Tensor = StyleDiscriminator(64, 1, widest=16)(torch.randn(4, 3, 64, 64))
    return logits


def volume_discriminator() -> Tensor:
    logits: Tensor = VolumeDiscriminator(32, 8)(torch.randn(4, 3, 32, 32)).logits
    return logits


@pytest.mark.parametrize("forward", [decoder, image_discriminator, volume_discriminator])
def test_bfloat16_halves_what_the_backward_pass_needs(forward: Callable[[], Tensor]) -> None:
    """No float32 bias, noise map or norm makes float32 of the feature maps again."""
    assert kept_bytes(forward, "bfloat16") <= 0.55 * kept_bytes(forward, "float32")


def test_the_image_is_a_sum_in_float32() -> None:
    """Rounded to bfloat16 at every level, it would lose a quarter of a grey step."""
    with torch.no_grad():
        torch.manual_seed(0)
        expected = decoder()
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16):
            image = decoder()
    assert image.dtype == torch.float32
    assert not torch.equal(image, image.bfloat16().float())
    assert float((image - expected).std()) < 0.01 * float(expected.std())
