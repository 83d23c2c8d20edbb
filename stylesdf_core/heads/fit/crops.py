"""Crops of pictures, which the fit's phases with a decoder train on.

A crop of the feature map, a few pixels of margin for the convolutions' padding, and the same part
of the truth: eight crops of a quarter of the picture cost what two whole pictures do, and show
eight heads instead of two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from stylesdf_core.heads.fit.data import ViewBatch
from stylesdf_core.rendering.rays import Rays

#: Pixels of the feature map at a crop's edge that padding has touched; not compared.
MARGIN = 2
#: Share of the windows that detail alone would put on a head's outline, and that go elsewhere.
OUTLINE_REDUCTION = 0.9
#: Share of the windows that lie anywhere: background and borders want to be right as well.
ANYWHERE = 0.1


@dataclass(frozen=True)
class Crop:
    """A rectangle of the feature map, in its pixels."""

    top: int
    left: int
    height: int
    width: int

    def of(self, maps: Tensor, scale: int = 1) -> Tensor:
        """Cut (…, H, W) maps that are ``scale`` times as large as the feature map."""
        rows = slice(self.top * scale, (self.top + self.height) * scale)
        columns = slice(self.left * scale, (self.left + self.width) * scale)
        return maps[..., rows, columns]

    def trustworthy(self, size: int) -> Crop:
        """The part, relative to the crop, that padding has not touched.

        At the picture's own edges (of a ``size``² map) the padding belongs to the picture.
        """
        top, left = MARGIN * (self.top > 0), MARGIN * (self.left > 0)
        bottom = MARGIN * (self.top + self.height < size)
        right = MARGIN * (self.left + self.width < size)
        return Crop(top, left, self.height - top - bottom, self.width - left - right)

    def part(self, inner: Crop) -> Crop:
        """``inner``, which is relative to this crop, relative to the picture."""
        return Crop(self.top + inner.top, self.left + inner.left, inner.height, inner.width)


@dataclass(frozen=True)
class Window:
    """What is compared of a picture, and what has to be decoded for that.

    Attributes:
        decoded: the crop with its margin.
        compared: the part of it that padding has not touched, relative to ``decoded``.
    """

    decoded: Crop
    compared: Crop

    @property
    def truth(self) -> Crop:
        """The compared part, relative to the picture."""
        return self.decoded.part(self.compared)


def interest_of(views: ViewBatch, detail: Tensor, size: int) -> Tensor:
    """How likely each pixel of a feature map is to have a window around it, (B, size, size).

    Args:
        detail: (B, 1, S, S), how rich in detail the images are.
    """
    interest = F.adaptive_avg_pool2d(detail, size) * views.coverage(size)
    interest = interest * (1.0 - OUTLINE_REDUCTION * views.outline(size))
    everywhere = interest.mean(dim=(2, 3), keepdim=True)
    return torch.lerp(interest, everywhere, ANYWHERE)[:, 0]


def windows_on(random: torch.Generator, interest: Tensor, edge: int) -> list[Window]:
    """For each picture a window of ``edge``² around a random pixel, as far as it allows.

    Windows of one edge need crops of one size, which a batch can stack.

    Args:
        interest: (B, H, W), how likely each pixel of the feature map is to be chosen.
    """
    size = interest.shape[-1]
    chosen = torch.multinomial(interest.flatten(1) + 1e-6, 1, generator=random)[:, 0]
    return [_window_around(pixel, size, edge) for pixel in chosen.tolist()]


def _window_around(pixel: int, size: int, edge: int) -> Window:
    top, left = (min(max(0, at - edge // 2), size - edge) for at in divmod(pixel, size))
    whole = min(size, edge + 2 * MARGIN)
    outer_top, outer_left = (min(max(0, at - MARGIN), size - whole) for at in (top, left))
    return Window(
        Crop(outer_top, outer_left, whole, whole),
        Crop(top - outer_top, left - outer_left, edge, edge),
    )


def cut(maps: Tensor, crops: Sequence[Crop], scale: int = 1) -> Tensor:
    """Of each map (B, C, H, W) its own crop, all of one size: (B, C, h, w)."""
    return torch.stack([crop.of(one, scale) for crop, one in zip(crops, maps, strict=True)])


def random_crop(random: torch.Generator, size: int, edge: int) -> Crop:
    """A crop of ``edge``² somewhere in a map of ``size``²; its borders come up often enough."""
    low, high = -edge // 8, size - edge + edge // 8 + 1
    place = torch.randint(low, high, (2,), generator=random, device=random.device).tolist()
    top, left = (min(max(0, p), size - edge) for p in place)
    return Crop(top, left, edge, edge)


def cut_rays(rays: Rays, crops: Sequence[Crop]) -> Rays:
    """The rays (B, height, width, 3) of each picture's own part."""

    def part(values: Tensor) -> Tensor:
        return cut(values.movedim(-1, 1), crops).movedim(1, -1)

    return Rays(part(rays.origins), part(rays.directions), part(rays.viewdirs))
