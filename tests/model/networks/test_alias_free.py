"""The alias-free decoder: filters, details that move with the features, files that keep it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from stylesdf_core.engine.decoder.baked_decoder import BakedDecoder
from stylesdf_core.engine.engine import Engine
from stylesdf_core.engine.march.tiles import Tiles
from stylesdf_core.errors import InputError
from stylesdf_core.model.checkpoints.checkpoints import (
    load_checkpoint,
    save_published,
    save_safetensors,
)
from stylesdf_core.model.config import DECODER_W_DIM, DecoderKind, GeneratorConfig
from stylesdf_core.model.model import load_model
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.model.networks.ops import doubled, filtered_leaky_relu, halved, low_pass
from stylesdf_core.scene.scene import Scene
from stylesdf_core.seeds import seeded, seeded_weights

EDGE = 32


def wave(cycles: float, size: int, shift: float = 0.0) -> Tensor:
    """A cosine (1, 1, size, size) of so many cycles across, moved by a share of the edge."""
    places = (torch.arange(size) + 0.5) / size - shift
    return torch.cos(2.0 * math.pi * cycles * places).expand(1, 1, size, size)


def inside(x: Tensor, share: int = 4) -> Tensor:
    """The middle, where no border is felt."""
    margin = x.shape[-1] // share
    return x[..., margin:-margin, margin:-margin]


def small(kind: DecoderKind, thumb: int = 16) -> Generator:
    config = GeneratorConfig(
        z_dim=16, width=16, depth=1, thumb_size=thumb, output_size=64, channel_multiplier=1,
        samples=4, decoder=kind,
    )  # fmt: skip
    with seeded_weights(0):
        generator = Generator(config)
    return generator.eval().requires_grad_(False)


def test_filters_keep_low_frequencies_and_remove_those_that_would_alias() -> None:
    taps = low_pass()
    assert float(taps.sum()) == pytest.approx(1.0)
    torch.testing.assert_close(taps, taps.flip(0))
    larger = doubled(wave(5.0, EDGE), taps)
    torch.testing.assert_close(inside(larger), inside(wave(5.0, 2 * EDGE)), rtol=0, atol=0.04)
    smaller = halved(wave(5.0, 2 * EDGE), taps)
    torch.testing.assert_close(inside(smaller), inside(wave(5.0, EDGE)), rtol=0, atol=0.04)
    assert float(inside(halved(wave(28.0, 2 * EDGE), taps)).abs().max()) < 0.02
    constant = torch.full((1, 2, 6, 6), 0.7)
    torch.testing.assert_close(doubled(constant, taps), torch.full((1, 2, 12, 12), 0.7))
    torch.testing.assert_close(filtered_leaky_relu(constant, taps, 1.0), constant)


def moved_error(kind: DecoderKind) -> float:
    """How far the image of features moved by half a pixel is from the moved image.

    The features are one wave, whose movement is exact; the error is a share of the image's
    contrast.
    """
    decoder = small(kind, thumb=32).decoder
    assert decoder is not None
    styles = torch.randn(1, decoder.n_latent, DECODER_W_DIM, generator=seeded(1))
    weights = torch.randn(1, 16, 1, 1, generator=seeded(2))
    quiet = [None] * len(decoder.convs)
    still = decoder(weights * wave(8.0, 32), styles, quiet)
    moved = decoder(weights * wave(8.0, 32, 0.5 / 32), styles, quiet)  # a pixel of the image
    there = still[..., 16:-16, 15:-17]
    return float((moved[..., 16:-16, 16:-16] - there).std() / there.std())


def test_details_move_with_the_features() -> None:
    ours, published = moved_error("alias_free"), moved_error("stylegan2")
    assert ours < 0.03
    assert ours < 0.2 * published


@pytest.mark.parametrize("strips", [None, Tiles(torch.device("cpu"))])
def test_the_engine_folds_it_exactly(strips: Tiles | None) -> None:
    decoder = small("alias_free").decoder
    assert decoder is not None
    for name, parameter in decoder.named_parameters():
        if name.endswith("bias") and "modulation" not in name:
            parameter.normal_()
    styles = torch.randn(1, decoder.n_latent, DECODER_W_DIM, generator=seeded(3))
    features = torch.randn(1, 16, 16, 16, generator=seeded(4))
    noise = decoder.fixed_noise()
    expected = decoder(features, styles, noise)
    torch.testing.assert_close(decoder(features, styles, [None] * len(noise)), expected)
    folded = BakedDecoder(decoder, torch.float32, strips, exact=True)
    with torch.no_grad():
        folded.bake(styles, noise)
        found = folded(features)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4 * float(expected.std()))


def test_own_files_keep_the_kind_and_the_published_layout_refuses_it(tmp_path: Path) -> None:
    generator = small("alias_free")
    save_safetensors(generator, tmp_path / "own.safetensors")
    loaded = load_checkpoint(tmp_path / "own.safetensors").generator
    assert loaded.config == generator.config
    save_safetensors(generator, tmp_path / "half.safetensors", dtype=torch.float16)
    assert load_checkpoint(tmp_path / "half.safetensors").generator.config == generator.config
    picture = Engine(load_model(str(tmp_path / "own.safetensors")), "cpu").render(Scene(), "image")
    assert picture.data.shape == (3, 64, 64)
    assert np.isfinite(picture.data).all()
    with pytest.raises(InputError, match=r"only StyleGAN2's decoder, and .* is alias_free"):
        save_published(generator, tmp_path / "published.pt")
    assert not (tmp_path / "published.pt").exists()
    with pytest.raises(
        InputError, match="decoder must be stylegan2, alias_free or direct, not 'gan3'"
    ):
        GeneratorConfig(decoder="gan3")  # type: ignore[arg-type]


def test_all_its_parameters_are_trained() -> None:
    decoder = small("alias_free").requires_grad_(True).decoder
    assert decoder is not None
    styles = decoder.map(torch.randn(2, 16, generator=seeded(5)))[:, None]
    features = torch.randn(2, 16, 16, 16, generator=seeded(6))
    image = decoder(features, styles.expand(-1, decoder.n_latent, -1), decoder.fixed_noise())
    image.square().mean().backward()
    assert all(p.grad is not None and float(p.grad.abs().max()) > 0 for p in decoder.parameters())
