"""The list of training runs, in the left column."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import dearpygui.dearpygui as dpg

from app.state.wording import short_path
from app.train.state.training import Training
from app.widgets.controls.pointer import ACT_KEYS, LEFT, MouseTarget, Press
from app.widgets.controls.ui import Ui, inside
from app.widgets.drawing import fonts, theme
from app.widgets.drawing.canvas import Canvas
from stylesdf_core.progress import duration
from stylesdf_core.training.runs.run_summary import RunState, RunSummary

_ROW, _GAP = 64, 4
#: Height of the lines under the list.
_FOOT = 84
_COLORS: dict[RunState, theme.Rgba] = {
    "running": theme.ACCENT,
    "stopping": theme.WARNING,
    "failed": theme.ERROR,
}
_EMPTY = "No runs yet. Choose a folder of pictures on the right and start one."


class RunsPanel:
    """One row a run; the middle column shows the selected run.

    Created in the current container.

    Args:
        add: asks for a run's folder, to list the run.
        choose_folder: asks for the folder of new runs.
    """

    def __init__(
        self,
        ui: Ui,
        training: Training,
        add: Callable[[], None],
        choose_folder: Callable[[], None],
    ) -> None:
        self._ui, self._training, self._width = ui, training, 1
        self._rows: dict[Path, RunRow] = {}
        ui.heading("Runs")
        with dpg.child_window(border=False, height=ui.px(100)) as self._scroll:
            self._empty = dpg.add_text(_EMPTY, color=theme.MUTED)
        dpg.bind_item_theme(self._scroll, ui.theme.flat)
        dpg.add_spacer(height=ui.px(4))
        with dpg.group(horizontal=True):
            tip = "List a training run from another folder, or all runs in a folder"
            ui.button("Add run …", add, tip)
            tip = "Choose the folder of new runs; the listed runs stay in the list"
            ui.button("Folder …", choose_folder, tip)
        self._folder = ui.small_text()
        self._folder_tip = ui.tooltip(self._folder)

    def resize(self, width: int, height: int) -> None:
        """Fill a column."""
        self._width = width
        dpg.configure_item(self._scroll, height=max(self._ui.px(80), height - self._ui.px(_FOOT)))
        dpg.configure_item(self._empty, wrap=self._row_width)
        for row in self._rows.values():
            row.resize(self._row_width)

    def sync(self) -> None:
        """Show all runs in their present states."""
        runs, folder = self._training.runs, self._training.folder
        if list(self._rows) != [run.path for run in runs]:
            self._rebuild(runs)
        dpg.configure_item(self._empty, show=not runs and not self._training.is_loading)
        for run in runs:
            self._rows[run.path].show(run, selected=run.path == self._training.selected)
        text = f"new runs go to {short_path(folder)}"
        text = fonts.fitted(text, self._ui.px(fonts.SMALL), max(1, self._width))
        self._ui.set_small_text(self._folder, text)
        self._folder_tip.text = str(folder)

    @property
    def _row_width(self) -> int:
        return max(1, self._width - self._ui.px(12))  # the scroll bar's

    def _rebuild(self, runs: tuple[RunSummary, ...]) -> None:
        for row in self._rows.values():
            self._ui.pointer.remove(row)
            dpg.delete_item(row.group)
        self._rows.clear()
        with inside(self._scroll):
            for run in runs:
                select = partial(self._training.select, run.path)
                self._rows[run.path] = RunRow(self._ui, self._row_width, run, select)


class RunRow(MouseTarget):
    """One run: name, state, stage, preset and progress."""

    def __init__(self, ui: Ui, width: int, run: RunSummary, select: Callable[[], None]) -> None:
        self._ui, self._width, self._run, self._select = ui, width, run, select
        self._selected = self._hovered = False
        with dpg.group() as self.group:
            self._canvas = Canvas(width, ui.px(_ROW))
        self.item = self._canvas.item
        self._tip = ui.tooltip(self.item)
        ui.pointer.add(self)

    def show(self, run: RunSummary, *, selected: bool) -> None:
        """Draw the run in its present state."""
        self._run, self._selected = run, selected
        self._draw()

    def resize(self, width: int) -> None:
        """Fit a column."""
        self._width = width
        self._canvas.resize(width, self._ui.px(_ROW))
        self._draw()

    def hover(self, x: float, y: float, *, inside: bool) -> None:
        """Light up."""
        self._hovered = inside
        self._draw()

    def press(self, press: Press) -> bool:
        """Select the run."""
        if press.button == LEFT:
            self._select()
        return False

    def key(self, code: int) -> bool:
        """Select the run with Enter and Space."""
        if code in ACT_KEYS:
            self._select()
        return code in ACT_KEYS

    def _draw(self) -> None:
        canvas, px, run = self._canvas, self._ui.px, self._run
        if not canvas.wants(run, self._selected, self._hovered, self._width):
            return
        self._tip.text = f"{run.path}\n{run.words}" if run.words else str(run.path)
        if self._selected or self._hovered:
            canvas.rectangle(0, 0, self._width, px(_ROW - _GAP), theme.RAISED, px(4))
        color = _COLORS.get(run.state, theme.MUTED)
        bright = theme.TEXT if self._selected or run.is_alive else theme.MUTED
        self._line(px(6), px(fonts.BODY), run.name, bright, px(8), run.state, color)
        far = f"{run.step:,} / {run.total:,}" if run.total else ""
        if run.hours_left is not None:
            far = f"{far} · {duration(3600.0 * run.hours_left)}"
        trains = " · ".join(filter(None, (run.stage, run.preset)))
        self._line(px(28), px(fonts.SMALL), trains, theme.MUTED, px(28), far, theme.MUTED)
        share = min(1.0, run.step / run.total) if run.total else 0.0
        left, right, top, thick = px(12), self._width - px(8), px(49), px(3)
        canvas.rectangle(left, top, right, top + thick, theme.HOVERED, thick / 2)
        if share:
            fill = color if run.is_alive or run.state == "failed" else theme.FAINT
            end = left + share * (right - left)
            canvas.rectangle(left, top, end, top + thick, fill, thick / 2)

    def _line(
        self,
        y: int,
        size: int,
        text: str,
        color: theme.Rgba,
        end_y: int,
        end: str,
        end_color: theme.Rgba,
    ) -> None:
        """A small text at the right and, shortened to the room beside it, a text at the left."""
        px, small = self._ui.px, self._ui.px(fonts.SMALL)
        left, right = px(12), self._width - px(8) - fonts.text_width(end, small)
        self._canvas.text(right, end_y, end, small, end_color)
        self._canvas.text(left, y, fonts.fitted(text, size, right - px(12) - left), size, color)
