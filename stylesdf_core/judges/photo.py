"""A photograph: opened, turned as its EXIF says, read in parts.

A photograph of 100 megapixels is decoded once, 4 bytes a pixel; everything else is made of a copy
that is reduced strip by strip, or of a region. So memory stays near the decoded picture's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylesdf_core.data import eight_bits
from stylesdf_core.errors import InputError
from stylesdf_core.foreign import open_picture, reading

Pixels = npt.NDArray[np.uint8]
Box = tuple[float, float, float, float]

#: Most pixels of a photograph.
LARGEST = 100_000_000
#: Pixels that are converted at once.
_STRIP = 4_000_000


@dataclass(frozen=True)
class Photo:
    """A decoded photograph; make with :func:`open_photo`.

    Attributes:
        name: how messages name the photograph.
        stored: the picture as it lies in the file.
        turn: what turns ``stored`` upright; None where it is upright.
    """

    name: str
    stored: Image.Image
    turn: Image.Transpose | None = None

    @classmethod
    def of(cls, pixels: Pixels, name: str = "the picture") -> Photo:
        """Of an upright picture (H, W, 3)."""
        return cls(name, Image.fromarray(pixels))

    @cached_property
    def size(self) -> tuple[int, int]:
        """Width and height, upright."""
        width, height = self.stored.size
        return (height, width) if self._lies else (width, height)

    def reduced(self, edge: int) -> tuple[Pixels, int]:
        """The photograph with its longer edge at most ``edge``, and by which factor it shrank."""
        width, height = self.stored.size
        factor = -(-max(width, height) // edge)
        if factor == 1:
            return self.region((0, 0, *self.size)), 1
        small = Image.new("RGB", (-(-width // factor), -(-height // factor)))
        rows = max(1, _STRIP // (width * factor)) * factor
        for top in range(0, height, rows):
            strip = self.stored.crop((0, top, width, min(height, top + rows)))
            small.paste(eight_bits.rgb(strip).reduce(factor), (0, top // factor))
        return np.asarray(self._turned(small)), factor

    def region(self, box: npt.ArrayLike, factor: int = 1) -> Pixels:
        """The part within ``box``: left, top, right, bottom, whole numbers inside the photograph.

        Args:
            factor: by which the part is shrunk, as a mean of squares.
        """
        left, top, right, bottom = np.reshape(box, 4).tolist()
        corners = [self._to_stored(left, top), self._to_stored(right, bottom)]
        (x0, x1), (y0, y1) = (sorted(values) for values in zip(*corners, strict=True))
        part = self.stored.crop((round(x0), round(y0), round(x1), round(y1)))
        return np.asarray(self._turned(eight_bits.rgb(part).reduce(factor)))

    @property
    def _lies(self) -> bool:
        turns = Image.Transpose
        return self.turn in {
            turns.ROTATE_90, turns.ROTATE_270, turns.TRANSPOSE, turns.TRANSVERSE,
        }  # fmt: skip

    def _turned(self, part: Image.Image) -> Image.Image:
        return part if self.turn is None else part.transpose(self.turn)

    def _to_stored(self, x: float, y: float) -> tuple[float, float]:
        """Where an upright point lies in ``stored``."""
        width, height = self.stored.size
        turns = Image.Transpose
        if self._lies:
            x, y = y, x
        mirrored_x = {turns.FLIP_LEFT_RIGHT, turns.ROTATE_180, turns.ROTATE_90, turns.TRANSVERSE}
        mirrored_y = {turns.FLIP_TOP_BOTTOM, turns.ROTATE_180, turns.ROTATE_270, turns.TRANSVERSE}
        return (
            width - x if self.turn in mirrored_x else x,
            height - y if self.turn in mirrored_y else y,
        )


def open_photo(path: Path) -> Photo:
    """Decode a photograph: any format that Pillow reads, up to 100 megapixels.

    Raises:
        InputError: there is no such file, it is damaged or no picture, or too large.
    """
    with reading(path, "a photograph"), open_picture(path) as image:
        width, height = image.size
        if width * height > LARGEST:
            raise InputError(
                f"{path} has {width * height / 1e6:.0f} megapixels; at most "
                f"{LARGEST / 1e6:.0f} are read. Make it smaller first."
            )
        image.load()
        turn = eight_bits.exif_turn(image)
        # The rule for deep values needs the whole picture's maximum.
        stored = eight_bits.rgb(image) if eight_bits.is_deep(image) else image
        eight_bits.rgb(stored.crop((0, 0, 1, 1)))  # refuses modes that Pillow does not convert
    return Photo(path.name, stored, turn)
