"""StyleGAN2 decoder: from the 64² feature map to the image (paper, Fig. 2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylesdf_core.model.config import DECODER_W_DIM, GeneratorConfig
from stylesdf_core.model.networks.ops import (
    EqualLinear,
    blur_kernel,
    doubled,
    filtered_leaky_relu,
    leaky_relu,
    low_pass,
    of_type,
    pixel_norm,
    upfirdn2d,
)

#: Channels at 64², 128², 256² … per unit of channel multiplier.
_CHANNELS = (256, 128, 64, 32, 16)


def decoder_channels(level: int, multiplier: int) -> int:
    """Channels of the feature maps after ``level`` upsamplings (256·m, 128·m, 64·m …)."""
    return _CHANNELS[min(level, len(_CHANNELS) - 1)] * multiplier


class ModulatedConv(nn.Module):
    """Convolution whose weights are scaled per sample by a style (StyleGAN2, Eq. 1–3).

    Written as scale → shared convolution → scale, which equals modulating the weights and needs
    no grouped convolution.

    Args:
        upsample: double the resolution: by a transposed convolution and [1, 3, 3, 1], or, if
            ``alias_free``, by a low-pass after the convolution.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        *,
        demodulate: bool,
        upsample: bool,
        alias_free: bool = False,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel, kernel))
        self.modulation = EqualLinear(DECODER_W_DIM, in_channels, bias_init=1.0)
        self.scale = 1.0 / math.sqrt(in_channels * kernel * kernel)
        self.demodulate = demodulate
        self.upsample = upsample
        self.kernel_size = kernel
        self.alias_free = alias_free
        if upsample and alias_free:
            self.register_buffer("taps", low_pass(), persistent=False)
        elif upsample:
            self.register_buffer("blur", blur_kernel(gain=4.0))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """(B, in, H, W), (B, 512) -> (B, out, H', W'), with H' = 2H when upsampling."""
        scales = self.modulation(style)  # (B, in)
        weight = self.weight * self.scale
        x = x.to(scales.dtype) * scales[:, :, None, None]
        if self.upsample and not self.alias_free:
            y = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
            y = upfirdn2d(y, cast(Tensor, self.blur), pad=(1, 1))
        else:
            y = F.conv2d(x, weight, padding=self.kernel_size // 2)
            if self.upsample:
                y = doubled(y, cast(Tensor, self.taps))
        if self.demodulate:
            energy = weight.square().sum(dim=(2, 3))  # (out, in)
            norm = torch.rsqrt(scales.square() @ energy.T + 1e-8)  # (B, out)
            y = y * of_type(norm[:, :, None, None], y)
        return y


class StyledConv(nn.Module):
    """Modulated 3×3 convolution, noise, bias and leaky ReLU·√2; without noise if alias-free."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        upsample: bool = False,
        alias_free: bool = False,
    ) -> None:
        super().__init__()
        self.conv = ModulatedConv(
            in_channels, out_channels, 3, demodulate=True, upsample=upsample, alias_free=alias_free
        )
        if alias_free:
            self.register_buffer("noise_strength", torch.zeros(1), persistent=False)
            self.register_buffer("taps", low_pass(), persistent=False)
        else:
            self.noise_strength = nn.Parameter(torch.zeros(1))
        self.alias_free = alias_free
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Tensor, style: Tensor, noise: Tensor | None) -> Tensor:
        """``noise``: (1 or B, 1, H', W'), or None for no noise."""
        y: Tensor = self.conv(x, style)
        bias = of_type(self.bias[:, None, None], y)
        if self.alias_free:
            return filtered_leaky_relu(y + bias, cast(Tensor, self.taps))
        if noise is not None:
            y = y + of_type(self.noise_strength * noise, y)
        return leaky_relu(y + bias)


class ToRGB(nn.Module):
    """Modulated 1×1 convolution to RGB, added to the upsampled image so far.

    The image stays in float32 under autocast, as in StyleGAN2-ADA (Karras et al. 2020): it is a sum
    over all levels, and three channels take little memory.
    """

    def __init__(self, in_channels: int, *, upsample: bool, alias_free: bool = False) -> None:
        super().__init__()
        self.conv = ModulatedConv(in_channels, 3, 1, demodulate=False, upsample=False)
        self.bias = nn.Parameter(torch.zeros(3))
        self.alias_free = alias_free
        if upsample and alias_free:
            self.register_buffer("taps", low_pass(), persistent=False)
        elif upsample:
            self.register_buffer("blur", blur_kernel(gain=4.0))

    def forward(self, x: Tensor, style: Tensor, skip: Tensor | None) -> Tensor:
        """(B, in, H, W), (B, 512), (B, 3, H/2, W/2) or None -> (B, 3, H, W)."""
        y: Tensor = self.conv(x, style)
        y = y + self.bias[:, None, None]
        if skip is not None:
            with torch.autocast(y.device.type, enabled=False):
                if self.alias_free:
                    return y + doubled(skip, cast(Tensor, self.taps))
                y = y + upfirdn2d(skip, cast(Tensor, self.blur), up=2, pad=(2, 1))
        return y


class Decoder(nn.Module):
    """Feature map (B, width, 64, 64) -> image (B, 3, S, S), nominally in [−1, 1].

    The first convolution takes style 0, its toRGB style 1. Level j (from 1) takes style 2j−1 for
    its upsampling convolution, 2j for its second convolution and 2j+1 for its toRGB; the next
    level's upsampling convolution takes style 2j+1 too.
    """

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        multiplier = config.channel_multiplier
        mapping = [EqualLinear(config.z_dim, DECODER_W_DIM, lr_mul=0.01, activation=True)]
        mapping += [
            EqualLinear(DECODER_W_DIM, DECODER_W_DIM, lr_mul=0.01, activation=True)
            for _ in range(4)
        ]
        self.mapping = nn.ModuleList(mapping)
        channels = decoder_channels(0, multiplier)
        filtered = {"alias_free": config.decoder == "alias_free"}
        self.convs = nn.ModuleList([StyledConv(config.width, channels, **filtered)])
        self.to_rgbs = nn.ModuleList([ToRGB(channels, upsample=False, **filtered)])
        for level in range(1, config.upsamplings + 1):
            previous, channels = channels, decoder_channels(level, multiplier)
            self.convs.append(StyledConv(previous, channels, upsample=True, **filtered))
            self.convs.append(StyledConv(channels, channels, **filtered))
            self.to_rgbs.append(ToRGB(channels, upsample=True, **filtered))
        self.n_latent = config.n_latent
        self.alias_free = config.decoder == "alias_free"
        for index, size in enumerate(self.noise_sizes(config)):
            self.register_buffer(f"noise_{index}", torch.randn(1, 1, size, size))

    @staticmethod
    def noise_sizes(config: GeneratorConfig) -> list[int]:
        """Edge of each convolution's noise map: 64, 128, 128, 256, 256 …"""
        size = config.thumb_size
        return [size] + [
            size << level for level in range(1, config.upsamplings + 1) for _ in (0, 1)
        ]

    def fixed_noise(self) -> list[Tensor]:
        """The noise maps stored with the weights, (1, 1, H, W), one for each convolution."""
        return [cast(Tensor, getattr(self, f"noise_{i}")) for i in range(len(self.convs))]

    def takes_noise(self) -> bool:
        """Whether noise changes the image: the strength of some layer's noise is not zero."""
        return any(bool(cast(StyledConv, layer).noise_strength.detach()) for layer in self.convs)

    def map(self, w: Tensor) -> Tensor:
        """The renderer's w (…, z_dim) -> the decoder's w (…, 512)."""
        w = pixel_norm(w)
        for layer in self.mapping:
            w = layer(w)
        return w

    def forward(self, features: Tensor, styles: Tensor, noise: Sequence[Tensor | None]) -> Tensor:
        """Decode.

        Args:
            features: (B, width, thumb, thumb).
            styles: (B, n_latent, 512).
            noise: a noise map, or None for no noise, for each convolution; an alias-free decoder
                leaves noise out, which would stay on the screen while the surface moves.
        """
        x = self.convs[0](features, styles[:, 0], noise[0])
        image: Tensor = self.to_rgbs[0](x, styles[:, 1], None)
        for level in range(1, len(self.to_rgbs)):
            x = self.convs[2 * level - 1](x, styles[:, 2 * level - 1], noise[2 * level - 1])
            x = self.convs[2 * level](x, styles[:, 2 * level], noise[2 * level])
            image = self.to_rgbs[level](x, styles[:, 2 * level + 1], image)
        return image
