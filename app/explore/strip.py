"""The foldable area under the viewport, whose tabs show one panel at a time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar

import dearpygui.dearpygui as dpg

from app.state.workbench import Workbench
from app.widgets.controls.ui import IconButton, Ui, inside
from app.widgets.drawing import icons, theme
from stylesdf_core.scene.scene import Scene

_HEAD, _BELOW = 30, 6


class StripPanel(Protocol):
    """A panel of the area.

    Attributes:
        HEIGHT: of the panel at scale 1, in a low and in a high window.
    """

    HEIGHT: tuple[int, int]

    def resize(self, width: int, height: int) -> None:
        """Fit the area."""

    def sync(self, scene: Scene) -> None:
        """Show the state; called while the panel is shown."""


P = TypeVar("P", bound=StripPanel)
#: Heights of the window at scale 1 between which panels grow from their least to their full height.
_LOW, _HIGH = 600, 1000


class Strip:
    """A line of tabs, and the chosen tab's panel; created in the current container."""

    def __init__(self, ui: Ui, workbench: Workbench) -> None:
        self._ui, self._workbench = ui, workbench
        self._panels: dict[str, tuple[StripPanel, theme.Item, theme.Item]] = {}
        self._tabs: dict[str, theme.Item] = {}
        self._shown: tuple[object, ...] = ()
        self._width = self._space_width = 1
        with dpg.group(horizontal=True, horizontal_spacing=ui.px(2)):
            self._fold = IconButton(ui, icons.fold, self.toggle, "Fold or unfold  F9")
            self._titles: theme.Item = dpg.add_group(horizontal=True, horizontal_spacing=ui.px(2))
            self._space = dpg.add_spacer(width=1)
            self._controls: theme.Item = dpg.add_group(horizontal=True)
        self._body: theme.Item = dpg.add_group()

    def add(self, title: str, tooltip: str, make: Callable[[theme.Item], P]) -> P:
        """Add a tab.

        Args:
            make: creates the panel in the current container; its argument is a container in the
                line of tabs, for the panel's own controls.
        """
        with inside(self._titles):
            act = partial(self._choose, title)
            self._tabs[title] = self._ui.button(title, act, tooltip)
        with inside(self._controls):
            controls: theme.Item = dpg.add_group(horizontal=True, show=False)
        with inside(self._body), dpg.group(show=False) as body:
            panel = make(controls)
        self._panels[title] = (panel, body, controls)
        return panel

    def toggle(self) -> None:
        """Fold or unfold the area."""
        shown = self._workbench.settings.window.strip_shown
        self._workbench.change_settings("window", strip_shown=not shown)

    @property
    def chosen(self) -> str:
        """Title of the chosen tab; the first tab if the settings name none that there is."""
        title = self._workbench.settings.window.strip
        return title if title in self._panels else next(iter(self._panels))

    def height(self, window_height: int) -> int:
        """Height of the area, pixels, in a window of a height."""
        px = self._ui.px
        if not self._workbench.settings.window.strip_shown:
            return px(_HEAD)
        low, high = self._panels[self.chosen][0].HEIGHT
        share = (window_height / self._ui.scale - _LOW) / (_HIGH - _LOW)
        return px(_HEAD + _BELOW) + px(low + (high - low) * min(1.0, max(0.0, share)))

    def resize(self, width: int, height: int) -> None:
        """Fill an area of :meth:`height`."""
        self._width = width
        for panel, _, _ in self._panels.values():
            panel.resize(width, max(1, height - self._ui.px(_HEAD + _BELOW)))

    def sync(self, scene: Scene) -> None:
        """Show the chosen panel, and let it show the state."""
        chosen, is_shown = self.chosen, self._workbench.settings.window.strip_shown
        if (chosen, is_shown) != self._shown:
            self._shown = (chosen, is_shown)
            self._fold.show_icon(icons.fold if is_shown else icons.unfold)
            for title, (_, body, controls) in self._panels.items():
                dpg.configure_item(body, show=is_shown and title == chosen)
                dpg.configure_item(controls, show=is_shown and title == chosen)
                self._ui.select(self._tabs[title], is_shown and title == chosen)
        self._align()
        if is_shown:
            self._panels[chosen][0].sync(scene)

    def _align(self) -> None:
        """Push the controls to the right edge, by the widths of the last frame."""
        parts = (self._fold.item, self._titles, self._controls)
        used = sum(int(dpg.get_item_rect_size(part)[0]) for part in parts) + 3 * self._ui.px(2)
        space = max(1, self._width - used)
        if space != self._space_width:
            self._space_width = space
            dpg.configure_item(self._space, width=space)

    def _choose(self, title: str) -> None:
        window = self._workbench.settings.window
        folds = window.strip_shown and title == self.chosen
        self._workbench.change_settings("window", strip=title, strip_shown=not folds)
