"""The discriminators of adversarial training: of volume renders (with pose), of decoded images."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylesdf_core.errors import InputError
from stylesdf_core.model.config import STDDEV_GROUP
from stylesdf_core.model.networks.ops import (
    SQRT2,
    EqualLinear,
    blur_kernel,
    leaky_relu,
    of_type,
    upfirdn2d,
)

#: Channels of the volume discriminator after the first convolution and after each block.
_VOLUME_CHANNELS = (128, 256, 400, 400, 400, 400)
#: Edges of the maps to which the discriminators halve volume renders and images.
SMALLEST_RENDER, SMALLEST_IMAGE = 2, 4


@dataclass(frozen=True)
class LogitsAndAngles:
    """The volume discriminator's outputs for a batch.

    Attributes:
        logits: (B, 1), positive means real.
        angles: (B, 2), predicted azimuth and elevation, radians.
    """

    logits: Tensor
    angles: Tensor


class CoordConv(nn.Module):
    """3×3 convolution with two more input channels, each pixel's row and column from −1 to 1.

    The coordinates of a patch are those of its pixels in the picture that it is cut from.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels + 2, out_channels, 3, padding=1)

    def forward(self, x: Tensor, patches: Tensor | None = None) -> Tensor:
        """(B, in, H, W) -> (B, out, H, W); ``patches`` as in :meth:`VolumeDiscriminator`."""
        batch, _, height, width = x.shape
        rows = torch.linspace(-1.0, 1.0, height, device=x.device, dtype=x.dtype)
        columns = torch.linspace(-1.0, 1.0, width, device=x.device, dtype=x.dtype)
        grid = torch.stack(torch.meshgrid(rows, columns, indexing="ij"))  # (2, H, W)
        if patches is not None:
            across, down, scale = patches.to(x.dtype)[..., None, None].unbind(dim=1)  # (B, 1, 1)
            grid = torch.stack([scale * grid[0] + down, scale * grid[1] + across], dim=1)
        y: Tensor = self.conv(torch.cat([x, grid.expand(batch, -1, -1, -1)], dim=1))
        return y


