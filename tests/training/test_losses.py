from __future__ import annotations

import math

import pytest
import torch

from stylesdf_core.errors import InputError
from stylesdf_core.model.networks.decoder import ModulatedConv
from stylesdf_core.model.networks.discriminators import (
    StyleDiscriminator,
    VolumeDiscriminator,
    minibatch_stddev,
)
from stylesdf_core.model.networks.film_siren import SirenField
from stylesdf_core.training.losses import (
    detail_weights,
    discriminator_loss,
    eikonal_loss,
    extremes_loss,
    generator_loss,
    gradient_penalty,
    minimal_surface_loss,
    normal_smoothness_loss,
    path_length_mean,
    path_length_penalty,
    path_lengths,
    pose_loss,
    psnr,
    pyramid_loss,
    ringing_loss,
    sharpness_loss,
    slope_loss,
    sphere_loss,
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


def test_normals_of_a_sphere_bend_by_the_offset_over_the_radius() -> None:
    random = torch.Generator().manual_seed(1)
    normals = torch.nn.functional.normalize(torch.randn(2, 50, 3, generator=random), dim=-1)
    other = torch.randn(2, 50, 3, generator=random)
    tangents = torch.nn.functional.normalize(torch.linalg.cross(normals, other), dim=-1)
    radius, offset = 0.08, 0.004
    beside = torch.nn.functional.normalize(radius * normals + offset * tangents, dim=-1)
    weights = torch.ones(2, 50)
    expected = (offset / radius) ** 2
    assert float(normal_smoothness_loss(normals, beside, weights)) == pytest.approx(
        expected, rel=0.01
    )
    assert float(normal_smoothness_loss(normals, normals, weights)) == 0.0
    beside[:, 25:], weights[:, 25:] = -normals[:, 25:], 0.0  # rays that meet no surface
    assert float(normal_smoothness_loss(normals, beside, weights)) == pytest.approx(
        expected, rel=0.01
    )
    assert float(normal_smoothness_loss(normals, beside, 0.0 * weights)) == 0.0


def test_pyramid_loss_counts_an_offset_once_and_edges_twice() -> None:
    truth = torch.zeros(1, 3, 16, 16)
    assert float(pyramid_loss(truth + 0.25, truth)) == pytest.approx(0.25)
    edge = truth.clone()
    edge[..., 8:] = 0.5
    assert float(pyramid_loss(edge, truth)) > 0.25


def test_detail_weights_have_mean_one_and_favour_detail() -> None:
    image = torch.zeros(2, 3, 32, 32)
    assert torch.equal(detail_weights(image, 0.0), torch.ones(2, 1, 32, 32))
    image[0, :, 10:14, 10:14] = 1.0
    weights = detail_weights(image, 3.0, window=3)
    assert float(weights.mean()) == pytest.approx(1.0, rel=0.05)
    assert float(weights[0, 0, 10, 10]) > 5.0
    assert float(weights[0, 0, 25, 25]) == pytest.approx(0.25)


def test_sharpness_counts_edges_wherever_they_are() -> None:
    image = torch.zeros(1, 3, 34, 34)
    image[..., 16:] = 1.0
    assert float(sharpness_loss(image, image)) == 0.0
    moved = image.roll(-2, dims=-1)
    blurred = torch.nn.functional.avg_pool2d(image, 5, stride=1, padding=2, count_include_pad=False)
    assert float(sharpness_loss(moved, image)) < 0.75 * float(sharpness_loss(blurred, image))


def test_ringing_is_what_no_pixel_around_has() -> None:
    truth = torch.zeros(1, 3, 32, 32)
    truth[..., 16:] = 1.0
    whole = torch.ones(1, 1, 32, 32)
    moved = truth.clone()
    moved[..., 13:16] = 1.0
    assert float(ringing_loss(moved, truth, whole, reach=4)) == 0.0
    assert float(ringing_loss(moved, truth, whole, reach=2)) == pytest.approx(1 / 32)
    seam = truth.clone()
    seam[..., 15] = -0.5
    seam[..., 16] = 1.25
    assert float(ringing_loss(seam, truth, whole)) == pytest.approx(0.75 / 32)
    elsewhere = whole.clone()
    elsewhere[..., 12:20] = 0.0
    assert float(ringing_loss(seam, truth, elsewhere)) == 0.0


def test_extremes_forgive_a_catchlight_its_place_and_not_its_lack() -> None:
    truth = torch.zeros(1, 3, 32, 32)
    truth[..., 10, 10] = 1.0
    whole, none = torch.ones(1, 1, 32, 32), torch.zeros_like(truth)
    assert float(extremes_loss(truth, truth, whole)) == 0.0
    assert float(extremes_loss(none, truth, whole)) == pytest.approx(25 / 32**2)
    assert float(extremes_loss(-truth, none, whole)) == pytest.approx(25 / 32**2), "a pupil, too"
    beside = truth.roll(1, dims=-1)
    assert float(extremes_loss(beside, truth, whole)) == pytest.approx(10 / 32**2)
    weights = whole.clone()
    weights[..., 8:13, 8:13] = 0.0
    assert float(extremes_loss(none, truth, weights)) == 0.0


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


def test_pose_loss_is_quadratic_near_and_linear_far() -> None:
    truth = torch.zeros(1, 2)
    assert float(pose_loss(torch.tensor([[0.4, 0.0]]), truth)) == pytest.approx(0.5 * 0.16 / 2)
    assert float(pose_loss(torch.tensor([[3.0, 0.0]]), truth)) == pytest.approx(2.5 / 2)


def test_a_sphere_is_eikonal_and_has_a_known_share_of_surface() -> None:
    random = torch.Generator().manual_seed(0)
    points = (0.1 * torch.randn(500, 3, generator=random)).requires_grad_()
    sdf = points.norm(dim=-1, keepdim=True) - 0.06
    (gradient,) = torch.autograd.grad(sdf.sum(), points)
    assert float(eikonal_loss(gradient)) < 1e-10
    assert float(eikonal_loss(3.0 * gradient)) == pytest.approx(4.0, rel=1e-5)
    assert float(sphere_loss(sdf, points, 0.06).detach()) < 1e-8
    assert float(sphere_loss(sdf, points, 0.05).detach()) == pytest.approx(0.01, rel=1e-4)
    values = torch.tensor([0.0, 0.01, -0.01])
    assert float(minimal_surface_loss(values)) == pytest.approx((1 + 2 / math.e) / 3)


def test_path_length_of_a_linear_picture() -> None:
    """image = w[0, 0] everywhere: the gradient is Σ noise/√(HW) in one of n layers."""
    styles = torch.zeros(2, 4, 8, requires_grad=True)
    images = styles[:, 0, 0][:, None, None, None].expand(2, 3, 4, 4)
    noise = torch.ones(2, 3, 4, 4)
    lengths = path_lengths(images, styles, noise)
    # Σ over 3·16 pixels of 1/4, squared, over 4 layers
    torch.testing.assert_close(lengths.detach(), torch.full((2,), math.sqrt(12.0**2 / 4)))
    mean = path_length_mean(torch.tensor(5.0), lengths)
    assert float(mean) == pytest.approx(5.01)
    assert float(path_length_penalty(lengths, mean).detach()) == pytest.approx(0.99**2)


def test_second_derivatives_through_the_field() -> None:
    """The eikonal term's gradient by weights and latents against finite differences."""
    torch.manual_seed(0)
    field = SirenField(3, 5, 2).double()
    points = 0.05 * torch.randn(1, 4, 3, dtype=torch.double)
    w = torch.randn(1, 3, dtype=torch.double, requires_grad=True)
    names = ["trunk.0.linear.weight", "trunk.1.gamma.weight", "scalar_head.weight"]
    chosen = [field.get_parameter(name).detach().clone().requires_grad_() for name in names]

    def term(w: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        x = points.clone().requires_grad_()
        call = (x, torch.zeros_like(x), w)
        output = torch.func.functional_call(field, dict(zip(names, values, strict=True)), call)
        (gradient,) = torch.autograd.grad(output.scalar.sum(), x, create_graph=True)
        return eikonal_loss(gradient) / 1e3

    assert torch.autograd.gradcheck(term, (w, *chosen))


def test_second_derivatives_through_the_discriminator() -> None:
    """R1's gradient by weights against finite differences."""
    torch.manual_seed(0)
    discriminator = VolumeDiscriminator(8, channels=2).double()
    images = torch.randn(2, 3, 8, 8, dtype=torch.double)
    names = ["first.weight", "blocks.0.conv1.conv.weight", "last.weight"]
    chosen = [discriminator.get_parameter(n).detach().clone().requires_grad_() for n in names]

    def term(*values: torch.Tensor) -> torch.Tensor:
        real = images.clone().requires_grad_()
        weights = dict(zip(names, values, strict=True))
        judgement = torch.func.functional_call(discriminator, weights, (real,))
        return gradient_penalty(judgement.logits, real)

    assert float(term(*chosen).detach()) > 0
    assert torch.autograd.gradcheck(term, chosen)


def test_second_derivatives_through_the_decoder() -> None:
    """The path penalty's gradient by a modulated convolution's weights."""
    torch.manual_seed(0)
    conv = ModulatedConv(2, 3, 3, demodulate=True, upsample=True).double()
    x, noise = (torch.randn(2, c, s, s, dtype=torch.double) for c, s in ((2, 3), (3, 6)))
    styles = torch.randn(2, 1, 512, dtype=torch.double)
    weight = conv.weight.detach().clone().requires_grad_()

    def term(weight: torch.Tensor) -> torch.Tensor:
        w = styles.clone().requires_grad_()
        images = torch.func.functional_call(conv, {"weight": weight}, (x, w[:, 0]))
        return path_length_penalty(path_lengths(images, w, noise), torch.tensor(0.1))

    assert float(term(weight).detach()) > 0
    assert torch.autograd.gradcheck(term, weight)


def test_stddev_of_whole_groups_does_not_depend_on_the_batch() -> None:
    x = torch.randn(8, 5, 4, 4, generator=torch.Generator().manual_seed(0))
    whole = minibatch_stddev(x)
    assert whole.shape == (8, 1, 4, 4)
    parts = torch.cat([minibatch_stddev(x[:4]), minibatch_stddev(x[4:])])
    torch.testing.assert_close(whole, parts)
    assert float(minibatch_stddev(x[:1]).max()) == pytest.approx(1e-4, rel=1e-3)
    torch.testing.assert_close(minibatch_stddev(x[:6]), minibatch_stddev(x[:6], 3))


def test_discriminators_of_other_sizes() -> None:
    volume = VolumeDiscriminator(16, channels=16)
    judgement = volume(torch.zeros(2, 3, 16, 16))
    assert judgement.logits.shape == (2, 1)
    assert judgement.angles.shape == (2, 2)
    style = StyleDiscriminator(32, widest=16)
    assert style(torch.zeros(3, 3, 32, 32)).shape == (3, 1)
    with pytest.raises(InputError, match="power of two from 8 on, not 48"):
        StyleDiscriminator(48)
