"""The layout of a tab with one column of controls at the left and one large area beside it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

import dearpygui.dearpygui as dpg

from app.widgets.controls.ui import Ui
from app.widgets.drawing.backdrop import Rectangle
from app.widgets.layout.column import MENU_HEIGHT, PADDING, Column
from app.widgets.layout.splitter import Splitter

#: Widths of the column at scale 1, and its largest share of a narrow window.
_LEAST, _MOST, _SHARE = 208, 480, 0.28
_SPLITTER, _SCROLL_BAR = 6, 10


@dataclass(frozen=True)
class SidePlaces:
    """Result of a layout, pixels of the window.

    Attributes:
        controls: inner width of the column.
        area: width and height of the area.
        middle: origin and size of all beside the column; toasts lie over it.
        ground: the same, to be filled.
    """

    controls: int
    area: tuple[int, int]
    middle: tuple[tuple[int, int], tuple[int, int]]
    ground: Rectangle


class SideLayout:
    """The column, a bar to pull it by, and the area; created in the primary window.

    Args:
        resized: takes a new width of the column, pixels at scale 1.
    """

    def __init__(self, ui: Ui, resized: Callable[[int], None]) -> None:
        self._ui, self._resized = ui, resized
        self._key: Hashable = None
        self._width = 0
        self.controls = Column(ui.theme.panel, scrolls=True)
        self._splitter = Splitter(ui, self._dragged)
        self.area = Column(ui.theme.flat)

    def show(self, shown: bool) -> None:
        """Show or hide all."""
        self._key = None
        for part in (self.controls, self._splitter, self.area):
            part.show(shown)

    def place(self, wanted: int, *, has_controls: bool, also: Hashable = None) -> SidePlaces | None:
        """Put all into place; None if nothing has changed since the last call.

        Args:
            wanted: width of the column, pixels at scale 1.
            also: what else the content's size depends on.
        """
        width, height = dpg.get_viewport_client_width(), dpg.get_viewport_client_height()
        key = (width, height, wanted, has_controls, also)
        if key == self._key or width <= 0 or height <= 0:
            return None
        self._key, self._width = key, wanted
        px = self._ui.px
        top, pad, bar = px(MENU_HEIGHT), px(PADDING), px(_SPLITTER)
        left = min(px(wanted), max(px(_LEAST), round(_SHARE * width))) if has_controls else 0
        tall, wide = height - top, max(1, width - left - 2 * pad)
        self.controls.show(has_controls)
        self._splitter.show(has_controls)
        self.controls.place(0, top, left, tall)
        self._splitter.place(left, top, bar, tall)
        self.area.place(left + pad, top + pad, wide, tall - pad)
        self._ui.tooltips.edges = (left, width)
        return SidePlaces(
            controls=max(1, left - 2 * pad - px(_SCROLL_BAR)),
            area=(wide, tall - pad),
            middle=((left, top), (width - left, tall)),
            ground=Rectangle(left, top, width, height),
        )

    def _dragged(self, dx: float) -> None:
        self._resized(min(_MOST, max(_LEAST, self._width + round(dx / self._ui.scale))))
