"""Pictures of any mode and depth as upright 8-bit RGB.

Transparent parts become white. Values of more than 8 bits are converted by one rule. Whole numbers:
white is the largest number of 8, 12, 16 or 31 bits, the fewest bits that hold the picture's
maximum. Floating-point numbers: 1 is white.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

_TURNS = {  # by EXIF orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def upright_rgb(image: Image.Image) -> Image.Image:
    """A picture as RGB, turned as its EXIF says.

    Pillow's own function for EXIF writes the EXIF anew, which fails on odd entries in sound
    pictures.

    Raises:
        Exception: of any type: the file is damaged, or its values fit no rule: negative numbers,
            floats above 1, maxima from 2^16 to 2^30.
    """
    image.load()
    turn = exif_turn(image)
    return rgb(image if turn is None else image.transpose(turn))


def exif_turn(image: Image.Image) -> Image.Transpose | None:
    """What turns a decoded picture upright, as its EXIF says; None where nothing is to be done."""
    try:
        return _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # Pillow's parser raises any type for damaged EXIF
        return None


def rgb(image: Image.Image) -> Image.Image:
    """A picture, or a part of it that is not deep, as RGB.

    Raises:
        ValueError: the values fit no rule.
    """
    if is_deep(image):
        return Image.fromarray(_eight_bits(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:  # onto white: colours below full transparency are arbitrary
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def is_deep(image: Image.Image) -> bool:
    """Whether the picture has values of more than 8 bits."""
    return image.mode.startswith(("I", "F"))


def _eight_bits(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    if np.issubdtype(values.dtype, np.floating):
        low, high = values.min(), values.max()
        if not (low >= 0.0 and high <= 1.0):  # true for NaN as well
            raise ValueError(f"its values run from {low:g} to {high:g} instead of 0 to 1")
        return np.rint(values * np.float32(255.0)).astype(np.uint8)
    low, high = int(values.min()), int(values.max())
    bits = next(bits for bits in (8, 12, 16, 31) if high < 1 << bits)
    if low < 0 or (bits == 31 and high < 1 << 30):
        raise ValueError(
            f"its values run from {low} to {high}, the range of no known bit depth (8, 12, 16 or "
            "31); convert it to 8 bits"
        )
    return (values >> (bits - 8)).astype(np.uint8)
