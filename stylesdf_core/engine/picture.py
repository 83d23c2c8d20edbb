"""Picture: a rendered view as an array, and the colours in which a screen shows the array."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from stylesdf_core.rendering.camera import VOLUME_RADIUS
from stylesdf_core.scene.scene import SURFACE_VIEWS, View

if TYPE_CHECKING:
    from torch import Tensor

FloatArray = npt.NDArray[np.float32]

#: Colour behind depth and normal maps, sRGB; the studio's background.
BACKDROP = (0x16 / 255, 0x18 / 255, 0x1C / 255)

#: Opacity that counts as complete: between sparse samples a solid head lets some light through.
SOLID = 0.95

#: Difference to neighbouring views at which the colours of an inconsistency map end, of 1.
HOTTEST = 24 / 255

# Seven stops from near (warm, bright) to far (deep, dark): lightness falls steadily, so that the
# map also reads in grey.
_DEPTH_STOPS = np.array(
    [
        [0.99, 0.96, 0.75],
        [0.99, 0.76, 0.45],
        [0.95, 0.52, 0.37],
        [0.80, 0.31, 0.42],
        [0.56, 0.20, 0.47],
        [0.31, 0.14, 0.43],
        [0.12, 0.09, 0.27],
    ],
    dtype=np.float32,
)


@dataclass(frozen=True)
class Picture:
    """One rendered view.

    Attributes:
        view: the view of the scene.
        data: (C, H, W) float32. depth: one channel, planar depth in world units; normals:
            world-space unit vectors; inconsistency: the difference to neighbouring views and the
            picture's luminance, both in [0, 1]; all others: RGB, nominally in [−1, 1],
            which a decoder exceeds a little; :meth:`array` clips it.
        background: (H, W) in [0, 1], the weight of the background (zeros for a decoded image,
            unless its outline was asked for).
        behind: (3, H, W) in [−1, 1], the background's own colours; None where they are not known.
        solid: opacity that counts as complete where a head is cut out, up to 1.
        screen: what :meth:`display` gives, where a GPU has made it: for 1024² pixels it takes half
            a millisecond there and ten here.
    """

    view: View
    data: FloatArray
    background: FloatArray
    behind: FloatArray | None = None
    solid: float = SOLID
    screen: FloatArray | None = None

    @classmethod
    def decoded(cls, image: Tensor, solid: float = SOLID) -> Picture:
        """A decoded image (3, S, S) on any device."""
        image = image.float()
        screen = _on_host(_for_screen(image)) if image.device.type == "cuda" else None
        data = _on_host(image)
        nothing = np.zeros(data.shape[1:], np.float32)
        return cls("image", data, nothing, solid=solid, screen=screen)

    def seen_as(self, view: View) -> Picture:
        """The same pixels as another view."""
        return replace(self, view=view)

    @property
    def size(self) -> int:
        """Edge in pixels."""
        return int(self.data.shape[-1])

    def array(self) -> FloatArray:
        """:attr:`data` for a file: colours within [−1, 1], NaN where there is no surface.

        A pixel of depth or normals has a surface where the background weighs less than a half.
        """
        if self.view in ("depth", "normals"):
            return np.where(self.background < 0.5, self.data, np.float32(np.nan))
        return np.clip(self.data, -1.0, 1.0).astype(np.float32, copy=False)

    def display(self) -> FloatArray:
        """(H, W, 3) in [0, 1], sRGB, ready for a screen; depth is colour-mapped."""
        if self.screen is not None:
            return self.screen
        colour = self._colours()
        if self.view in SURFACE_VIEWS:
            cover = self.background[..., None]
            colour = colour * (1.0 - cover) + np.asarray(BACKDROP, np.float32) * cover
        return np.ascontiguousarray(np.clip(colour, 0.0, 1.0), dtype=np.float32)

    def _colours(self) -> FloatArray:
        if self.view == "depth":
            return _depth_colours(self.data[0])
        if self.view == "inconsistency":
            return _heat(*self.data)
        colours: FloatArray = np.moveaxis(self.data, 0, -1) * 0.5 + 0.5
        return colours

    def cut_out(self) -> FloatArray:
        """The head without its background: colours and opacity, (H, W, 4) in [0, 1]."""
        from stylesdf_core.engine.matte import cut_out

        if self.behind is not None:
            return self._unmixed(self.behind)
        mixed = self.view not in SURFACE_VIEWS
        alpha = np.minimum((1.0 - self.background) / np.float32(self.solid), np.float32(1.0))
        return cut_out(np.clip(self._colours(), 0.0, 1.0), alpha, mixed=mixed)

    def _unmixed(self, behind: FloatArray) -> FloatArray:
        """The head's own colours where background shows through, and its opacity, exactly."""
        alpha = 1.0 - self.background[..., None]
        seen = np.moveaxis(self.data - self.background * behind, 0, -1)
        own = np.divide(seen, alpha, out=np.zeros_like(seen), where=alpha > 0.0)
        colors = np.clip(own * 0.5 + 0.5, 0.0, 1.0) * (alpha > 0.0)
        return np.concatenate([colors, alpha], axis=2).astype(np.float32)

    def to_uint8(self) -> npt.NDArray[np.uint8]:
        """:meth:`display` as 8-bit, (H, W, 3)."""
        return eight_bit(self.display())


