"""The selected run's figures as curves, with the values under the mouse."""

from __future__ import annotations

import math
from functools import partial

import dearpygui.dearpygui as dpg

from app.train.state.curves import FIRST_GROUPS, GROUPS, Line, Values
from app.train.state.training import SMOOTHING, Training
from app.train.state.watch import RunReport
from app.widgets.controls.slider import SliderActions, SliderRow, SliderSpec
from app.widgets.controls.ui import Ui
from app.widgets.drawing import fonts, theme
from app.widgets.drawing.canvas import Canvas

#: Heights and widths at scale 1: the row of buttons, the slider, the buttons themselves.
_TOOLS = 32
_SLIDER, _GAP = 204, 14
_BUTTONS = {"losses": 56, "β": 26, "scores": 56, "distance": 66, "quality": 56,
            "speed": 52, "surface": 60, "gradients": 72, "augmentation": 100}  # fmt: skip
#: Width and height of one curve's name and value over a plot, at scale 1.
_CELL, _LINE = 128, 16
#: Rows that the buttons may take, and least height of a plot's curves.
_MOST_ROWS, _LEAST_PLOT = 3, 96
#: Largest distance of a shown value from the mouse, as a share of the run's steps.
_NEAR = 0.02
_SMOOTHING = SliderSpec(
    "smoothing",
    "Weight of earlier values in the drawn averages, 0 to 0.99; the faint lines show the recorded "
    "values",
    0.0,
    0.99,
    0.05,
    label_width=76,
)


