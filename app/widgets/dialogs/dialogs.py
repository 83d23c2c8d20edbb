"""Dialogs: windows that ask for a file or a folder, ask to confirm, or list short texts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dearpygui.dearpygui as dpg

from app.state.file_browser import FileBrowser
from app.state.wording import is_showable
from app.widgets.controls.ui import Ui
from app.widgets.dialogs.file_dialog import FileDialog
from app.widgets.drawing import theme
from app.widgets.drawing.texture import Textures
from app.widgets.drawing.theme import Item
from app.workers.concurrency.native_dialog import NativeDialog, PathQuestion, native_command

_FRAMES_BETWEEN = 2  # two dialogs


@dataclass(frozen=True)
class FolderMemory:
    """The folders that the user has chosen from before, newest first, and a way to add one."""

    recent: Callable[[], Sequence[str]]
    add: Callable[[Path], None]


class Dialogs:
    """Opens one dialog at a time; a file dialog of the desktop where there is one.

    Args:
        textures: of pictures in file dialogs.
        news: set when a dialog has news, so that the next frame is drawn.
    """

    def __init__(
        self, ui: Ui, folders: FolderMemory, textures: Textures, news: threading.Event
    ) -> None:
        self._ui, self._folders, self._textures, self._news = ui, folders, textures, news
        self._open: Item = 0
        self._accept: Callable[[], None] | None = None
        self._closing: Callable[[], None] | None = None
        self._files: FileDialog | None = None
        self._native: tuple[NativeDialog, PathQuestion, Callable[[Path], None]] | None = None
        self._answer: tuple[int, Callable[[], None]] | None = None
        #: Whether the open dialog only lists texts.
        self.is_list = False

    @property
    def is_open(self) -> bool:
        """Whether a dialog has the keyboard."""
        return self._native is not None or bool(
            self._open and dpg.does_item_exist(self._open) and dpg.is_item_shown(self._open)
        )

    @property
    def is_changing(self) -> bool:
        """Whether a dialog has been closed and what opens another is about to be done."""
        return self._answer is not None

    def open_file(
        self, title: str, folder: Path, suffixes: Sequence[str], chosen: Callable[[Path], None]
    ) -> None:
        """Ask for an existing file with one of the suffixes."""
        self._ask(PathQuestion("open", title, folder, suffixes=tuple(suffixes)), chosen)

    def save_file(
        self, title: str, folder: Path, name: str, suffix: str, chosen: Callable[[Path], None]
    ) -> None:
        """Ask for a file to write; an existing one must be confirmed."""

        def checked(path: Path) -> None:
            path = path if path.suffix.lower() == suffix else path.with_name(path.name + suffix)
            if path.exists():
                text = f"There is already a file of that name in {path.parent}."
                self.confirm(f"Replace {path.name}?", text, "Replace", lambda: chosen(path))
            else:
                chosen(path)

        self._ask(PathQuestion("save", title, folder, name + suffix, (suffix,)), checked)

    def choose_folder(self, title: str, folder: Path, chosen: Callable[[Path], None]) -> None:
        """Ask for a folder."""
        self._ask(PathQuestion("folder", title, folder), chosen)

    def confirm(self, title: str, text: str, yes: str, act: Callable[[], None]) -> None:
        """Ask before something that cannot be undone; Enter says yes, Escape no."""
        width, height = self._size(420, 150)

        def accept() -> None:
            self.cancel()
            act()

        with self._window(title, width, height, modal=True):
            dpg.add_text(text, wrap=width - self._ui.px(32))
            dpg.add_spacer(height=self._ui.px(8))
            with dpg.group(horizontal=True):
                self._ui.button(yes, accept, look=self._ui.theme.primary)
                self._ui.button("Cancel", self.cancel)
        self._accept = accept

    def show_list(self, title: str, rows: Sequence[tuple[str, str]], width: int) -> None:
        """List pairs of short texts in two columns; ``width`` at scale 1."""
        half = (len(rows) + 1) // 2
        columns = dpg.mvTable_SizingStretchProp
        with (
            self._window(title, *self._size(width, 28 * half + 76)),
            dpg.table(header_row=False, policy=columns),
        ):
            for weight in (2.0, 3.0, 2.0, 3.0):
                dpg.add_table_column(width_stretch=True, init_width_or_weight=weight)
            for index in range(half):
                with dpg.table_row():
                    for left, right in rows[index::half]:
                        dpg.add_text(left)
                        dpg.add_text(right, color=theme.MUTED)
        self.is_list, self._accept = True, self.cancel

    def show_rows(self, title: str, rows: Sequence[tuple[str, str]], width: int) -> None:
        """Show sentences, each behind what it is about; ``width`` at scale 1."""
        with (
            self._window(title, *self._size(width, 440)),
            dpg.table(header_row=False, policy=dpg.mvTable_SizingStretchProp),
        ):
            for weight in (1.0, 7.0):
                dpg.add_table_column(width_stretch=True, init_width_or_weight=weight)
            for left, right in rows:
                with dpg.table_row():
                    dpg.add_text(left, color=theme.MUTED)
                    dpg.add_text(right, wrap=0)
        self.is_list, self._accept = True, self.cancel

    def edit_rows(
        self,
        title: str,
        rows: Sequence[tuple[str, str]],
        yes: str,
        act: Callable[[Sequence[str]], None],
    ) -> None:
        """Edit short texts, each behind what it is about; Enter and the button ``yes`` accept."""
        width, height = self._size(420, min(440, 34 * len(rows) + 96))
        fields: list[Item] = []

        def accept() -> None:
            texts = [str(dpg.get_value(field)) for field in fields]
            self.cancel()
            act(texts)

        with self._window(title, width, height, modal=True):
            with dpg.child_window(height=height - self._ui.px(88), border=False):
                for name, text in rows:
                    with dpg.group(horizontal=True, xoffset=self._ui.px(130)):
                        dpg.add_text(name, color=theme.MUTED)
                        fields.append(self._ui.text_field(text, lambda _: None, name))
            with dpg.group(horizontal=True):
                self._ui.button(yes, accept, look=self._ui.theme.primary)
                self._ui.button("Cancel", self.cancel)
        self._accept = accept

    @contextmanager
    def panel(
        self,
        title: str,
        width: int,
        height: int,
        accept: Callable[[], None] | None = None,
        closing: Callable[[], None] | None = None,
    ) -> Iterator[Item]:
        """A dialog that the block fills; ``width`` and ``height`` at scale 1.

        Args:
            accept: does what Enter means.
            closing: called before the dialog's widgets are deleted.
        """
        with self._window(title, *self._size(width, height), modal=True):
            yield self._open
        self._accept, self._closing = accept, closing

    def after_closing(self, act: Callable[[], None]) -> None:
        """Close the open dialog, then do what opens another."""
        self.cancel()
        # Dear PyGui closes a dialog that is opened in the frame in which another is deleted.
        self._answer = (_FRAMES_BETWEEN, act)

    def accept(self) -> None:
        """Do what Enter means in the open dialog."""
        if self._accept is not None:
            self._accept()

    def cancel(self) -> None:
        """Close the open dialog, if there is one."""
        closing, self._closing = self._closing, None
        if closing is not None:
            closing()
        if self._native is not None:
            self._native[0].close()
            self._native = None
        if self._files is not None:
            self._files.close()
            self._files = None
        if self._open and dpg.does_item_exist(self._open):
            dpg.delete_item(self._open)
        self._open, self._accept, self.is_list = 0, None, False

    def tick(self) -> None:
        """Once a frame: take the answer of a dialog, or a preview."""
        if self._answer is not None:
            frames, act = self._answer
            self._answer = (frames - 1, act) if frames else None
            if not frames:
                act()
        if self._files is not None:
            self._files.tick()
        if self._native is None or self._native[0].is_open:
            return
        dialog, question, chosen = self._native
        self._native = None
        if dialog.has_failed:
            self._browse(question, chosen)
        elif dialog.path is not None:
            self._take(dialog.path, question, chosen)

    def _ask(self, question: PathQuestion, chosen: Callable[[Path], None]) -> None:
        if self.is_open:
            self.after_closing(lambda: self._ask(question, chosen))
            return
        command = native_command(question)
        if command is None:
            self._browse(question, chosen)
            return
        try:
            self._native = (NativeDialog(command, self._news), question, chosen)
        except OSError:
            self._browse(question, chosen)

    def _take(self, path: Path, question: PathQuestion, chosen: Callable[[Path], None]) -> None:
        if not is_showable(path):
            rows = [("", "The name is not UTF-8: rename the file or folder, then choose it again.")]
            self.show_rows("This name cannot be shown", rows, 420)
            return
        self._folders.add(path if question.purpose == "folder" else path.parent)
        chosen(path)

    def _browse(self, question: PathQuestion, chosen: Callable[[Path], None]) -> None:
        """Open the program's own file dialog."""
        width, height = self._size(860, 560)
        inside = 2 * self._ui.px(16)

        def take(path: Path) -> None:
            self.after_closing(lambda: self._take(path, question, chosen))

        with self._window(question.title, width, height, modal=True):
            self._files = FileDialog(
                self._ui,
                FileBrowser(question.purpose, question.folder, question.suffixes),
                width=width - inside,
                height=height - inside - self._ui.px(28),
                name=question.name,
                recent=self._folders.recent(),
                textures=self._textures,
                news=self._news,
                chosen=take,
                cancel=self.cancel,
            )
        self._accept = self._files.accept

    def _closed(self, window: Item) -> None:
        """A dialog's own button for closing was pressed; another dialog may be open meanwhile."""
        if window == self._open:
            self.cancel()

    def _size(self, width: int, height: int) -> tuple[int, int]:
        """A size at scale 1 in pixels, no larger than the studio's window."""
        px = self._ui.px
        return (
            min(px(width), dpg.get_viewport_client_width() - px(40)),
            min(px(height), dpg.get_viewport_client_height() - px(40)),
        )

    @contextmanager
    def _window(self, title: str, width: int, height: int, **options: Any) -> Iterator[None]:
        """A window, to be filled, in the middle of the studio's window."""
        self.cancel()
        x = (dpg.get_viewport_client_width() - width) // 2
        y = (dpg.get_viewport_client_height() - height) // 2
        with dpg.window(
            label=title, no_resize=True, no_collapse=True, width=width, height=height,
            pos=(max(0, x), max(0, y)), on_close=self._closed, **options,
        ) as self._open:  # fmt: skip
            dpg.bind_item_theme(self._open, self._ui.theme.dialog)
            yield