def _for_screen(image: Tensor) -> Tensor:
    """A decoded image (3, S, S) in [−1, 1] as (S, S, 3) in [0, 1]."""
    return (image * 0.5 + 0.5).clamp(0.0, 1.0).permute(1, 2, 0).contiguous()


def _on_host(values: Tensor) -> FloatArray:
    """The values in the host's memory; from CUDA through pinned memory, which torch reuses."""
    if values.device.type != "cuda":
        array: FloatArray = values.cpu().numpy()
        return array
    import torch

    pinned = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
    pinned.copy_(values, non_blocking=True)
    torch.cuda.current_stream(values.device).synchronize()
    return pinned.numpy()


def pixels(picture: Picture) -> FloatArray:
    """An image or volume render as (H, W, 3) in [0, 1]."""
    return np.asarray(np.clip(np.moveaxis(picture.data, 0, -1) * 0.5 + 0.5, 0.0, 1.0), np.float32)


def eight_bit(colours: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Colours in [0, 1] as grey levels, any shape.

    Every picture is rounded by this rule, upwards from a half: another rule, as ``np.rint``'s,
    rounds some halves down, and the same face would make two files.
    """
    levels: npt.NDArray[np.uint8] = (np.clip(colours, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    return levels


def difference_colours(one: FloatArray, other: FloatArray, hottest: float = 64.0) -> FloatArray:
    """The difference of two pictures, (H, W, 3) in [0, 1], as colours over the first one, dimmed.

    Args:
        hottest: mean difference over the colours at which the colours end, grey levels of 255.
    """
    difference = np.abs(one - other).mean(axis=-1)
    return _heat(difference, one.mean(axis=-1), hottest / 255.0)


def _heat(difference: FloatArray, luminance: FloatArray, hottest: float = HOTTEST) -> FloatArray:
    """Differences (H, W) as colours (H, W, 3), from none to ``hottest``, over a dim picture."""
    heat = np.clip(difference / hottest, 0.0, 1.0)[..., None]
    ground = np.repeat(0.1 + 0.35 * luminance[..., None], 3, axis=-1)
    stops = _DEPTH_STOPS[::-1]
    position = heat[..., 0] * (len(stops) - 1)
    low = np.minimum(position.astype(np.int64), len(stops) - 2)
    t = (position - low)[..., None]
    colours = stops[low] * (1.0 - t) + stops[low + 1] * t
    mixed: FloatArray = ground * (1.0 - heat**0.5) + colours * heat**0.5
    return mixed.astype(np.float32)


def _depth_colours(depth: FloatArray) -> FloatArray:
    """Planar depth (H, W) -> colours (H, W, 3); the scale always spans the whole volume."""
    position = (depth - (1.0 - VOLUME_RADIUS)) / (2.0 * VOLUME_RADIUS)
    position = np.clip(position, 0.0, 1.0) * (len(_DEPTH_STOPS) - 1)
    low = np.minimum(position.astype(np.int64), len(_DEPTH_STOPS) - 2)
    t = (position - low)[..., None].astype(np.float32)
    colours: FloatArray = _DEPTH_STOPS[low] * (1.0 - t) + _DEPTH_STOPS[low + 1] * t
    return colours