class CurvesPanel:
    """Buttons that choose groups of curves, and a plot for each chosen group.

    Created in the current container.
    """

    def __init__(self, ui: Ui, training: Training) -> None:
        self._ui, self._training = ui, training
        self._buttons: dict[str, theme.Item] = {}
        self.plots: dict[str, Plot] = {}
        self._laid_out: tuple[object, ...] = ()
        self._report: RunReport | None = None
        self._size = self._room = (0, 0)
        self._tools: tuple[object, ...] = ()
        row = partial(dpg.add_group, horizontal=True, horizontal_spacing=ui.px(2))
        self._rows = [row() for _ in range(_MOST_ROWS)]
        with dpg.group(show=False):  # until they are moved into their rows
            for group, meaning in GROUPS.items():
                act, width = partial(self._toggle, group), ui.px(_BUTTONS[group])
                tip = f"{meaning}.  Click to show or hide"
                self._buttons[group] = ui.button(group, act, tip, width=width)
            actions = SliderActions(
                self._smooth, lambda: None, reset=lambda: self._smooth(SMOOTHING)
            )
            self._gap = dpg.add_spacer(width=ui.px(_GAP))
            self._smoothing = SliderRow(ui, _SMOOTHING, actions, ui.px(_SLIDER))
        dpg.add_spacer(height=ui.px(4))
        with dpg.child_window(
            border=False, no_scroll_with_mouse=True, height=ui.px(100)
        ) as self._area:
            self._empty = dpg.add_text("", color=theme.MUTED)
        dpg.bind_item_theme(self._area, ui.theme.flat)

    def resize(self, width: int, height: int) -> None:
        """Fill a rectangle."""
        self._size = (width, height)

    def sync(self) -> None:
        """Show the newest curves."""
        training, report = self._training, self._training.report
        available = report.groups if report is not None else ()
        self._sync_tools(available)
        lines = report.lines if report is not None else {}
        shown = {group: lines[group] for group in training.groups if lines.get(group)}
        names = [(group, [line.name for line in found]) for group, found in shown.items()]
        if (names, self._size, self._tools) != self._laid_out:
            self._laid_out = (names, self._size, self._tools)
            self._lay_out(shown)
            self._report = None
        if report is not None and report is not self._report:
            before, self._report = self._report, report
            fresh = before is None or before.request.path != report.request.path
            last = max((line.steps[-1] for found in shown.values() for line in found), default=0.0)
            for group, plot in self.plots.items():
                plot.draw(shown[group], float(last), fit=fresh)
        dpg.configure_item(self._empty, show=not shown)
        dpg.set_value(self._empty, "No curves chosen." if available else "Nothing recorded yet.")
        hovered = next((p.mouse_step() for p in self.plots.values() if p.is_hovered()), None)
        for plot in self.plots.values():
            plot.point_at(hovered)

    def _sync_tools(self, available: tuple[str, ...]) -> None:
        """Show the buttons of the available groups and the slider, in as many rows as they need."""
        px, training = self._ui.px, self._training
        for group, button in self._buttons.items():
            self._ui.select(button, group in training.groups and group in available)
        self._smoothing.show(training.smoothing, edited=training.smoothing != SMOOTHING)
        if (available, self._size) == self._tools:
            return
        self._tools = (available, self._size)
        widths = {
            button: _BUTTONS[group]
            for group, button in self._buttons.items()
            if group in available or group in FIRST_GROUPS
        }
        for button in self._buttons.values():
            dpg.configure_item(button, show=button in widths)
        row = taken = 0
        for item, width in {**widths, self._gap: _GAP, self._smoothing.item: _SLIDER}.items():
            if taken and taken + px(width) > self._size[0]:
                row, taken = min(row + 1, _MOST_ROWS - 1), 0
            dpg.move_item(item, parent=self._rows[row])
            taken += px(width) + px(2)
        height = self._size[1] - (row + 1) * px(_TOOLS) - px(8)
        self._room = (self._size[0], max(1, height))
        dpg.configure_item(self._area, width=self._room[0], height=self._room[1])

    def _lay_out(self, shown: dict[str, tuple[Line, ...]]) -> None:
        """Make a plot for each group, in one or two columns; a plot alone in its row fills it.

        Plots are no lower than they can be read at; the area scrolls where they do not fit.
        """
        for plot in self.plots.values():
            plot.delete()
        self.plots.clear()
        if not shown:
            return
        gap, columns = self._ui.px(12), 1 if len(shown) == 1 else 2
        rows = -(-len(shown) // columns)
        height = (self._room[1] - gap * (rows - 1)) // rows
        width = (self._room[0] - gap * (columns - 1)) // columns
        heads = [_cells_and_height(self._ui, len(lines), width)[1] for lines in shown.values()]
        least = max(heads) + self._ui.px(_LEAST_PLOT)
        all_width = self._room[0] - (self._ui.px(10) if height < least else 0)  # the scroll bar's
        width, height = (all_width - gap * (columns - 1)) // columns, max(height, least)
        for index, (group, lines) in enumerate(shown.items()):
            x, y = index % columns * (width + gap), index // columns * (height + gap)
            is_alone = index == len(shown) - 1 and index % columns == 0
            plot = Plot(self._ui, self._area, group, lines)
            plot.place(x, y, all_width if is_alone else width, height)
            self.plots[group] = plot

    def _toggle(self, group: str) -> None:
        chosen = set(self._training.groups) ^ {group}
        self._training.groups = tuple(name for name in GROUPS if name in chosen)

    def _smooth(self, value: float) -> None:
        self._training.smoothing = value


class Plot:
    """One group's curves over the steps, and above them their names and values at a step.

    The view follows the newest step until it is moved with the wheel or the mouse; a double click
    shows everything again.
    """

    def __init__(self, ui: Ui, parent: theme.Item, group: str, lines: tuple[Line, ...]) -> None:
        self._ui, self._group, self._lines = ui, group, lines
        self._colors = [theme.CURVES[i % len(theme.CURVES)] for i in range(len(lines))]
        self._last: float | None = None  # step of the run, once something is drawn
        self._width = self._cells = 1
        with dpg.child_window(
            parent=parent, border=False, no_scrollbar=True, no_scroll_with_mouse=True
        ) as self._window:
            self._readout = Canvas(1, 1)
            with dpg.plot(
                no_title=True, no_menus=True, no_box_select=True, no_mouse_pos=True,
                width=100, height=100,
            ) as self.item:  # fmt: skip
                self._x = dpg.add_plot_axis(dpg.mvXAxis, no_side_switch=True, no_highlight=True)
                self._y = dpg.add_plot_axis(dpg.mvYAxis, no_side_switch=True, no_highlight=True)
        colors = [theme.faded(color, 0.28) for color in self._colors]
        self._raw = [self._series(color) for color in colors]
        self._smooth = [self._series(color) for color in self._colors]
        #: An invisible line from step 0 to the last, so that all plots show the same steps.
        self._span = dpg.add_line_series([], [], parent=self._y)
        self._marker = dpg.add_inf_line_series([0.0], parent=self._y, show=False)
        dpg.bind_item_theme(self._marker, ui.theme.line(theme.FAINT))
        dpg.bind_item_theme(self._window, ui.theme.flat)
        dpg.bind_item_theme(self.item, ui.theme.plot)
        dpg.bind_item_font(self.item, ui.theme.small)

    def _series(self, color: theme.Rgba) -> theme.Item:
        series: theme.Item = dpg.add_line_series([], [], parent=self._y)
        dpg.bind_item_theme(series, self._ui.theme.line(color))
        return series

    def place(self, x: int, y: int, width: int, height: int) -> None:
        """Move to a place in the area and take a size."""
        px = self._ui.px
        self._width = width
        self._cells, head = _cells_and_height(self._ui, len(self._lines), width)
        dpg.configure_item(self._window, pos=(x, y), width=width, height=height)
        self._readout.resize(width, head)
        dpg.configure_item(self.item, width=width, height=max(px(40), height - head - px(4)))

    def delete(self) -> None:
        """Delete the plot's widgets."""
        dpg.delete_item(self._window)

    def is_hovered(self) -> bool:
        """Whether the mouse is over the curves."""
        return bool(dpg.is_item_hovered(self.item))

    def mouse_step(self) -> float | None:
        """The step under the mouse; None beside the curves."""
        step, value = map(float, dpg.get_plot_mouse_pos())
        if step == value == 0.0:  # the mouse is over an axis and has not been over the curves yet
            return None
        return step if self._last is not None and 0.0 <= step <= self._last else None

    def draw(self, lines: tuple[Line, ...], last: float, *, fit: bool) -> None:
        """Draw newer curves of the same names.

        Args:
            last: step of the run.
            fit: show all steps, whichever part was shown before.
        """
        follows = fit or self._shows_everything()
        self._lines, self._last = lines, last
        is_smooth = any(line.smooth is not line.raw for line in lines)
        for line, raw, smooth in zip(lines, self._raw, self._smooth, strict=True):
            steps = line.steps[line.drawn]
            dpg.set_value(smooth, dashed(steps, line.smooth[line.drawn], last))
            dpg.set_value(raw, dashed(steps, line.raw[line.drawn], last) if is_smooth else [[], []])
        dpg.set_value(self._span, [[0.0, last], [math.nan, math.nan]])
        if follows:
            dpg.fit_axis_data(self._x)
            dpg.fit_axis_data(self._y)

    def _shows_everything(self) -> bool:
        if self._last is None:
            return True
        low, high = dpg.get_axis_limits(self._x)
        return bool(low <= 0.0 and high >= self._last)

    def point_at(self, step: float | None) -> None:
        """Write the values at a step; None for the newest step."""
        if not self._readout.wants(step, self._width, self._lines):
            return
        dpg.configure_item(self._marker, show=step is not None)
        if step is not None:
            dpg.set_value(self._marker, [[step]])
        px, size, canvas = self._ui.px, self._ui.px(fonts.SMALL), self._readout
        last = max(float(line.steps[-1]) for line in self._lines)
        where = last if step is None else step
        found = [line.at(where) for line in self._lines]
        nearest = min((at for at, _ in found), key=lambda at: abs(at - where))
        canvas.text(0, 0, self._group, size, theme.TEXT)
        at = f"step {nearest:,}"
        canvas.text(self._width - fonts.text_width(at, size), 0, at, size, theme.MUTED)
        cell = self._width / self._cells
        for number, (line, (there, value)) in enumerate(zip(self._lines, found, strict=True)):
            x, y = cell * (number % self._cells), px(_LINE) * (1 + number // self._cells)
            canvas.disc(x + px(4), y + px(8), px(3), self._colors[number])
            # A figure that only another phase of the training records has no value at this step.
            is_near = abs(there - where) <= max(_NEAR * last, abs(nearest - where))
            text = f"{value:.3g}".replace("-", "−") if is_near else "–"
            wide = fonts.text_width(text, size)
            name = fonts.fitted(line.name.replace("_", " "), size, cell - px(20) - wide - px(6))
            canvas.text(x + px(12), y, name, size, theme.MUTED)
            canvas.text(x + cell - px(8) - wide, y, text, size, theme.TEXT)


def dashed(steps: Values, values: Values, last: float) -> list[list[float]]:
    """A curve's steps and values; of a single record a dash, since one point makes no line.

    Args:
        last: step of the run, whose hundredth the dash is long.
    """
    if len(steps) == 1:
        return [[float(steps[0]) - 0.01 * last, float(steps[0])], [float(values[0])] * 2]
    return [steps.tolist(), values.tolist()]


def _cells_and_height(ui: Ui, count: int, width: int) -> tuple[int, int]:
    """Names of curves beside each other above a plot, and the height of all ``count`` names."""
    cells = max(1, (width - ui.px(_LINE)) // ui.px(_CELL))
    return cells, (1 + -(-count // cells)) * ui.px(_LINE) + ui.px(4)
