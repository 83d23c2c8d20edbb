"""The export panel: folder, file name, and the settings and buttons of each family of exports.

Each line of :data:`app.state.exports.EXPORTS` makes a button here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import get_args

import dearpygui.dearpygui as dpg

from app.explore.parts.assets import AssetFields
from app.explore.parts.background import BackgroundField
from app.explore.parts.sliders import FieldSliders
from app.state.exports import (
    EXPORTS,
    ExportKind,
    Family,
    default_stem,
    export_folder,
    export_kind,
)
from app.state.settings import ExportSettings
from app.state.wording import short_path
from app.state.workbench import Workbench
from app.widgets.controls.slider import SliderSpec
from app.widgets.controls.ui import IconButton, Ui
from app.widgets.drawing import fonts, icons
from stylesdf_core.scene.scene import Scene

_GAP, _WIDTH = 4, 256
#: Family of exports -> field of ExportSettings -> its slider.
_SLIDERS: dict[Family, dict[str, SliderSpec]] = {
    "picture": {
        "picture_size": SliderSpec(
            "size",
            "Edge of pictures in pixels, 16 to 2048; 0 for each view's own",
            0,
            2048,
            64,
            digits=0,
            zero="own",
        ),
    },
    "mesh": {},
    "animation": {
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
    },
}
_SMALLEST = 16


class ExportPanel:
    """Settings and buttons of pictures, meshes and animations.

    Args:
        choose_folder: opens the folder dialog.
    """

    def __init__(self, ui: Ui, workbench: Workbench, choose_folder: Callable[[], None]) -> None:
        self._ui, self._workbench = ui, workbench
        self._custom_name = ""
        self._named: tuple[object, ...] = ()
        settings = workbench.settings
        self._of_folder = settings.export.folder, short_path(export_folder(settings))
        self._rows: list[list[int | str]] = []
        self._sliders: list[FieldSliders] = []
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
            "File name of this face without suffix; empty for a name made from model and seed. No "
            "file is overwritten: a number is added to a name that exists",
        )
        self._background = BackgroundField(ui, workbench)
        for family in get_args(Family):
            self._build_family(family)
        dpg.add_spacer(height=ui.px(2))
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
        self._background.resize(width)
        self._assets.resize(width)
        for sliders in self._sliders:
            sliders.resize(width)
        for buttons in self._rows:
            each = (width - self._ui.px(_GAP) * (len(buttons) - 1)) // len(buttons)
            for button in buttons:
                dpg.configure_item(button, width=each)

    def sync(self, scene: Scene) -> None:
        """Show the settings; a name that was typed for another face is forgotten."""
        settings = self._workbench.settings
        who, second = scene.identity, scene.mixing
        face = (scene.model, who.seed, who.z, second.seed)
        if face != self._named:
            self._named, self._custom_name = face, ""
        if not dpg.is_item_active(self._folder):
            if settings.export.folder != self._of_folder[0]:
                self._of_folder = settings.export.folder, short_path(export_folder(settings))
            self._ui.set_text(self._folder, self._of_folder[1])
        if not dpg.is_item_active(self._name):
            self._ui.set_text(
                self._name, self._custom_name or default_stem(scene, export_kind("PNG"))
            )
        self._background.show(settings.view.background)
        self._assets.show(settings.asset)
        for sliders in self._sliders:
            sliders.show(settings.export)

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

    def _build_family(self, family: Family) -> None:
        self._ui.small_text(family)
        if family == "mesh":
            self._assets = AssetFields(self._ui, self._workbench)
        specs = _SLIDERS[family]
        if specs:
            sliders = FieldSliders(self._ui, specs, ExportSettings(), self._change)
            self._sliders.append(sliders)
        kinds = [kind for kind in EXPORTS if kind.family == family]
        each = max(fonts.text_width(kind.name, fonts.BODY) for kind in kinds) + 4 * _GAP
        count = max(1, min(len(kinds), int(_WIDTH // each)))
        for start in range(0, len(kinds), count):
            with dpg.group(horizontal=True, horizontal_spacing=self._ui.px(_GAP)):
                row = [self._button(kind) for kind in kinds[start : start + count]]
            self._rows.append(row)

    def _button(self, kind: ExportKind) -> int | str:
        tip = f"{kind.description}.  Right click: copy the command"
        button = self._ui.button(kind.name, partial(self.export, kind.name), tip)
        with dpg.item_handler_registry() as handlers:
            dpg.add_item_clicked_handler(
                1, user_data=kind.name, callback=lambda _s, _a, name: self.copy_command(name)
            )
        dpg.bind_item_handler_registry(button, handlers)
        return button

    def _typed_name(self, text: str) -> None:
        self._custom_name = "".join(c for c in text.strip() if c not in '/\\:*?"<>|')

    def _change(self, name: str, value: float) -> None:
        if name.endswith("size") and value < _SMALLEST:
            value = 0
        self._workbench.change_settings("export", **{name: value})
