"""The settings of exported meshes: triangles, texture, unit and base; part of the export panel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dearpygui.dearpygui as dpg

from app.state.workbench import Workbench
from app.widgets.controls.ui import Ui
from stylesdf_core.commands.scenes.options.assets import TEXTURE_EDGES, AssetSettings
from stylesdf_core.errors import StyleSDFError

_GAP = 4
_TEXTURES: dict[str, int | None] = {"no texture": None, **{f"{e}²": e for e in TEXTURE_EDGES}}
_UNITS: dict[str, str | None] = {"usual unit": None, "m": "m", "cm": "cm", "mm": "mm"}


class AssetFields:
    """Fields for the triangles and the unit, choices of texture and base."""

    def __init__(self, ui: Ui, workbench: Workbench) -> None:
        self._ui, self._workbench = ui, workbench
        with dpg.group(horizontal=True, horizontal_spacing=ui.px(_GAP)):
            self._triangles = ui.text_field(
                "",
                self._typed,
                "At most so many triangles, 100 or more; empty for all. Several numbers, such as "
                "20000 5000 1000, export levels of detail",
                hint="all triangles",
            )
            self._texture = self._menu(
                _TEXTURES,
                lambda edge: self._change(texture=edge),
                "Edge of baked textures in texels: base colour, and a normal map in GLB and OBJ. "
                "They take the place of vertex colours; STL has neither",
            )
        with dpg.group(horizontal=True, horizontal_spacing=ui.px(_GAP)):
            self._unit = self._menu(
                _UNITS,
                lambda unit: self._change(units=unit),
                "Unit of exported meshes. The usual unit is millimetres in STL and 3MF, metres in "
                "other formats; a head is as large as a person's",
            )
            self._base = ui.button(
                "base",
                lambda: self._change(base=not workbench.settings.asset.base),
                "Put exported meshes on a flat, closed base, for printing",
            )

    def resize(self, width: int) -> None:
        """Fit a column."""
        half = (width - self._ui.px(_GAP)) // 2
        for item in (self._triangles, self._texture, self._unit, self._base):
            dpg.configure_item(item, width=half)

    def show(self, asset: AssetSettings) -> None:
        """Write the settings, unless the user is typing."""
        if not dpg.is_item_active(self._triangles):
            dpg.set_value(self._triangles, " ".join(map(str, asset.triangles)))
        for item, choices, value in (
            (self._texture, _TEXTURES, asset.texture),
            (self._unit, _UNITS, asset.units),
        ):
            dpg.set_value(item, next(label for label, known in choices.items() if known == value))
        self._ui.select(self._base, asset.base)

    def _menu(self, choices: dict[str, Any], choose: Callable[[Any], None], tip: str) -> int | str:
        item: int | str = dpg.add_combo(
            list(choices), callback=lambda _, label: choose(choices[str(label)])
        )
        self._ui.tooltip(item, tip)
        return item

    def _typed(self, text: str) -> None:
        try:
            counts = tuple(int(word) for word in text.replace(",", " ").split())
        except ValueError:
            self._workbench.toast(f"Triangles are whole numbers, not {text}", is_error=True)
            return
        self._change(triangles=counts)

    def _change(self, **values: Any) -> None:
        try:
            self._workbench.change_settings("asset", **values)
        except StyleSDFError as error:
            self._workbench.toast(str(error).replace("--", ""), is_error=True)
