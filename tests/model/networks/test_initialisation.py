"""Fresh networks begin as the published ones do, which decides how training starts."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from stylesdf_core.model.config import GeneratorConfig
from stylesdf_core.model.networks.discriminators import VolumeDiscriminator
from stylesdf_core.model.networks.generator import Generator


@pytest.fixture(scope="module")
def judge() -> VolumeDiscriminator:
    torch.manual_seed(0)
    return VolumeDiscriminator().requires_grad_(False)


def test_convolutions_of_the_volume_discriminator_have_torchs_default_weights(
    judge: VolumeDiscriminator,
) -> None:
    convolutions = [module for module in judge.modules() if isinstance(module, nn.Conv2d)]
    assert len(convolutions) == 14
    scaled, drawn = 0.0, 0
    for convolution in convolutions:
        fan_in = convolution.weight[0].numel()
        assert convolution.weight.abs().max() <= 1.0 / math.sqrt(fan_in)
        if convolution.weight.numel() > 2_000:  # fewer numbers have no such sharp deviation
            deviation = float(convolution.weight.std()) * math.sqrt(fan_in)
            assert deviation == pytest.approx(1.0 / math.sqrt(3.0), rel=0.03)
        scaled += float((convolution.weight**2).sum()) * fan_in
        drawn += convolution.weight.numel()
        bias = convolution.bias
        assert bias is not None
        assert bias.abs().max() <= 1.0 / math.sqrt(fan_in)
        assert bias.abs().min() > 0.0
    assert math.sqrt(scaled / drawn) == pytest.approx(0.577, rel=0.03)


def test_a_fresh_volume_discriminator_is_nearly_indifferent(judge: VolumeDiscriminator) -> None:
    pictures = np.random.default_rng(104).uniform(-1.0, 1.0, (4, 3, 64, 64)).astype(np.float32)
    judgement = judge(torch.from_numpy(pictures))
    assert judgement.logits.std() < 0.01
    assert judgement.angles.square().mean().sqrt() < 0.05


def test_biases_of_mapping_modulation_and_heads_are_drawn() -> None:
    torch.manual_seed(0)
    generator = Generator(GeneratorConfig(output_size=64)).requires_grad_(False)
    field = generator.field
    layers = [*generator.mapping.layers, field.scalar_head, field.rgb_head]
    for film in (*field.trunk, field.view_layer):
        layers += [film.gamma, film.beta]
    for layer in layers:
        assert isinstance(layer, nn.Linear)
        assert layer.bias.abs().max() <= 1.0 / 16.0
        assert layer.bias.abs().min() > 0.0
