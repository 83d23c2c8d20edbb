"""A bar between two columns that can be dragged."""

from __future__ import annotations

from collections.abc import Callable

import dearpygui.dearpygui as dpg

from app.widgets import theme
from app.widgets.pointer import LEFT, Press
from app.widgets.ui import Ui


class Splitter:
    """A thin upright bar; reports how far it has been dragged since the last frame."""

    def __init__(self, ui: Ui, moved: Callable[[float], None]) -> None:
        self._ui, self._moved = ui, moved
        self._grabbed_at = 0.0
        self._lit = False
        self._edge = (1, 1)
        self.item: int | str = dpg.add_drawlist(1, 1)
        ui.pointer.add(self)

    def place(self, x: int, y: int, width: int, height: int) -> None:
        """Stand at a place, pixels of the window."""
        self._edge = (width, height)
        dpg.configure_item(self.item, pos=(x, y), width=width, height=height)
        self._draw()

    def show(self, shown: bool) -> None:
        """Hide with the columns."""
        dpg.configure_item(self.item, show=shown)

    def hover(self, x: float, y: float, *, inside: bool) -> None:
        """Light up."""
        if inside != self._lit:
            self._lit = inside
            self._draw()

    def press(self, press: Press) -> bool:
        """Take the left button."""
        self._grabbed_at = press.x
        return press.button == LEFT

    def drag(self, x: float, y: float) -> None:
        """The bar follows, so positions stay relative to it."""
        if x != self._grabbed_at:
            self._moved(x - self._grabbed_at)

    def release(self) -> None:
        """Nothing to end."""

    def wheel(self, steps: float) -> bool:
        """Nothing to scroll."""
        return False

    def _draw(self) -> None:
        dpg.delete_item(self.item, children_only=True)
        if self._lit:
            width, height = self._edge
            middle = width / 2
            dpg.draw_line(
                (middle, 0),
                (middle, height),
                color=theme.ACCENT,
                thickness=self._ui.px(2),
                parent=self.item,
            )
