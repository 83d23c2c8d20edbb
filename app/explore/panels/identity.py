"""The identity panel: seed, truncation, and the model's directions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import dearpygui.dearpygui as dpg

from app.explore.parts.sliders import SeedEntry, scene_slider
from app.state.document import edits
from app.state.workbench import Workbench
from app.widgets.controls.slider import SliderRow, SliderSpec
from app.widgets.controls.ui import IconButton, Ui, inside
from app.widgets.drawing import icons, theme
from stylesdf_core.model.config import MAX_SEED
from stylesdf_core.model.latents.latents import LatentDirection
from stylesdf_core.scene.scene import Scene

_LABELS = 118  # width of the label column, pixels at scale 1
_PSI = SliderSpec(
    "truncation ψ",
    "How far faces lie from the mean face: 0 is the mean face, 1 the model's full variety; "
    "lower values give fewer flaws.  Range 0 to 1.5, trained up to 1",
    0.0,
    1.5,
    0.01,
    trained=(0.0, 1.0),
    label_width=_LABELS,
)


class IdentityPanel:
    """Seed, ψ and directions; only the directions scroll.

    Args:
        rename: opens the dialog for the directions' labels.
    """

    def __init__(self, ui: Ui, workbench: Workbench, rename: Callable[[], None]) -> None:
        self._ui, self._workbench, self._rename, self._width = ui, workbench, rename, 1
        self._directions: tuple[LatentDirection, ...] | None = None
        #: Sliders by the name of their direction.
        self.rows: dict[str, SliderRow] = {}
        with dpg.group(horizontal=True, horizontal_spacing=ui.px(2)):
            self.seed = SeedEntry(
                ui,
                f"Seed of the face, 0 to {MAX_SEED}.  Keys: [ previous, ] next, R random",
                "seed",
                lambda seed: workbench.set_seed(seed) if seed is not None else None,
                ("[", "]", "R"),
            )
            self._reset = IconButton(
                ui,
                icons.reset,
                partial(workbench.edit, edits.without_edits),
                "Reset all directions to the seed's values",
            )
        self._psi = scene_slider(ui, workbench, _PSI, edits.with_truncation)
        dpg.add_spacer(height=ui.px(2))
        self._scroll = dpg.add_child_window(border=False, height=ui.px(100))
        dpg.bind_item_theme(self._scroll, ui.theme.flat)

    def fit_directions(self, height: int) -> None:
        """Give the area with the directions a height."""
        dpg.configure_item(self._scroll, height=height)

    def resize(self, width: int) -> None:
        """Fit a column."""
        self._width = width
        self.seed.resize(width, 4)
        self._psi.resize(width)
        for row in self.rows.values():
            row.resize(self._row_width())

    def sync(self, scene: Scene) -> None:
        """Show the scene's seed, truncation and directions."""
        workbench, identity = self._workbench, scene.identity
        if self._directions != workbench.directions:
            self._directions = workbench.directions
            self._build_directions()
        self.seed.show(identity.seed, "custom face" if identity.z is not None else "")
        self._psi.show(scene.truncation_psi)
        edited = {name for name, _ in identity.edits}
        values = workbench.direction_values.by_name()
        for direction in workbench.directions:
            self.rows[direction.name].show(
                values[direction.name],
                edited=direction.name in edited,
                locked=direction.name in workbench.settings.locked,
            )
        self._reset.show(enabled=bool(edited))

    def _row_width(self) -> int:
        return self._width - self._ui.px(12)  # the scroll bar's

    def _build_directions(self) -> None:
        directions = self._workbench.directions
        for row in self.rows.values():
            self._ui.pointer.remove(row)
        self.rows.clear()
        dpg.delete_item(self._scroll, children_only=True)
        with inside(self._scroll):
            groups = list(dict.fromkeys(direction.group for direction in directions))
            for group in groups:
                self._ui.small_text(group, theme.MUTED)
                for direction in directions:
                    if direction.group == group:
                        self.rows[direction.name] = self._row(direction)
            if directions:
                tooltip = "Give the directions names, which are saved in a file beside the model"
                self._ui.button(
                    "Rename directions …", self._rename, tooltip, look=self._ui.theme.quiet
                )

    def _row(self, direction: LatentDirection) -> SliderRow:
        workbench, name = self._workbench, direction.name
        low, high = direction.minimum, direction.maximum
        spec = SliderSpec(
            direction.label,
            f"{direction.description or direction.label}.  {low:g} to {high:g} standard "
            "deviations.  Right click: back to the seed's value.  Lock: keep the value when the "
            "seed changes",
            direction.lowest,
            direction.highest,
            0.1,
            signed=True,
            trained=(low, high),
            lockable=True,
            label_width=_LABELS,
        )
        row = scene_slider(
            self._ui,
            workbench,
            spec,
            lambda scene, value: edits.with_direction(scene, name, value),
            partial(workbench.toggle_lock, name),
        )
        row.resize(self._row_width())
        return row
