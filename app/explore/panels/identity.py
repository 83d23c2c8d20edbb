"""Who: seed, truncation, and the model's named directions."""

from __future__ import annotations

from dataclasses import replace

import dearpygui.dearpygui as dpg

from app.state import edits
from app.state.workbench import Workbench
from app.widgets import icons, theme
from app.widgets.slider import SliderActions, SliderRow, SliderSpec
from app.widgets.ui import IconButton, Ui
from stylesdf_core.model.config import MAX_SEED
from stylesdf_core.model.latents import LatentDirection
from stylesdf_core.scene.scene import Scene

#: How far beyond the trained range a direction's slider goes, as a share of that range.
_BEYOND = 0.2
_LABELS = 118  # width of the label column, pixels at scale 1


class IdentityPanel:
    """Seed, ψ and directions; the directions scroll, the rest stays put."""

    def __init__(self, ui: Ui, bench: Workbench) -> None:
        self._ui, self._bench = ui, bench
        self._width = 0
        self.seed_field: int | str = 0
        self._psi: SliderRow | None = None
        self._scroll: int | str = 0
        self.rows: dict[str, SliderRow] = {}
        self._directions: tuple[LatentDirection, ...] | None = None
        self._reset: IconButton | None = None

    def build(self, width: int) -> None:
        """Create the widgets in the current container."""
        ui, bench = self._ui, self._bench
        self._width = width
        ui.heading("Identity")
        with dpg.group(horizontal=True, horizontal_spacing=ui.px(2)):
            self.seed_field = ui.text_field(
                "",
                self._typed_seed,
                f"Seed of the face, 0 to {MAX_SEED}.  Keys: [ previous, ] next, R random",
                width=ui.px(110),
                digits_only=True,
            )
            IconButton(ui, icons.previous, lambda: bench.step_seed(-1), "Previous seed  [")
            IconButton(ui, icons.following, lambda: bench.step_seed(1), "Next seed  ]")
            IconButton(ui, icons.dice, bench.random_seed, "Random seed  R")
            self._reset = IconButton(
                ui, icons.reset, self._reset_all, "Reset all directions to the seed's own"
            )
        self._psi = SliderRow(
            ui,
            SliderSpec(
                "truncation ψ",
                "How far from the mean face: 0 is the mean, 1 the model's full variety; "
                "less is safer.  Range 0 to 1.5, trained up to 1",
                0.0,
                1.5,
                0.01,
                trained=(0.0, 1.0),
                label_width=_LABELS,
            ),
            SliderActions(
                lambda value: bench.document.update(replace(bench.scene, truncation_psi=value)),
                bench.document.commit,
                lambda: bench.document.apply(
                    replace(bench.scene, truncation_psi=Scene().truncation_psi)
                ),
            ),
            width,
        )
        dpg.add_spacer(height=ui.px(2))
        self._scroll = dpg.add_child_window(border=False, height=ui.px(100))
        dpg.bind_item_theme(self._scroll, ui.theme.flat)

    def resize(self, width: int, height: int) -> None:
        """Fill a column; ``height`` is that of the directions' area."""
        self._width = width
        if self._psi is not None:
            self._psi.resize(width)
        dpg.configure_item(self._scroll, height=max(height, self._ui.px(48)))
        for row in self.rows.values():
            row.resize(self._row_width())

    def sync(self, scene: Scene) -> None:
        """Show the scene."""
        if self._directions != tuple(self._bench.directions):
            self._directions = tuple(self._bench.directions)
            self._build_directions(self._directions)
        if not dpg.is_item_active(self.seed_field):
            seed = "custom z" if scene.identity.z is not None else f"{scene.identity.seed:06d}"
            dpg.set_value(self.seed_field, seed)
        if self._psi is not None:
            self._psi.show(scene.truncation_psi)
        edited = {name for name, _ in scene.identity.edits}
        for direction in self._directions:
            self.rows[direction.name].show(
                edits.direction_value(scene.identity, direction, self._bench.z_dim),
                edited=direction.name in edited,
                locked=direction.name in self._bench.settings.locked,
            )
        if self._reset is not None:
            self._reset.show(enabled=bool(edited))

    def _row_width(self) -> int:
        return self._width - self._ui.px(12)  # the scroll bar's

    def _build_directions(self, directions: tuple[LatentDirection, ...]) -> None:
        for row in self.rows.values():
            self._ui.pointer.remove(row)
        self.rows.clear()
        dpg.delete_item(self._scroll, children_only=True)
        dpg.push_container_stack(self._scroll)
        groups = list(dict.fromkeys(direction.group for direction in directions))
        for group in groups:
            self._ui.small_text(group, theme.MUTED)
            for direction in directions:
                if direction.group == group:
                    self.rows[direction.name] = self._row(direction)
        if not directions and self._bench.model is not None:
            self._ui.small_text(
                "This model names no directions. Seeds, truncation and style mixing still work.",
                theme.FAINT,
                wrap=self._row_width(),
            )
        dpg.pop_container_stack()

    def _row(self, direction: LatentDirection) -> SliderRow:
        bench, name = self._bench, direction.name
        beyond = _BEYOND * (direction.maximum - direction.minimum)
        about = direction.description or direction.label
        return SliderRow(
            self._ui,
            SliderSpec(
                direction.label,
                f"{about}.  {direction.minimum:g} to {direction.maximum:g} standard deviations; "
                "right click: the seed's own; lock: keep when the seed changes",
                direction.minimum - beyond,
                direction.maximum + beyond,
                0.1,
                signed=True,
                trained=(direction.minimum, direction.maximum),
                lockable=True,
                label_width=_LABELS,
            ),
            SliderActions(
                lambda value: bench.document.update(edits.with_direction(bench.scene, name, value)),
                bench.document.commit,
                lambda: bench.document.apply(edits.with_direction(bench.scene, name, None)),
                lambda: bench.toggle_lock(name),
            ),
            self._row_width(),
        )

    def _typed_seed(self, text: str) -> None:
        digits = "".join(c for c in text if c.isdigit())
        if digits:
            self._bench.set_seed(min(int(digits), MAX_SEED))

    def _reset_all(self) -> None:
        self._bench.document.apply(edits.without_edits(self._bench.scene))
