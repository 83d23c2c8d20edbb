from __future__ import annotations

import math

import pytest
import torch

from stylesdf_core.training.losses import (
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    psnr,
    pyramid_loss,
    sharpness_loss,
    slope_loss,
)


def test_slope_loss_is_zero_on_a_plane_and_sees_wrong_normals() -> None:
    random = torch.Generator().manual_seed(0)
    points = torch.randn(2, 50, 3, generator=random)
    steps = 0.003 * torch.nn.functional.normalize(torch.randn(2, 50, 3, generator=random), dim=-1)
    normal = torch.tensor([0.6, 0.0, 0.8]).expand(2, 50, 3)

    def plane(x: torch.Tensor) -> torch.Tensor:
        return (x * normal).sum(dim=-1, keepdim=True) - 0.1

    right = slope_loss(plane(points), plane(points + steps), normal, steps)
    assert right < 1e-3
    wrong = slope_loss(plane(points), plane(points + steps), -normal, steps)
    assert wrong > 0.5


def test_pyramid_loss_counts_an_offset_once_and_edges_twice() -> None:
    truth = torch.zeros(1, 3, 16, 16)
    assert float(pyramid_loss(truth + 0.25, truth)) == pytest.approx(0.25)
    edge = truth.clone()
    edge[..., 8:] = 0.5
    assert float(pyramid_loss(edge, truth)) > 0.25


def test_sharpness_counts_edges_wherever_they_are() -> None:
    image = torch.zeros(1, 3, 34, 34)
    image[..., 16:] = 1.0
    assert float(sharpness_loss(image, image)) == 0.0
    moved = image.roll(-2, dims=-1)
    blurred = torch.nn.functional.avg_pool2d(image, 5, stride=1, padding=2, count_include_pad=False)
    assert float(sharpness_loss(moved, image)) < 0.75 * float(sharpness_loss(blurred, image))


def test_adversarial_terms_at_undecided_logits() -> None:
    logits = torch.zeros(4, 1)
    assert float(generator_loss(logits)) == pytest.approx(math.log(2.0))
    assert float(discriminator_loss(logits, logits)) == pytest.approx(2.0 * math.log(2.0))


def test_gradient_penalty_of_a_linear_judge() -> None:
    real = torch.randn(3, 3, 4, 4, requires_grad=True)
    logits = 2.0 * real.sum(dim=(1, 2, 3))[:, None].expand(-1, 5)
    assert float(gradient_penalty(logits, real).detach()) == pytest.approx(4.0 * 48)


def test_psnr_of_a_known_error() -> None:
    truth = torch.zeros(2, 3, 8, 8)
    assert psnr(truth + 0.2, truth) == pytest.approx(20.0, abs=1e-3)
