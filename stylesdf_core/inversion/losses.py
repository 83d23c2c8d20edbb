"""Terms of a fit's loss, unweighted."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from stylesdf_core.engine.field.baked_field import BakedField
from stylesdf_core.rendering.camera import VOLUME_RADIUS

#: Step of the differences by which a gradient is measured, and distance to the surface within which
#: it counts, world units.
_STEP, _NEAR = 1e-3, 0.02


def picture_loss(images: Tensor, target: Tensor) -> Tensor:
    """Mean absolute differences of values and of slopes, over three scales.

    Args:
        images: (B, 3, H, W).
        target: (B, 4, H, W), colours and how much each pixel counts.
    """
    weights = target[:, 3:]
    difference = (images - target[:, :3]) * (weights / weights.mean().clamp_min(1e-6))
    total = difference.new_zeros(())
    for level in range(3):
        if level:
            difference = F.avg_pool2d(difference, 2)
        slopes = difference.diff(dim=-1).abs().mean() + difference.diff(dim=-2).abs().mean()
        total = total + difference.abs().mean() + slopes
    return total / 3.0


def gradient_error(field: BakedField, count: int, random: torch.Generator) -> Tensor:
    """Mean (‖∇d‖ − 1)² (paper, Eq. 7) over those of ``count`` points that lie near the surface.

    The gradient is measured by differences, which need no second derivative of the field.
    """
    device = field.device
    points = (2.0 * torch.rand(count, 3, generator=random) - 1.0) * VOLUME_RADIUS
    points = points.to(device)
    steps = _STEP * torch.eye(3, device=device)
    moved = torch.cat([points, *(points + step for step in steps)])
    ahead = points.new_zeros(1, 3)
    scalar = field.differentiable(moved, ahead.expand_as(moved))[0].view(4, count)
    gradient = (scalar[1:] - scalar[:1]) / _STEP
    near = (scalar[0].detach().abs() < _NEAR).float()
    error = (gradient.square().sum(dim=0).clamp_min(1e-12).sqrt() - 1.0).square()
    return (near * error).sum() / near.sum().clamp_min(1.0)
