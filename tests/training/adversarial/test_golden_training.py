"""Losses and discriminators against the published implementation's numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from stylesdf_core.errors import CheckpointError
from stylesdf_core.model.checkpoints.checkpoints import load_discriminator
from stylesdf_core.model.config import RenderOptions
from stylesdf_core.model.networks.discriminators import StyleDiscriminator, VolumeDiscriminator
from stylesdf_core.rendering.camera import focal_length
from stylesdf_core.rendering.rays import cam2world
from stylesdf_core.training import losses
from tests.golden import (
    assert_golden,
    golden,
    published_state,
    reference_discriminator,
    reference_generator,
    reference_z,
)

ANGLES = torch.tensor([[0.25, -0.1], [-0.4, 0.15]])


@pytest.fixture
def decoders() -> None:
    """The published channels."""


def uniform(seed: int, *shape: int) -> Tensor:
    values = np.random.default_rng(seed).uniform(-1, 1, shape)
    return torch.tensor(values, dtype=torch.float32)


def assert_loss(name: str, value: Tensor, relative: float = 1e-4) -> None:
    assert_golden(name, value.detach(), 0.0, relative=relative)


def test_volume_discriminator() -> None:
    judge = reference_discriminator("layout_d_volume")
    assert isinstance(judge, VolumeDiscriminator)
    images = uniform(104, 4, 3, 64, 64).requires_grad_()
    judgement = judge(images)
    assert_golden("dvol_logit", judgement.logits.detach())
    assert_golden("dvol_view", judgement.angles.detach())
    assert_loss("dvol_view_loss", losses.pose_loss(judgement.angles, ANGLES.repeat(2, 1)))
    assert_loss("dvol_r1", losses.gradient_penalty(judgement.logits, images))


def test_style_discriminator() -> None:
    judge = reference_discriminator("layout_d_256")
    assert isinstance(judge, StyleDiscriminator)
    images = uniform(105, 4, 3, 256, 256).requires_grad_()
    logits = judge(images)
    assert_golden("dstyle_logit", logits.detach(), 1e-5)
    assert_loss("dstyle_r1", losses.gradient_penalty(logits, images))


def test_adversarial_losses() -> None:
    logits = torch.tensor(golden("dstyle_logit"))
    assert_loss("g_nonsaturating", losses.generator_loss(0.01 * logits))
    assert_loss("d_logistic", losses.discriminator_loss(0.01 * logits, -0.005 * logits))


def test_geometry_losses() -> None:
    generator = reference_generator(256)
    cameras = cam2world(*ANGLES.unbind(dim=1))
    options = RenderOptions(force_background=False, static_viewdirs=False)
    w = generator.mapping(reference_z(100, 2))
    render = generator.volume_render(
        w, cameras, focal_length(6.0, 32), options, resolution=32, with_gradient=True
    )
    assert render.gradient is not None
    assert_loss("loss_eikonal", losses.eikonal_loss(render.gradient))
    assert_loss("loss_minimal_surface", losses.minimal_surface_loss(render.scalar))


def test_path_length() -> None:
    generator = reference_generator(256)
    assert generator.decoder is not None
    options = RenderOptions()
    with torch.no_grad():
        w = generator.mapping(reference_z(100, 2))
        cameras = cam2world(*ANGLES.unbind(dim=1))
        features = generator.volume_render(w, cameras, focal_length(6.0, 64), options).features
    styles = generator.broadcast_styles(generator.decoder.map(w)).clone().requires_grad_()
    noise = np.random.default_rng(106).standard_normal((2, 3, 256, 256))
    images = generator.decode(features, styles, options)
    lengths = losses.path_lengths(images, styles, torch.tensor(noise, dtype=torch.float32))
    mean = losses.path_length_mean(torch.tensor(0.5), lengths)
    assert_loss("path_lengths", lengths, 1e-3)
    assert_loss("path_mean", mean, 1e-3)
    assert_loss("path_penalty", losses.path_length_penalty(lengths, mean), 3e-3)


@pytest.mark.parametrize("name", ["layout_d_volume", "layout_d_256"])
def test_published_discriminators_are_read(name: str, tmp_path: Path) -> None:
    state = published_state(name)
    torch.save({"g": {}, "d": state, "g_ema": {}}, tmp_path / "whole.pt")
    judge = load_discriminator(tmp_path / "whole.pt")
    assert judge.size == (64 if name == "layout_d_volume" else 256)
    assert len(judge.state_dict()) == len(state)
    key = next(key for key in state if key.endswith("bias"))
    bad: list[Callable[[], dict[str, object]]] = [
        lambda: {"g_ema": {}},
        lambda: {"d": {key: state[key]}},
        lambda: {"d": {**state, key: torch.zeros(7)}},
    ]
    for make in bad:
        torch.save(make(), tmp_path / "bad.pt")
        with pytest.raises(CheckpointError, match=r"bad\.pt"):
            load_discriminator(tmp_path / "bad.pt")