class VolumeBlock(nn.Module):
    """Two CoordConvs with activation and 2×2 averaging, beside an averaged skip; sum/√2."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = CoordConv(in_channels, out_channels)
        self.conv2 = CoordConv(out_channels, out_channels)
        changes = in_channels != out_channels
        self.skip = nn.Conv2d(in_channels, out_channels, 1) if changes else None

    def forward(self, x: Tensor, patches: Tensor | None = None) -> Tensor:
        """(B, in, H, W) -> (B, out, H/2, W/2)."""
        y = leaky_relu(self.conv1(x, patches), gain=1.0)
        y = leaky_relu(self.conv2(y, patches), gain=1.0)
        y = F.avg_pool2d(y, 2)
        x = F.avg_pool2d(x, 2)
        if self.skip is not None:
            x = self.skip(x)
        return (x + y) / SQRT2


class VolumeDiscriminator(nn.Module):
    """Discriminator of the 64² volume renders, which also estimates their camera's pose.

    Args:
        size: edge of the images, a power of two from 4 on; 64 in the published discriminator.
        channels: channels of the first convolution, 128 in the published discriminator; the other
            convolutions' channels grow in proportion.

    Weights and biases keep torch's default initialisation, U(±1/√fan_in), as published: it begins
    with logits and angles near zero, so that the pose loss (weight 15) begins small.
    """

    def __init__(self, size: int = 64, channels: int = _VOLUME_CHANNELS[0]) -> None:
        super().__init__()
        blocks = halvings(size, SMALLEST_RENDER)
        widths = [
            max(1, _VOLUME_CHANNELS[min(i, len(_VOLUME_CHANNELS) - 1)] * channels // 128)
            for i in range(blocks + 1)
        ]
        self.size = size
        self.first = nn.Conv2d(3, widths[0], 1)
        self.blocks = nn.ModuleList(VolumeBlock(widths[i], widths[i + 1]) for i in range(blocks))
        self.last = nn.Conv2d(widths[-1], 3, 2)

    def forward(self, images: Tensor, patches: Tensor | None = None) -> LogitsAndAngles:
        """Logits and angles of images (B, 3, size, size) in [−1, 1].

        Args:
            patches: (B, 3), where the images were cut from pictures (:func:`make_rays`), which the
                convolutions see as coordinates; None for whole pictures.
        """
        x = leaky_relu(self.first(images), gain=1.0)
        for block in self.blocks:
            x = block(x, patches)
        y = self.last(x).flatten(1)  # (B, 3)
        return LogitsAndAngles(y[:, :1], y[:, 1:])


class EqualConv(nn.Module):
    """Convolution with equalised learning rate; optionally blurs first and halves the resolution.

    Args:
        activation: add a bias and follow with leaky ReLU · √2.
        down_pad: pads of the blur before a stride-2 convolution; None for no halving.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        *,
        activation: bool = True,
        down_pad: int | None = None,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if activation else None
        self.scale = 1.0 / math.sqrt(in_channels * kernel * kernel)
        self.kernel_size = kernel
        self.down_pad = down_pad
        if down_pad is not None:
            self.register_buffer("blur", blur_kernel())

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) -> (B, out, H', W'), with H' = H/2 when halving."""
        if self.down_pad is None:
            y = F.conv2d(x, self.weight * self.scale, padding=self.kernel_size // 2)
        else:
            pad = (self.down_pad, self.down_pad)
            x = upfirdn2d(x, cast(Tensor, self.blur), pad=pad)
            y = F.conv2d(x, self.weight * self.scale, stride=2)
        return y if self.bias is None else leaky_relu(y + of_type(self.bias[:, None, None], y))


class StyleBlock(nn.Module):
    """StyleGAN2's residual block: two convolutions and a skip, all blurred and halved; sum/√2."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = EqualConv(in_channels, in_channels, 3)
        self.conv2 = EqualConv(in_channels, out_channels, 3, down_pad=2)
        self.skip = EqualConv(in_channels, out_channels, 1, activation=False, down_pad=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) -> (B, out, H/2, W/2)."""
        y: Tensor = (self.conv2(self.conv1(x)) + self.skip(x)) / SQRT2
        return y


class StyleDiscriminator(nn.Module):
    """StyleGAN2's discriminator (Karras et al. 2020), of the decoded images.

    Args:
        size: edge of the images, a power of two from 8 on.
        channel_multiplier: 2 in the published models, as in the decoder.
        widest: most channels of a layer, 512 in the published models.
        stddev_group: images whose deviation from each other is shown together.
    """

    def __init__(
        self,
        size: int,
        channel_multiplier: int = 2,
        widest: int = 512,
        stddev_group: int = STDDEV_GROUP,
    ) -> None:
        super().__init__()

        def channels(resolution: int) -> int:
            return min(widest, 16384 * channel_multiplier // max(resolution, 32))

        blocks = halvings(size, SMALLEST_IMAGE)
        self.size, self.stddev_group = size, stddev_group
        self.first = EqualConv(3, channels(size), 1)
        self.blocks = nn.ModuleList(
            StyleBlock(channels(size >> i), channels(size >> (i + 1))) for i in range(blocks)
        )
        deepest = channels(4)
        self.last_conv = EqualConv(deepest + 1, deepest, 3)
        self.hidden = EqualLinear(deepest * 16, deepest, activation=True)
        self.last = EqualLinear(deepest, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, 1) of images (B, 3, size, size) in [−1, 1]; positive means real."""
        x = self.first(images)
        for block in self.blocks:
            x = block(x)
        x = torch.cat([x, minibatch_stddev(x, self.stddev_group)], dim=1)
        x = self.last_conv(x).flatten(1)
        logits: Tensor = self.last(self.hidden(x))
        return logits


def minibatch_stddev(x: Tensor, group: int = STDDEV_GROUP) -> Tensor:
    """Standard deviation over each group of images, averaged over the rest: (B, 1, H, W).

    ``group`` consecutive images form a group, so that a batch may be split between groups without
    a change of the result. A batch that is no multiple of ``group`` is cut into groups of the
    largest smaller size that divides the batch.

    Args:
        x: (B, C, H, W).
    """
    batch, _, height, width = x.shape
    size = next(n for n in range(min(group, batch), 0, -1) if batch % n == 0)
    exact = torch.promote_types(x.dtype, torch.float32)  # half precision would lose the variance
    groups = x.to(exact).unflatten(0, (-1, size))  # (B/g, g, C, H, W)
    variance = groups.var(dim=1, correction=0)
    deviation = (variance + 1e-8).sqrt().mean(dim=(1, 2, 3)).repeat_interleave(size)  # (B,)
    maps: Tensor = deviation[:, None, None, None].expand(batch, 1, height, width).to(x.dtype)
    return maps


def halvings(size: int, smallest: int) -> int:
    """How often a discriminator halves images of ``size``² pixels, down to ``smallest``².

    Raises:
        InputError: never exactly.
    """
    if size < 2 * smallest or size & (size - 1):
        raise InputError(
            "A discriminator judges images whose edge is a power of two from "
            f"{2 * smallest} on, not {size}."
        )
    return int(math.log2(size // smallest))
