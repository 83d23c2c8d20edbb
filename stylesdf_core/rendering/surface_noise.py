"""Noise that belongs to a surface, for the decoder: a random function of points in the world.

A decoder adds a map of normal noise to each of its layers, the same map whatever the camera sees,
so that details stick to the screen while a head turns. Here the maps are cut out of solid noise
instead, at the points of the surface that the pixels show: details turn with the head. The maps
keep the statistics with which decoders are trained: mean 0, variance 1, and hardly any correlation
between the pixels of a picture by a camera of the training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from stylesdf_core.rendering.camera import FAR, NEAR

#: Lattice points along each side of the solid noise, which repeats beyond.
_PERIOD = 64
#: Distance of lattice points, pixels of a picture by a camera of the training.
_CELL = 1.0
#: Steps along a ray to the surface, and the longest step, world units.
_STEPS = 3
_LONGEST = 0.005
#: Change of distance along a ray, from which a ray counts as running towards a surface.
_STEEP = 0.2


@dataclass(frozen=True)
class ShownSurface:
    """What the pixels of square pictures by a batch of cameras show of a surface.

    Attributes:
        depth: (B, 1, H, W), planar; meaningless where ``cover`` is 0.
        cover: (B, 1, H, W), how much of a pixel the surface covers, 0 to 1.
        cam2world: (B, 3, 4).
        slope: tangent of the cameras' half opening angle.
        trained_slope: the same of the cameras of the training, whose pixels are as wide as the
            noise is fine.
    """

    depth: Tensor
    cover: Tensor
    cam2world: Tensor
    slope: float
    trained_slope: float

    def enlarged(self, size: int) -> ShownSurface:
        """The surface in the pixels of pictures of ``size``², interpolated linearly.

        The depth beside an outline is the surface's alone.
        """
        both = torch.cat([self.cover, self.cover * self.depth], dim=1)
        both = F.interpolate(both, size=(size, size), mode="bilinear", align_corners=False)
        cover, depth = both.split(1, dim=1)
        depth = (depth / cover.clamp_min(1e-6)).clamp(NEAR, FAR)
        return replace(self, depth=depth, cover=cover)


def surface_depth(depth: Tensor, scalar: Callable[[Tensor], Tensor]) -> Tensor:
    """Depths (…) of the surface, by secant steps from the depths of a volume render.

    A volume render's depth is a mean over samples whose places belong to the camera: it is off by
    up to half the distance of two samples, and differently in the next frame.

    Args:
        scalar: signed distances at depths along the same rays.
    """
    value = scalar(depth)
    step, slope = value.clamp(-_LONGEST, _LONGEST), torch.full_like(value, -1.0)
    for _ in range(_STEPS - 1):
        depth = depth + step
        before, value = value, scalar(depth)
        found = (value - before) / step
        slope = torch.where(step.abs() > 1e-5, found.clamp_max(-_STEEP), slope)
        step = (-value / slope).clamp(-_LONGEST, _LONGEST)
    return depth + step


class SolidNoise:
    """Normal numbers on a lattice in space, interpolated linearly to variance 1 everywhere.

    Args:
        seed: of the numbers.
        device: where the points lie.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        random = torch.Generator().manual_seed(seed)
        solid = torch.randn(1, 2, _PERIOD, _PERIOD, _PERIOD, generator=random)
        self._solid = F.pad(solid, (0, 1, 0, 1, 0, 1), mode="circular").to(device)
        # Turned against the world's axes, a period shows in no picture.
        self._turn = torch.linalg.qr(torch.randn(3, 3, generator=random)).Q.to(device)
        self._random_shift = _PERIOD * torch.rand(3, generator=random).to(device)

    def maps(self, surface: ShownSurface, screen: Sequence[Tensor]) -> list[Tensor]:
        """A map (B, 1, S, S) for each of a decoder's maps (1, 1, S, S), which it replaces.

        Args:
            screen: the maps that stay where there is no surface; at most two of the same size.
        """
        sizes = [noise.shape[-1] for noise in screen]
        solid = {size: self._seen(surface.enlarged(size)) for size in sorted(set(sizes))}
        result = []
        for index, (size, behind) in enumerate(zip(sizes, screen, strict=True)):
            cover, noise = solid[size]
            own = sizes[:index].count(size)
            share = torch.rsqrt(cover.square() + (1.0 - cover).square())
            result.append((cover * noise[:, own : own + 1] + (1.0 - cover) * behind) * share)
        return result

    def _seen(self, surface: ShownSurface) -> tuple[Tensor, Tensor]:
        """Cover (B, 1, S, S), and noise (B, 2, S, S) at the points that the pixels show."""
        size, depth = surface.depth.shape[-1], surface.depth
        per_unit = size / (_CELL * 2.0 * surface.trained_slope)  # lattice points
        turned = per_unit * (self._turn @ surface.cam2world)  # (B, 3, 4)
        centres = torch.arange(size, device=depth.device, dtype=depth.dtype) + 0.5
        offset = (2.0 * centres / size - 1.0) * surface.slope
        right, up, back, origin = (x[..., None, None] for x in turned.unbind(dim=-1))
        direction = right * offset - up * offset[:, None] - back  # (B, 3, S, S)
        place = torch.addcmul(origin + self._random_shift[:, None, None], direction, depth)
        place = place.remainder_(_PERIOD).movedim(1, -1)
        noise = F.grid_sample(
            self._solid.expand(len(place), -1, -1, -1, -1),
            (place[:, None] * (2.0 / _PERIOD) - 1.0),
            align_corners=True,
        )[:, :, 0]
        part = place.frac()
        # Squares of the weights of a cell's eight corners: their sum is the variance.
        spread = (1.0 - 2.0 * part * (1.0 - part)).prod(dim=-1)
        return surface.cover, noise * torch.rsqrt(spread)[:, None]
