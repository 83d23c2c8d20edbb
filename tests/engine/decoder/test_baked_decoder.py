"""The baked decoder against the plain one, whose formulas it folds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from stylesdf_core.engine.compiled import compiled_loops
from stylesdf_core.engine.decoder import baked_decoder
from stylesdf_core.engine.decoder.baked_decoder import BakedDecoder
from stylesdf_core.engine.decoder.convolutions import (
    Folded,
    phases,
    twice,
    upsampled,
    upsampled_by_phases,
    weights_by_phase,
)
from stylesdf_core.engine.march.tiles import Tiles
from stylesdf_core.model.config import DECODER_W_DIM, GeneratorConfig, NoiseMode, RenderOptions
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.model.networks.ops import blur_kernel, upfirdn2d

Noise = Sequence[Tensor | None]


def random_generator(**changes: int) -> Generator:
    """All the decoder's weights at random: those that start as zero too."""
    torch.manual_seed(11)
    config = GeneratorConfig(
        **{"width": 24, "depth": 1, "thumb_size": 8, "output_size": 32, **changes}  # type: ignore[arg-type]
    )
    generator = Generator(config).eval().requires_grad_(False)
    assert generator.decoder is not None
    for name, parameter in generator.decoder.named_parameters():
        if name.endswith("noise_strength") or (name.endswith("bias") and "modulation" not in name):
            parameter.normal_()
    return generator


def random_styles(generator: Generator, seed: int = 3) -> Tensor:
    source = torch.Generator().manual_seed(seed)
    return torch.randn(1, generator.config.n_latent, DECODER_W_DIM, generator=source)


def random_features(generator: Generator) -> Tensor:
    size, source = generator.config.thumb_size, torch.Generator().manual_seed(4)
    return torch.randn(1, generator.config.width, size, size, generator=source)


def baked(generator: Generator, dtype: torch.dtype = torch.float32) -> BakedDecoder:
    assert generator.decoder is not None
    return BakedDecoder(generator.decoder, dtype)


def decoded(decoder: BakedDecoder, features: Tensor, styles: Tensor, noise: Noise) -> Tensor:
    with torch.no_grad():
        decoder.bake(styles, noise)
        return decoder(features)


def assert_same(image: Tensor, expected: Tensor) -> None:
    assert image.dtype == torch.float32
    assert image.shape == expected.shape
    torch.testing.assert_close(image, expected, rtol=0, atol=1e-4 * float(expected.std()))


@pytest.mark.parametrize("multiplier", [1, 2])
@pytest.mark.parametrize("output_size", [16, 32, 128])
@pytest.mark.parametrize("noise", ["none", "fixed", "random"])
def test_equals_the_plain_decoder(noise: NoiseMode, output_size: int, multiplier: int) -> None:
    generator = random_generator(output_size=output_size, channel_multiplier=multiplier)
    styles, features = random_styles(generator), random_features(generator)
    options = RenderOptions(noise=noise, noise_seed=5)
    before = features.clone()
    image = decoded(baked(generator), features, styles, generator.noise_maps(options))
    assert torch.equal(features, before)
    assert_same(image, generator.decode(features, styles, options))


def test_noise_and_biases_have_a_part_in_it() -> None:
    """Else the comparison above would not notice if they were dropped."""
    generator = random_generator()
    styles, features = random_styles(generator), random_features(generator)
    images = [
        generator.decode(features, styles, RenderOptions(noise=noise))
        for noise in ("none", "fixed", "random")
    ]
    generator.decoder.convs[2].bias.zero_()  # type: ignore[union-attr, operator]
    images.append(generator.decode(features, styles, RenderOptions(noise="random")))
    for one, other in pairwise(images):
        assert float((one - other).std()) > 0.01 * float(one.std())


@pytest.mark.parametrize("large", [8, 256])
@pytest.mark.parametrize("noise", ["none", "random"])
def test_compiled_layers_make_the_same_image(
    monkeypatch: pytest.MonkeyPatch, noise: NoiseMode, large: int
) -> None:
    """Of whole layers and in strips of a resolution, whose rows are no multiples of blocks."""
    if not compiled_loops.usable():
        pytest.skip("Numba is not installed")
    from stylesdf_core.engine.compiled.sine_layers import product_address

    if not product_address():
        pytest.skip("nothing is convolved by blocks without a product that torch exports")
    generator = random_generator(width=64, thumb_size=16, output_size=64)
    made: Counter[str] = Counter()
    for name in ("styled_by_blocks", "styled_blur"):
        original = getattr(baked_decoder, name)

        def noted(*args: Any, name: str = name, original: Any = original) -> None:
            made[name] += args[-1].shape[2]
            original(*args)

        monkeypatch.setattr(baked_decoder, name, noted)
    monkeypatch.setattr(baked_decoder, "_LARGE", large)
    monkeypatch.setattr(baked_decoder, "_STRIP", 12)
    assert generator.decoder is not None
    decoder = BakedDecoder(generator.decoder, torch.float32, Tiles(torch.device("cpu"), 2))
    styles, features = random_styles(generator), random_features(generator)
    options = RenderOptions(noise=noise, noise_seed=5)
    image = decoded(decoder, features, styles, generator.noise_maps(options))
    assert_same(image, generator.decode(features, styles, options))
    assert made["styled_by_blocks"] == 16 + 32 + 64
    # Of resolutions in strips alone, each with two rows more where it meets another strip.
    assert made["styled_blur"] == ((32 + 4) + (64 + 8) if large == 8 else 0)
    made.clear()
    monkeypatch.setattr(compiled_loops, "usable", lambda: False)
    assert_same(decoder(features), image)
    assert not made


