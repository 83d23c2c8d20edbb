"""Weights and learning rates of the losses, of volume renders and of decoded images.

The terms themselves are in ``adversarial/terms``, their formulas in ``training/losses.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

from stylesdf_core.errors import InputError, check_range
from stylesdf_core.model.config import STDDEV_GROUP


@dataclass(frozen=True)
class VolumeLosses:
    """Losses and learning rates of the volume renders (paper, Eq. 6–8)."""

    pose: float = 15.0
    """Weight of the pose term (Eq. 6)."""

    eikonal: float = 0.1
    """Weight of the eikonal term (Eq. 7), which keeps the field a distance. A density field has no
    such term."""

    minimal_surface: float = 0.05
    """Weight of the minimal-surface term (Eq. 8); lower the weight if the surface vanishes. A
    density field has no such term."""

    normal_smoothness: float = 0.0
    """Weight of the change of the surface's normal within 0.004 world units, some 5 mm of a head;
    more makes a surface with fewer dents and less detail. Not in the paper. A density field has no
    such term."""

    geometry_rays: int = 0
    """Random rays of each image on which the terms of the surface are computed; 0 for all rays."""

    anchor: float = 0.0
    """Weight of the sphere's loss at the first step; falls to 0 within anchor_steps. Not in the
    paper: a small network's surface stays a sphere until colours have formed on its outside, so
    that faces turn with the camera. Needs geometry_rays."""

    anchor_steps: int = 1
    """Steps until the anchor's weight is 0."""

    least_beta: float = 1e-4
    """Smallest β (Eq. 3), world units, above 0. A background field lets β fall on and on, and at 0
    there is no density."""

    r1: float = 10.0
    """Weight γ of the R1 penalty γ/2·‖∇D‖²; raise the weight if β does not fall."""

    r1_every: int = 1
    """Steps between R1 penalties; each penalty is multiplied by this number."""

    generator_rate: float = 2e-5
    """Adam's learning rate of mapping and field (betas 0 and 0.9)."""

    background_speed: float = 10.0
    """Learning rate of a background field, as a multiple of ``generator_rate``. A slower background
    is still of one colour when heads form, and the field then paints backgrounds as walls."""

    discriminator_rate: float = 2e-4
    """Adam's learning rate of the discriminator (betas 0 and 0.9)."""

    discriminator_channels: int = 128
    """Channels of the discriminator's first convolution; the other channels are in proportion."""

    discriminator_gain: float = 1.0
    """Factor on the discriminator's initial weights, which are torch's default, as published. Above
    1, the discriminator's gradients are useful within the first hundred steps of a short run."""

    def __post_init__(self) -> None:
        _check_losses(self)
        check_range("discriminator_gain", self.discriminator_gain, 0.01)
        check_range("least_beta", self.least_beta, 1e-6)
        check_range("background_speed", self.background_speed, 0.01, 100)
        if self.anchor > 0 and self.geometry_rays < 1:
            raise InputError("An anchor needs geometry_rays of at least 1.")

    @property
    def lazy(self) -> dict[str, int]:
        """Terms computed only every few steps, and the steps between them."""
        return {"R1 of volume renders": self.r1_every} if self.r1 > 0 else {}

    def anchor_at(self, index: int) -> float:
        """The anchor's weight at a step of the stage."""
        return self.anchor * max(0.0, 1.0 - index / self.anchor_steps)


@dataclass(frozen=True)
class ImageLosses:
    """Losses and learning rate of the decoded images (StyleGAN2's)."""

    r1: float = 10.0
    """Weight γ of the R1 penalty γ/2·‖∇D‖²."""

    r1_every: int = 16
    """Steps between R1 penalties; each penalty is multiplied by this number."""

    path_length: float = 2.0
    """Weight of the path-length penalty, which is computed on half a batch and has an optimizer
    step of its own. The paper's nominal weight; the way in which the published scripts sum their
    chunks makes it 1 in effect."""

    path_every: int = 4
    """Steps between path-length penalties; each penalty is multiplied by this number."""

    mixing: float = 0.9
    """Probability, 0 to 1, that a second latent takes over the decoder's later layers."""

    rate: float = 2e-3
    """Adam's learning rate of decoder and discriminator, before the correction for lazy
    regularisation (Karras et al. 2020, App. B): times n/(n+1), betas 0 and 0.99^(n/(n+1))."""

    widest: int = 512
    """Most channels of a layer of the discriminator."""

    stddev_group: int = STDDEV_GROUP
    """Images whose deviation from each other the discriminator sees; chunk and each process's
    share are whole groups. 4 as in the paper and in StyleGAN2. The published scripts computed
    FFHQ in chunks of 2, hence saw groups of 2: a card too small for 4 images takes chunk 2 with
    this 2."""

    def __post_init__(self) -> None:
        _check_losses(self)
        check_range("mixing", self.mixing, 0, 1)

    @property
    def lazy(self) -> dict[str, int]:
        """Terms computed only every few steps, and the steps between them."""
        path = {"path length": self.path_every} if self.path_length > 0 else {}
        return {**({"R1": self.r1_every} if self.r1 > 0 else {}), **path}


def _check_losses(losses: VolumeLosses | ImageLosses) -> None:
    """Weights and rates are not negative, intervals and widths at least 1."""
    whole = (
        "r1_every", "path_every", "anchor_steps", "discriminator_channels", "widest",
        "stddev_group",
    )  # fmt: skip
    for name, value in vars(losses).items():
        least = 1 if name in whole else 0
        check_range(name, value, least)
