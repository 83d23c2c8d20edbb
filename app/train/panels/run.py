"""The selected run: what it is, how it is doing, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import dearpygui.dearpygui as dpg

from app.train.training import Training
from app.train.watch import RunReport
from app.widgets import fonts, icons, theme
from app.widgets.ui import IconButton, Ui, duration
from stylesdf_core.training.run_summary import RunSummary

HEIGHT = 92
_ACTIONS = 416  # width of the buttons, at scale 1
_NEWEST = "newest"


class RunPanel:
    """Name, actions, and two lines on its state.

    Args:
        opened: called once a checkpoint is on its way into the viewport.
        show_folder: shows a folder in the system's file manager.
    """

    def __init__(
        self,
        ui: Ui,
        training: Training,
        opened: Callable[[], None],
        show_folder: Callable[[Path], None],
    ) -> None:
        self._ui, self._training = ui, training
        self._opened, self._show_folder = opened, show_folder
        self._canvas: int | str = 0
        self._main: int | str = 0
        self._choice: int | str = 0
        self._choices: tuple[str, ...] = ()
        self._steps: dict[str, int | None] = {}
        self._message: int | str = 0
        self._width = 0
        self._drawn: tuple[object, ...] = ()

    def build(self) -> None:
        """Create the widgets in the current container."""
        ui = self._ui
        with dpg.group(horizontal=True, horizontal_spacing=ui.px(4)):
            self._canvas = dpg.add_drawlist(ui.px(100), ui.px(28))
            self._main = ui.button("Resume", self._act, "", width=ui.px(76))
            self._main_tip = ui.live_tooltip(self._main)
            self._choice = dpg.add_combo((), width=ui.px(148))
            ui.tooltip(
                self._choice,
                "Which of the run's averaged generators to open: the newest, the one whose samples "
                "were nearest to the images, or any that is kept",
            )
            self._open = ui.button(
                "Open in studio",
                self._open_model,
                "Load the checkpoint into the viewport",
                width=ui.px(120),
            )
            IconButton(ui, icons.folder, self._folder, "Show the run's folder")
            IconButton(ui, icons.cross, self._remove, "Take the run off the list; its files stay")
        self._facts = ui.small_text()
        self._message = ui.small_text(wrap=ui.px(400))

    def resize(self, width: int) -> None:
        """Fit the middle."""
        self._width = width
        room = max(self._ui.px(80), width - self._ui.px(_ACTIONS))
        dpg.configure_item(self._canvas, width=room)
        dpg.configure_item(self._message, wrap=width)

    def sync(self) -> None:
        """Show the run."""
        run, report = self._training.run, self._training.report
        if run is None:
            return
        key = (run, report, self._width)
        if key == self._drawn:
            return
        self._drawn = key
        self._draw(run, report)
        self._show_choices(report)
        dpg.configure_item(
            self._main,
            label="Stop" if run.is_alive else "Resume",
            enabled=run.state not in ("stopping", "finished"),
        )
        usable = run.state not in ("stopping", "finished")
        dpg.bind_item_theme(self._main, self._ui.theme.button if usable else self._ui.theme.quiet)
        dpg.set_value(self._main_tip, _explained(run))
        text, color = _message(run, report)
        dpg.configure_item(self._message, color=color)
        dpg.set_value(self._message, text)

    def _draw(self, run: RunSummary, report: RunReport | None) -> None:
        px = self._ui.px
        dpg.delete_item(self._canvas, children_only=True)
        room = max(1, dpg.get_item_width(self._canvas) or 1)
        title = fonts.fitted(run.name, px(fonts.TITLE), room)
        dpg.draw_text((0, 0), title, size=px(fonts.TITLE), color=theme.TEXT, parent=self._canvas)
        parts = [" ".join(filter(None, (run.stage, run.preset)))]
        if run.total:
            parts.append(f"{run.step:,} of {run.total:,} steps")
        if run.is_alive and report is not None and report.speed is not None:
            parts.append(f"{report.speed:.3g} images/s")
        if run.hours_left is not None:
            parts.append(f"{duration(run.hours_left)} left")
        dpg.set_value(self._facts, " · ".join(parts))

    def _show_choices(self, report: RunReport | None) -> None:
        steps: dict[str, int | None] = {}
        if report is not None and report.averages:
            steps[f"{_NEWEST} · {report.averages[-1]:,}"] = None
            if report.best is not None:
                steps[f"best · {report.best:,}"] = report.best
            for step in reversed(report.averages):
                steps[f"step {step:,}"] = step
        self._steps = steps
        choices = tuple(steps)
        if choices != self._choices:
            chosen = str(dpg.get_value(self._choice))
            self._choices = choices
            dpg.configure_item(self._choice, items=choices)
            if chosen not in choices:
                dpg.set_value(self._choice, choices[0] if choices else "no checkpoint yet")
        dpg.configure_item(self._open, enabled=bool(choices))
        dpg.bind_item_theme(self._open, self._ui.theme.button if choices else self._ui.theme.quiet)

    def _act(self) -> None:
        run = self._training.run
        if run is None or run.state in ("stopping", "finished"):
            return
        if run.is_alive:
            self._training.stop(run.path)
        else:
            self._training.resume(run.path)

    def _open_model(self) -> None:
        run = self._training.run
        if run is not None:
            step = self._steps.get(str(dpg.get_value(self._choice)))
            if self._training.open_model(run.path, step):
                self._opened()

    def _folder(self) -> None:
        run = self._training.run
        if run is not None:
            self._show_folder(run.path / "config.json")

    def _remove(self) -> None:
        run = self._training.run
        if run is not None:
            self._training.remove(run.path)


def _explained(run: RunSummary) -> str:
    if run.state == "running":
        return "Save and end; the run can be resumed"
    if run.state == "stopping":
        return "It saves and ends after the step it is at"
    if run.state == "finished":
        return "All steps are done"
    return "Go on from the newest checkpoint"


def _message(run: RunSummary, report: RunReport | None) -> tuple[str, theme.Color]:
    """What there is to say about the run, and in which colour."""
    if run.state == "failed":
        return f"{run.words[:1].upper()}{run.words[1:]}", theme.ERROR
    if run.state == "stopping":
        return "Stopping: it saves and ends after the step it is at.", theme.WARNING
    if report is not None and report.health:
        return report.health, theme.WARNING
    if run.state == "running" and not run.step:
        first = "preparing heads" if run.stage == "fit" else "reading the images"
        return f"Starting: {first}, then the first steps.", theme.MUTED
    if run.state == "running":
        return "All is well.", theme.MUTED
    if run.state == "finished":
        return "Finished.", theme.MUTED
    return "Stopped; resume goes on from the newest checkpoint.", theme.MUTED
