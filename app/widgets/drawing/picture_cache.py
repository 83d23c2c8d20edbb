"""Many small pictures on the graphics card, of which the least recently drawn make room."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable
from itertools import count

import numpy as np
import numpy.typing as npt
from PIL import Image

from app.widgets.drawing.texture import PictureTexture, Textures

#: New textures a frame: a page of small pictures must not delay a frame.
_UPLOADS = 6
_FRAMES_DRAWN = 3  # after which a replaced texture is surely not drawn any more
_SPARE = 8  # textures beyond those on the screen


class PictureCache:
    """Textures by the key of the picture that they hold.

    Args:
        name: of the textures, which outlive the cache.
    """

    def __init__(self, textures: Textures, name: str) -> None:
        self._textures, self._name = textures, name
        self._held: OrderedDict[Hashable, PictureTexture] = OrderedDict()  # last drawn at the end
        self._numbers = count()
        self._frame = self._uploads = 0
        self._uploaded: deque[tuple[int, PictureTexture]] = deque()  # with the frame of each

    def next_frame(self) -> None:
        """Once a frame: free the textures that have been replaced, and allow new uploads."""
        self._frame += 1
        self._uploads = 0
        while self._uploaded and self._frame > self._uploaded[0][0] + _FRAMES_DRAWN:
            self._uploaded.popleft()[1].free()

    def find(self, key: Hashable) -> PictureTexture | None:
        """The texture of a picture that is drawn in this frame; None if it is not uploaded."""
        texture = self._held.get(key)
        if texture is not None:
            self._held.move_to_end(key)
        return texture

    def upload(self, key: Hashable, pixels: npt.NDArray[np.uint8], edge: int, shown: int) -> None:
        """Upload a picture unless it is there, in a frame in which few others were uploaded.

        Args:
            pixels: (H, W, 3).
            edge: most pixels that the picture needs along its longer edge.
            shown: number of pictures on the screen, whose textures must stay.
        """
        if key in self._held or self._uploads >= _UPLOADS:
            return
        self._uploads += 1
        if len(self._held) > shown + _SPARE:
            _, texture = self._held.popitem(last=False)
        else:
            texture = self._textures[f"{self._name}-{next(self._numbers)}"]
        image = Image.fromarray(pixels)
        image.thumbnail((edge, edge), Image.Resampling.LANCZOS)
        texture.show(np.asarray(image, np.float32) / np.float32(255.0))
        self._held[key] = texture
        self._uploaded.append((self._frame, texture))
