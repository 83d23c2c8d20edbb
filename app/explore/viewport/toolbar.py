"""The row of controls under the viewport: view modes, split, camera presets."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import dearpygui.dearpygui as dpg

from app.state.document import edits
from app.state.workbench import Workbench
from app.widgets.controls.ui import Ui
from app.widgets.drawing import fonts
from stylesdf_core.scene.scene import VIEWS, Scene

HEIGHT = 40
#: Tooltip of each view's button; the digit keys follow the order of the core's VIEWS.
_TOOLTIPS = {
    "image": "The decoded image",
    "volume": "The volume render, before the decoder",
    "depth": "Depth along the camera's axis, colour-mapped",
    "normals": "Surface normals from the SDF's gradient",
    "mesh": "The extracted surface",
    "direct": "The surface's own colours at full resolution, without the decoder",
    "slice": "A cut through the signed distances, with iso-lines; plane and level: panel Mesh",
    "inconsistency": "How far each point's colour differs in neighbouring views: its flicker",
}
_MODE, _PRESET, _GAP, _WIDE_GAP = 62, 56, 2, 12
_CAMERA = "camera"
#: Widths of the two menus that take the buttons' place in a narrow viewport.
_VIEW_MENU, _CAMERA_MENU = 132, 96


class Toolbar:
    """One centred row: a button for each view and camera, or two menus where there is no room."""

    def __init__(self, ui: Ui, workbench: Workbench) -> None:
        self._ui, self._workbench = ui, workbench
        self._modes: dict[str, int | str] = {}
        self._selected: tuple[object, ...] = ()
        self._cameras: dict[str, Callable[[], None]] = {
            name: partial(workbench.turn_camera, name) for name in edits.CAMERA_PRESETS
        }
        self._cameras["reset"] = workbench.reset_camera
        gap = ui.px(_GAP)
        dpg.add_spacer(height=ui.px(3))
        with dpg.group(horizontal=True, horizontal_spacing=gap):
            self._indent = dpg.add_spacer(width=1)
            with dpg.group(horizontal=True, horizontal_spacing=gap) as self._views:
                for digit, view in enumerate(VIEWS, start=1):
                    show = partial(workbench.change_settings, "view", view=view)
                    tooltip = f"{_TOOLTIPS[view]}  {digit}"
                    self._modes[view] = ui.button(view, show, tooltip, width=self._mode_width(view))
            self._view_menu = self._menu(
                VIEWS, ui.px(_VIEW_MENU), self._show, f"What the viewport shows  1 to {len(VIEWS)}"
            )
            dpg.add_spacer(width=ui.px(_WIDE_GAP) - gap)
            self._split = ui.button(
                "split",
                workbench.toggle_split,
                "Picture and mesh side by side under one camera  Space",
                width=ui.px(_PRESET),
            )
            dpg.add_spacer(width=ui.px(_WIDE_GAP) - gap)
            with dpg.group(horizontal=True, horizontal_spacing=gap) as self._presets:
                for name, turn in self._cameras.items():
                    tip = f"Camera: {name}" + ("  F, double click" if name == "reset" else "")
                    ui.button(name, turn, tip, width=ui.px(_PRESET), look=ui.theme.quiet)
            self._camera_menu = self._menu(
                tuple(self._cameras), ui.px(_CAMERA_MENU), self._turn, "Places of the camera"
            )

    def resize(self, width: int) -> None:
        """Centre in the viewport's width."""
        px, gap = self._ui.px, self._ui.px(_GAP)
        views = sum(self._mode_width(view) + gap for view in VIEWS)
        presets = len(self._cameras) * (px(_PRESET) + gap)
        rest = px(_PRESET) + 2 * px(_WIDE_GAP)
        has_presets = views + rest + presets <= width
        has_views = views + rest + px(_CAMERA_MENU) <= width
        dpg.configure_item(self._views, show=has_views)
        dpg.configure_item(self._view_menu, show=not has_views)
        dpg.configure_item(self._presets, show=has_presets)
        dpg.configure_item(self._camera_menu, show=not has_presets)
        menu = px(_VIEW_MENU), px(_CAMERA_MENU)
        if not has_views and sum(menu) + rest > width:  # both menus share the little room
            menu = ((width - rest) // 2, (width - rest) // 2)
        dpg.configure_item(self._view_menu, width=max(1, menu[0]))
        dpg.configure_item(self._camera_menu, width=max(1, menu[1]))
        row = rest + (views if has_views else menu[0])
        row += presets if has_presets else menu[1]
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
        dpg.set_value(self._view_menu, view.view)
        self._ui.select(self._split, view.split)

    def _mode_width(self, view: str) -> int:
        """Width of a view's button: as wide as the others, or as its word."""
        word = fonts.text_width(view, self._ui.px(fonts.BODY))
        return max(self._ui.px(_MODE), round(word) + self._ui.px(16))

    def _menu(
        self, names: tuple[str, ...], width: int, chosen: Callable[[str], None], tooltip: str
    ) -> int | str:
        item: int | str = dpg.add_combo(
            names, default_value=_CAMERA, width=width, callback=lambda _, name: chosen(str(name))
        )
        self._ui.tooltip(item, tooltip)
        return item

    def _show(self, view: str) -> None:
        self._workbench.change_settings("view", view=view)

    def _turn(self, name: str) -> None:
        dpg.set_value(self._camera_menu, _CAMERA)
        self._cameras[name]()
