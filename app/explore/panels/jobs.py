"""The jobs panel: progress of exports and downloads."""

from __future__ import annotations

import dearpygui.dearpygui as dpg

from app.state.workbench import Workbench
from app.widgets import fonts, icons, theme
from app.widgets.canvas import Canvas
from app.widgets.ui import IconButton, Ui
from app.workers.jobs import Job, JobState

#: Rows seen at once; further rows are scrolled to.
ROWS = 2
_MOST_ROWS = 20
_ROW = 35
#: Height of the whole panel, at scale 1.
HEIGHT = 24 + 26 + ROWS * _ROW


class JobsPanel:
    """The jobs under way, or else the last jobs; the panel's height is fixed."""

    def __init__(self, ui: Ui, workbench: Workbench) -> None:
        self._workbench = workbench
        ui.heading("Jobs")
        with dpg.child_window(height=ui.px(ROWS * _ROW), border=False):
            self._rows = [JobRow(ui, workbench) for _ in range(_MOST_ROWS)]

    def resize(self, width: int) -> None:
        """Fit a column."""
        for row in self._rows:
            row.resize(width)

    def sync(self) -> None:
        """Show the progress of the jobs."""
        queue = self._workbench.jobs
        shown = queue.active[:_MOST_ROWS] or queue.jobs[-ROWS:]
        for index, row in enumerate(self._rows):
            row.show(shown[index] if index < len(shown) else None)


class JobRow:
    """One job: name, progress, and a button that cancels it; hidden while there is no job."""

    def __init__(self, ui: Ui, workbench: Workbench) -> None:
        self._ui, self._workbench, self._width = ui, workbench, 1
        self._job: Job | None = None
        with dpg.group(horizontal=True, horizontal_spacing=0, show=False) as self._group:
            self._canvas = Canvas(1, ui.px(_ROW - 8))
            self._cancel = IconButton(ui, icons.cross, self._cancel_job, "Cancel")
        dpg.hide_item(self._cancel.item)

    def show(self, job: Job | None) -> None:
        """Draw a job; None hides the row."""
        self._job = job
        key: tuple[object, ...] = ()
        if job is not None:
            key = (job.label, job.state, round(job.fraction, 3), job.message)
        if not self._canvas.wants(*key, self._width):
            return
        dpg.configure_item(self._group, show=job is not None)
        dpg.configure_item(self._cancel.item, show=job is not None and job.active)
        if job is not None:
            self._draw(job)

    def resize(self, width: int) -> None:
        """Fit a column."""
        self._width = width
        self._canvas.resize(width - self._ui.px(24), self._ui.px(_ROW - 8))

    def _draw(self, job: Job) -> None:
        px, canvas = self._ui.px, self._canvas
        width, size = self._width - px(28), px(fonts.SMALL)
        left = job.seconds_left
        status = job.state.value
        if job.state is JobState.RUNNING:
            status = f"{job.fraction:.0%}" + (f" · {left:.0f} s left" if left is not None else "")
        status_width = fonts.text_width(status, size)
        label = fonts.fitted(job.label, size, width - status_width - px(12))
        canvas.text(0, 0, label, size, theme.TEXT if job.active else theme.MUTED)
        color = theme.ERROR if job.state is JobState.FAILED else theme.MUTED
        canvas.text(width - status_width, 0, status, size, color)
        if not job.active:
            return
        y, thick = px(22), px(4)
        for share, fill in ((1.0, theme.HOVERED), (job.fraction, theme.ACCENT)):
            canvas.rectangle(0, y, max(share * width, 1.0), y + thick, fill, thick / 2)

    def _cancel_job(self) -> None:
        if self._job is not None:
            self._workbench.jobs.cancel(self._job)
