"""The row of buttons under the viewport: view modes, split, camera presets."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import dearpygui.dearpygui as dpg

from app.state import edits
from app.state.workbench import Workbench
from app.widgets.ui import Ui
from stylesdf_core.scene.scene import VIEWS, Scene

HEIGHT = 40
#: Tooltip of each view's button; the digit keys follow the order of the core's VIEWS.
_TOOLTIPS = {
    "image": "The decoded image",
    "volume": "The volume render, before the decoder",
    "depth": "Depth along the camera's axis, colour-mapped",
    "normals": "Surface normals from the SDF's gradient",
    "mesh": "The extracted surface",
}
_MODE, _PRESET, _GAP, _WIDE_GAP = 70, 56, 2, 12


class Toolbar:
    """Buttons in one centred row."""

    def __init__(self, ui: Ui, workbench: Workbench) -> None:
        self._ui, self._workbench = ui, workbench
        self._modes: dict[str, int | str] = {}
        self._selected: tuple[object, ...] = ()
        gap = ui.px(_GAP)
        dpg.add_spacer(height=ui.px(3))
        with dpg.group(horizontal=True, horizontal_spacing=gap):
            self._indent = dpg.add_spacer(width=1)
            for digit, view in enumerate(VIEWS, start=1):
                show = partial(workbench.change_settings, "view", view=view)
                tooltip = f"{_TOOLTIPS[view]}  {digit}"
                self._modes[view] = ui.button(view, show, tooltip, width=ui.px(_MODE))
            dpg.add_spacer(width=ui.px(_WIDE_GAP) - gap)
            self._split = ui.button(
                "split",
                workbench.toggle_split,
                "Picture and mesh side by side under one camera  Space",
                width=ui.px(_PRESET),
            )
            dpg.add_spacer(width=ui.px(_WIDE_GAP) - gap)
            for name in edits.CAMERA_PRESETS:
                turn = partial(workbench.edit, edits.with_preset, name)
                self._add_preset(name, turn, f"Camera: {name}")
            reset = "The frontal default camera  F, double click"
            self._add_preset("reset", workbench.reset_camera, reset)

    def resize(self, width: int) -> None:
        """Centre in the viewport's width."""
        px, presets = self._ui.px, len(edits.CAMERA_PRESETS) + 1
        buttons = len(VIEWS) * px(_MODE) + (1 + presets) * px(_PRESET)
        row = buttons + (len(VIEWS) + presets) * px(_GAP) + 2 * px(_WIDE_GAP)
        dpg.configure_item(self._indent, width=max(1, (width - row) // 2))

    def sync(self, scene: Scene) -> None:
        """Mark the chosen view."""
        view = self._workbench.settings.view
        key = (view.view, view.split)
        if key == self._selected:
            return
        self._selected = key
        for name, item in self._modes.items():
            self._ui.select(item, name == view.view)
        self._ui.select(self._split, view.split)

    def _add_preset(self, name: str, act: Callable[[], None], tooltip: str) -> None:
        ui = self._ui
        ui.button(name, act, tooltip, width=ui.px(_PRESET), look=ui.theme.quiet)
