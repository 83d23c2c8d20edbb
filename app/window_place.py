"""The window's place on the displays, its scale, and full screen; remembered in the settings."""

from __future__ import annotations

import dearpygui.dearpygui as dpg

from app.state.displays import Display, Placement, displays, least_size, placed, under
from app.state.workbench import Workbench

#: Left and top of a first window where the displays are not known, pixels.
CORNER = 60


class WindowPlace:
    """Finds a place for the window, and notes where the user puts the window.

    Args:
        workbench: whose settings remember the place.
    """

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench
        self._display_scale = 1.0
        self._displays: tuple[Display, ...] = ()
        self._is_full_screen = False

    def first(self) -> Placement:
        """The window's place at its start: the last place, as far as the displays still have it."""
        window = self._workbench.settings.window
        self._displays = displays()
        last = Placement(window.width, window.height, window.x, window.y) if window.width else None
        if self._displays:
            self._display_scale = under(last or Placement(0, 0), self._displays).scale
        return placed(last, self.scale, self._displays)

    @property
    def scale(self) -> float:
        """Of all texts and lengths: the user's, else the display's."""
        return self._workbench.settings.window.font_scale or self._display_scale

    @property
    def least_size(self) -> tuple[int, int]:
        """Least width and height of the window at its scale, pixels."""
        return least_size(self.scale, self._displays)

    def limit(self) -> None:
        """Keep the window from becoming smaller than the least size at the present scale."""
        width, height = self.least_size
        dpg.set_viewport_min_width(width)
        dpg.set_viewport_min_height(height)

    def toggle_full_screen(self) -> None:
        """Fill the screen, or go back to the place before."""
        self._is_full_screen = not self._is_full_screen
        dpg.toggle_viewport_fullscreen()

    def remember(self) -> None:
        """Note where the window is, unless it fills the screen for a while."""
        if self._is_full_screen:
            return
        x, y = map(int, dpg.get_viewport_pos())
        width, height = dpg.get_viewport_width(), dpg.get_viewport_height()
        window = self._workbench.settings.window
        if (width, height, x, y) != (window.width, window.height, window.x, window.y):
            self._workbench.change_settings("window", width=width, height=height, x=x, y=y)
