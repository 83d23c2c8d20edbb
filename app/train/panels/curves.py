"""A run's figures as curves, with the values under the mouse."""

from __future__ import annotations

import math
from functools import partial

import dearpygui.dearpygui as dpg

from app.train.curves import GROUP_HELP, GROUPS, Line
from app.train.training import SMOOTHING, Training
from app.train.watch import RunReport
from app.widgets import fonts, theme
from app.widgets.slider import SliderActions, SliderRow, SliderSpec
from app.widgets.ui import Ui

_TOOLS = 32
_SMOOTHING = 204
_BUTTONS = {"losses": 56, "β": 26, "scores": 56, "distance": 66, "quality": 56,
            "speed": 52, "surface": 60, "gradients": 72}  # fmt: skip
_CELL, _LINE = 128, 16
_HIGHEST_SMOOTHING = 0.99
#: How far from the mouse a value still counts, as a share of the run.
_NEAR = 0.02


class CurvesPanel:
    """Buttons for groups of curves, a plot for each that is chosen."""

    def __init__(self, ui: Ui, training: Training) -> None:
        self._ui, self._training = ui, training
        self._buttons: dict[str, int | str] = {}
        self._area: int | str = 0
        self._empty: int | str = 0
        self._smoothing: SliderRow | None = None
        self.plots: dict[str, Plot] = {}
        self._laid_out: tuple[object, ...] = ()
        self._report: RunReport | None = None
        self._looks: tuple[object, ...] = ()
        self._size = (0, 0)

    def build(self) -> None:
        """Create the widgets in the current container."""
        ui = self._ui
        with dpg.group(horizontal=True, horizontal_spacing=ui.px(2)):
            for group in GROUPS:
                self._buttons[group] = ui.button(
                    group,
                    partial(self._toggle, group),
                    f"{GROUP_HELP[group]}.  Click to show or hide",
                    width=ui.px(_BUTTONS[group]),
                )
            self._spacer = dpg.add_spacer(width=1)
            self._smoothing = SliderRow(
                ui,
                SliderSpec(
                    "smoothing",
                    "Weight of the past in the drawn averages, 0 to 0.99; the faint lines behind "
                    "are what was recorded",
                    0.0,
                    _HIGHEST_SMOOTHING,
                    0.05,
                    label_width=76,
                ),
                SliderActions(self._smooth, lambda: None, lambda: self._smooth(SMOOTHING)),
                ui.px(_SMOOTHING),
            )
        dpg.add_spacer(height=ui.px(4))
        self._area = dpg.add_child_window(
            border=False, no_scrollbar=True, no_scroll_with_mouse=True, height=ui.px(100)
        )
        dpg.bind_item_theme(self._area, ui.theme.flat)
        self._empty = dpg.add_text("", color=theme.MUTED, parent=self._area)

    def resize(self, width: int, height: int) -> None:
        """Fill a rectangle."""
        px = self._ui.px
        self._size = (width, height - px(_TOOLS + 8))
        dpg.configure_item(self._area, width=width, height=self._size[1])

    def sync(self) -> None:
        """Show what has been recorded."""
        training, report = self._training, self._training.report
        available = report.groups if report is not None else ()
        looks = (training.groups, available)
        if looks != self._looks:
            self._looks = looks
            for group, button in self._buttons.items():
                on = group in training.groups and group in available
                look = self._ui.theme.selected if on else self._ui.theme.quiet
                dpg.bind_item_theme(button, look)
                dpg.configure_item(button, show=group in available or group in ("losses", "β"))
        self._align(available)
        if self._smoothing is not None:
            self._smoothing.show(training.smoothing, edited=training.smoothing != SMOOTHING)
        lines = report.lines if report is not None and report.lines is not None else {}
        shown = {group: lines[group] for group in training.groups if lines.get(group)}
        names = tuple((group, tuple(line.name for line in found)) for group, found in shown.items())
        layout = (names, self._size)
        if layout != self._laid_out:
            self._laid_out = layout
            self._lay_out(shown)
            self._report = None
        if report is not self._report:
            fresh = self._report is None or (
                report is not None and report.request.path != self._report.request.path
            )
            self._report = report
            ends = [float(line.steps[-1]) for found in shown.values() for line in found]
            for group, plot in self.plots.items():
                plot.draw(shown[group], max(ends), fit=fresh)
        dpg.configure_item(self._empty, show=not shown)
        if not shown:
            text = (
                "Nothing recorded yet." if report is None or not available else "No curves chosen."
            )
            dpg.set_value(self._empty, text)
        hovered = next((p.mouse_step() for p in self.plots.values() if p.is_hovered()), None)
        for plot in self.plots.values():
            plot.point_at(hovered)

    def _align(self, available: tuple[str, ...]) -> None:
        """Push the smoothing to the right edge."""
        px = self._ui.px
        shown = [group for group in GROUPS if group in available or group in ("losses", "β")]
        taken = sum(px(_BUTTONS[group]) + px(2) for group in shown) + px(_SMOOTHING) + px(4)
        dpg.configure_item(self._spacer, width=max(1, self._size[0] - taken))

    def _lay_out(self, shown: dict[str, tuple[Line, ...]]) -> None:
        for plot in self.plots.values():
            plot.delete()
        self.plots.clear()
        if not shown or self._size[1] <= 0:
            return
        px = self._ui.px
        columns = 1 if len(shown) == 1 else 2
        rows = -(-len(shown) // columns)
        gap = px(12)
        width = (self._size[0] - gap * (columns - 1)) // columns
        height = (self._size[1] - gap * (rows - 1)) // rows
        for index, (group, lines) in enumerate(shown.items()):
            x, y = index % columns * (width + gap), index // columns * (height + gap)
            wide = self._size[0] if index == len(shown) - 1 and index % columns == 0 else width
            plot = Plot(self._ui, self._area, group, lines)
            plot.place(x, y, wide, height)
            self.plots[group] = plot

    def _toggle(self, group: str) -> None:
        chosen = set(self._training.groups) ^ {group}
        self._training.groups = tuple(name for name in GROUPS if name in chosen)

    def _smooth(self, value: float) -> None:
        self._training.smoothing = min(_HIGHEST_SMOOTHING, max(0.0, value))


class Plot:
    """One group's curves over the steps; the line above says their values.

    The view follows the newest step until it is moved with the wheel or the mouse; a double click
    shows everything again.
    """

    def __init__(self, ui: Ui, parent: int | str, group: str, lines: tuple[Line, ...]) -> None:
        self._ui, self._group, self._lines = ui, group, lines
        self._colors = [theme.CURVES[i % len(theme.CURVES)] for i in range(len(lines))]
        self._pointed: object = ()
        self._extent: tuple[float, float] | None = None
        self._width = 1
        self._cells = 1
        self._window: int | str = dpg.add_child_window(
            parent=parent, border=False, no_scrollbar=True, no_scroll_with_mouse=True
        )
        dpg.bind_item_theme(self._window, ui.theme.flat)
        self._readout: int | str = dpg.add_drawlist(1, 1, parent=self._window)
        with dpg.plot(
            parent=self._window, no_title=True, no_menus=True, no_box_select=True,
            no_mouse_pos=True, width=100, height=100,
        ) as self.item:  # fmt: skip
            self._x = dpg.add_plot_axis(dpg.mvXAxis, no_side_switch=True, no_highlight=True)
            self._y = dpg.add_plot_axis(dpg.mvYAxis, no_side_switch=True, no_highlight=True)
            self._raw = [dpg.add_line_series([], [], parent=self._y) for _ in lines]
            self._smooth = [dpg.add_line_series([], [], parent=self._y) for _ in lines]
            #: Shows nothing and makes all plots begin and end alike.
            self._span = dpg.add_line_series([], [], parent=self._y)
            self._marker = dpg.add_inf_line_series([0.0], parent=self._y, show=False)
        dpg.bind_item_theme(self.item, ui.theme.plot)
        for number, color in enumerate(self._colors):
            dpg.bind_item_theme(self._raw[number], ui.theme.line(theme.faded(color, 0.28)))
            dpg.bind_item_theme(self._smooth[number], ui.theme.line(color))
        dpg.bind_item_theme(self._marker, ui.theme.line(theme.FAINT))
        if ui.theme.small:
            dpg.bind_item_font(self.item, ui.theme.small)

    def place(self, x: int, y: int, width: int, height: int) -> None:
        """Stand at a place in the area."""
        px = self._ui.px
        self._width = width
        self._cells = max(1, (width - px(_LINE)) // px(_CELL))
        rows = 1 + -(-len(self._lines) // self._cells)
        head = rows * px(_LINE) + px(4)
        dpg.configure_item(self._window, pos=(x, y), width=width, height=height)
        dpg.configure_item(self._readout, width=width, height=head)
        plot = max(px(40), height - head - px(4))
        dpg.configure_item(self.item, width=width, height=plot)

    def delete(self) -> None:
        """Take it away."""
        dpg.delete_item(self._window)

    def is_hovered(self) -> bool:
        """Whether the mouse is over the curves."""
        return bool(dpg.is_item_hovered(self.item))

    def mouse_step(self) -> float | None:
        """The step under the mouse; None beside the curves."""
        step, value = map(float, dpg.get_plot_mouse_pos())
        if step == value == 0.0:  # over an axis, and never over the curves so far
            return None
        return step if self._extent is not None and 0.0 <= step <= self._extent[1] else None

    def draw(self, lines: tuple[Line, ...], last: float, *, fit: bool) -> None:
        """Draw newer curves of the same names.

        Args:
            last: step of the run.
            fit: show everything, whatever was looked at before.
        """
        follows = fit or self._shows_everything()
        self._lines = lines
        is_smooth = any(line.smooth is not line.raw for line in lines)
        for line, raw, smooth in zip(lines, self._raw, self._smooth, strict=True):
            steps = line.drawn_steps.tolist()
            dpg.set_value(smooth, [steps, line.drawn_smooth.tolist()])
            dpg.set_value(raw, [steps, line.drawn_raw.tolist()] if is_smooth else [[], []])
        self._extent = (0.0, last)
        dpg.set_value(self._span, [[0.0, last], [math.nan, math.nan]])
        if follows:
            dpg.fit_axis_data(self._x)
            dpg.fit_axis_data(self._y)
        self._pointed = ()

    def _shows_everything(self) -> bool:
        if self._extent is None:
            return True
        low, high = dpg.get_axis_limits(self._x)
        return bool(low <= self._extent[0] and high >= self._extent[1])

    def point_at(self, step: float | None) -> None:
        """Say the values at a step; None for the newest."""
        key = (step, self._width, id(self._lines))
        if key == self._pointed:
            return
        self._pointed = key
        dpg.configure_item(self._marker, show=step is not None)
        if step is not None:
            dpg.set_value(self._marker, [[step]])
        self._draw_readout(step)

    def _draw_readout(self, step: float | None) -> None:
        px, size = self._ui.px, self._ui.px(fonts.SMALL)
        dpg.delete_item(self._readout, children_only=True)
        last = max(float(line.steps[-1]) for line in self._lines)
        where = last if step is None else step
        found = [line.at(where) for line in self._lines]
        nearest = min((at for at, _ in found), key=lambda at: abs(at - where))
        at = f"step {nearest:,}"
        dpg.draw_text((0, 0), self._group, size=size, color=theme.TEXT, parent=self._readout)
        x = self._width - fonts.text_width(at, size)
        dpg.draw_text((x, 0), at, size=size, color=theme.MUTED, parent=self._readout)
        cell = self._width / self._cells
        for number, (line, (there, value)) in enumerate(zip(self._lines, found, strict=True)):
            x, y = cell * (number % self._cells), px(_LINE) * (1 + number // self._cells)
            dpg.draw_circle(
                (x + px(4), y + px(8)), px(3), color=theme.CLEAR, fill=self._colors[number],
                parent=self._readout,
            )  # fmt: skip
            # A term of another phase has no value here.
            here = abs(there - where) <= max(_NEAR * last, abs(nearest - where))
            text = f"{value:.3g}".replace("-", "−") if here else "–"
            room = cell - px(20) - fonts.text_width(text, size) - px(6)
            name = fonts.fitted(line.name.replace("_", " "), size, room)
            dpg.draw_text((x + px(12), y), name, size=size, color=theme.MUTED, parent=self._readout)
            end = x + cell - px(8) - fonts.text_width(text, size)
            dpg.draw_text((end, y), text, size=size, color=theme.TEXT, parent=self._readout)
