"""File › Batch: many faces at once, as pictures and meshes, in a background job."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

import dearpygui.dearpygui as dpg

from app.state.exports import batch_request
from app.state.wording import in_window, short_path
from app.state.workbench import Workbench
from app.widgets.controls.ui import Ui
from app.widgets.dialogs.dialogs import Dialogs
from app.widgets.drawing import fonts, theme
from app.widgets.drawing.canvas import Canvas
from stylesdf_core.commands.field_help import field_help
from stylesdf_core.commands.scenes.batch import Batch, BatchKinds
from stylesdf_core.errors import StyleSDFError
from stylesdf_core.mesh import SUFFIXES

_WIDTH, _HEIGHT = 470, 306
_LABEL, _BESIDE, _KIND = 64, 84, 72
#: Words of the buttons that are not simply the suffix in capitals.
_WORDS = {"webp": "WebP", "three_mf": "3MF"}


class BatchDialog:
    """Asks for faces and kinds of files; the rest is as on the screen and in the Export panel."""

    def __init__(self, ui: Ui, workbench: Workbench, dialogs: Dialogs) -> None:
        self._ui, self._workbench, self._dialogs = ui, workbench, dialogs
        self._again = False
        self.fields: dict[str, theme.Item] = {}

    def open(self) -> None:
        """Show the dialog, with the values of the last batch."""
        ui, batch = self._ui, self._workbench.settings.batch
        self._again = False
        texts, tips = field_help(Batch), field_help(BatchKinds)
        with self._dialogs.panel("Batch", _WIDTH, _HEIGHT, self.start) as window:
            width = int(dpg.get_item_width(window) or 0) - ui.px(32)
            room = width - ui.px(_LABEL)
            with self._row("faces"):
                self.fields["seeds"] = ui.text_field(
                    batch.seeds, partial(self._typed, "seeds"),
                    "Seeds and ranges, such as 0-99,120. Sliders, truncation, style mixing and "
                    "camera are those on the screen", width=room - ui.px(_BESIDE),
                )  # fmt: skip
                ui.button(
                    "favourites", self._favourites, "The seeds of the faces with a star",
                    width=ui.px(_BESIDE - 4),
                )  # fmt: skip
            with self._row("into"):
                request = self.request()
                self.fields["folder"] = ui.text_field(
                    short_path(request.out), partial(self._typed, "folder"), "Folder of the files",
                    width=room - ui.px(_BESIDE),
                )  # fmt: skip
                ui.button("choose …", self._choose, "Choose a folder", width=ui.px(_BESIDE - 4))
            with self._row("names"):
                self.fields["name"] = ui.text_field(
                    batch.name, partial(self._typed, "name"), texts["name"], width=room
                )
            self.kinds: dict[str, theme.Item] = {}
            names = [item.name for item in fields(BatchKinds)]
            for label, row in (("pictures", names[:3]), ("meshes", names[3:])):
                with self._row(label):
                    for name in row:
                        word = _WORDS.get(name, name.upper())
                        act = partial(self._toggle, name)
                        self.kinds[name] = ui.button(word, act, tips[name], width=ui.px(_KIND))
            dpg.add_spacer(height=ui.px(4))
            self._what = dpg.add_text("", wrap=width, color=theme.MUTED)
            dpg.add_checkbox(
                label="Make all files anew, also those that are there",
                callback=lambda _, value: self._set_again(bool(value)),
            )
            dpg.add_spacer(height=ui.px(8))
            with dpg.group(horizontal=True):
                self._start = ui.button("Start", self.start, look=ui.theme.primary)
                ui.button("Copy as command", self._copy)
                ui.button("Cancel", self._dialogs.cancel)
        self._sync()

    def request(self) -> Batch:
        """The batch as the dialog describes it."""
        workbench = self._workbench
        return batch_request(workbench.scene, workbench.settings, again=self._again)

    def start(self) -> None:
        """Queue the batch; what cannot be made is said in the dialog, which stays."""
        self._take_texts()
        request = self.request()
        if not self._sync():
            return
        self._dialogs.cancel()
        label = f"batch of {request.faces:,} face{'s' if request.faces > 1 else ''}"
        self._workbench.jobs.submit(label, request.run, out=request.out / "batch.csv")

    # --- the lines --------------------------------------------------------------------------------

    @contextmanager
    def _row(self, label: str) -> Iterator[None]:
        """A line: a label, and the widgets made in the block at its right."""
        ui = self._ui
        with dpg.group(horizontal=True, horizontal_spacing=ui.px(4)):
            canvas = Canvas(ui.px(_LABEL - 4), ui.px(24))
            canvas.text(0, ui.px(3), label, ui.px(fonts.BODY), theme.MUTED)
            yield

    def _sync(self) -> bool:
        """Say what will be made, or why nothing can; returns whether something can."""
        request, ui = self.request(), self._ui
        for name, button in self.kinds.items():
            ui.select(button, getattr(request.kinds, name))
        try:
            request.check()
        except StyleSDFError as error:
            text, color, is_good = in_window(str(error)), theme.WARNING, False
        else:
            text, color, is_good = self._in_words(request), theme.MUTED, True
        dpg.set_value(self._what, text)
        dpg.configure_item(self._what, color=color)
        ui.enable(self._start, is_good, ui.theme.primary)
        return is_good

    def _in_words(self, request: Batch) -> str:
        """What a batch makes, in one or two lines."""
        kinds = request.kinds.suffixes
        count = request.faces * len(kinds)
        texts = [f"{count:,} file{'s' if count > 1 else ''}"]
        if any(suffix not in SUFFIXES for suffix in kinds):
            size = "own size" if request.size is None else f"{request.size}²"
            texts.append(f"pictures: {request.view}, {size}" + (", split" if request.split else ""))
        if any(suffix in SUFFIXES for suffix in kinds):
            texts.append(f"meshes: {request.mesh.resolution}³ grid")
        return "; ".join(texts) + ". Sizes, background and mesh as in the panels."

    def _change(self, **values: object) -> None:
        self._workbench.change_settings("batch", **values)
        self._sync()

    def _typed(self, name: str, text: str) -> None:
        if name != "folder" or text != short_path(self.request().out):  # the usual one is no choice
            self._change(**{name: text.strip()})

    def _take_texts(self) -> None:
        """Take texts that are still being typed: Enter in a field starts the batch."""
        for name, field in self.fields.items():
            self._typed(name, str(dpg.get_value(field)))

    def _toggle(self, name: str) -> None:
        kinds = self._workbench.settings.batch.kinds
        self._change(kinds=replace(kinds, **{name: not getattr(kinds, name)}))

    def _set_again(self, again: bool) -> None:
        self._again = again
        self._sync()

    def _favourites(self) -> None:
        scene = self._workbench.scene
        starred = (face.scene for face in self._workbench.album.faces if face.is_favourite)
        seeds = sorted({s.identity.seed for s in starred if s.model == scene.model})
        if not seeds:
            self._workbench.toast("There are no favourites of this model yet.")
            return
        text = ",".join(map(str, seeds))
        dpg.set_value(self.fields["seeds"], text)
        self._change(seeds=text)

    def _choose(self) -> None:
        """Ask for a folder, and come back."""
        self._take_texts()

        def chosen(path: Path) -> None:
            self._workbench.change_settings("batch", folder=str(path))
            self.open()

        self._dialogs.choose_folder("Batch into", self.request().out, chosen)

    def _copy(self) -> None:
        self._take_texts()
        command = self._workbench.command_of(self.request())
        if command is not None:
            dpg.set_clipboard_text(command)
            self._workbench.toast("Copied the command of the batch")
