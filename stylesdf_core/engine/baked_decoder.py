"""A decoder with one set of styles folded into its weights; the engine's last step to an image.

A modulated convolution scales its input channels by the style, normalises its output channels and
ends in a leaky ReLU times √2. For a known style all three are factors of the weights (a leaky ReLU
commutes with a positive factor), so that a layer becomes one plain convolution, the noise and a
leaky ReLU. Convolutions run in 16 bits where the processor does so natively.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from stylesdf_core.model.networks.decoder import Decoder, ModulatedConv, StyledConv, ToRGB
from stylesdf_core.model.networks.ops import SQRT2, blur_kernel


def fast_dtype(device: torch.device) -> torch.dtype:
    """The type in which convolutions are fastest with an error below half a grey step of 8 bits.

    That is bfloat16 where the processor multiplies it natively (AVX-512 BF16, AMX, CUDA from Ampere
    on), and float32 elsewhere, where bfloat16 would be emulated and slower.
    """
    if device.type == "cuda":
        native = torch.cuda.get_device_capability(device) >= (8, 0)
    elif device.type == "cpu":
        known: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
        native = any(known.get(name, False) for name in ("avx512_bf16", "amx_bf16"))
    else:
        native = False
    return torch.bfloat16 if native else torch.float32


@dataclass(frozen=True)
class _Folded:
    """A layer's weights for one style, (1, 512).

    Attributes:
        weight: (out, in, k, k), or (in, out, k, k) where the layer upsamples.
        bias: (out,).
    """

    style: Tensor
    weight: Tensor
    bias: Tensor


class BakedDecoder:
    """Decodes feature maps with the styles and noise maps of the last :meth:`bake`.

    Args:
        decoder: the decoder to fold; its weights are only read.
        dtype: type of the convolutions, see :func:`fast_dtype`.
    """

    def __init__(self, decoder: Decoder, dtype: torch.dtype) -> None:
        self._convs = [cast(StyledConv, layer) for layer in decoder.convs]
        self._to_rgbs = [cast(ToRGB, layer) for layer in decoder.to_rgbs]
        self._dtype = dtype
        self._folded: dict[ModulatedConv, _Folded] = {}
        self._noise: list[Tensor | None] = []

    def bake(self, styles: Tensor, noise: Sequence[Tensor | None]) -> None:
        """Fold in styles and noise maps; layers whose style is the same as before are left.

        Args:
            styles: (1, n_latent, 512).
            noise: a map (1, 1, H, W), or None for no noise, for each convolution.
        """
        for index, layer in enumerate(self._convs):
            self._fold(layer.conv, layer.bias, styles[:, index])
        for level, rgb in enumerate(self._to_rgbs):
            self._fold(rgb.conv, rgb.bias, styles[:, 2 * level + 1])
        self._noise = [
            None
            if pattern is None or not bool(layer.noise_strength)
            else (SQRT2 * layer.noise_strength * pattern).to(self._dtype)
            for layer, pattern in zip(self._convs, noise, strict=True)
        ]

    def _fold(self, conv: ModulatedConv, bias: Tensor, style: Tensor) -> None:
        known = self._folded.get(conv)
        if known is not None and torch.equal(known.style, style):
            return
        scales = conv.modulation(style)[0]  # (in,)
        weight = conv.weight * (conv.scale * scales[:, None, None])
        if conv.demodulate:
            norm = torch.rsqrt(weight.square().sum(dim=(1, 2, 3)) + 1e-8)  # (out,)
            weight = weight * (SQRT2 * norm[:, None, None, None])
            bias = bias * SQRT2
        if conv.upsample:
            weight = weight.transpose(0, 1)
        self._folded[conv] = _Folded(
            style.clone(),
            weight.to(self._dtype, memory_format=torch.channels_last),
            bias.to(self._dtype),
        )

    def __call__(self, features: Tensor) -> Tensor:
        """(1, width, thumb, thumb) -> (1, 3, S, S), float32, nominally in [−1, 1]."""
        x = features.to(self._dtype, memory_format=torch.channels_last)
        image: Tensor | None = None
        for index in range(len(self._convs)):
            x = self._styled(index, x)
            if index % 2 == 0:  # after the first and after each level's second convolution
                own = self._folded[self._to_rgbs[index // 2].conv]
                rgb = F.conv2d(x, own.weight, own.bias).float()
                image = rgb if image is None else rgb.add_(_twice(image))
        assert image is not None
        return image

    def _styled(self, index: int, x: Tensor) -> Tensor:
        conv, noise = self._convs[index].conv, self._noise[index]
        own = self._folded[conv]
        if conv.upsample:
            y = F.conv_transpose2d(x, own.weight, stride=2)
            channels = y.shape[1]
            blur = blur_kernel(gain=4.0).to(y).expand(channels, 1, 4, 4)
            y = F.conv2d(y, blur, own.bias, padding=1, groups=channels)
        else:
            y = F.conv2d(x, own.weight, own.bias, padding=conv.kernel_size // 2)
        if noise is not None:
            y += noise
        return F.leaky_relu_(y, 0.2)


def _twice(image: Tensor) -> Tensor:
    """Double the size with the [1, 3, 3, 1] filter: linear interpolation, with zeros around."""
    padded = F.pad(image, (1, 1, 1, 1))
    larger = F.interpolate(padded, scale_factor=2, mode="bilinear", align_corners=False)
    return larger[..., 2:-2, 2:-2]
