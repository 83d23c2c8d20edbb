"""The export panel: folder, file name, one button for each kind of export, and the turntable.

Each line of :data:`app.state.exports.EXPORTS` makes a button here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import get_args

import dearpygui.dearpygui as dpg

from app.explore.sliders import FieldSliders
from app.state.exports import EXPORTS, Family, default_stem, export_folder, export_kind
from app.state.settings import ExportSettings
from app.state.workbench import Workbench
from app.widgets import icons
from app.widgets.slider import SliderSpec
from app.widgets.ui import IconButton, Ui, short_path
from stylesdf_core.scene.scene import Scene

_GAP = 4
#: Field of ExportSettings -> its slider.
_TURNTABLE: dict[str, SliderSpec] = {
    "frames": SliderSpec(
        "frames",
        "Frames of one loop, 2 to 240; the camera swings ±0.6 rad around its azimuth",
        2,
        240,
        1,
        digits=0,
        origin=2,
    ),
    "fps": SliderSpec("fps", "Frames a second, 1 to 60", 1, 60, 1, digits=0, origin=1),
    "size": SliderSpec(
        "size",
        "Edge of the frames in pixels, 16 to 1024; 0 for the model's own",
        0,
        1024,
        64,
        digits=0,
        zero="own",
    ),
}


class ExportPanel:
    """Export buttons and turntable settings.

    Args:
        choose_folder: opens the folder dialog.
    """

    def __init__(self, ui: Ui, workbench: Workbench, choose_folder: Callable[[], None]) -> None:
        self._ui, self._workbench = ui, workbench
        self._custom_name = ""
        with dpg.group(horizontal=True, horizontal_spacing=ui.px(4)):
            self._folder = ui.text_field(
                "",
                lambda text: workbench.change_settings("export", folder=text.strip()),
                "Folder of exports, remembered between starts",
            )
            IconButton(ui, icons.folder, choose_folder, "Choose a folder")
        self._name = ui.text_field(
            "",
            self._typed_name,
            "File name without suffix; empty for a name made from model and seed. No file is "
            "overwritten: a number is added to a name that exists",
        )
        self._buttons = [self._build_buttons(family) for family in get_args(Family)]
        self._rows = FieldSliders(ui, _TURNTABLE, ExportSettings(), self._change)
        ui.button(
            "Copy as command",
            lambda: self.copy_command(workbench.last_export),
            "Copy the terminal command that repeats the last export; right click an export button "
            "to copy that button's command",
        )

    def resize(self, width: int) -> None:
        """Fit a column."""
        dpg.configure_item(self._folder, width=width - self._ui.px(28))
        dpg.configure_item(self._name, width=width)
        self._rows.resize(width)
        for buttons in self._buttons:
            each = (width - self._ui.px(_GAP) * (len(buttons) - 1)) // len(buttons)
            for button in buttons:
                dpg.configure_item(button, width=each)

    def sync(self, scene: Scene) -> None:
        """Show the settings."""
        settings = self._workbench.settings
        if not dpg.is_item_active(self._folder):
            dpg.set_value(self._folder, short_path(export_folder(settings)))
        if not dpg.is_item_active(self._name):
            dpg.set_value(self._name, self._custom_name or default_stem(scene, export_kind("PNG")))
        self._rows.show(settings.export)

    def export(self, name: str) -> None:
        """Start an export; ``name`` is that of a kind in EXPORTS, the field gives the file's."""
        self._workbench.export(name, self._stem(name))

    def copy_command(self, name: str) -> None:
        """Put the command of an export on the clipboard."""
        command = self._workbench.command(name, self._stem(name))
        if command is not None:
            dpg.set_clipboard_text(command)
            self._workbench.toast(f"Copied the command for {name}")

    def _stem(self, name: str) -> str:
        view = export_kind(name).view
        return f"{self._custom_name}-{view}" if self._custom_name and view else self._custom_name

    def _build_buttons(self, family: Family) -> list[int | str]:
        buttons = []
        with dpg.group(horizontal=True, horizontal_spacing=self._ui.px(_GAP)):
            for kind in EXPORTS:
                if kind.family != family:
                    continue
                button = self._ui.button(
                    kind.name,
                    partial(self.export, kind.name),
                    f"{kind.description}.  Right click: copy the command",
                )
                buttons.append(button)
                with dpg.item_handler_registry() as handlers:
                    dpg.add_item_clicked_handler(
                        1,
                        user_data=kind.name,
                        callback=lambda _s, _a, name: self.copy_command(name),
                    )
                dpg.bind_item_handler_registry(button, handlers)
        return buttons

    def _typed_name(self, text: str) -> None:
        self._custom_name = "".join(c for c in text.strip() if c not in '/\\:*?"<>|')

    def _change(self, name: str, value: float) -> None:
        if name == "size" and value < 16:
            value = 0
        self._workbench.change_settings("export", **{name: value})
