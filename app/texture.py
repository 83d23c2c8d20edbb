"""Pictures on their way to the screen: textures that live as long as the window."""

from __future__ import annotations

import dearpygui.dearpygui as dpg
import numpy as np
import numpy.typing as npt

#: Edges of the textures there are, pixels. Dear PyGui 2.3 uploads every raw texture in every
#: frame, so each is made only when a picture first needs it.
EDGES = (512, 768, 1024)


class PictureTexture:
    """Raw float RGBA textures that a pane's pictures are copied into, up to 1024².

    None is ever deleted: deleting a live texture crashes Dear PyGui. Raw textures with three
    channels come out wrong on macOS.

    Dear PyGui shows in a frame what had been copied before the last one. Where a picture lies
    must be told just as late, or a frame would show the old picture cut as the new one.
    """

    def __init__(self) -> None:
        self._made: dict[int, tuple[int | str, npt.NDArray[np.float32]]] = {}
        #: The texture that holds the picture to be drawn; 0 while nothing has been shown.
        self.tag: int | str = 0
        #: Lower right corner of the picture in texture coordinates.
        self.uv_max = (0.0, 0.0)
        self._copied: tuple[int | str, tuple[float, float]] = (self.tag, self.uv_max)

    def advance(self) -> None:
        """A frame has passed: what was copied before it can be drawn."""
        self.tag, self.uv_max = self._copied

    def show(self, pixels: npt.NDArray[np.float32]) -> None:
        """Copy a picture, (H, W, 3) in [0, 1], H and W at most 1024."""
        height, width = pixels.shape[:2]
        edge = next(edge for edge in EDGES if edge >= max(height, width))
        if edge not in self._made:
            self._made[edge] = _make(edge + 1, edge + 1)
        tag, texels = self._made[edge]
        texels[:height, :width, :3] = pixels
        # A border of the same colours keeps filtering from reaching stale texels.
        texels[height, :width, :3] = pixels[-1]
        texels[:height, width, :3] = pixels[:, -1]
        texels[height, width, :3] = pixels[-1, -1]
        self._copied = (tag, (width / (edge + 1), height / (edge + 1)))
        dpg.set_value(tag, texels)


class SheetTexture:
    """One raw texture for pictures that change seldom, up to a size of its own.

    Made when a picture first needs it, and never deleted; see :class:`PictureTexture`. From then
    on every frame uploads it, so it had better be small.
    """

    def __init__(self, width: int, height: int) -> None:
        self._size = (width, height)
        self._made: tuple[int | str, npt.NDArray[np.float32]] | None = None
        #: As of :class:`PictureTexture`.
        self.tag: int | str = 0
        self.uv_max = (0.0, 0.0)
        self._copied: tuple[int | str, tuple[float, float]] = (self.tag, self.uv_max)

    def advance(self) -> None:
        """A frame has passed: what was copied before it can be drawn."""
        self.tag, self.uv_max = self._copied

    def show(self, pixels: npt.NDArray[np.float32]) -> None:
        """Copy a picture, (H, W, 3) in [0, 1], no larger than the texture."""
        width, height = self._size
        if self._made is None:
            self._made = _make(width, height)
        tag, texels = self._made
        high, wide = pixels.shape[:2]
        texels[:high, :wide, :3] = pixels
        self._copied = (tag, (wide / width, high / height))
        dpg.set_value(tag, texels)


def suitable_edge(shown: float) -> int:
    """Edge of a picture to be rendered for a pane ``shown`` pixels wide."""
    return next((edge for edge in EDGES if edge >= 0.8 * shown), EDGES[-1])


def _make(width: int, height: int) -> tuple[int | str, npt.NDArray[np.float32]]:
    texels = np.zeros((height, width, 4), np.float32)
    texels[..., 3] = 1.0
    with dpg.texture_registry():
        tag = dpg.add_raw_texture(width, height, texels, format=dpg.mvFormat_Float_rgba)
    return tag, texels
