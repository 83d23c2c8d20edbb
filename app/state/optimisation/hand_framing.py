"""A photograph's framing by hand: marks of eyes and mouth, moved by clicks or with the photograph.

The photograph lies under the mean head's outline. Its marks say how: the frame is the one in which
they lie nearest to the mean head's eyes and mouth. So a moved, turned or scaled photograph is one
whose marks are moved, turned or scaled the other way, and marks alone describe every framing.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
import numpy.typing as npt

from stylesdf_core.data.frame_presets import FramePreset
from stylesdf_core.errors import InputError
from stylesdf_core.judges.face import FoundFace, ordered, usual_marks
from stylesdf_core.judges.framing import CropFrame

FloatArray = npt.NDArray[np.float64]
#: Largest frame, as a multiple of the photograph's longer edge, and smallest, pixels.
_LARGEST, _SMALLEST = 4.0, 64.0


class HandFraming:
    """The framing of one photograph; points of the frame are x + iy, −1 to 1, y down.

    Args:
        size: width and height of the upright photograph, pixels.
        preset: how the model's pictures are framed.
        marks: left eye, right eye and mouth, (3, 2) pixels; None for a head in the middle.

    Attributes:
        next_mark: number of the mark that the next click sets; None while clicks set none.
    """

    def __init__(
        self, size: tuple[int, int], preset: FramePreset, marks: FloatArray | None = None
    ) -> None:
        self._size, self._preset = size, preset
        self._usual = usual_marks(preset)
        self.next_mark: int | None = None
        self._clicked: list[FloatArray] = []  # the photograph's pixels
        self._dragged: tuple[int, complex] | None = None
        if marks is None:
            width, height = size
            middle = CropFrame((0.5 * width, 0.5 * height), (0.5 * min(size), 0.0))
            marks = middle.point(*self._usual.T)
        self._marks = marks

    @property
    def marks(self) -> FloatArray:
        """Left eye, right eye and mouth, (3, 2), the photograph's pixels."""
        return self._marks

    @property
    def frame(self) -> CropFrame:
        """The square of the photograph that lies under the mean head's picture."""
        return FoundFace.of_marks(self._marks).frame(self._preset)

    @cached_property
    def usual(self) -> list[complex]:
        """Where the mean head's eyes and mouth are."""
        return [complex(x, y) for x, y in self._usual]

    @property
    def shown(self) -> list[complex]:
        """The marks in the frame; while marks are being clicked, those that are set."""
        marks = self._marks if self.next_mark is None else np.reshape(self._clicked, (-1, 2))
        places = [complex(x, y) for x, y in self.frame.inside(marks)]
        if self._dragged is not None:
            places[self._dragged[0]] = self._dragged[1]
        return places

    # --- the photograph under the outline -------------------------------------------------------

    def move(self, by: complex) -> None:
        """Move the photograph."""
        self._map(1.0, -by)

    def scale(self, factor: float) -> None:
        """Enlarge the photograph around the frame's middle."""
        edge = self.frame.edge / factor
        if _SMALLEST <= edge <= _LARGEST * max(self._size):
            self._map(1.0 / factor, 0.0)

    def turn(self, angle: float) -> None:
        """Turn the photograph around the frame's middle, radians clockwise."""
        self._map(complex(math.cos(angle), -math.sin(angle)), 0.0)

    def _map(self, factor: complex, move: complex) -> None:
        """Map the marks, as points of the frame; they stay where one would leave the photograph."""
        frame = self.frame
        x, y = frame.inside(self._marks).T
        mapped = factor * (x + 1j * y) + move
        marks = frame.point(mapped.real, mapped.imag)
        if (marks >= 0.0).all() and (marks <= self._size).all():
            self._marks = marks

    # --- the marks ------------------------------------------------------------------------------

    def begin_clicks(self) -> None:
        """Let the next three clicks set the marks, in their order."""
        self.next_mark, self._clicked = 0, []

    def end_clicks(self) -> None:
        """Keep the marks as they were."""
        self.next_mark, self._clicked = None, []

    def click(self, place: complex) -> None:
        """Set the next mark; the third one frames the photograph anew.

        Raises:
            InputError: the three marks lie on a line; the old ones are kept.
        """
        self._clicked.append(self.frame.point(*np.array([place.real, place.imag])))
        self.next_mark = len(self._clicked)
        if self.next_mark == len(self._usual):
            clicked = self.shown
            self.end_clicks()
            self._take(clicked)

    def grab(self, place: complex, reach: float) -> bool:
        """Take the mark within ``reach`` of a place, for :meth:`drag`; whether there is one."""
        distances = [abs(mark - place) for mark in self.shown]
        nearest = int(np.argmin(distances)) if distances else 0
        if self.next_mark is not None or not distances or distances[nearest] > reach:
            return False
        self._dragged = (nearest, place)
        return True

    def drag(self, place: complex) -> None:
        """Move the mark that was grabbed; the frame stays until :meth:`drop`."""
        if self._dragged is not None:
            self._dragged = (self._dragged[0], place)

    def drop(self) -> None:
        """Frame the photograph by its marks as they are now.

        Raises:
            InputError: the three marks lie on a line; the old ones are kept.
        """
        places, self._dragged = (self.shown if self._dragged is not None else None), None
        if places is not None:
            self._take(places)

    def _take(self, places: list[complex]) -> None:
        points = np.array(places)
        marks = self.frame.point(points.real, points.imag).clip(0.0, np.array(self._size, float))
        try:
            self._marks = ordered(marks)
        except InputError:
            raise InputError("Eyes and mouth cannot lie on one line; click them again.") from None
