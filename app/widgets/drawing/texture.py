"""Pictures on the graphics card: an array of pixels becomes a texture."""

from __future__ import annotations

from collections import defaultdict
from typing import TypeAlias

import dearpygui.dearpygui as dpg
import numpy as np
import numpy.typing as npt

from app.widgets.drawing.theme import Item

#: Edges that pictures are rendered at, pixels.
_EDGES = (512, 768, 1024)


class PictureTexture:
    """The newest picture on the graphics card; :meth:`show` replaces the picture.

    Dear PyGui uploads raw and dynamic textures in every frame, and shows them a frame late. So each
    picture becomes a static texture of its own: uploaded once, on the screen with the next frame.
    Deleting a texture that is still drawn crashes, so a picture's texture is deleted only when the
    second picture after it comes.

    Attributes:
        tag: the texture to draw, the same until :meth:`show`; 0 before the first picture.
        uv_min, uv_max: the picture's upper left and lower right corner in texture coordinates.
    """

    def __init__(self) -> None:
        self.tag: Item = 0
        self.uv_min = self.uv_max = (0.0, 0.0)
        self._before: Item = 0
        self._registry = dpg.add_texture_registry()

    def show(self, pixels: npt.NDArray[np.float32]) -> None:
        """Upload a picture, (H, W, 3) in [0, 1]; ``tag`` changes and has to be drawn anew."""
        if self._before:
            dpg.delete_item(self._before)
        height, width = pixels.shape[0] + 2, pixels.shape[1] + 2
        texels = np.ones((height, width, 4), np.float32)
        texels[1:-1, 1:-1, :3] = pixels
        # The picture's edge pixels are repeated around the picture: filtering reads beyond the
        # edges and would find the pixels of the opposite edge there.
        texels[:, 0], texels[:, -1] = texels[:, 1], texels[:, -2]
        texels[0], texels[-1] = texels[1], texels[-2]
        tag = dpg.add_static_texture(width, height, texels.reshape(-1), parent=self._registry)
        self._before, self.tag = self.tag, tag
        self.uv_min = (1.0 / width, 1.0 / height)
        self.uv_max = (1.0 - self.uv_min[0], 1.0 - self.uv_min[1])

    def free(self) -> None:
        """Delete the picture before, once two frames have been drawn since :meth:`show`."""
        if self._before:
            dpg.delete_item(self._before)
            self._before = 0

    def middle(self, share: float) -> tuple[tuple[float, float], tuple[float, float]]:
        """Texture coordinates of the picture's middle part, ``share`` of its edge."""
        (left, top), (right, bottom) = self.uv_min, self.uv_max
        x, y = (right - left) * (1.0 - share) / 2, (bottom - top) * (1.0 - share) / 2
        return (left + x, top + y), (right - x, bottom - y)


#: The window's pictures by name. They stay when its widgets are made anew at another scale, since
#: deleting a drawn texture crashes.
Textures: TypeAlias = defaultdict[str, PictureTexture]


def suitable_edge(shown: float) -> int:
    """Edge, pixels, at which to render a picture for a pane ``shown`` pixels wide."""
    return next((edge for edge in _EDGES if edge >= 0.8 * shown), _EDGES[-1])
