"""The selected run: its name, its state, and buttons to stop, resume, open and remove it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import dearpygui.dearpygui as dpg

from app.state.wording import in_window
from app.train.state.training import Training
from app.train.state.watch import RunReport
from app.widgets.controls.ui import IconButton, Ui
from app.widgets.drawing import fonts, icons, theme
from app.widgets.drawing.canvas import Canvas
from stylesdf_core.progress import duration
from stylesdf_core.training.runs.run_summary import RunState, RunSummary

_HEIGHT, _ROW = 92, 30  # of the panel, and of each row of buttons below the name
#: Width, at scale 1, of the buttons and a short name in one row.
_ACTIONS, _LEAST_NAME = 512, 80
_RESUME = "Go on from the newest checkpoint"
_STOPPED = "Stopped; resume goes on from the newest checkpoint."
#: For each state: tooltip of the button Stop or Resume, message on the run, colour of the message.
_STATES: dict[RunState, tuple[str, str, theme.Rgba]] = {
    "new": (_RESUME, _STOPPED, theme.MUTED),
    "running": ("Save and end; the run can be resumed", "All is well.", theme.MUTED),
    "stopping": (
        "The run saves and ends after the current step",
        "Stopping: the run saves and ends after the current step.",
        theme.WARNING,
    ),
    "stopped": (_RESUME, _STOPPED, theme.MUTED),
    "finished": ("All steps are done", "Finished.", theme.MUTED),
    "failed": (_RESUME, "", theme.ERROR),
}


class RunPanel:
    """Name, actions, and two lines on the run's state; created in the current container.

    Args:
        opened: called once a checkpoint is being loaded into the viewport.
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
        self._steps: dict[str, int | None] = {}  # of the checkpoints to choose from
        self._room = 1  # for the run's name
        self._shown: tuple[object, ...] = ()
        row = partial(dpg.group, horizontal=True, horizontal_spacing=ui.px(4))
        with row() as self._head:
            self._name = Canvas(ui.px(100), ui.px(28))
            with row():
                self._main = ui.button("Resume", self._stop_or_resume, width=ui.px(76))
                self._main_tip = ui.tooltip(self._main)
                self._choice = dpg.add_combo((), width=ui.px(148))
                ui.tooltip(
                    self._choice,
                    "The averaged generator to open: the newest, the best (its samples were "
                    "nearest to the images), or that of any step that is kept",
                )
            with row():
                tip = "Load the checkpoint into the viewport"
                self._open = ui.button("Open in studio", self._open_model, tip, width=ui.px(112))
                tip = (
                    "Measure the newest averaged generator: consistency, flicker, distance to the "
                    "images, foreground if they have masks; the report goes into the run's folder"
                )
                self._evaluate = ui.button("Evaluate", self._measure, tip, width=ui.px(92))
                IconButton(ui, icons.folder, self._show, "Show the run's folder")
                tip = "Take the run off the list; its files stay"
                IconButton(ui, icons.cross, self._remove, tip)
        self._facts = ui.small_text()
        self._message = ui.small_text(wrap=ui.px(400))

    def resize(self, width: int) -> int:
        """Fit the middle column, if narrow with the buttons below the name; returns the height."""
        px = self._ui.px
        in_one_row = width >= px(_ACTIONS + _LEAST_NAME)
        self._room = width - px(_ACTIONS) if in_one_row else width
        self._name.resize(self._room, px(28))
        dpg.configure_item(self._head, horizontal=in_one_row)
        dpg.configure_item(self._message, wrap=width)
        return px(_HEIGHT) if in_one_row else px(_HEIGHT + 2 * _ROW)

    def sync(self) -> None:
        """Show the run."""
        run, report = self._training.run, self._training.report
        if run is None:
            return
        size = self._ui.px(fonts.TITLE)
        if self._name.wants(run.name, self._room):
            self._name.text(0, 0, fonts.fitted(run.name, size, self._room), size, theme.TEXT)
        measuring = self._training.evaluations.words(run.path)
        if (run, report, measuring) == self._shown:
            return
        self._shown = (run, report, measuring)
        job = self._training.evaluations.job(run.path)
        dpg.configure_item(
            self._evaluate, label="Evaluate" if job is None else f"Cancel {job.fraction:.0%}"
        )
        dpg.set_value(self._facts, _facts(run, report))
        self._show_choices(report)
        dpg.configure_item(self._main, label="Stop" if run.is_alive else "Resume")
        self._ui.enable(self._main, run.state not in ("stopping", "finished"))
        self._main_tip.text = _STATES[run.state][0]
        text, color = (measuring, theme.MUTED) if measuring else _message(run, report)
        dpg.configure_item(self._message, color=color)
        self._ui.set_small_text(self._message, text)

    def _show_choices(self, report: RunReport | None) -> None:
        steps: dict[str, int | None] = {}
        if report is not None and report.averages:
            steps[f"newest · {report.averages[-1]:,}"] = None
            if report.best is not None:
                steps[f"best · {report.best:,}"] = report.best
            steps |= {f"step {step:,}": step for step in reversed(report.averages)}
        if steps != self._steps or not steps:
            self._steps, choices = steps, tuple(steps)
            dpg.configure_item(self._choice, items=choices)
            if dpg.get_value(self._choice) not in choices:
                dpg.set_value(self._choice, choices[0] if choices else "no checkpoint yet")
        self._ui.enable(self._open, bool(steps))
        self._ui.enable(self._evaluate, bool(steps))

    def _stop_or_resume(self) -> None:
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

    def _measure(self) -> None:
        run = self._training.run
        if run is not None:
            self._training.evaluations.start_or_cancel(run.path)

    def _show(self) -> None:
        run = self._training.run
        if run is not None:
            self._show_folder(run.path / "config.json")

    def _remove(self) -> None:
        run = self._training.run
        if run is not None:
            self._training.remove(run.path)


def _facts(run: RunSummary, report: RunReport | None) -> str:
    parts = [" ".join(filter(None, (run.stage, run.preset)))]
    if run.total:
        parts.append(f"{run.step:,} of {run.total:,} steps")
    if run.is_alive and report is not None and report.speed is not None:
        parts.append(f"{report.speed:.3g} images/s")
    if run.hours_left is not None:
        parts.append(f"{duration(3600.0 * run.hours_left)} left")
    return " · ".join(parts)


def _message(run: RunSummary, report: RunReport | None) -> tuple[str, theme.Rgba]:
    """The message on the run, and its colour."""
    _, words, color = _STATES[run.state]
    if run.state == "failed":
        return in_window(f"{run.words[:1].upper()}{run.words[1:]}"), color
    if run.state != "stopping" and report is not None and report.health:
        return in_window(report.health), theme.WARNING
    if run.state == "running" and not run.step:
        first = "preparing heads" if run.stage == "fit" else "reading the images"
        return f"Starting: {first}, then the first steps.", color
    return words, color
