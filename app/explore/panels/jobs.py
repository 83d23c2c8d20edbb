"""How exports and downloads are doing."""

from __future__ import annotations

import dearpygui.dearpygui as dpg

from app.state.workbench import Workbench
from app.widgets import fonts, icons, theme
from app.widgets.ui import IconButton, Ui
from app.workers.jobs import Job, JobState
from stylesdf_core.scene.scene import Scene

#: Seen at once; more scroll.
ROWS = 2
_MOST_ROWS = 20
_ROW = 35
#: Of the whole panel, at scale 1.
HEIGHT = 24 + 26 + ROWS * _ROW


class JobsPanel:
    """The jobs under way, else the last ones; always of the same height."""

    def __init__(self, ui: Ui, bench: Workbench) -> None:
        self._ui, self._bench = ui, bench
        self._rows: list[JobRow] = []

    def build(self, width: int) -> None:
        """Create the widgets in the current container."""
        self._ui.heading("Jobs")
        with dpg.child_window(height=self._ui.px(ROWS * _ROW), border=False):
            self._rows = [JobRow(self._ui, self._bench, width) for _ in range(_MOST_ROWS)]

    def resize(self, width: int) -> None:
        """Fit a column."""
        for row in self._rows:
            row.resize(width)

    def sync(self, scene: Scene) -> None:
        """Show how far they are."""
        queue = self._bench.jobs
        shown = queue.active[:_MOST_ROWS]
        if not shown:
            shown = queue.jobs[-ROWS:]
        for index, row in enumerate(self._rows):
            row.show(shown[index] if index < len(shown) else None)


class JobRow:
    """One job: name, progress, and a button that cancels it; hidden while it has none."""

    def __init__(self, ui: Ui, bench: Workbench, width: int) -> None:
        self._ui, self._bench, self._width = ui, bench, width
        self._job: Job | None = None
        self._drawn: tuple[object, ...] = ()
        with dpg.group(horizontal=True, horizontal_spacing=0, show=False) as self._group:
            self._canvas = dpg.add_drawlist(width - ui.px(24), ui.px(_ROW - 8))
            self._cancel = IconButton(ui, icons.cross, self._cancel_job, "Cancel")
        dpg.hide_item(self._cancel.item)

    def show(self, job: Job | None) -> None:
        """Draw a job, or nothing."""
        self._job = job
        key: tuple[object, ...] = (None, self._width)
        if job is not None:
            key = (job.label, job.state, round(job.fraction, 3), job.message, self._width)
        if key == self._drawn:
            return
        self._drawn = key
        dpg.configure_item(self._group, show=job is not None)
        dpg.delete_item(self._canvas, children_only=True)
        dpg.configure_item(self._cancel.item, show=job is not None and job.active)
        if job is not None:
            self._draw(job)

    def resize(self, width: int) -> None:
        """Fit a column."""
        self._width = width
        dpg.configure_item(self._canvas, width=width - self._ui.px(24))

    def _draw(self, job: Job) -> None:
        px = self._ui.px
        width, size = self._width - px(28), px(fonts.SMALL)
        left = job.seconds_left
        status = job.state.value
        if job.state is JobState.RUNNING:
            status = f"{job.fraction:.0%}" + (f" · {left:.0f} s left" if left is not None else "")
        status_width = fonts.text_width(status, size)
        label = fonts.fitted(job.label, size, width - status_width - px(12))
        color = theme.TEXT if job.active else theme.MUTED
        dpg.draw_text((0, 0), label, size=size, color=color, parent=self._canvas)
        color = theme.ERROR if job.state is JobState.FAILED else theme.MUTED
        at = (width - status_width, 0)
        dpg.draw_text(at, status, size=size, color=color, parent=self._canvas)
        if not job.active:
            return
        y, thick = px(22), px(4)
        for share, fill in ((1.0, theme.HOVERED), (job.fraction, theme.ACCENT)):
            dpg.draw_rectangle(
                (0, y),
                (max(share * width, 1.0), y + thick),
                color=theme.CLEAR,
                fill=fill,
                rounding=thick / 2,
                parent=self._canvas,
            )

    def _cancel_job(self) -> None:
        if self._job is not None:
            self._bench.jobs.cancel(self._job)
