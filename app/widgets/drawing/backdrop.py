"""The ground behind panels and pictures, filled only where it can be seen.

Without a graphics card, filling rectangles takes most of a frame's time: a software renderer needs
some 7 ns a pixel, while clearing the window to one colour costs nothing. So the window is cleared
to the panels' colour and panels fill nothing. Only the darker ground between the panels is filled,
except where a picture covers it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import dearpygui.dearpygui as dpg

from app.widgets.drawing import theme


@dataclass(frozen=True)
class Rectangle:
    """Part of the window, pixels from its upper left corner; right and bottom are outside."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to fill."""
        return self.right <= self.left or self.bottom <= self.top


class Ground:
    """The dark ground between panels, drawn before everything else in the window."""

    def __init__(self) -> None:
        self.item = dpg.add_viewport_drawlist(front=False)
        self._shown: tuple[Rectangle, ...] = ()

    def show(self, dark: Iterable[Rectangle]) -> None:
        """Fill only these rectangles, which do not overlap."""
        shown = tuple(dark)
        if shown == self._shown:
            return
        self._shown = shown
        dpg.delete_item(self.item, children_only=True)
        for part in shown:
            dpg.draw_rectangle(
                (part.left, part.top), (part.right, part.bottom), color=theme.CLEAR,
                fill=theme.BACKGROUND, parent=self.item,
            )  # fmt: skip


def around(outer: Rectangle, row: Iterable[Rectangle]) -> list[Rectangle]:
    """The parts of ``outer`` that remain around ``row``, rectangles in it from left to right."""
    holes = list(row)
    if not holes:
        return [outer]
    top = min(hole.top for hole in holes)
    bottom = max(hole.bottom for hole in holes)
    parts = [
        Rectangle(outer.left, outer.top, outer.right, top),
        Rectangle(outer.left, bottom, outer.right, outer.bottom),
    ]
    left = outer.left
    for hole in holes:
        parts.append(Rectangle(left, top, hole.left, bottom))
        left = hole.right
    parts.append(Rectangle(left, top, outer.right, bottom))
    return [part for part in parts if not part.is_empty]
