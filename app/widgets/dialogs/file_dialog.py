"""The program's own file dialog, for desktops without one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import dearpygui.dearpygui as dpg
import numpy as np

from app.state.file_browser import (
    PICTURES,
    Entry,
    FileBrowser,
    date_in_words,
    places,
    size_in_words,
)
from app.widgets.controls.ui import Ui, inside, plain
from app.widgets.dialogs.file_tiles import FileTiles
from app.widgets.drawing import fonts, theme
from app.widgets.drawing.canvas import Canvas
from app.widgets.drawing.texture import Textures
from app.workers.concurrency.schedule import LatestWorker
from app.workers.file_pictures import Pixels, read_small

_PLACES, _PREVIEW, _FOOT, _HEAD, _TILE, _FACTS = 150, 176, 76, 36, 34, 118
_PREVIEW_PIXELS = 256
_ACCEPT = {"open": "Open", "save": "Save", "folder": "Choose this folder"}


class FileDialog:
    """Places, a folder's entries and a preview, created in the current window.

    Args:
        width, height: of the window's inside, pixels.
        name: suggested for a file to write.
        recent: folders that the user has chosen from before.
        textures: of the preview and of the rows' tiles.
        news: set when a picture has been read.
        chosen: takes the path.
        cancel: closes the dialog.
    """

    def __init__(
        self,
        ui: Ui,
        browser: FileBrowser,
        *,
        width: int,
        height: int,
        name: str,
        recent: Sequence[str],
        textures: Textures,
        news: threading.Event,
        chosen: Callable[[Path], None],
        cancel: Callable[[], None],
    ) -> None:
        self._ui, self._browser, self._chosen = ui, browser, chosen
        self._texture = textures["preview"]
        self._selected: Path | None = None
        self._types_path = False  # rather than the name; Enter means the field typed in last
        self._handlers: list[theme.Item] = []
        self._previews: LatestWorker[Path, Pixels] = LatestWorker("preview", _preview, news)
        px = ui.px
        self._tiles = FileTiles(ui, textures, px(_TILE), news)
        body = height - px(_FOOT) - px(_HEAD)
        with dpg.group(horizontal=True):
            ui.button("Up", lambda: self._go(browser.folder.parent), "The folder above")
            self._path = dpg.add_input_text(width=width - px(60))
            ui.tooltip(self._path, "The folder; type another, or a file, from / or ~ on")
        with dpg.group(horizontal=True):
            with dpg.child_window(border=False, width=px(_PLACES), height=body) as here:
                for label, path in places(recent):
                    text = fonts.fitted(label, px(fonts.BODY), px(_PLACES - 12))
                    item = dpg.add_selectable(label=text, callback=plain(partial(self._go, path)))
                    ui.show_script(item, text)
                    ui.tooltip(item, str(path))
            dpg.bind_item_theme(here, ui.theme.flat)
            self._list_width = width - px(_PLACES + _PREVIEW + 20)
            with dpg.child_window(border=False, width=self._list_width, height=body) as self._list:
                pass
            dpg.bind_item_theme(self._list, ui.theme.flat)
            with dpg.group():
                self._preview = Canvas(px(_PREVIEW), px(_PREVIEW))
                self._facts = ui.small_text(wrap=px(_PREVIEW))
        with dpg.group(horizontal=True):
            self._name = dpg.add_input_text(default_value=name, width=width - px(290), hint="name")
            ui.tooltip(self._name, "Name in this folder, or a path from / or ~ on")
            ui.button(_ACCEPT[browser.purpose], self._take_name, look=ui.theme.primary)
            ui.button("Cancel", cancel)
            dpg.add_checkbox(label="hidden", callback=lambda _, on: self._show_hidden(bool(on)))
        self._problem = ui.small_text("", theme.WARNING, wrap=width)
        ui.text_fields += [self._path, self._name]
        self._refresh()

    def accept(self) -> None:
        """Take the typed or selected path, or list the folder that it names."""
        self._typed(str(dpg.get_value(self._path if self._types_path else self._name)))

    def tick(self) -> None:
        """Once a frame: note the field with the keyboard, and show the preview that was read."""
        if dpg.is_item_active(self._path) or dpg.is_item_active(self._name):
            self._types_path = bool(dpg.is_item_active(self._path))
        outcome = self._previews.poll()
        if outcome is not None and outcome.request == self._selected:
            self._show_preview(outcome.value)
        self._tiles.tick(self._list)

    def close(self) -> None:
        """End the preview's thread; to be called before the window is deleted."""
        self._previews.close(0.0)
        self._tiles.close()
        fields = (self._path, self._name)
        self._ui.text_fields = [field for field in self._ui.text_fields if field not in fields]
        for handlers in self._handlers:
            dpg.delete_item(handlers)

    def _take_name(self) -> None:
        self._typed(str(dpg.get_value(self._name)))

    def _typed(self, text: str) -> None:
        path = self._browser.accept(text)
        if path is not None:
            self._chosen(path)
            return
        if not self._browser.problem:  # a folder was named
            dpg.set_value(self._name, "")
            self._selected = None
        self._refresh()

    def _go(self, folder: Path) -> None:
        self._browser.go(folder)
        self._selected = None
        if self._browser.purpose != "save":
            dpg.set_value(self._name, "")
        self._refresh()

    def _show_hidden(self, shown: bool) -> None:
        self._browser.show_hidden(shown)
        self._refresh()

    def _refresh(self) -> None:
        """List the folder anew."""
        browser = self._browser
        self._types_path = False
        if not dpg.does_item_exist(self._path):
            return  # a click that came in the frame in which the dialog was closed
        self._ui.set_text(self._path, str(browser.folder))
        self._ui.set_small_text(self._problem, browser.problem)
        for handlers in self._handlers:
            dpg.delete_item(handlers)
        self._handlers.clear()
        self._tiles.clear()
        dpg.delete_item(self._list, children_only=True)
        with inside(self._list):
            if not browser.entries:
                self._ui.small_text("Nothing to choose here.")
            with dpg.table(header_row=False, policy=dpg.mvTable_SizingFixedFit):
                facts, tile = self._ui.px(_FACTS), self._ui.px(_TILE)
                dpg.add_table_column(width_fixed=True, init_width_or_weight=tile)
                dpg.add_table_column(width_stretch=True)
                dpg.add_table_column(width_fixed=True, init_width_or_weight=facts)
                for entry in browser.entries:
                    self._add_row(entry, self._list_width - tile - facts - self._ui.px(48))
        self._show_preview(None)
        dpg.focus_item(self._name)

    def _add_row(self, entry: Entry, room: int) -> None:
        name = entry.path.name + ("/" if entry.is_folder else "")
        text = fonts.fitted(name, self._ui.px(fonts.BODY), room)
        with dpg.table_row():
            self._tiles.add(entry)
            # Dear PyGui leaves out what follows ##.
            row = dpg.add_selectable(
                label=text.replace("##", "# #"), span_columns=True, height=self._ui.px(_TILE),
                callback=lambda item, _a, entry: self._select(item, entry), user_data=entry,
            )  # fmt: skip
            if text != name:
                self._ui.tooltip(row, name)
            dpg.bind_item_theme(row, self._ui.theme.row)
            self._ui.show_script(row, text)
            words = "folder" if entry.is_folder else size_in_words(entry.size)
            self._ui.small_text(f"{words}\n{date_in_words(entry.modified)}")
        with dpg.item_handler_registry() as handlers:
            dpg.add_item_double_clicked_handler(
                0, user_data=entry, callback=lambda _s, _a, entry: self._open(entry)
            )
        dpg.bind_item_handler_registry(row, handlers)
        self._handlers.append(handlers)

    def _select(self, item: theme.Item, entry: Entry) -> None:
        if not dpg.does_item_exist(item):
            return  # a click that came in the frame in which the list was made anew
        for row in dpg.get_item_children(dpg.get_item_parent(dpg.get_item_parent(item)), 1):
            dpg.set_value(dpg.get_item_children(row, 1)[1], False)
        dpg.set_value(item, True)
        self._selected = entry.path
        self._ui.set_small_text(self._problem, "")
        if not (entry.is_folder and self._browser.purpose == "save"):
            self._ui.set_text(self._name, entry.path.name)
        self._show_preview(None)
        if entry.path.suffix.lower() in PICTURES:
            self._previews.submit(entry.path)

    def _open(self, entry: Entry) -> None:
        if entry.is_folder:
            self._go(entry.path)
        else:
            self._typed(entry.path.name)

    def _show_preview(self, pixels: Pixels | None) -> None:
        self._preview.wants(object())
        facts = self._selected.name if self._selected is not None else ""
        if pixels is not None:
            self._texture.show(np.asarray(pixels, np.float32) / np.float32(255.0))
            height, width = pixels.shape[:2]
            factor = self._ui.px(_PREVIEW) / max(width, height)
            self._preview.picture(self._texture, width * factor, height * factor)
        self._ui.set_small_text(self._facts, facts)


def _preview(path: Path) -> Iterator[Pixels | None]:
    yield read_small(path, _PREVIEW_PIXELS)
