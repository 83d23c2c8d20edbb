"""The ground behind panels: filled once, except where a picture covers it."""

from __future__ import annotations

import numpy as np
import pytest

from app.widgets.drawing.backdrop import Rectangle, around

GROUND = Rectangle(10, 20, 90, 80)


def filled(parts: list[Rectangle]) -> np.ndarray:
    """How often each pixel is filled."""
    times = np.zeros((100, 100), np.int64)
    for part in parts:
        times[int(part.top) : int(part.bottom), int(part.left) : int(part.right)] += 1
    return times


@pytest.mark.parametrize(
    "holes",
    [
        [],
        [Rectangle(10, 20, 90, 80)],
        [Rectangle(30, 30, 60, 60)],
        [Rectangle(10, 30, 40, 60), Rectangle(50, 30, 80, 60)],
        [Rectangle(15, 20, 45, 80), Rectangle(45, 20, 90, 80)],
    ],
)
def test_the_ground_around_pictures_is_filled_once(holes: list[Rectangle]) -> None:
    parts = around(GROUND, holes)
    assert not any(part.is_empty for part in parts)
    expected = filled([GROUND]) - filled(holes)
    assert np.array_equal(filled(parts), expected)
