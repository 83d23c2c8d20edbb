"""Pictures on their way to the screen."""

from __future__ import annotations

import dearpygui.dearpygui as dpg
import numpy as np
import numpy.typing as npt

#: Edges that pictures are rendered at, pixels.
EDGES = (512, 768, 1024)


class PictureTexture:
    """The newest picture on the graphics card; a picture there never changes.

    Dear PyGui's raw and dynamic textures are uploaded in every frame, through a buffer that shows
    in a frame what had been copied before the last one. So every picture becomes a static texture
    of its own: uploaded once, on the screen with the next frame. The one before lives until the
    next comes, since deleting what is still drawn crashes.
    """

    def __init__(self) -> None:
        #: What to draw, the same until :meth:`show`; 0 while there is nothing.
        self.tag: int | str = 0
        #: Upper left and lower right corner of the picture in texture coordinates.
        self.uv_min = self.uv_max = (0.0, 0.0)
        self._before: int | str = 0
        self._registry = dpg.add_texture_registry()

    def show(self, pixels: npt.NDArray[np.float32]) -> None:
        """Upload a picture, (H, W, 3) in [0, 1]; whoever draws must then draw ``tag`` anew."""
        if self._before:
            dpg.delete_item(self._before)
        height, width = pixels.shape[0] + 2, pixels.shape[1] + 2
        texels = np.ones((height, width, 4), np.float32)
        texels[1:-1, 1:-1, :3] = pixels
        # A border of the same colours: filtering must not reach around to the opposite edge.
        texels[:, 0], texels[:, -1] = texels[:, 1], texels[:, -2]
        texels[0], texels[-1] = texels[1], texels[-2]
        tag = dpg.add_static_texture(width, height, texels.reshape(-1), parent=self._registry)
        self._before, self.tag = self.tag, tag
        self.uv_min = (1.0 / width, 1.0 / height)
        self.uv_max = (1.0 - self.uv_min[0], 1.0 - self.uv_min[1])


def suitable_edge(shown: float) -> int:
    """Edge of a picture to be rendered for a pane ``shown`` pixels wide."""
    return next((edge for edge in EDGES if edge >= 0.8 * shown), EDGES[-1])
