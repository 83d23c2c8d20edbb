"""A signed distance that was trained on images has its surface where volume renders show it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from stylesdf_core import Engine, Identity, OrbitCamera, Scene, load_model
from stylesdf_core.evaluation.metrics.image_metrics import psnr
from stylesdf_core.model.config import GeneratorConfig
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.rendering.camera import FAR, NEAR

CONFIG = GeneratorConfig(z_dim=8, width=8, depth=1, thumb_size=8, output_size=8, samples=8)


@pytest.mark.parametrize("beta", [0.0006, 0.0026, 0.015])
@pytest.mark.parametrize("samples", [8, 24])
def test_a_sample_on_the_surface_hides_one_half(beta: float, samples: int) -> None:
    generator = Generator(replace(CONFIG, samples=samples))
    generator.field.sigmoid_beta.data.fill_(beta)
    generator.place_surface()
    if beta > (FAR - NEAR) / samples / (2.0 * math.log(2.0)):  # the zero level hides less already
        assert generator.surface_level == 0.0
        return
    sigma = float(generator.sigma(generator.surface_level).detach())
    assert 1.0 - math.exp(-sigma * (FAR - NEAR) / samples) == pytest.approx(0.5, abs=1e-3)


def test_a_soft_field_keeps_its_zero_level() -> None:
    generator = Generator(CONFIG)
    generator.field.sigmoid_beta.data.fill_(0.1)
    generator.surface_level.fill_(0.5)
    generator.place_surface()
    assert generator.surface_level == 0.0


def test_the_direct_view_of_heads_gan_is_as_large_as_its_volume_render() -> None:
    """With its surface at 0, the direct view was 18.6 dB from the volume render."""
    model = load_model("heads-gan")
    engine = Engine(model, "cpu", exact=True)
    found = []
    for seed, azimuth in ((0, 0.4), (1, -0.4), (2, 0.0)):
        scene = Scene(identity=Identity(seed), camera=OrbitCamera(azimuth))
        volume = engine.render(scene, "volume").data
        direct = engine.direct(scene, 128).data.reshape(3, 32, 4, 32, 4).mean(axis=(2, 4))
        found.append(psnr(0.5 * direct, 0.5 * volume))
    assert np.mean(found) > 27.0
