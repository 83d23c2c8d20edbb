"""A picture on the browser's canvas, which is wider or higher than the picture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stylesdf_core.engine.picture import BACKDROP, eight_bit

Bytes = npt.NDArray[np.uint8]
_BACKDROP = np.array([round(255 * channel) for channel in BACKDROP], np.uint8)


def on_canvas(pixels: npt.NDArray[np.float32], aspect: float) -> Bytes:
    """Pixels (S, S, 3) in [0, 1], centred on the backdrop, as 8-bit (H, W, 3) of an aspect.

    Args:
        aspect: the canvas's width by its height.
    """
    edge = len(pixels)
    height, width = (edge, round(edge * aspect)) if aspect >= 1 else (round(edge / aspect), edge)
    canvas = empty_canvas(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    canvas[top : top + edge, left : left + edge] = eight_bit(pixels)
    return canvas


def empty_canvas(height: int = 2, width: int = 2) -> Bytes:
    """The backdrop alone, (H, W, 3)."""
    return np.broadcast_to(_BACKDROP, (height, width, 3)).copy()
