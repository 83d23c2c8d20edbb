"""The line under the viewport: view modes, split, camera presets."""

from __future__ import annotations

from functools import partial

import dearpygui.dearpygui as dpg

from app.state import edits
from app.state.workbench import Workbench
from app.widgets.ui import Ui
from stylesdf_core.scene.scene import VIEWS, Scene

HEIGHT = 40
_TOOLTIPS = {
    "image": "The decoded image  1",
    "volume": "The volume render, before the decoder  2",
    "depth": "Depth along the camera's axis, colour-mapped  3",
    "normals": "Surface normals from the SDF's gradient  4",
    "mesh": "The extracted surface  5",
}
_MODE, _PRESET, _GAP = 70, 56, 2


class Toolbar:
    """Buttons in one centred row."""

    def __init__(self, ui: Ui, bench: Workbench) -> None:
        self._ui, self._bench = ui, bench
        self._modes: dict[str, int | str] = {}
        self._split: int | str = 0
        self._indent: int | str = 0
        self._selected: tuple[object, ...] = ()

    @property
    def _row_width(self) -> int:
        px = self._ui.px
        modes = len(VIEWS) * px(_MODE) + px(_PRESET)
        presets = (len(edits.CAMERA_PRESETS) + 1) * px(_PRESET)
        count = len(VIEWS) + 1 + len(edits.CAMERA_PRESETS) + 1
        return modes + presets + (count - 1) * px(_GAP) + 2 * px(12)

    def build(self) -> None:
        """Create the buttons in the current container."""
        ui, bench = self._ui, self._bench
        gap = ui.px(_GAP)
        dpg.add_spacer(height=ui.px(3))
        with dpg.group(horizontal=True, horizontal_spacing=gap):
            self._indent = dpg.add_spacer(width=1)
            for view in VIEWS:
                self._modes[view] = ui.button(
                    view,
                    partial(bench.change_settings, "view", view=view),
                    _TOOLTIPS[view],
                    width=ui.px(_MODE),
                )
            dpg.add_spacer(width=ui.px(12) - gap)
            self._split = ui.button(
                "split",
                lambda: bench.change_settings("view", split=not bench.settings.view.split),
                "Picture and mesh side by side under one camera  Space",
                width=ui.px(_PRESET),
            )
            dpg.add_spacer(width=ui.px(12) - gap)
            for name in edits.CAMERA_PRESETS:
                ui.button(
                    name,
                    partial(self._preset, name),
                    f"Camera: {name}",
                    width=ui.px(_PRESET),
                    look=ui.theme.quiet,
                )
            ui.button(
                "reset",
                bench.reset_camera,
                "The camera as it was at the start  F, double click",
                width=ui.px(_PRESET),
                look=ui.theme.quiet,
            )

    def resize(self, width: int) -> None:
        """Centre in the viewport's width."""
        dpg.configure_item(self._indent, width=max(1, (width - self._row_width) // 2))

    def sync(self, scene: Scene) -> None:
        """Mark what is shown."""
        view = self._bench.settings.view
        key = (view.view, view.split)
        if key == self._selected:
            return
        self._selected = key
        for name, item in self._modes.items():
            dpg.bind_item_theme(item, self._look(name == view.view))
        dpg.bind_item_theme(self._split, self._look(view.split))

    def _look(self, selected: bool) -> int | str:
        return self._ui.theme.selected if selected else self._ui.theme.quiet

    def _preset(self, name: str) -> None:
        self._bench.document.apply(edits.with_preset(self._bench.scene, name))
