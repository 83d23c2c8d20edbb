"""Random inputs of a step's generated images ("fakes"): latents, cameras, ray offsets, noise.

The inputs are functions of seed, step and attempt. They are drawn for the whole batch on the CPU
and then cut to a process's share, so that a step has the same inputs on one or several processes,
on any device, and in a resumed run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from stylesdf_core.model.config import GeneratorConfig
from stylesdf_core.model.poses import FFHQ_POSES, Poses
from stylesdf_core.training.adversarial.batches.augmentation import NUMBERS
from stylesdf_core.training.adversarial.batches.patches import draw_patches


@dataclass(frozen=True)
class Fakes:
    """Inputs of a batch of generated images.

    Attributes:
        z: (B, z_dim).
        other_z: (B, z_dim), latents of the decoder's layers from ``crossover`` on.
        crossover: (B,) int64, first layer that takes ``other_z``; n_latent for no mixing.
        angles: (B, 2), azimuth and elevation, radians.
        jitter: (B, T, T, 1) in [0, 1), an offset for each ray.
        rays: (B, R) int64, rays on which the geometry's losses are computed.
        augment: (B, 8, 3) in [0, 1), the numbers of :func:`augmentation.augmented`.
        noise_seed: (B,) int64, seeds of the decoder's noise; they stay on the CPU.
        poses: the distribution that the angles are from.
        patches: (B, 3), the parts of the pictures that are rendered; None for whole pictures.
    """

    z: Tensor
    other_z: Tensor
    crossover: Tensor
    angles: Tensor
    jitter: Tensor
    rays: Tensor
    augment: Tensor
    noise_seed: Tensor
    poses: Poses = FFHQ_POSES
    patches: Tensor | None = None

    def __len__(self) -> int:
        return len(self.z)

    def __getitem__(self, part: slice) -> Fakes:
        return Fakes(
            self.z[part],
            self.other_z[part],
            self.crossover[part],
            self.angles[part],
            self.jitter[part],
            self.rays[part],
            self.augment[part],
            self.noise_seed[part],
            self.poses,
            None if self.patches is None else self.patches[part],
        )

    def to(self, device: torch.device) -> Fakes:
        """These inputs on another device."""
        return Fakes(
            self.z.to(device),
            self.other_z.to(device),
            self.crossover.to(device),
            self.angles.to(device),
            self.jitter.to(device),
            self.rays.to(device),
            self.augment.to(device),
            self.noise_seed,
            self.poses,
            None if self.patches is None else self.patches.to(device),
        )


def draw_fakes(
    random: torch.Generator,
    batch: int,
    generator: GeneratorConfig,
    poses: Poses,
    *,
    mixing: float = 0.0,
    rays: int = 0,
    least_scale: float | None = None,
) -> Fakes:
    """Draw a batch of fakes; see :class:`Fakes`.

    Args:
        mixing: probability of a second latent.
        rays: chosen rays of each image.
        least_scale: of patches; None for whole pictures.
    """
    thumb, layers = generator.thumb_size, max(2, generator.n_latent)
    crossover = torch.randint(1, layers, (batch,), generator=random)
    unmixed = torch.rand(batch, generator=random) >= mixing
    return Fakes(
        z=torch.randn(batch, generator.z_dim, generator=random),
        other_z=torch.randn(batch, generator.z_dim, generator=random),
        crossover=crossover.masked_fill(unmixed, layers),
        angles=draw_angles(random, batch, poses),
        jitter=torch.rand(batch, thumb, thumb, 1, generator=random),
        rays=torch.randint(thumb * thumb, (batch, rays), generator=random),
        noise_seed=torch.randint(2**62, (batch,), generator=random),
        augment=torch.rand(batch, *NUMBERS, generator=random),
        poses=poses,
        patches=None if least_scale is None else draw_patches(random, batch, least_scale),
    )


def draw_angles(random: torch.Generator, count: int, poses: Poses) -> Tensor:
    """Azimuths and elevations, (count, 2), radians."""
    std = torch.tensor([poses.azimuth_std, poses.elevation_std])
    if poses.distribution == "uniform":
        return (2.0 * torch.rand(count, 2, generator=random) - 1.0) * math.sqrt(3.0) * std
    return torch.randn(count, 2, generator=random) * std
