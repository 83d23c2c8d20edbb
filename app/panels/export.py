"""Files: what can be exported, where to, and how the jobs are doing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import dearpygui.dearpygui as dpg

from app import fonts, icons, theme
from app.exports import EXPORTS, Family, default_stem, export_folder, export_kind
from app.settings import ExportSettings
from app.slider import SliderActions, SliderRow, SliderSpec
from app.ui import IconButton, Ui
from app.workbench import Workbench
from app.workers import Job, JobState
from stylesdf_core.scene import Scene

_JOBS_SHOWN = 4
_ROW = 40


class ExportPanel:
    """Export buttons, turntable settings and the list of jobs.

    Args:
        choose_folder: opens the folder dialog.
    """

    def __init__(self, ui: Ui, bench: Workbench, choose_folder: Callable[[], None]) -> None:
        self._ui, self._bench, self._choose_folder = ui, bench, choose_folder
        self._folder: int | str = 0
        self._name: int | str = 0
        self._rows: dict[str, SliderRow] = {}
        self._copy: int | str = 0
        self._jobs: list[JobRow] = []
        self._width = 0
        self._custom_name = ""

    def build(self, width: int) -> None:
        """Create the widgets in the current container."""
        ui = self._ui
        self._width = width
        ui.heading("Export")
        field = width - ui.px(28)
        with dpg.group(horizontal=True, horizontal_spacing=ui.px(4)):
            self._folder = ui.text_field(
                "", self._typed_folder, "Folder that exports go to; remembered", width=field
            )
            IconButton(ui, icons.folder, self._choose_folder, "Choose a folder")
        self._name = ui.text_field(
            "",
            self._typed_name,
            "File name without suffix; empty for model and seed. "
            "Nothing is overwritten: a number is added where needed",
            width=width,
        )
        self._buttons("picture", width)
        self._buttons("mesh", width)
        self._buttons("turntable", width)
        for name, spec in _TURNTABLE.items():
            self._rows[name] = SliderRow(ui, spec, self._actions(name), width)
        self._copy = ui.button(
            "Copy as command",
            lambda: self.copy_command(self._bench.last_export),
            "Copy the terminal command that does the last export again; "
            "right click an export button for its command",
        )
        dpg.add_spacer(height=ui.px(2))
        self._jobs = [JobRow(ui, self._bench, width) for _ in range(_JOBS_SHOWN)]

    def resize(self, width: int) -> None:
        """Fit a column."""
        self._width = width
        dpg.configure_item(self._folder, width=width - self._ui.px(28))
        dpg.configure_item(self._name, width=width)
        for row in self._rows.values():
            row.resize(width)
        for job in self._jobs:
            job.resize(width)

    def sync(self, scene: Scene) -> None:
        """Show settings and jobs."""
        settings = self._bench.settings
        if not dpg.is_item_active(self._folder):
            dpg.set_value(self._folder, str(export_folder(settings)))
        if not dpg.is_item_active(self._name):
            dpg.set_value(self._name, self._custom_name or default_stem(scene, export_kind("PNG")))
        for name, row in self._rows.items():
            value = float(getattr(settings.export, name))
            row.show(value, edited=value != getattr(ExportSettings(), name))
        jobs = self._bench.jobs.jobs[-_JOBS_SHOWN:]
        for index, row in enumerate(self._jobs):
            row.show(jobs[index] if index < len(jobs) else None)

    def export(self, name: str) -> None:
        """Start an export under the name in the field."""
        self._bench.export(name, self._stem(name))

    def copy_command(self, name: str) -> None:
        """Put the command of an export on the clipboard."""
        command = self._bench.command(name, self._stem(name))
        if command is not None:
            dpg.set_clipboard_text(command)
            self._bench.toast(f"Copied the command for {name}")

    def _stem(self, name: str) -> str:
        view = export_kind(name).view
        return f"{self._custom_name}-{view}" if self._custom_name and view else self._custom_name

    def _buttons(self, family: Family, width: int) -> None:
        kinds = [kind for kind in EXPORTS if kind.family == family]
        gap = self._ui.px(4)
        each = (width - gap * (len(kinds) - 1)) // len(kinds)
        with dpg.group(horizontal=True, horizontal_spacing=gap):
            for kind in kinds:
                button = self._ui.button(
                    kind.name,
                    partial(self.export, kind.name),
                    f"{kind.description}.  Right click: copy the command",
                    width=each,
                )
                with dpg.item_handler_registry() as handlers:
                    dpg.add_item_clicked_handler(
                        1,
                        user_data=kind.name,
                        callback=lambda _s, _a, name: self.copy_command(name),
                    )
                dpg.bind_item_handler_registry(button, handlers)

    def _typed_folder(self, text: str) -> None:
        self._bench.set_export(folder=text.strip())

    def _typed_name(self, text: str) -> None:
        self._custom_name = "".join(c for c in text.strip() if c not in '/\\:*?"<>|')

    def _actions(self, name: str) -> SliderActions:
        bench = self._bench

        def change(value: float) -> None:
            whole = round(value)
            if name == "size":
                whole = 0 if whole < 16 else whole
            bench.set_export(**{name: whole})

        return SliderActions(change, lambda: None, lambda: change(getattr(ExportSettings(), name)))


_TURNTABLE: dict[str, SliderSpec] = {
    "frames": SliderSpec(
        "frames", "Frames in one turn of the turntable, 2 to 240", 2, 240, 1, digits=0, origin=2
    ),
    "fps": SliderSpec("fps", "Frames a second, 1 to 60", 1, 60, 1, digits=0, origin=1),
    "size": SliderSpec(
        "size",
        "Edge of the frames in pixels, 16 to 1024; 0 for the model's own",
        0,
        1024,
        64,
        digits=0,
    ),
}


class JobRow:
    """One job: name, progress, and a button that cancels it. Keeps its place when empty."""

    def __init__(self, ui: Ui, bench: Workbench, width: int) -> None:
        self._ui, self._bench, self._width = ui, bench, width
        self._job: Job | None = None
        self._drawn: tuple[object, ...] = ()
        with dpg.group(horizontal=True, horizontal_spacing=0):
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
