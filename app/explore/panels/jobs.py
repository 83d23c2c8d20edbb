"""The jobs panel: exports and downloads under way, and those that are over."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import dearpygui.dearpygui as dpg

from app.state.wording import details, title_and_text
from app.state.workbench import Workbench
from app.widgets.controls.ui import IconButton, Ui, inside
from app.widgets.dialogs.file_manager import show_file
from app.widgets.drawing import fonts, icons, theme
from app.widgets.drawing.canvas import Canvas
from app.workers.concurrency.jobs import Job, JobState
from stylesdf_core.progress import duration

_HEADING, _ROW, _BUTTON = 28, 28, 24
_EMPTY = "Exports and downloads are listed here."


class JobsPanel:
    """The jobs under way, in order, then the last jobs, newest first; the list scrolls."""

    def __init__(self, ui: Ui, workbench: Workbench) -> None:
        self._ui, self._workbench, self._width = ui, workbench, 1
        self._rows: dict[Job, JobRow] = {}
        self._shown: tuple[object, ...] | None = None
        ui.heading("Jobs")
        with dpg.child_window(border=False) as self._list:
            pass
        dpg.bind_item_theme(self._list, ui.theme.flat)

    def resize(self, width: int, height: int) -> None:
        """Fill the lower end of a column."""
        self._width, self._shown = width, None
        room = max(self._ui.px(_ROW), height - self._ui.px(_HEADING))
        dpg.configure_item(self._list, width=width, height=room)

    def sync(self) -> None:
        """Show the progress of the jobs."""
        queue = self._workbench.jobs
        jobs = [*queue.active, *(job for job in reversed(queue.jobs) if not job.active)]
        shown = (self._width, *((job, job.state) for job in jobs))
        if shown != self._shown:
            self._shown = shown
            self._rebuild(jobs)
        for row in self._rows.values():
            row.sync()

    def _rebuild(self, jobs: list[Job]) -> None:
        for row in self._rows.values():
            row.forget()
        dpg.delete_item(self._list, children_only=True)
        with inside(self._list):
            if not jobs:
                self._ui.small_text(_EMPTY, wrap=self._width)
            width = self._width - self._ui.px(12)  # the scroll bar's
            self._rows = {job: JobRow(self._ui, self._workbench, job, width) for job in jobs}


class JobRow:
    """One job in one state: its name and progress, why it failed, and what can be done."""

    def __init__(self, ui: Ui, workbench: Workbench, job: Job, width: int) -> None:
        self._ui, self._workbench, self._job = ui, workbench, job
        buttons = self._buttons()
        self._width = width - ui.px(_BUTTON) * len(buttons)
        with dpg.group(horizontal=True, horizontal_spacing=0):
            self._canvas = Canvas(self._width, ui.px(_ROW))
            self._icons = [IconButton(ui, *button) for button in buttons]
        if job.error is not None:
            _, text = title_and_text(job.error)
            ui.small_text(text, theme.ERROR, wrap=width)

    def forget(self) -> None:
        """Give up the mouse; to be called before the row's items are deleted."""
        for icon in self._icons:
            self._ui.pointer.remove(icon)

    def sync(self) -> None:
        """Draw the progress."""
        job, px, canvas = self._job, self._ui.px, self._canvas
        if not canvas.wants(round(job.fraction, 3), job.message):
            return
        width, size = self._width - px(4), px(fonts.SMALL)
        status, left = job.state.value, job.seconds_left
        if job.state is JobState.RUNNING:
            status = f"{job.fraction:.0%}"
            if left is not None:
                status += f" · {duration(left)} left"
        status_width = fonts.text_width(status, size)
        label = fonts.fitted(job.label, size, width - status_width - px(12))
        top = px(2) if job.active else (px(_ROW) - size) / 2
        canvas.text(0, top, label, size, theme.TEXT if job.active else theme.MUTED)
        color = theme.ERROR if job.state is JobState.FAILED else theme.MUTED
        canvas.text(width - status_width, top, status, size, color)
        if job.active:
            y, thick = px(21), px(4)
            for share, fill in ((1.0, theme.HOVERED), (job.fraction, theme.ACCENT)):
                canvas.rectangle(0, y, max(share * width, 1.0), y + thick, fill, thick / 2)

    def _buttons(self) -> list[tuple[icons.Icon, Callable[[], None], str]]:
        """Icon, action and tooltip of each button of the row."""
        workbench, job = self._workbench, self._job
        if job.active:
            return [(icons.cross, partial(workbench.jobs.cancel, job), "Cancel")]
        buttons: list[tuple[icons.Icon, Callable[[], None], str]] = []
        if job.error is not None:
            buttons.append((icons.reset, partial(workbench.jobs.retry, job), "Retry"))
            if report := details(job.error):
                copy = partial(dpg.set_clipboard_text, report)
                buttons.append((icons.copy, copy, "Copy the program's report on the error"))
        if job.out is not None and job.state is not JobState.CANCELLED:
            tip = "Show the file" if job.error is None else "Show the folder"
            buttons.append((icons.folder, partial(self._show, job.out), tip))
        forget = partial(workbench.jobs.forget, job)
        return [*buttons, (icons.cross, forget, "Take the job off the list")]

    def _show(self, path: Path) -> None:
        if not show_file(path):
            text = f"There is no file manager; the folder is {path.parent}"
            self._workbench.toast(text, is_error=True)
