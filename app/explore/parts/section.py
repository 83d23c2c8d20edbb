"""A panel's heading, which folds the panel under it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from itertools import pairwise

import dearpygui.dearpygui as dpg

from app.state.workbench import Workbench
from app.widgets.controls.pointer import ACT_KEYS, LEFT, MouseTarget, Press
from app.widgets.controls.ui import Ui, inside
from app.widgets.drawing import fonts, theme
from app.widgets.drawing.backdrop import Rectangle
from app.widgets.drawing.canvas import Canvas

_HEIGHT = 28


class Section(MouseTarget):
    """A heading and a group for one panel, created in the current container.

    The settings remember by their titles which sections are folded.
    """

    def __init__(self, ui: Ui, workbench: Workbench, title: str) -> None:
        self._ui, self._workbench, self.title, self._width = ui, workbench, title, 1
        self._hovered = False
        self._canvas = Canvas(1, ui.px(_HEIGHT))
        self.item = self._canvas.item
        ui.tooltip(self.item, "Fold or unfold")
        ui.pointer.add(self)
        self._body: theme.Item = dpg.add_group()

    def inside(self) -> AbstractContextManager[None]:
        """Create the panel's items."""
        return inside(self._body)

    @property
    def is_folded(self) -> bool:
        """Whether only the heading is shown."""
        return self.title in self._workbench.settings.window.folded

    @property
    def place(self) -> Rectangle:
        """Of heading and panel in the window, pixels."""
        left, top = dpg.get_item_rect_min(self.item)
        height = self._ui.px(_HEIGHT)
        if not self.is_folded:
            height += dpg.get_item_rect_size(self._body)[1]
        return Rectangle(left, top, left + self._width, top + height)

    def resize(self, width: int) -> None:
        """Fit a column."""
        self._width = width
        self._canvas.resize(width, self._ui.px(_HEIGHT))

    def sync(self) -> None:
        """Show or hide the panel."""
        folded = self.is_folded
        if not self._canvas.wants(folded, self._hovered, self._width):
            return
        dpg.configure_item(self._body, show=not folded)
        px, size = self._ui.px, self._ui.px(fonts.SMALL)
        color = theme.TEXT if self._hovered else theme.MUTED
        top = px(_HEIGHT) - size - px(5)
        words = self._canvas.text(0, top, self.title.upper(), size, color)
        if self._ui.theme.semibold:
            dpg.bind_item_font(words, self._ui.theme.semibold)
        x, y, arm = self._width - px(9), top + size / 2, px(4)
        color = theme.TEXT if self._hovered else theme.FAINT
        if folded:
            points = ((x - arm / 2, y - arm), (x + arm / 2, y), (x - arm / 2, y + arm))
        else:
            points = ((x - arm, y - arm / 2), (x, y + arm / 2), (x + arm, y - arm / 2))
        for (x0, y0), (x1, y1) in pairwise(points):
            self._canvas.line(x0, y0, x1, y1, color, px(1.5))

    def hover(self, x: float, y: float, *, inside: bool) -> None:
        """Light up."""
        self._hovered = inside
        self.sync()

    def press(self, press: Press) -> bool:
        """Fold or unfold."""
        if press.button == LEFT:
            self._toggle()
        return False

    def key(self, code: int) -> bool:
        """Fold or unfold with Enter and Space."""
        if code in ACT_KEYS:
            self._toggle()
        return code in ACT_KEYS

    def _toggle(self) -> None:
        folded = set(self._workbench.settings.window.folded) ^ {self.title}
        self._workbench.change_settings("window", folded=tuple(sorted(folded)))
