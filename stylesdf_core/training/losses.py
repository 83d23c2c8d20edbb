"""Loss terms as pure functions, unweighted.

The modules in ``adversarial/terms`` weigh and add up the terms of the paper's stages; the phases in
``heads/fit`` do so for the supervised fit.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def slope_loss(scalar: Tensor, scalar_beside: Tensor, normals: Tensor, steps: Tensor) -> Tensor:
    """Mean |Δd/h − n·u| of point pairs x, x + h·u: teaches ∇d = n without a second derivative.

    An exact distance has ∇d = n at the surface, so this term is a supervised form of the eikonal
    term (the paper's Eq. 7), which asks only for ‖∇d‖ = 1.

    Args:
        scalar, scalar_beside: (B, N, 1), the field at x and x + h·u.
        normals: (B, N, 3), unit, outward.
        steps: (B, N, 3), h·u, world units.
    """
    length: Tensor = steps.norm(dim=-1, keepdim=True)
    slope = (normals * steps).sum(dim=-1, keepdim=True) / length
    difference = (scalar_beside - scalar) / length - slope
    return difference.abs().mean()


def normal_smoothness_loss(normals: Tensor, beside: Tensor, weights: Tensor) -> Tensor:
    """Mean ‖n(x) − n(x + δ)‖² of surface points x: dents and noise of the surface cost.

    The mean is over the points of each image, then over images, so that chunks add up to a batch.
    Source: Oechsle et al., "UNISURF", 2021, section 3.3. On a sphere of radius R the loss is
    (|δ|/R)² for small tangential δ, on a plane 0.

    Args:
        normals, beside: (B, N, 3), unit normals at the points and beside them.
        weights: (B, N), 0 where a ray meets no surface.
    """
    bent = (normals - beside).square().sum(dim=-1)
    of_image = (weights * bent).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-6)
    return of_image.mean()


def pyramid_loss(images: Tensor, truth: Tensor, *, levels: int = 3) -> Tensor:
    """Mean absolute differences of values and of horizontal and vertical slopes, over scales.

    The slopes keep edges sharp, which values alone would blur. Each level halves the resolution by
    averaging.

    Args:
        images, truth: (B, C, H, W).
        levels: number of scales, the full one included.
    """
    difference = images - truth
    total = difference.new_zeros(())
    for level in range(levels):
        if level > 0:
            difference = F.avg_pool2d(difference, 2)
        slopes = difference.diff(dim=-1).abs().mean() + difference.diff(dim=-2).abs().mean()
        total = total + difference.abs().mean() + slopes
    return total / levels


def detail_weights(truth: Tensor, strength: float, *, window: int = 9) -> Tensor:
    """Weights (B, 1, H, W) of mean 1, larger where the truth is rich in detail.

    Eyes, lips and the hairline take a twentieth of a portrait, but people look at them most.

    Args:
        truth: (B, C, H, W).
        strength: s in (1 + s·L/mean L)/(1 + s), where L is the local mean |Laplacian|; 0 gives 1.
        window: edge of the square over which the local mean is taken, pixels; odd.
    """
    padded = F.pad(truth, (1, 1, 1, 1), mode="replicate")
    rich = laplacian(padded).abs().mean(dim=1, keepdim=True)
    local = F.avg_pool2d(rich, window, stride=1, padding=window // 2, count_include_pad=False)
    return (1.0 + strength * local / local.mean().clamp_min(1e-6)) / (1.0 + strength)


def laplacian(images: Tensor) -> Tensor:
    """Sum of the four neighbours minus 4 times the pixel, (B, C, H − 2, W − 2), of inner pixels."""
    beside = images[..., 1:-1, :-2] + images[..., 1:-1, 2:]
    above = images[..., :-2, 1:-1] + images[..., 2:, 1:-1]
    return beside + above - 4.0 * images[..., 1:-1, 1:-1]


def sharpness_loss(images: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference of local sharpness, the mean |Laplacian| over 8 × 8 windows.

    The windows overlap by half; images smaller than a window are one window.

    It compares how sharp a window is, not where its edges lie. Absolute differences alone blur an
    edge whose place is uncertain.

    Args:
        images, truth: (B, C, H, W).
    """
    window = min(8, min(images.shape[-2:]) - 2)

    def local(x: Tensor) -> Tensor:
        return F.avg_pool2d(laplacian(x).abs(), window, stride=max(1, window // 2))

    return (local(images) - local(truth)).abs().mean()


def ringing_loss(images: Tensor, truth: Tensor, weights: Tensor, *, reach: int = 4) -> Tensor:
    """Weighted mean of how far images leave the range of the truth's values within ``reach``.

    The sharpness loss alone adds dark or bright seams along edges. This loss penalises such seams,
    but not an edge that lies a pixel beside the truth's edge.

    Args:
        images, truth: (B, C, H, W).
        weights: (B, 1, H, W), how much each pixel counts.
        reach: half the edge of the square around a pixel, pixels.
    """
    most, least = _most(truth, reach), -_most(-truth, reach)
    beyond = (images - most).clamp_min(0.0) + (least - images).clamp_min(0.0)
    return (weights * beyond).mean() / weights.mean().clamp_min(1e-6)


def extremes_loss(images: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean difference of the brightest and of the darkest value within two pixels.

    It compares how bright a catchlight and how dark a pupil is, not where they lie. Absolute
    differences alone leave out a catchlight whose place is uncertain.

    Args:
        images, truth: (B, C, H, W).
        weights: (B, 1, H, W), how much each pixel counts.
    """
    brightest = (_most(images, 2) - _most(truth, 2)).abs()
    darkest = (_most(-images, 2) - _most(-truth, 2)).abs()
    return (weights * (brightest + darkest)).mean()


def _most(x: Tensor, reach: int) -> Tensor:
    """The largest value within ``reach`` pixels of each pixel."""
    return F.max_pool2d(x, 2 * reach + 1, 1, reach)


def generator_loss(fake_logits: Tensor) -> Tensor:
    """Non-saturating generator loss, E[softplus(−D(fake))] (Goodfellow et al. 2014)."""
    return F.softplus(-fake_logits).mean()


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Logistic loss, E[softplus(−D(real))] + E[softplus(D(fake))]."""
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def gradient_penalty(real_logits: Tensor, real: Tensor) -> Tensor:
    """R1: E‖∇D(x)‖² on real images (Mescheder et al. 2018), summed per image.

    An image's logit is the mean of its patches'.

    Args:
        real_logits: (B, …).
        real: (B, C, H, W), requires grad.
    """
    logits = real_logits.flatten(1).mean(dim=1)
    (gradient,) = torch.autograd.grad(logits.sum(), real, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean()


def pose_loss(predicted: Tensor, truth: Tensor) -> Tensor:
    """Smooth L1 (β = 1) of the predicted camera, mean over both angles (paper, Eq. 6).

    Args:
        predicted, truth: (B, 2), azimuth and elevation, radians.
    """
    return F.smooth_l1_loss(predicted, truth)


def eikonal_loss(gradient: Tensor) -> Tensor:
    """E[(‖∇d(x)‖ − 1)²] over all samples of all rays (paper, Eq. 7).

    Args:
        gradient: (…, 3), of the distance by world points.
    """
    norm: Tensor = gradient.norm(dim=-1)
    return (norm - 1.0).square().mean()


def minimal_surface_loss(sdf: Tensor) -> Tensor:
    """E[exp(−100·|d(x)|)]: no surface where none is needed (paper, Eq. 8).

    Args:
        sdf: any shape, world units.
    """
    return torch.exp(-100.0 * sdf.abs()).mean()


def sphere_loss(sdf: Tensor, points: Tensor, radius: float) -> Tensor:
    """E|d(x) − (‖x‖ − radius)|: the field starts as a sphere, as in the paper.

    Args:
        sdf: (…, 1), world units.
        points: (…, 3), world.
    """
    distance: Tensor = points.norm(dim=-1, keepdim=True) - radius
    return (sdf - distance).abs().mean()


def path_lengths(images: Tensor, styles: Tensor, noise: Tensor) -> Tensor:
    """‖J_wᵀ y‖ of each image (Karras et al. 2020, Eq. 4), (B,): change of the image per step of w.

    J_wᵀ y is the gradient of Σ image·y/√(H·W) by each layer's w; its norm is the root of the mean
    over layers of the squared norms.

    Args:
        images: (B, 3, H, W), a differentiable function of ``styles``.
        styles: (B, n_latent, 512).
        noise: (B, 3, H, W), standard normal.
    """
    scaled = noise / math.sqrt(images.shape[-2] * images.shape[-1])
    (gradient,) = torch.autograd.grad((images * scaled).sum(), styles, create_graph=True)
    return gradient.square().sum(dim=-1).mean(dim=1).sqrt()


def path_length_mean(previous: Tensor, lengths: Tensor) -> Tensor:
    """Running mean of path lengths: previous + 0.01·(mean − previous); carries no gradient."""
    return previous + 0.01 * (lengths.detach().mean() - previous)


def path_length_penalty(lengths: Tensor, mean: Tensor) -> Tensor:
    """E[(length − a)²] with the running mean a (Karras et al. 2020, Eq. 4)."""
    return (lengths - mean).square().mean()


def psnr(images: Tensor, truth: Tensor) -> float:
    """Peak signal-to-noise ratio in dB, mean over images (B, C, H, W) in [−1, 1]."""
    mse = (images - truth).square().mean(dim=(1, 2, 3)) / 4.0
    return float((-10.0 * torch.log10(mse.clamp_min(1e-10))).mean())
