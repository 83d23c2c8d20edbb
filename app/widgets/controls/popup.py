"""A menu that opens at the mouse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import dearpygui.dearpygui as dpg

from app.widgets.controls.ui import Ui
from app.widgets.drawing.theme import Item


class PopupMenu:
    """Lists actions at the mouse until one is chosen, or the mouse clicks elsewhere."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui
        self._window: Item = 0

    def open(self, actions: Sequence[tuple[str, Callable[[], None]]]) -> None:
        """Show a line for each action."""
        if self._window and dpg.does_item_exist(self._window):
            dpg.delete_item(self._window)
        x, y = dpg.get_mouse_pos(local=False)
        with dpg.window(
            popup=True, no_title_bar=True, no_move=True, no_resize=True, autosize=True,
            min_size=(1, 1), pos=(int(x), int(y)),
        ) as self._window:  # fmt: skip
            for label, act in actions:
                dpg.add_selectable(label=label, callback=partial(self._choose, act))
        dpg.bind_item_theme(self._window, self._ui.theme.popup)

    def _choose(self, act: Callable[[], None], *_: object) -> None:
        dpg.hide_item(self._window)
        act()
