"""The options of the contact sheet: its faces, their look, and the export as one picture."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dearpygui.dearpygui as dpg

from app.explore.parts.sliders import FieldSliders, SeedEntry
from app.state import exports
from app.state.settings import SheetSettings
from app.state.workbench import Workbench
from app.widgets.controls.slider import SliderSpec
from app.widgets.controls.ui import Ui
from app.widgets.drawing import theme
from stylesdf_core.model.latents.latents import LatentDirection
from stylesdf_core.scene.scene import ENGINE_VIEWS, Identity
from stylesdf_core.scene.sheet import Sheet, SheetKind

if TYPE_CHECKING:
    from stylesdf_core.commands.scenes.sheets import RenderSheet

_KINDS: dict[SheetKind, tuple[str, str]] = {
    "seeds": ("seeds", "One seed after the other"),
    "edits": ("random edits", "The first face, moved along all its directions by random steps"),
    "range": ("range of a direction", "A direction's range from left to right, a seed a row"),
    "morph": ("morph", "From the first face to another seed, another seed each row"),
}
_PAGE: dict[str, SliderSpec] = {
    "columns": SliderSpec(
        "columns", "Faces in a row, 1 to 16; + and − with the focus", 1, 16, 1, digits=0, origin=1
    ),
    "spread": SliderSpec(
        "spread", "How far random edits go, 0 to 2 standard deviations", 0.0, 2.0, 0.05
    ),
}
_EXPORT: dict[str, SliderSpec] = {
    "rows": SliderSpec("rows", "Rows on the exported sheet, 1 to 40", 1, 40, 1, digits=0, origin=1),
    "cell": SliderSpec(
        "face", "Edge of a face on the exported sheet, 32 to 512 pixels", 32, 512, 16, digits=0,
        origin=32,
    ),
}  # fmt: skip


class OptionsPanel:
    """The settings of the sheet, and its progress."""

    def __init__(self, ui: Ui, workbench: Workbench) -> None:
        self._ui, self._workbench = ui, workbench
        self._directions: tuple[LatentDirection, ...] = ()
        ui.heading("Contact sheet")
        self._kind = dpg.add_combo(
            [label for label, _ in _KINDS.values()], callback=lambda _, label: self._choose(label)
        )
        self._kind_tip = ui.tooltip(self._kind)
        self._direction = dpg.add_combo(
            [], callback=lambda _, label: self._choose_direction(str(label))
        )
        ui.tooltip(self._direction, "The direction of which the sheet shows the range")
        self._sliders = FieldSliders(ui, _PAGE, Sheet(), self._change_page)
        ui.small_text("first face")
        with dpg.group(horizontal=True, horizontal_spacing=ui.px(2)):
            self._seed = SeedEntry(ui, "Seed of the page's first face", "seed", self._start)
        self._take = ui.button(
            "Take the face in Explore",
            lambda: workbench.sheet.begin(workbench.scene),
            "Begin the page with the face, camera and ψ of the Explore tab",
        )
        ui.small_text("view")
        self._view = dpg.add_combo(
            ENGINE_VIEWS,
            callback=lambda _, view: workbench.change_settings("sheet", view=view),
        )
        ui.tooltip(self._view, "What the faces are shown as")
        ui.heading("Export")
        self._export = FieldSliders(ui, _EXPORT, SheetSettings(), self._change)
        self._button = ui.button(
            "Export PNG",
            self._start_export,
            "The sheet as one picture, from its first row on",
        )
        ui.button(
            "Copy as command",
            self._copy,
            "Copy the terminal command that makes the same sheet",
            look=ui.theme.quiet,
        )
        dpg.add_spacer(height=ui.px(8))
        self._progress = ui.small_text()
        ui.small_text(
            "Click on a face to explore it, on its star to keep it among the favourites.",
            theme.FAINT,
            wrap=0,
        )

    def resize(self, width: int) -> None:
        """Fit a column."""
        for item in (self._kind, self._direction, self._view, self._take, self._button):
            dpg.configure_item(item, width=width)
        self._sliders.resize(width)
        self._export.resize(width)
        self._seed.resize(width, 3)

    def sync(self) -> None:
        """Show the settings, and how many of the visible faces are finished."""
        sheet, settings = self._workbench.sheet, self._workbench.settings.sheet
        label, tip = _KINDS[settings.page.of]
        dpg.set_value(self._kind, label)
        self._kind_tip.text = tip
        if sheet.directions != self._directions:
            self._directions = sheet.directions
            dpg.configure_item(self._direction, items=[d.label for d in self._directions])
        dpg.configure_item(self._direction, show=settings.page.of == "range")
        chosen = settings.page.direction
        named = [d.label for d in self._directions if chosen in ("", d.name)]
        dpg.set_value(self._direction, named[0] if named else chosen)
        self._sliders.show(settings.page)
        self._sliders.hide("spread", settings.page.of != "edits")
        self._export.show(settings)
        dpg.set_value(self._view, settings.view)
        identity = sheet.first.identity
        self._seed.show(identity.seed, "custom face" if identity.z is not None else "")
        done, total = sheet.progress
        dpg.set_value(self._progress, f"{done} of {total} faces drawn" if total else "")

    def _choose(self, label: str) -> None:
        kind = next(kind for kind, (name, _) in _KINDS.items() if name == label)
        self._change_page("of", kind)

    def _choose_direction(self, label: str) -> None:
        name = next(d.name for d in self._directions if d.label == label)
        self._change_page("direction", name)

    def _start(self, seed: int | None) -> None:
        if seed is not None:
            sheet = self._workbench.sheet
            sheet.begin(replace(sheet.first, identity=Identity(seed)))

    def _change_page(self, name: str, value: Any) -> None:
        page = replace(self._workbench.settings.sheet.page, **{name: value})
        self._workbench.change_settings("sheet", page=page)

    def _change(self, name: str, value: float) -> None:
        self._workbench.change_settings("sheet", **{name: value})

    def _start_export(self) -> None:
        self._workbench.submit(self._request())

    def _request(self) -> RenderSheet:
        workbench = self._workbench
        return exports.sheet_request(
            workbench.sheet.first, workbench.settings, workbench.jobs.outputs
        )

    def _copy(self) -> None:
        command = self._workbench.command_of(self._request())
        if command is not None:
            dpg.set_clipboard_text(command)
            self._workbench.toast("Copied the command for this sheet")
