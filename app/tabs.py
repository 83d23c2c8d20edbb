"""The tabs in the menu bar: a button each, or one menu of them where the window is narrow."""

from __future__ import annotations

from functools import partial

import dearpygui.dearpygui as dpg

from app.actions import Actions, Page
from app.widgets.controls.ui import Ui
from app.widgets.drawing import theme

#: Label and tooltip of each tab.
TABS: dict[Page, tuple[str, str]] = {
    "explore": ("Explore", "Faces: identity, camera, mesh, export  Ctrl+T"),
    "sheet": ("Sheet", "A page of faces: seeds, edits, ranges, morphs  Ctrl+T"),
    "compare": ("Compare", "Two faces, models or views under one camera  Ctrl+T"),
    "train": ("Train", "Training runs: start, follow, resume, open  Ctrl+T"),
}
_WIDTH = 74


class Tabs:
    """The tabs, created in the menu bar.

    Attributes:
        menu: of all tabs, shown in place of the buttons where they have no room.
        is_narrow: whether the menu is shown.
    """

    def __init__(self, ui: Ui, actions: Actions) -> None:
        self._ui = ui
        self._buttons: dict[Page, theme.Item] = {}
        self._lines: dict[Page, theme.Item] = {}
        for page, (label, tip) in TABS.items():
            act = partial(actions.window.show_page, page)
            self._buttons[page] = ui.button(label, act, tip, width=ui.px(_WIDTH))
        with dpg.menu(show=False) as self.menu:
            for page, (label, _) in TABS.items():
                act = partial(actions.window.show_page, page)
                self._lines[page] = dpg.add_menu_item(label=label, check=True, callback=act)
        dpg.bind_item_theme(self.menu, ui.theme.popup)
        self.is_narrow = False
        self._needed = 0.0

    def show(self, shown: Page, runs: int) -> None:
        """Show which tab is chosen, and how many runs are being trained."""
        labels = {page: label for page, (label, _) in TABS.items()}
        labels["train"] = f"Train · {runs}" if runs else "Train"
        for page, label in labels.items():
            self._ui.select(self._buttons[page], page == shown)
            dpg.configure_item(self._buttons[page], label=label)
            dpg.configure_item(self._lines[page], label=label)
            dpg.set_value(self._lines[page], page == shown)
        dpg.configure_item(self.menu, label=labels[shown])

    def fit(self, needed: float, room: float) -> None:
        """Show the buttons where there is room, else the menu.

        Args:
            needed: width of the menu bar in the last frame without what is left free, pixels.
            room: width of the window.
        """
        if not self.is_narrow:
            self._needed = needed
        narrow = self._needed > room
        if narrow != self.is_narrow:
            self.is_narrow = narrow
            dpg.configure_item(self.menu, show=narrow)
            for button in self._buttons.values():
                dpg.configure_item(button, show=not narrow)
