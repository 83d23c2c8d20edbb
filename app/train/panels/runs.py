"""The list of training runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import dearpygui.dearpygui as dpg

from app.train.training import Training
from app.widgets import fonts, theme
from app.widgets.pointer import LEFT, Press
from app.widgets.ui import Ui, duration
from stylesdf_core.training.run_summary import RunState, RunSummary

_ROW = 64
_GAP = 4
#: Of the lines under the list.
_FOOT = 84
_COLORS: dict[RunState, theme.Color] = {
    "running": theme.ACCENT,
    "stopping": theme.WARNING,
    "failed": theme.ERROR,
}
_EMPTY = "No runs yet. Choose a folder of pictures on the right and start one."


class RunsPanel:
    """One row a run; the selected one is what the middle shows.

    Args:
        add: asks for a run's folder.
        choose_folder: asks where new runs go.
    """

    def __init__(
        self,
        ui: Ui,
        training: Training,
        add: Callable[[], None],
        choose_folder: Callable[[], None],
    ) -> None:
        self._ui, self._training = ui, training
        self._add, self._choose_folder = add, choose_folder
        self._rows: dict[Path, RunRow] = {}
        self._scroll: int | str = 0
        self._empty: int | str = 0
        self._where: int | str = 0
        self._order: tuple[Path, ...] = ()
        self._width = 0

    def build(self, width: int) -> None:
        """Create the widgets in the current container."""
        ui = self._ui
        ui.heading("Runs")
        self._scroll = dpg.add_child_window(border=False, height=ui.px(100))
        dpg.bind_item_theme(self._scroll, ui.theme.flat)
        self._empty = dpg.add_text(
            _EMPTY, color=theme.MUTED, wrap=width - ui.px(12), parent=self._scroll
        )
        dpg.add_spacer(height=ui.px(4))
        with dpg.group(horizontal=True):
            ui.button(
                "Add run …",
                self._add,
                "List a training run that lies elsewhere, or all runs in a folder",
            )
            ui.button(
                "Folder …", self._choose_folder, "Where new runs go; the present ones stay listed"
            )
        self._where = ui.small_text()
        self._where_tip = ui.live_tooltip(self._where)

    def row(self, path: Path) -> RunRow:
        """The row of a run."""
        return self._rows[path]

    def resize(self, width: int, height: int) -> None:
        """Fill a column."""
        self._width = width
        dpg.configure_item(self._scroll, height=max(self._ui.px(80), height - self._ui.px(_FOOT)))
        for row in self._rows.values():
            row.resize(self._row_width)

    def sync(self) -> None:
        """Show the runs as they are."""
        runs = self._training.runs
        order = tuple(run.path for run in runs)
        if order != self._order:
            self._order = order
            self._rebuild(order)
        dpg.configure_item(self._empty, show=not runs and not self._training.is_loading)
        for run in runs:
            self._rows[run.path].show(run, selected=run.path == self._training.selected)
        folder = f"new runs go to {_short(self._training.folder)}"
        text = fonts.fitted(folder, self._ui.px(fonts.SMALL), max(1, self._width))
        dpg.set_value(self._where, text)
        dpg.set_value(self._where_tip, str(self._training.folder))

    @property
    def _row_width(self) -> int:
        return max(1, self._width - self._ui.px(12))  # the scroll bar's

    def _rebuild(self, order: tuple[Path, ...]) -> None:
        for row in self._rows.values():
            self._ui.pointer.remove(row)
            dpg.delete_item(row.group)
        self._rows.clear()
        dpg.push_container_stack(self._scroll)
        for path in order:
            select = partial(self._training.select, path)
            self._rows[path] = RunRow(self._ui, self._row_width, select)
        dpg.pop_container_stack()


class RunRow:
    """One run: name and state, what it trains and how far it is."""

    def __init__(self, ui: Ui, width: int, select: Callable[[], None]) -> None:
        self._ui, self._width, self._select = ui, width, select
        self._run: RunSummary | None = None
        self._selected = self._hovered = False
        self._drawn: tuple[object, ...] = ()
        with dpg.group() as group:
            self.item: int | str = dpg.add_drawlist(width, ui.px(_ROW))
        self.group = group
        self._tip = ui.live_tooltip(group)
        ui.pointer.add(self)

    def show(self, run: RunSummary, *, selected: bool) -> None:
        """Draw this run."""
        self._run, self._selected = run, selected
        self._draw()

    def resize(self, width: int) -> None:
        """Fit a column."""
        self._width = width
        dpg.configure_item(self.item, width=width)
        self._draw()

    def hover(self, x: float, y: float, *, inside: bool) -> None:
        """Light up."""
        if inside != self._hovered:
            self._hovered = inside
            self._draw()

    def press(self, press: Press) -> bool:
        """Select the run."""
        if press.button == LEFT:
            self._select()
        return False

    def drag(self, x: float, y: float) -> None:
        """Rows are not dragged."""

    def release(self) -> None:
        """Nothing to end."""

    def wheel(self, steps: float) -> bool:
        """The wheel scrolls the list."""
        return False

    def _draw(self) -> None:
        run = self._run
        if run is None:
            return
        key = (run, self._selected, self._hovered, self._width)
        if key == self._drawn:
            return
        self._drawn = key
        dpg.set_value(self._tip, f"{run.path}\n{run.words}" if run.words else str(run.path))
        dpg.delete_item(self.item, children_only=True)
        px = self._ui.px
        if self._selected or self._hovered:
            self._box(0, 0, self._width, px(_ROW - _GAP), theme.RAISED, px(4))
        left, right = px(12), self._width - px(8)
        body, small = px(fonts.BODY), px(fonts.SMALL)
        state_width = fonts.text_width(run.state, small)
        state = _COLORS.get(run.state, theme.MUTED)
        self._text(right - state_width, px(8), run.state, small, state)
        name = fonts.fitted(run.name, body, right - state_width - px(12) - left)
        bright = self._selected or run.is_alive
        self._text(left, px(6), name, body, theme.TEXT if bright else theme.MUTED)
        what = " · ".join(filter(None, (run.stage, run.preset)))
        far = f"{run.step:,} / {run.total:,}" if run.total else ""
        if run.hours_left is not None:
            far = f"{far} · {duration(run.hours_left)}"
        far_width = fonts.text_width(far, small)
        self._text(right - far_width, px(28), far, small, theme.MUTED)
        what = fonts.fitted(what, small, right - far_width - px(12) - left)
        self._text(left, px(28), what, small, theme.MUTED)
        share = min(1.0, run.step / run.total) if run.total else 0.0
        y, thick = px(49), px(3)
        self._box(left, y, right, y + thick, theme.HOVERED, thick / 2)
        if share:
            fill = state if run.is_alive or run.state == "failed" else theme.FAINT
            self._box(left, y, left + share * (right - left), y + thick, fill, thick / 2)

    def _text(self, x: float, y: float, text: str, size: int, color: theme.Color) -> None:
        dpg.draw_text((x, y), text, size=size, color=color, parent=self.item)

    def _box(
        self, x: float, y: float, right: float, bottom: float, fill: theme.Color, rounding: float
    ) -> None:
        dpg.draw_rectangle(
            (x, y), (right, bottom), color=theme.CLEAR, fill=fill, rounding=rounding,
            parent=self.item,
        )  # fmt: skip


def _short(folder: Path) -> str:
    home = Path.home()
    return f"~/{folder.relative_to(home)}" if folder.is_relative_to(home) else str(folder)
