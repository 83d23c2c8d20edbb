"""Adaptive augmentation of the discriminators' images, for training sets of a few hundred images.

A discriminator that has learned few images by heart no longer guides the generator. Therefore
real and generated images pass through the same random transforms before a discriminator sees
them. Each transform happens with a probability p below 1, so the untransformed images remain the
most frequent ones and the generator gains nothing by imitating a transform. p follows the
overfitting, which shows in the sign of the scores of real images, averaged over some batches.

Source: Karras et al., "Training Generative Adversarial Networks with Limited Data", 2020 (ADA):
sections 2.2 and 3, spreads from appendix B. Of its transforms, mirrored and quarter-turned images
are left out: ``images.flip`` mirrors, and the pose term (StyleSDF, Eq. 6) would need the mirrored
azimuth. Interpolation is bilinear.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylesdf_core.training.adversarial.config.augmentation import AugmentConfig

#: Random numbers of an image: for each transform whether it happens, and two for its amount.
NUMBERS = (8, 3)
#: Above this probability the generator begins to imitate the transforms (ADA, section 2.2).
_MOST = 0.8
#: Steps between two changes of p.
_EVERY = 4


class Augmentation(nn.Module):
    """The transforms before one discriminator; their probability is part of the training state.

    Attributes:
        probability: scalar on the CPU, so that reading it does not wait for the device.
        signs: sum of the signs of the steps since the last change of p, scalar on the device.

    Args:
        device: of the scores.
    """

    probability: Tensor
    signs: Tensor

    def __init__(self, config: AugmentConfig, device: torch.device) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("probability", torch.zeros(()))
        self.register_buffer("signs", torch.zeros((), device=device))

    def forward(self, images: Tensor, numbers: Tensor) -> Tensor:
        """Images (B, 3, S, S) in [−1, 1], transformed by random numbers (B, 8, 3) in [0, 1)."""
        return augmented(images, numbers, float(self.probability))

    def follow(self, step: int, sign: Tensor, batch: int) -> None:
        """Note the scores of a step; every few steps, make the transforms more or less frequent.

        Args:
            step: number of the step, from 0.
            sign: mean sign of the scores of real images, scalar from −1 to 1; near 1 shows
                overfitting.
            batch: images of a step.
        """
        self.signs.add_(sign)
        if step % _EVERY == _EVERY - 1:
            excess = float(self.signs) / _EVERY - self.config.target
            change = math.copysign(_EVERY * batch / self.config.images, excess)
            self.probability.add_(change).clamp_(0.0, _MOST)
            self.signs.zero_()


def augmented(images: Tensor, numbers: Tensor, probability: float) -> Tensor:
    """Transformed images, differentiable by the images.

    Args:
        images: (B, 3, S, S) in [−1, 1]; the result may exceed the range.
        numbers: (B, 8, 3), uniform in [0, 1).
        probability: of each transform; at 0 the images themselves are returned.
    """
    if probability <= 0.0:
        return images
    happens = (numbers[..., 0] < probability).to(images.dtype)
    uniform = (2.0 * numbers[..., 1:] - 1.0) * happens[..., None]  # 0 where nothing happens
    normal = math.sqrt(2.0) * torch.erfinv(uniform.clamp(-0.999, 0.999))
    moved = _warped(images, _placement(normal[:, 0], normal[:, 1:3, 0], uniform[:, 3, 0]))
    brightness, contrast = 0.2 * normal[:, 4, 0], torch.exp2(0.5 * normal[:, 5, 0])
    lit = contrast[:, None, None, None] * moved + brightness[:, None, None, None]
    colours = _hue_and_saturation(math.pi * uniform[:, 6, 0], torch.exp2(normal[:, 7, 0]))
    return torch.einsum("bij,bjhw->bihw", colours, lit)


def _placement(shift: Tensor, sizes: Tensor, turn: Tensor) -> Tensor:
    """(B, 2, 3), from places in the result to places in the image, both in [−1, 1]².

    Args:
        shift: (B, 2), in eighths of an edge.
        sizes: (B, 2), base-2 logarithms, in fifths, of the scale and of width by height.
        turn: (B,), angle / π.
    """
    scale, stretch = torch.exp2(0.2 * sizes).unbind(dim=1)
    cos, sin = torch.cos(math.pi * turn), torch.sin(math.pi * turn)
    turned = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)
    sized = turned * torch.stack([scale * stretch, scale / stretch], -1)[:, None]
    return torch.cat([sized, 0.25 * shift[..., None]], dim=-1)


def _warped(images: Tensor, placement: Tensor) -> Tensor:
    """Images resampled at other places; beyond their edge they continue mirrored."""
    grid = F.affine_grid(placement, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def _hue_and_saturation(angle: Tensor, factor: Tensor) -> Tensor:
    """(B, 3, 3), turns colours by ``angle`` (B,) about grey and scales their distance from it."""
    grey = angle.new_full((3, 3), 1.0 / 3.0)
    across = torch.eye(3, device=angle.device, dtype=angle.dtype) - grey
    third = 1.0 / math.sqrt(3.0)
    cross = angle.new_tensor([[0.0, -third, third], [third, 0.0, -third], [-third, third, 0.0]])
    cos, sin = torch.cos(angle)[:, None, None], torch.sin(angle)[:, None, None]
    return grey + factor[:, None, None] * (cos * across + sin * cross)
