"""Dialogs: windows that ask for a file or a folder, ask to confirm, or list short texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dearpygui.dearpygui as dpg

from app.widgets import theme
from app.widgets.theme import Item
from app.widgets.ui import Ui


class Dialogs:
    """Opens one dialog at a time; each is deleted when it closes."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui
        self._open: Item = 0

    @property
    def is_open(self) -> bool:
        """Whether a dialog has the keyboard."""
        return bool(
            self._open and dpg.does_item_exist(self._open) and dpg.is_item_shown(self._open)
        )

    def open_file(
        self, title: str, folder: Path, suffixes: Sequence[str], chosen: Callable[[Path], None]
    ) -> None:
        """Ask for an existing file with one of the suffixes."""
        self._ask_for_path(title, folder, chosen, suffixes)

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

        self._ask_for_path(title, folder, checked, [suffix], default_filename=name)

    def choose_folder(self, title: str, folder: Path, chosen: Callable[[Path], None]) -> None:
        """Ask for a folder."""
        self._ask_for_path(title, folder, chosen, directory_selector=True)

    def _ask_for_path(
        self,
        title: str,
        folder: Path,
        chosen: Callable[[Path], None],
        suffixes: Sequence[str] = (),
        **options: Any,
    ) -> None:
        self.close()
        while not folder.is_dir() and folder != folder.parent:
            folder = folder.parent
        width, height = self._size(820, 560)

        def accepted(_sender: object, data: dict[str, Any]) -> None:
            path = _selected(data)
            self._forget()
            if path is not None:
                chosen(path)

        with dpg.file_dialog(
            label=title,
            width=width,
            height=height,
            modal=True,
            default_path=str(folder),
            callback=accepted,
            cancel_callback=self._forget,
            **options,
        ) as self._open:
            if len(suffixes) > 1:
                dpg.add_file_extension(f"Supported files{{{','.join(suffixes)}}}")
            for suffix in suffixes:
                dpg.add_file_extension(suffix, color=theme.TEXT)
        dpg.bind_item_theme(self._open, self._ui.theme.dialog)

    def confirm(self, title: str, text: str, yes: str, act: Callable[[], None]) -> None:
        """Ask before something that cannot be undone."""
        width, height = self._size(420, 150)

        def accept() -> None:
            self.close()
            act()

        with self._window(title, width, height, modal=True):
            dpg.add_text(text, wrap=width - self._ui.px(32))
            dpg.add_spacer(height=self._ui.px(8))
            with dpg.group(horizontal=True):
                self._ui.button(yes, accept, look=self._ui.theme.primary)
                self._ui.button("Cancel", self.close)

    def table(self, title: str, rows: Sequence[tuple[str, str]], width: int) -> None:
        """List pairs of short texts in two columns; ``width`` at scale 1."""
        half = (len(rows) + 1) // 2
        columns = dpg.mvTable_SizingStretchProp
        with (
            self._window(title, *self._size(width, 25 * half + 72)),
            dpg.table(header_row=False, policy=columns),
        ):
            for weight in (2.0, 3.0, 2.0, 3.0):
                dpg.add_table_column(width_stretch=True, init_width_or_weight=weight)
            for index in range(half):
                with dpg.table_row():
                    for left, right in rows[index::half]:
                        dpg.add_text(left)
                        dpg.add_text(right, color=theme.MUTED)

    def close(self) -> None:
        """Close the open dialog, if there is one."""
        if self._open and dpg.does_item_exist(self._open):
            dpg.delete_item(self._open)
        self._open = 0

    def _forget(self) -> None:
        # A file dialog hides itself; deleting it inside its own callback is not safe.
        self._open = 0

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
        self.close()
        x = (dpg.get_viewport_client_width() - width) // 2
        y = (dpg.get_viewport_client_height() - height) // 2
        with dpg.window(
            label=title, no_resize=True, no_collapse=True, width=width, height=height,
            pos=(max(0, x), max(0, y)), **options,
        ) as self._open:  # fmt: skip
            dpg.bind_item_theme(self._open, self._ui.theme.dialog)
            yield


def _selected(data: dict[str, Any]) -> Path | None:
    """The path a file dialog returned."""
    name = str(data.get("file_path_name", ""))
    selections = data.get("selections") or {}
    if len(selections) == 1:
        name = str(next(iter(selections.values())))
    return Path(name) if name else None
