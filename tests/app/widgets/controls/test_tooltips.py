"""Tooltips stand beside the panel of their item, wholly within the window."""

from __future__ import annotations

import pytest

from app.widgets.controls.tooltips import place_beside
from app.widgets.drawing.backdrop import Rectangle

WINDOW, EDGES, GAP = (1280, 800), (316, 1000), 8


@pytest.mark.parametrize(
    ("item", "size", "place"),
    [
        (Rectangle(12, 100, 300, 124), (300, 60), (324, 100)),  # beside the left column
        (Rectangle(1010, 100, 1260, 124), (300, 60), (692, 100)),  # beside the right column
        (Rectangle(1010, 780, 1260, 800), (300, 60), (692, 740)),  # not below the window
        (Rectangle(400, 740, 470, 764), (300, 60), (400, 672)),  # above the toolbar
        (Rectangle(900, 4, 1000, 24), (300, 60), (900, 32)),  # below the menu bar
        (Rectangle(980, 4, 1010, 24), (400, 60), (880, 32)),  # not beyond the right edge
    ],
)
def test_the_place_is_beside_the_item_s_panel(
    item: Rectangle, size: tuple[int, int], place: tuple[int, int]
) -> None:
    x, y = place_beside(item, size, WINDOW, EDGES, GAP)
    assert (x, y) == place
    outside = x + size[0] <= item.left or x >= item.right
    assert outside or y + size[1] <= item.top or y >= item.bottom
