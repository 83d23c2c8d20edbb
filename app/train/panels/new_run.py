"""A new training run: stage, weights to start from, images and settings."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import dearpygui.dearpygui as dpg

from app.state.wording import in_window
from app.train.parameters import LABELS, FormRow, Parameters
from app.train.state.dataset_preview import COLUMNS, ROWS, Preview
from app.train.state.dry_run import rows
from app.train.state.training import Training
from app.train.state.training_form import STAGE_HELP, presets
from app.widgets.controls.ui import IconButton, Ui
from app.widgets.dialogs.dialogs import Dialogs
from app.widgets.drawing import icons, theme
from app.widgets.drawing.texture import PictureTexture
from stylesdf_core.data.images import list_skipped
from stylesdf_core.model.model_zoo import WEIGHT_SUFFIXES
from stylesdf_core.resources import expanded, home

_SENTENCE = 52  # room for three lines
_FOOT = _SENTENCE + 44
_STAGES: dict[str, tuple[str, int]] = {
    "renderer": ("1 renderer", 79),
    "decoder": ("2 decoder", 77),
    "joint": ("joint", 46),
    "sphere-init": ("sphere", 54),
    "fit": ("fit", 32),
}
_FRESH = {"renderer": "a fresh sphere", "fit": "fresh weights"}
_CHOOSE = "choose a run, or a file"
#: Titles of the dialogs that ask for a setting's folder.
_FOLDER_TITLES = {
    "heads.facekit": "Face model: a clone of ICT-FaceKit",
    "data": "Prepared heads, or the folder to prepare them in",
}


class NewRunPanel:
    """The form of ``train/state/training_form.py`` as widgets, made in the current container.

    Args:
        texture: of the sheet of crops.
    """

    def __init__(
        self, ui: Ui, training: Training, texture: PictureTexture, dialogs: Dialogs
    ) -> None:
        self._ui, self._training, self._texture, self._dialogs = ui, training, texture, dialogs
        self._stages: dict[str, int | str] = {}
        self._init_choices: dict[str, str] = {}
        self._preview: Preview | None = None
        self._crops: tuple[object, ...] = ()
        self._synced: tuple[object, ...] = ()
        self._width = 0
        with dpg.child_window(border=False, height=ui.px(100)) as self._scroll:
            ui.heading("New run")
            with dpg.group(horizontal=True, horizontal_spacing=ui.px(2)):
                for stage, (label, wide) in _STAGES.items():
                    self._stages[stage] = ui.button(
                        label, partial(self._set, stage=stage), STAGE_HELP[stage], width=ui.px(wide)
                    )
            self._explanation = ui.small_text()
            self._build_start()
            self._build_images()
            with dpg.group() as self._rest:
                with dpg.group() as self._preset_row:
                    self._preset = self._combo(
                        "preset",
                        presets(),
                        lambda value: self._set(preset=value),
                        "Sizes and rates: the paper's for FFHQ or AFHQ, smaller ones for synthetic "
                        "heads, tiny for a first run on two CPU cores",
                    )
                with self._row("name", ""):
                    self._name = ui.text_field(
                        "",
                        lambda text: self._set(name=text.strip()),
                        "Name of the run's folder; empty for a name made from the images and the "
                        "stage",
                    )
                self._parameters = Parameters(ui, training.new, self._choose_folder)
        dpg.bind_item_theme(self._scroll, ui.theme.flat)
        with dpg.child_window(border=False, height=ui.px(_SENTENCE)) as sentence:
            self._problem = ui.small_text()
        dpg.bind_item_theme(sentence, ui.theme.flat)
        with dpg.group(horizontal=True, horizontal_spacing=ui.px(4)):
            self._start = ui.button(
                "Start training",
                training.new.begin,
                "Make the run's folder and train there in a process of its own, which gives way to "
                "other programs and goes on when the studio is closed",
                width=ui.px(94),
            )
            self._estimate = ui.button(
                "Estimate",
                training.new.estimate,
                "Measure a few steps, and say what the run would take: memory, images a second, "
                "hours, disk. Again, to stop",
            )
            ui.button(
                "Copy as command",
                self._copy,
                "Put the terminal command that starts the same run on the clipboard",
            )

    def resize(self, width: int, height: int) -> None:
        """Fill a column."""
        px = self._ui.px
        self._width = width
        dpg.configure_item(self._scroll, height=max(px(80), height - px(_FOOT)))
        inner = width - px(12)
        dpg.configure_item(self._explanation, wrap=inner)
        dpg.configure_item(self._found, wrap=inner)
        dpg.configure_item(self._problem, wrap=width)
        cell = inner // COLUMNS
        dpg.configure_item(self._sheet, width=cell * COLUMNS, height=cell * ROWS)
        for item in (self.data_field, self._init):
            dpg.configure_item(item, width=inner - px(30))
        field = inner - px(LABELS)
        for item in (self._preset, self._name):
            dpg.configure_item(item, width=field)
        self._parameters.resize(field)
        self._crops = ()

    def sync(self) -> None:
        """Show the form's present fields."""
        training = self._training
        form = training.new.form
        self._sync_preview()
        if not self._dialogs.is_open and (text := training.new.take_estimate()):
            self._dialogs.show_rows("Estimate", rows(text), 720)
        runs = training.starting_points
        new, count = training.new, len(training.runs)
        key = (form, new.problem, new.is_beginning, new.is_measuring, runs, training.folder, count)
        if key == self._synced:
            return
        self._synced = key
        for stage, button in self._stages.items():
            on = stage == form.stage
            dpg.bind_item_theme(button, self._ui.theme.selected if on else self._ui.theme.quiet)
        dpg.set_value(self._explanation, STAGE_HELP[form.stage])
        self._sync_start()
        dpg.configure_item(self._images, show=form.wants_images)
        if not dpg.is_item_active(self.data_field):
            self._ui.set_text(self.data_field, form.data)
        dpg.configure_item(self._rest, show=not form.is_locked)
        dpg.configure_item(self._preset_row, show=form.has_preset)
        dpg.set_value(self._preset, form.preset)
        if not dpg.is_item_active(self._name):
            self._ui.set_text(self._name, form.name)
        dpg.configure_item(self._name, hint=training.new.name)
        problem = training.new.problem
        self._parameters.sync(problem.field if problem is not None else "")
        for item, name in ((self._name, "name"), (self.data_field, "data")):
            wrong = problem is not None and problem.field == name and bool(dpg.get_value(item))
            dpg.bind_item_theme(item, self._ui.theme.flawed if wrong else 0)
        self._sync_foot()

    # --- dialogs --------------------------------------------------------------------------------

    def choose_data(self) -> None:
        """Ask for the folder of images."""
        new = self._training.new
        self._ask("Images to train on", new.form.data, lambda path: new.change(data=str(path)))

    def _choose_folder(self, name: str) -> None:
        new = self._training.new
        title = _FOLDER_TITLES.get(name, "Choose a folder")
        self._ask(title, new.form.text(name), lambda path: new.set_text(name, str(path)))

    def _ask(self, title: str, folder: str, chosen: Callable[[Path], None]) -> None:
        start = expanded(folder) if folder else home()
        self._dialogs.choose_folder(title, start, chosen)

    def _choose_init(self) -> None:
        self._dialogs.open_file(
            "Weights to start from",
            self._training.folder,
            WEIGHT_SUFFIXES,
            lambda path: self._set(init=str(path)),
        )

    # --- the weights to start from --------------------------------------------------------------

    def _build_start(self) -> None:
        ui = self._ui
        with dpg.group() as self._start_from:
            ui.heading("Starts from")
            with dpg.group(horizontal=True, horizontal_spacing=ui.px(4)):
                self._init = dpg.add_combo((), callback=lambda _, label: self._chosen(str(label)))
                ui.tooltip(self._init, "A run of yours that has a checkpoint, or a weights file")
                IconButton(ui, icons.folder, self._choose_init, "Choose a weights file")
            with dpg.group(horizontal=True, horizontal_spacing=ui.px(4)) as self._lock:
                with dpg.drawlist(ui.px(20), ui.px(20)) as lock:
                    icons.lock_closed(lock, 0.0, 0.0, float(ui.px(20)), theme.MUTED)
                ui.small_text("The other settings follow once the start is chosen.")

    def _sync_start(self) -> None:
        form = self._training.new.form
        labels = {_FRESH[form.stage]: ""} if form.stage in _FRESH else {}
        labels |= {
            f"{r.name} · step {r.step:,}": str(r.path) for r in self._training.starting_points
        }
        if form.init and form.init not in labels.values():
            labels[Path(form.init).name] = form.init
        self._init_choices = labels
        shown = next((label for label, path in labels.items() if path == form.init), _CHOOSE)
        dpg.configure_item(self._init, items=tuple(labels))
        self._ui.set_text(self._init, shown)
        dpg.configure_item(self._lock, show=form.is_locked)
        dpg.configure_item(self._start_from, show=form.stage != "sphere-init")

    def _chosen(self, label: str) -> None:
        self._set(init=self._init_choices.get(label, ""))

    # --- images ---------------------------------------------------------------------------------

    def _build_images(self) -> None:
        ui = self._ui
        with dpg.group() as self._images:
            ui.heading("Images")
            with dpg.group(horizontal=True, horizontal_spacing=ui.px(4)):
                self.data_field = ui.text_field(
                    "",
                    lambda text: self._set(data=text.strip()),
                    "Folder of images (nested, any size), data set of heads, or lmdb",
                    hint="folder of pictures",
                )
                IconButton(ui, icons.folder, self.choose_data, "Choose a folder")
            dpg.add_spacer(height=ui.px(1))
            self._sheet = dpg.add_drawlist(1, 1)
            ui.tooltip(self._sheet, "Some of the images as training sees them: cropped and resized")
            self._found = ui.small_text(wrap=ui.px(200))

    def _sync_preview(self) -> None:
        training = self._training
        preview = training.new.preview
        if preview is not self._preview:
            self._preview = preview
            if preview is not None and preview.sheet is not None:
                self._texture.show(preview.sheet)
        has_sheet = preview is not None and preview.sheet is not None
        key = (has_sheet, self._texture.tag, self._width)
        if key != self._crops:
            self._crops = key
            width, height = dpg.get_item_width(self._sheet), dpg.get_item_height(self._sheet)
            dpg.delete_item(self._sheet, children_only=True)
            if has_sheet and self._texture.tag:
                dpg.draw_image(
                    self._texture.tag, (0, 0), (width, height), uv_min=self._texture.uv_min,
                    uv_max=self._texture.uv_max, parent=self._sheet,
                )  # fmt: skip
            else:
                dpg.draw_rectangle(
                    (0, 0), (width, height), color=theme.CLEAR, fill=theme.BACKGROUND,
                    rounding=self._ui.px(4), parent=self._sheet,
                )  # fmt: skip
        text, color = _found(preview, training.new.preview_problem, bool(training.new.form.data))
        self._ui.set_small_text(self._found, text)
        dpg.configure_item(self._found, color=color)

    # --- start ----------------------------------------------------------------------------------

    def _sync_foot(self) -> None:
        training, look = self._training, self._ui.theme
        problem = training.new.problem
        ready = problem is None and not training.new.is_beginning
        if training.new.is_beginning:
            text, color = "Making the run's folder …", theme.MUTED
        elif training.new.is_measuring:
            text, color = "Measuring a few steps …", theme.MUTED
        elif problem is None:
            text, color = f"Goes into {training.folder.name}/{self._folder_name()}.", theme.MUTED
        else:
            text = in_window(problem.text)
            color = theme.MUTED if problem.is_gap else theme.ERROR
        self._ui.set_small_text(self._problem, text)
        dpg.configure_item(self._problem, color=color)
        dpg.configure_item(self._start, enabled=ready)
        dpg.configure_item(self._estimate, enabled=ready)
        dpg.bind_item_theme(self._start, look.primary if ready else look.quiet)

    def _folder_name(self) -> str:
        return self._training.new.form.name or self._training.new.name

    def _copy(self) -> None:
        command = self._training.command()
        if command is not None:
            dpg.set_clipboard_text(command)
            self._training.workbench.toast("Copied the command of this run")

    def _set(self, **changes: str) -> None:
        self._training.new.change(**changes)

    def _row(self, label: str, tooltip: str) -> FormRow:
        return FormRow(self._ui, label, tooltip)

    def _combo(
        self, label: str, items: tuple[str, ...], chosen: Callable[[str], None], tooltip: str
    ) -> int | str:
        with self._row(label, tooltip):
            item: int | str = dpg.add_combo(items, callback=lambda _, value: chosen(str(value)))
        self._ui.tooltip(item, tooltip)
        return item


def _found(preview: Preview | None, problem: str, has_data: bool) -> tuple[str, theme.Rgba]:
    """The line of text below the crops, and its colour."""
    if problem:
        return in_window(problem), theme.ERROR
    if preview is None:
        text = "Checking the images …" if has_data else "Choose a folder to see some of its images."
        return text, theme.MUTED
    if preview.usable is None:
        return f"Checked {preview.looked_at:,} of {preview.total:,} images …", theme.MUTED
    text = f"{preview.usable:,} images, smallest edge {preview.smallest:,} pixels"
    if not preview.skipped:
        return text, theme.MUTED
    named = list_skipped(preview.skipped)
    return f"{text}; {len(preview.skipped):,} skipped: {named}", theme.WARNING
