"""Where the keyboard's focus rests while no control has it."""

from __future__ import annotations

import dearpygui.dearpygui as dpg

from app.widgets.drawing.theme import Item

_EDGE, _BELOW_MENUS = 4, 40


class Home:
    """An invisible point of the window, created in the current window.

    Dear PyGui moves the focus with Tab and, from control to control, with the arrow keys. At this
    point, in a child window of its own, the arrow keys reach no other control, so they are free for
    the camera.

    Args:
        menus: the menus of the menu bar.
    """

    def __init__(self, look: Item, menus: list[Item]) -> None:
        self._menus = menus
        options = {"border": False, "no_scrollbar": True, "flattened_navigation": False}
        with dpg.child_window(width=_EDGE, height=_EDGE, pos=(0, _BELOW_MENUS), **options) as child:
            self.item: Item = dpg.add_button(width=_EDGE, height=_EDGE)
        dpg.bind_item_theme(child, look)

    @property
    def has_focus(self) -> bool:
        """Whether no control has the focus."""
        return bool(dpg.is_item_focused(self.item))

    def take(self) -> None:
        """Take the focus from the control that has it."""
        dpg.focus_item(self.item)

    @property
    def popup_is_open(self) -> bool:
        """Whether a menu or the list of a combo box is open, which then gets the keys."""
        if any(dpg.is_item_focused(menu) for menu in self._menus):
            return True
        focused = dpg.get_focused_item()  # it may have been deleted
        exists = focused and dpg.does_item_exist(focused)
        if not exists or dpg.get_item_type(focused) != "mvAppItemType::mvCombo":
            return False
        return not dpg.get_item_state(focused).get("visible")  # Dear PyGui: only while closed
