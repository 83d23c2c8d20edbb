"""Windows: parts of pictures on which the fit's phases with a decoder train.

A window is a part of the feature map, with a few pixels of margin for the convolutions' padding,
and the same part of the truth. Eight windows of a quarter of a picture take the time of two whole
pictures, and show eight heads instead of two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from stylesdf_core.heads.fit.bank import ViewBatch
from stylesdf_core.rendering.rays import Rays
from stylesdf_core.training.losses import detail_weights

#: Pixels of the feature map at a window's edge that padding has touched; not compared.
MARGIN = 2
#: ``strength`` of :func:`detail_weights`, by which windows are drawn and pixels are weighted.
DETAIL = 3.0
#: Reduction of the probability of windows on a head's outline, where detail is always high.
OUTLINE_REDUCTION = 0.9
#: Share of the windows that lie anywhere, since background and borders must be right as well.
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


@dataclass(frozen=True)
class WindowWithMargin:
    """The part of a picture that is compared, and the larger part that is decoded for it.

    Attributes:
        decoded: the part with its margin, relative to the picture.
        compared: the part that padding has not touched, relative to ``decoded``.
        truth: the compared part, relative to the picture.
    """

    decoded: Crop
    compared: Crop
    truth: Crop


@dataclass(frozen=True)
class WindowBatch:
    """Windows of a batch of views, one of each picture.

    Attributes:
        truth: (B, 3, S', S') in [−1, 1], the windows' compared parts of the images.
        detail: (B, 1, S', S'), how much each of their pixels counts.
    """

    views: ViewBatch
    windows: list[WindowWithMargin]
    truth: Tensor
    detail: Tensor

    def compared(self, maps: Tensor) -> Tensor:
        """The windows' compared parts of maps of the feature map's size."""
        return cut(maps, [window.truth for window in self.windows])

    def decoded(self, maps: Tensor) -> Tensor:
        """The windows' decoded parts of maps of the feature map's size."""
        return cut(maps, [window.decoded for window in self.windows])

    def rays(self, size: int) -> Rays:
        """The rays (B, h, w, 3) of the decoded parts; ``size`` is the feature map's edge."""
        return rays_at(self.views.rays(size), self.decoded)


def draw_windows(random: torch.Generator, views: ViewBatch, edge: int, size: int) -> WindowBatch:
    """Windows that compare ``edge``² of a ``size``² feature map, mostly where there is detail."""
    detail = detail_weights(views.images, DETAIL)
    windows = windows_on(random, interest_of(views, detail, size), edge)
    places, scale = [window.truth for window in windows], views.images.shape[-1] // size
    return WindowBatch(views, windows, cut(views.images, places, scale), cut(detail, places, scale))


def interest_of(views: ViewBatch, detail: Tensor, size: int) -> Tensor:
    """How likely each pixel of a feature map is to have a window around it, (B, size, size).

    Args:
        detail: (B, 1, S, S), how rich in detail the images are (:func:`detail_weights`).
    """
    interest = F.adaptive_avg_pool2d(detail, size) * views.coverage(size)
    interest = interest * (1.0 - OUTLINE_REDUCTION * views.outline(size))
    everywhere = interest.mean(dim=(2, 3), keepdim=True)
    return torch.lerp(interest, everywhere, ANYWHERE)[:, 0]


def windows_on(random: torch.Generator, interest: Tensor, edge: int) -> list[WindowWithMargin]:
    """A window for each picture that compares ``edge``² around a random pixel, within the borders.

    The decoded parts have one size, so that a batch can stack them.

    Args:
        interest: (B, H, W), how likely each pixel of the feature map is to be chosen.
    """
    size = interest.shape[-1]
    chosen = torch.multinomial(interest.flatten(1) + 1e-6, 1, generator=random)[:, 0]
    return [_window_around(pixel, size, edge) for pixel in chosen.tolist()]


def _window_around(pixel: int, size: int, edge: int) -> WindowWithMargin:
    top, left = (min(max(0, at - edge // 2), size - edge) for at in divmod(pixel, size))
    whole = min(size, edge + 2 * MARGIN)
    outer_top, outer_left = (min(max(0, at - MARGIN), size - whole) for at in (top, left))
    return WindowWithMargin(
        decoded=Crop(outer_top, outer_left, whole, whole),
        compared=Crop(top - outer_top, left - outer_left, edge, edge),
        truth=Crop(top, left, edge, edge),
    )


def cut(maps: Tensor, crops: Sequence[Crop], scale: int = 1) -> Tensor:
    """Each map of (B, C, H, W) cut to its own crop; crops have one size: (B, C, h, w)."""
    return torch.stack([crop.of(one, scale) for crop, one in zip(crops, maps, strict=True)])


def rays_at(rays: Rays, choose: Callable[[Tensor], Tensor]) -> Rays:
    """Some of the rays of pictures; ``choose`` makes (B, C, h, w) of maps (B, C, H, W)."""
    parts = (rays.origins, rays.directions, rays.viewdirs)
    return Rays(*(choose(part.movedim(-1, 1)).movedim(1, -1) for part in parts))
