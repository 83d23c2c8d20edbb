"""Pictures on their way to the screen: one preallocated texture each, cropped by its uv."""

from __future__ import annotations

import dearpygui.dearpygui as dpg
import numpy as np
import numpy.typing as npt

from app.picture_worker import MAX_PICTURE

_EDGE = MAX_PICTURE + 1  # room for the border that keeps filtering from reaching stale texels


class PictureTexture:
    """A float RGBA texture that pictures up to 1024² are copied into.

    It lives as long as the window: deleting a live texture crashes Dear PyGui, and raw textures
    with three channels come out wrong on macOS.
    """

    def __init__(self) -> None:
        self._pixels = np.zeros((_EDGE, _EDGE, 4), np.float32)
        self._pixels[..., 3] = 1.0
        with dpg.texture_registry():
            self.tag: int | str = dpg.add_raw_texture(
                _EDGE, _EDGE, self._pixels, format=dpg.mvFormat_Float_rgba
            )
        #: Lower right corner of the picture in texture coordinates.
        self.uv_max = (0.0, 0.0)

    @property
    def empty(self) -> bool:
        """Whether nothing has been shown yet."""
        return self.uv_max == (0.0, 0.0)

    def show(self, pixels: npt.NDArray[np.float32]) -> None:
        """Copy a picture, (H, W, 3) in [0, 1], H and W at most 1024."""
        height, width = pixels.shape[:2]
        self._pixels[:height, :width, :3] = pixels
        self._pixels[height, :width, :3] = pixels[-1]
        self._pixels[:height, width, :3] = pixels[:, -1]
        self._pixels[height, width, :3] = pixels[-1, -1]
        self.uv_max = (width / _EDGE, height / _EDGE)
        dpg.set_value(self.tag, self._pixels)