def test_maps_of_some_layers_only() -> None:
    generator = random_generator()
    styles, features = random_styles(generator), random_features(generator)
    noise = generator.noise_maps(RenderOptions())
    noise[1] = noise[4] = None
    assert generator.decoder is not None
    generator.decoder.convs[3].noise_strength.zero_()  # type: ignore[operator, union-attr]
    image = decoded(baked(generator), features, styles, noise)
    assert_same(image, generator.decoder(features, styles, noise))


def test_baking_again_folds_only_what_changed() -> None:
    generator = random_generator()
    features = random_features(generator)
    one, other = random_styles(generator, 1), random_styles(generator, 2)
    fixed, none = (generator.noise_maps(RenderOptions(noise=n)) for n in ("fixed", "none"))
    decoder = baked(generator)
    first = decoded(decoder, features, one, fixed)
    before = list(decoder._folded)

    mixed = one.clone()
    mixed[:, 3] = other[:, 3]  # one convolution's, and the picture's at half the size
    for styles, noise in ((mixed, fixed), (mixed, none), (other, none), (one, fixed)):
        image = decoded(decoder, features, styles, noise)
        assert torch.equal(image, decoded(baked(generator), features, styles, noise))
        assert_same(image, generator.decoder(features, styles, noise))  # type: ignore[misc]
        if styles is mixed:
            pairs = zip(before, decoder._folded, strict=True)
            assert sum(old is new for old, new in pairs) == len(before) - 2
    assert torch.equal(image, first)


def test_a_fold_that_failed_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = random_generator()
    one, other = random_styles(generator, 1), random_styles(generator, 2)
    features, noise = random_features(generator), generator.noise_maps(RenderOptions())
    decoder, fold = baked(generator), BakedDecoder._fold
    decoded(decoder, features, one, noise)
    layers = iter(range(2))

    def failing(*words: Any) -> Folded:
        if next(layers) == 1:
            raise MemoryError
        return fold(*words)

    monkeypatch.setattr(BakedDecoder, "_fold", failing)
    with pytest.raises(MemoryError):
        decoded(decoder, features, other, noise)
    monkeypatch.undo()
    again = decoded(decoder, features, other, noise)
    assert torch.equal(again, decoded(baked(generator), features, other, noise))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_upsampling_as_one_convolution_gives_the_same_rows(dtype: torch.dtype) -> None:
    """Borders included; 16 bits are rounded once instead of twice."""
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(1, 4, 6, 5, generator=draw).to(dtype)
    weight, bias = torch.randn(3, 4, 3, 3, generator=draw), torch.randn(3, generator=draw)
    one = Folded(phases(weight, weights_by_phase()).to(dtype), bias.repeat(4).to(dtype))
    other = Folded(weight.transpose(0, 1).to(dtype), bias.to(dtype))
    expected = upsampled(blur_kernel(gain=4.0).to(dtype), x, other, 0, 6).float()
    found = upsampled_by_phases(x, one, 0, 6).float()
    assert found.shape == expected.shape == (1, 3, 12, 10)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 if dtype.itemsize == 4 else 0.2)


def test_styles_that_are_written_to_later_are_seen_as_new() -> None:
    generator = random_generator()
    styles, features = random_styles(generator), random_features(generator)
    noise = generator.noise_maps(RenderOptions())
    decoder = baked(generator)
    decoded(decoder, features, styles, noise)
    styles *= -1.0
    assert_same(
        decoded(decoder, features, styles, noise),
        generator.decode(features, styles, RenderOptions()),
    )


def test_the_decoder_itself_is_not_written_to() -> None:
    generator = random_generator()
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    noise = generator.noise_maps(RenderOptions())
    decoded(baked(generator), random_features(generator), random_styles(generator), noise)
    for name, value in generator.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize("size", [1, 2, 7])
def test_twice_is_the_published_filter_borders_included(size: int) -> None:
    image = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0)) + 5.0
    expected = upfirdn2d(image, blur_kernel(gain=4.0), up=2, pad=(2, 1))
    torch.testing.assert_close(twice(image), expected, rtol=0, atol=3e-6)


# --- sixteen bits ---------------------------------------------------------------------------------


def test_sixteen_bits_are_near() -> None:
    generator = random_generator()
    styles, features = random_styles(generator), random_features(generator)
    image = decoded(
        baked(generator, torch.bfloat16), features, styles, generator.noise_maps(RenderOptions())
    )
    expected = generator.decode(features, styles, RenderOptions())
    assert image.dtype == torch.float32
    error = float((image - expected).std() / expected.std())
    assert 0.0 < error < 0.01


def test_pictures_are_finite_for_large_styles() -> None:
    generator = random_generator()
    styles, features = 30.0 * random_styles(generator), random_features(generator)
    for dtype in (torch.float32, torch.bfloat16):
        noise = generator.noise_maps(RenderOptions())
        image = decoded(baked(generator, dtype), features, styles, noise).numpy()
        assert np.isfinite(image).all()
