"""One step of every kind on the reference weights, against stored losses and gradient norms.

``tests/data/training_steps.json`` holds this project's own numbers, from when its losses were
compared with the published ones on the same weights, latents, cameras and jitter: stage 1's G equal
to 1e-6, its D to 3e-6, stage 2's G to 4e-5. A change of any term, weight or constant shows here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stylesdf_core.model.networks.discriminators import StyleDiscriminator, VolumeDiscriminator
from stylesdf_core.model.poses import FFHQ_POSES
from stylesdf_core.seeds import seeded
from stylesdf_core.training.adversarial.batches.draws import draw_fakes
from stylesdf_core.training.adversarial.config.losses import ImageLosses, VolumeLosses
from stylesdf_core.training.adversarial.terms.discriminator import DiscriminatorTerms
from stylesdf_core.training.adversarial.terms.image import DecoderTerms, path_terms
from stylesdf_core.training.adversarial.terms.volume import VolumeGeneratorTerms
from stylesdf_core.training.precision import Autocast
from tests.golden import DATA, reference_discriminator, reference_generator, reference_z

STORED: dict[str, dict[str, float]] = json.loads((DATA / "training_steps.json").read_text())
FULL = Autocast("float32", torch.device("cpu"))
ANGLES = torch.tensor([[0.25, -0.1], [-0.4, 0.15]])


@pytest.fixture
def decoders() -> None:
    """The published channels."""


def uniform(seed: int, *shape: int) -> Tensor:
    values = np.random.default_rng(seed).uniform(-1, 1, shape)
    return torch.tensor(values, dtype=torch.float32)


def norm(parameters: Iterable[nn.Parameter]) -> float:
    return float(nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None]))


def figures(terms: dict[str, Tensor], **modules: nn.Module) -> dict[str, float]:
    """The terms after the backward pass, and the norm of each module's gradient."""
    terms["loss"].backward()
    norms = {f"{name}_gradient": norm(module.parameters()) for name, module in modules.items()}
    return {name: float(value.detach()) for name, value in terms.items()} | norms


def volume_generator() -> dict[str, float]:
    generator = reference_generator(256)
    generator.config = replace(generator.config, samples=4)  # for speed
    generator.mapping.requires_grad_(True)
    generator.field.requires_grad_(True)
    judge = reference_discriminator("layout_d_volume")
    fakes = draw_fakes(seeded(1), 1, generator.config, FFHQ_POSES)
    terms = VolumeGeneratorTerms(generator, lambda shown, _: judge(shown), VolumeLosses(), FULL)
    return figures(terms(fakes), mapping=generator.mapping, field=generator.field)


def volume_discriminator() -> dict[str, float]:
    judge = reference_discriminator("layout_d_volume").requires_grad_(True)
    assert isinstance(judge, VolumeDiscriminator)
    terms = DiscriminatorTerms(judge, VolumeLosses(), FULL)
    real, fake = uniform(104, 2, 3, 64, 64), uniform(107, 2, 3, 64, 64)
    return figures(terms(real, fake, ANGLES, True), volume_discriminator=judge)


def image_generator() -> dict[str, float]:
    generator = reference_generator(256)
    decoder = generator.decoder
    assert decoder is not None
    decoder.requires_grad_(True)
    fakes = draw_fakes(seeded(2), 2, generator.config, FFHQ_POSES, mixing=0.9)
    w, other_w = generator.mapping(reference_z(100, 2)), generator.mapping(reference_z(101, 2))
    judge = reference_discriminator("layout_d_256")
    terms = DecoderTerms(decoder, lambda shown, _: judge(shown), FULL)
    return figures(terms(uniform(108, 2, 256, 64, 64), w, other_w, fakes), decoder=decoder)


def image_discriminator() -> dict[str, float]:
    judge = reference_discriminator("layout_d_256").requires_grad_(True)
    assert isinstance(judge, StyleDiscriminator)
    terms = DiscriminatorTerms(judge, ImageLosses(), FULL)
    real, fake = uniform(105, 2, 3, 256, 256), uniform(109, 2, 3, 256, 256)
    return figures(
        terms(real, fake, ANGLES, False), image_discriminator=judge
    )  # R1: test_golden_training


def path_length() -> dict[str, float]:
    generator = reference_generator(256)
    decoder = generator.decoder
    assert decoder is not None
    decoder.requires_grad_(True)
    fakes = draw_fakes(seeded(3), 1, generator.config, FFHQ_POSES, mixing=0.9)
    w, other_w = generator.mapping(reference_z(100, 1)), generator.mapping(reference_z(101, 1))
    features, mean = uniform(108, 1, 256, 64, 64), torch.tensor(0.5)
    terms = path_terms(decoder, features, w, other_w, fakes, mean, ImageLosses())
    return figures(terms, decoder=decoder)


STEPS = {
    function.__name__: function
    for function in (
        volume_generator,
        volume_discriminator,
        image_generator,
        image_discriminator,
        path_length,
    )
}


@pytest.mark.parametrize("name", STEPS)
def test_a_step_has_the_stored_losses_and_gradients(name: str) -> None:
    assert STEPS[name]() == pytest.approx(STORED[name], rel=1e-4, abs=1e-7)
