"""Windows that ask or list: files, confirmation, shortcuts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import dearpygui.dearpygui as dpg

from app.widgets import theme
from app.widgets.ui import Ui


class Dialogs:
    """Opens one dialog at a time; each is deleted when it closes."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui
        self._open: int | str = 0

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
        self._file(title, folder, suffixes, "", chosen)

    def save_file(
        self, title: str, folder: Path, name: str, suffix: str, chosen: Callable[[Path], None]
    ) -> None:
        """Ask for a file to write; an existing one must be confirmed."""

        def checked(path: Path) -> None:
            path = path if path.suffix.lower() == suffix else path.with_name(path.name + suffix)
            if path.exists():
                self.confirm(
                    f"Replace {path.name}?",
                    f"There is already a file of that name in {path.parent}.",
                    "Replace",
                    lambda: chosen(path),
                )
            else:
                chosen(path)

        self._file(title, folder, [suffix], name, checked)

    def choose_folder(self, title: str, folder: Path, chosen: Callable[[Path], None]) -> None:
        """Ask for a folder."""
        self._file(title, folder, [], "", chosen, directory=True)

    def _file(
        self,
        title: str,
        folder: Path,
        suffixes: Sequence[str],
        name: str,
        chosen: Callable[[Path], None],
        *,
        directory: bool = False,
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
            directory_selector=directory,
            default_path=str(folder),
            default_filename=name or ".",
            callback=accepted,
            cancel_callback=self._forget,
        ) as self._open:
            if len(suffixes) > 1:
                dpg.add_file_extension(f"Supported files{{{','.join(suffixes)}}}")
            for suffix in suffixes:
                dpg.add_file_extension(suffix, color=theme.TEXT)
        dpg.bind_item_theme(self._open, self._ui.theme.dialog)

    def confirm(self, title: str, text: str, yes: str, act: Callable[[], None]) -> None:
        """Ask before something that cannot be undone."""
        self.close()
        width, height = self._size(420, 150)
        with dpg.window(
            label=title, modal=True, no_resize=True, no_collapse=True, width=width, height=height
        ) as self._open:
            dpg.bind_item_theme(self._open, self._ui.theme.dialog)
            dpg.add_text(text, wrap=width - self._ui.px(32))
            dpg.add_spacer(height=self._ui.px(8))

            def accept() -> None:
                self.close()
                act()

            with dpg.group(horizontal=True):
                self._ui.button(yes, accept, look=self._ui.theme.primary)
                self._ui.button("Cancel", self.close)
        self._centre(width, height)

    def table(self, title: str, rows: Sequence[tuple[str, str]], width: int) -> None:
        """List pairs of short texts in two columns."""
        self.close()
        half = (len(rows) + 1) // 2
        line = self._ui.px(25)
        wide, high = self._size(width, 0)[0], line * half + self._ui.px(72)
        high = min(high, dpg.get_viewport_client_height() - self._ui.px(40))
        with dpg.window(
            label=title, no_resize=True, no_collapse=True, width=wide, height=high
        ) as self._open:
            dpg.bind_item_theme(self._open, self._ui.theme.dialog)
            with dpg.table(header_row=False, policy=dpg.mvTable_SizingStretchProp):
                for weight in (2.0, 3.0, 2.0, 3.0):
                    dpg.add_table_column(width_stretch=True, init_width_or_weight=weight)
                for index in range(half):
                    with dpg.table_row():
                        for left, right in rows[index::half]:
                            dpg.add_text(left)
                            dpg.add_text(right, color=theme.MUTED)
        self._centre(wide, high)

    def close(self) -> None:
        """Close whatever is open."""
        if self._open and dpg.does_item_exist(self._open):
            dpg.delete_item(self._open)
        self._open = 0

    def _forget(self) -> None:
        # The dialog hides itself; deleting it inside its own callback is not safe.
        self._open = 0

    def _size(self, width: int, height: int) -> tuple[int, int]:
        px = self._ui.px
        return (
            min(px(width), dpg.get_viewport_client_width() - px(40)),
            min(px(height), dpg.get_viewport_client_height() - px(40)),
        )

    def _centre(self, width: int, height: int) -> None:
        x = (dpg.get_viewport_client_width() - width) // 2
        y = (dpg.get_viewport_client_height() - height) // 2
        dpg.configure_item(self._open, pos=(max(0, x), max(0, y)))


def _selected(data: dict[str, Any]) -> Path | None:
    """The path a file dialog returned."""
    name = str(data.get("file_path_name", ""))
    selections = data.get("selections") or {}
    if len(selections) == 1:
        name = str(next(iter(selections.values())))
    return Path(name) if name else None
