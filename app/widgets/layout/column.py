"""A container for panels; the layout decides its place in the window."""

from __future__ import annotations

from contextlib import AbstractContextManager

import dearpygui.dearpygui as dpg

from app.widgets.controls.ui import inside
from app.widgets.drawing.theme import Item

#: Height of the menu bar over all columns, and free space inside the edges of a column and
#: of the area under the viewport; at scale 1.
MENU_HEIGHT, PADDING, STRIP_PADDING = 26, 12, 8


class Column:
    """A container in the window that is being built; it has no place until :meth:`place`.

    Args:
        look: a theme.
        scrolls: whether content that does not fit can be scrolled to, else it is cut off.
    """

    def __init__(self, look: Item, *, scrolls: bool = False) -> None:
        self.item: Item = dpg.add_child_window(
            border=False,
            no_scrollbar=not scrolls,
            no_scroll_with_mouse=not scrolls,
            always_use_window_padding=True,
        )
        dpg.bind_item_theme(self.item, look)

    def inside(self) -> AbstractContextManager[None]:
        """Create items in the column."""
        return inside(self.item)

    def place(self, x: int, y: int, width: int, height: int) -> None:
        """Move to a place and take a size, pixels of the window."""
        dpg.configure_item(self.item, pos=(x, y), width=max(1, width), height=max(1, height))

    def show(self, shown: bool = True) -> None:
        """Show or hide the column with its content."""
        dpg.configure_item(self.item, show=shown)
