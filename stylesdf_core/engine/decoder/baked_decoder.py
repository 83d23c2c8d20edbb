"""A decoder with one set of styles folded into its weights; the engine's last step to an image.

A modulated convolution scales its input channels by the style, normalises its output channels and
ends in a leaky ReLU times √2. For a known style all three are factors of the weights (a leaky ReLU
commutes with a positive factor), so that a layer becomes one plain convolution, the noise and a
leaky ReLU. Convolutions run in 16 bits where the processor is faster in them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from stylesdf_core.engine.compiled.device_graphs import DeviceGraphs
from stylesdf_core.engine.decoder.convolutions import (
    Convolution,
    Folded,
    activated,
    convolved,
    is_compiled,
    phases,
    styled_blur,
    styled_by_blocks,
    transposed,
    twice,
    upsampled,
    upsampled_by_phases,
    weights_by_phase,
)
from stylesdf_core.engine.decoder.matching import HalfImage
from stylesdf_core.engine.march.tiles import Tiles, TileWork
from stylesdf_core.model.networks.decoder import Decoder, ModulatedConv, StyledConv, ToRGB
from stylesdf_core.model.networks.ops import (
    SQRT2,
    blur_kernel,
    doubled,
    filtered_leaky_relu,
    low_pass,
)

#: Rows of the input in a strip that one core computes. At 1024² a strip's feature maps have 4 MB;
#: the whole layers' maps of 64 MB would be read from memory and written to it for every operation.
_STRIP = 32
#: The same of a layer that is divided by itself, of which few rows are many products.
_NARROW = 16
#: Rows of a resolution's input from which its maps no longer fit the cores' caches.
_LARGE = 256


@dataclass(frozen=True)
class _Own:
    """All tensors that the layers read: folded weights, and the noise where there is some.

    A step that made another tensor would copy it from the host, which a recorded graph cannot.
    """

    convs: list[Folded]
    to_rgbs: list[Folded]
    noise: list[Tensor | None]

    @property
    def tensors(self) -> list[Tensor]:
        folded = [x for own in (*self.convs, *self.to_rgbs) for x in (own.weight, own.bias)]
        return [*folded, *(noise for noise in self.noise if noise is not None)]

    def with_tensors(self, tensors: Sequence[Tensor]) -> _Own:
        """The same layers with other tensors of the same shapes."""
        given = iter(tensors)
        convs, to_rgbs = (
            [Folded(next(given), next(given)) for _ in layers]
            for layers in (self.convs, self.to_rgbs)
        )
        return _Own(convs, to_rgbs, [None if x is None else next(given) for x in self.noise])


class BakedDecoder:
    """Decodes feature maps with the styles and noise maps of the last :meth:`bake`.

    Args:
        decoder: the decoder to fold; its weights are only read.
        dtype: type of the convolutions, see :func:`~stylesdf_core.system.arithmetic.fast_dtype`.
        tiles: compute large resolutions in strips of rows, each on one core; None to let torch
            divide every operation, as on every device but the CPU.
        exact: compute all resolutions in strips, so that sums do not depend on the number of
            threads.
        graphs: run the layers; None to run them one by one.
    """

    def __init__(
        self,
        decoder: Decoder,
        dtype: torch.dtype,
        tiles: Tiles | None = None,
        graphs: DeviceGraphs | None = None,
        *,
        exact: bool = False,
    ) -> None:
        self._exact = exact
        self._graphs = None if decoder.alias_free else graphs
        self._convs = [cast(StyledConv, layer) for layer in decoder.convs]
        self._to_rgbs = [cast(ToRGB, layer) for layer in decoder.to_rgbs]
        self._dtype = dtype
        device = self._convs[0].bias.device
        self._tiles = tiles if device.type == "cpu" else None
        self._taps = low_pass().to(device) if decoder.alias_free else None
        self._blur = blur_kernel(gain=4.0).to(device, dtype)
        self._by_phase = weights_by_phase().to(device)
        #: Each convolution with its bias and the index of its style; the toRGBs come last.
        self._layers: list[tuple[ModulatedConv, Tensor, int]] = [
            *((layer.conv, layer.bias, index) for index, layer in enumerate(self._convs)),
            *((rgb.conv, rgb.bias, 2 * level + 1) for level, rgb in enumerate(self._to_rgbs)),
        ]
        self._folded: list[Folded] = []
        self._source: Tensor | None = None
        self._version = 0
        self._styles: Tensor | None = None
        self._patterns: list[Tensor | None] = []
        self._noise: list[Tensor | None] = []
        # Read once: on a GPU, every look at a weight's value waits for the device.
        self._is_noisy = [bool(layer.noise_strength.detach()) for layer in self._convs]

    @torch.no_grad()
    def bake(self, styles: Tensor, noise: Sequence[Tensor | None]) -> None:
        """Fold in styles and noise maps; layers whose style is the same as before are left.

        For the tensors of the last call nothing is compared, which a GPU would have to wait for.

        Args:
            styles: (1, n_latent, 512).
            noise: a map (1, 1, H, W), or None for no noise, for each convolution.
        """
        version = styles._version  # torch counts how often a tensor is written to
        if styles is not self._source or version != self._version:
            self._source = None  # until the fold has succeeded
            self._fold_styles(styles.clone())
            self._source, self._version = styles, version
        if len(noise) != len(self._patterns) or any(
            new is not old for new, old in zip(noise, self._patterns, strict=True)
        ):
            self._noise = [
                None
                if pattern is None or not is_noisy
                else (SQRT2 * layer.noise_strength * pattern).to(self._dtype)
                for layer, pattern, is_noisy in zip(self._convs, noise, self._is_noisy, strict=True)
            ]
            self._patterns = list(noise)

    def _fold_styles(self, styles: Tensor) -> None:
        if self._graphs is not None:
            tensors = iter(
                self._graphs.run(
                    "fold",
                    [styles],
                    [],
                    lambda _: self._all_folded,
                    lambda: self._all_folded(styles),
                    exact=True,
                )
            )
            self._folded = [Folded(next(tensors), next(tensors)) for _ in self._layers]
            return
        before = self._styles
        changed = (
            [True] * styles.shape[1]
            if before is None
            else (styles != before).any(dim=-1)[0].tolist()
        )
        self._folded = [
            self._fold(*layer, styles) if changed[layer[2]] else self._folded[place]
            for place, layer in enumerate(self._layers)
        ]
        self._styles = styles

    def _all_folded(self, styles: Tensor) -> tuple[Tensor, ...]:
        """Weight and bias of every layer."""
        folded = [self._fold(*layer, styles) for layer in self._layers]
        return tuple(x for own in folded for x in (own.weight, own.bias))

    def _fold(self, conv: ModulatedConv, bias: Tensor, index: int, styles: Tensor) -> Folded:
        scales = conv.modulation(styles[:, index])[0]  # (in,)
        weight = conv.weight * (conv.scale * scales[:, None, None])
        if conv.demodulate:
            norm = torch.rsqrt(weight.square().sum(dim=(1, 2, 3)) + 1e-8)  # (out,)
            weight = weight * (SQRT2 * norm[:, None, None, None])
            bias = bias * SQRT2
        if conv.upsample and self._graphs is not None:
            weight, bias = phases(weight, self._by_phase), bias.repeat(4)
        elif conv.upsample and not conv.alias_free:
            weight = weight.transpose(0, 1)
        weight = weight.to(self._dtype, memory_format=torch.channels_last)
        return Folded(weight, bias.to(self._dtype))

    def __call__(self, features: Tensor) -> Tensor:
        """(1, width, thumb, thumb) -> (1, 3, S, S), float32, nominally in [−1, 1]."""
        return self._last_sums(features, len(self._to_rgbs))[-1]

    def half(self, features: Tensor, weights: HalfImage) -> Tensor:
        """The image of :meth:`__call__` at half the size, (1, 3, S/2, S/2), approximately."""
        return weights(*self._last_sums(features, len(self._to_rgbs) - 1)[-2:])

    def with_half(self, features: Tensor) -> tuple[Tensor, Callable[[], HalfImage]]:
        """The image, and a function that fits the half-size image of these styles to it."""
        *half, _, image = self._last_sums(features, len(self._to_rgbs), kept=2)
        return image, lambda: HalfImage.fit(half[0], half[1], image)

    def _last_sums(self, features: Tensor, count: int, kept: int = 1) -> tuple[Tensor, ...]:
        """Feature maps (1, C, H, W) and the skip generator's sum (1, 3, H, W) at resolutions.

        Args:
            count: number of resolutions to compute.
            kept: number of the last ones among them that are returned.
        """
        own = self._own
        if self._graphs is None:
            return self._sums(features, own, count, kept)
        has_noise = tuple(noise is not None for noise in own.noise)

        def make(weights: list[Tensor]) -> Callable[[Tensor], tuple[Tensor, ...]]:
            buffers = own.with_tensors(weights)
            return lambda features: self._sums(features, buffers, count, kept)

        def plain() -> tuple[Tensor, ...]:
            return self._sums(features, own, count, kept)

        name = ("decoder", count, kept, has_noise)
        return self._graphs.run(name, [features], own.tensors, make, plain)

    @property
    def _own(self) -> _Own:
        count = len(self._convs)
        return _Own(self._folded[:count], self._folded[count:], self._noise)

    def _sums(self, features: Tensor, own: _Own, count: int, kept: int) -> tuple[Tensor, ...]:
        """See :meth:`_last_sums`."""
        x = features.to(self._dtype, memory_format=torch.channels_last)
        image: Tensor | None = None
        found: list[Tensor] = []
        for level in range(count):
            x, rgb = self._level(level, x, own)
            image = rgb if image is None else rgb.add_(self._doubled(image))
            if level >= count - kept:
                found += [x, image]
        return tuple(found)

    def _level(self, level: int, x: Tensor, own: _Own) -> tuple[Tensor, Tensor]:
        """Feature maps of a resolution, from those of half the resolution, and the image's part."""
        indices = [0] if level == 0 else [2 * level - 1, 2 * level]
        to_rgb = own.to_rgbs[level]
        if self._tiles is None or self._taps is not None or not self._is_divided(x):
            for index in indices:
                x = self._styled(index, x, own)
            return x, F.conv2d(x, to_rgb.weight, to_rgb.bias).float()
        rows, scale = x.shape[2], 1 if level == 0 else 2
        size = scale * rows, scale * x.shape[3]
        is_last = level == len(own.to_rgbs) - 1  # its maps are read by nobody
        channels = 0 if is_last else to_rgb.weight.shape[1]
        maps = _empty(x, channels, *size)
        rgb = x.new_empty((1, 3, *size), dtype=torch.float32)

        def strip(first: int, stop: int) -> None:
            begin, end = first, stop
            if level > 0:  # the second convolution needs one row more on either side
                begin, end = max(first - 1, 0), min(stop + 1, rows)
            y = self._rows(indices[0], x, own, (begin, end), scale * begin)
            if level > 0:
                y = self._rows(
                    indices[1], y, own, (2 * (first - begin), 2 * (stop - begin)), 2 * first
                )
            part = slice(scale * first, scale * stop)
            rgb[:, :, part] = F.conv2d(y, to_rgb.weight, to_rgb.bias)
            if not is_last:
                maps[:, :, part] = y

        _in_strips(self._tiles, strip, rows, _STRIP)
        return maps, rgb

    def _is_divided(self, x: Tensor) -> bool:
        """Whether a resolution is computed in strips of its input x."""
        return self._exact or x.shape[2] >= _LARGE

    def _rows(self, index: int, x: Tensor, own: _Own, rows: tuple[int, int], place: int) -> Tensor:
        """Rows of a layer with noise and leaky ReLU.

        Args:
            rows: first and last but one row of the input x.
            place: number of the result's first row in the layer, for the noise.
        """
        folded, (first, stop) = own.convs[index], rows
        upsamples = self._convs[index].conv.upsample
        scale = 2 if upsamples else 1
        noise = _noise_of(own.noise[index], place, place + scale * (stop - first))
        if not self._is_compiled(index, x, folded, stop - first):
            return activated(self._convolution(index)(x, folded, first, stop), noise)
        y = _empty(x, len(folded.bias), scale * (stop - first), scale * x.shape[3])
        if upsamples:
            between, begin = transposed(x, folded, first, stop)
            styled_blur(between, folded, noise, begin, y)
        else:
            styled_by_blocks(x, folded, noise, first, y)
        return y

    def _is_compiled(self, index: int, x: Tensor, folded: Folded, rows: int) -> bool:
        """Whether compiled loops make a layer's rows, in strips of float32 on a CPU."""
        if self._tiles is None or self._graphs is not None or self._taps is not None:
            return False
        return is_compiled(x, folded, rows, upsamples=self._convs[index].conv.upsample)

    def _convolution(self, index: int) -> Convolution:
        if self._taps is not None or not self._convs[index].conv.upsample:
            return convolved
        return partial(upsampled, self._blur) if self._graphs is None else upsampled_by_phases

    def _doubled(self, image: Tensor) -> Tensor:
        return twice(image) if self._taps is None else doubled(image, self._taps)

    def _styled(self, index: int, x: Tensor, own: _Own) -> Tensor:
        """All rows of a layer with noise and leaky ReLU."""
        height, width = x.shape[2:]
        folded, upsamples = own.convs[index], self._convs[index].conv.upsample
        scale = 2 if upsamples and self._taps is None else 1
        by_blocks = not upsamples and self._is_compiled(index, x, folded, height)
        if self._tiles is None or not (by_blocks or self._exact):
            y = self._convolution(index)(x, folded, 0, height)
        else:
            y = _empty(x, len(folded.bias), scale * height, scale * width)

            def strip(first: int, stop: int) -> None:
                part = y[:, :, scale * first : scale * stop]
                if by_blocks:
                    noise = _noise_of(own.noise[index], first, stop)
                    styled_by_blocks(x, folded, noise, first, part)
                else:
                    part.copy_(self._convolution(index)(x, folded, first, stop))

            _in_strips(self._tiles, strip, height, _NARROW if by_blocks else _STRIP)
        if self._taps is not None:
            y = doubled(y, self._taps) if upsamples else y
            return filtered_leaky_relu(y, self._taps, 1.0)
        return y if by_blocks else activated(y, own.noise[index])


def _empty(like: Tensor, channels: int, height: int, width: int) -> Tensor:
    """(1, C, H, W), channels last, of the type of ``like``."""
    size = 1, channels, height, width
    return torch.empty(size, dtype=like.dtype, memory_format=torch.channels_last)


def _noise_of(noise: Tensor | None, first: int, stop: int) -> Tensor | None:
    """The noise of a layer's rows."""
    return None if noise is None else noise[:, :, first:stop]


def _in_strips(tiles: Tiles, work: TileWork, rows: int, strip: int) -> None:
    """Call ``work`` for strips of rows, each on one core."""

    def several(first: int, stop: int) -> None:
        for index in range(first, stop):
            work(index * strip, min((index + 1) * strip, rows))

    tiles.run(several, -(-rows // strip), points_each=tiles.rows)
