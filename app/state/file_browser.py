"""The program's own file dialog without its window: folders, their entries, and typed paths."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import platformdirs

from app.state.wording import is_showable
from stylesdf_core.resources import expanded, home

#: What is asked for: a file that exists, a file to write, or a folder.
Purpose = Literal["open", "save", "folder"]
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")
_MOST_ENTRIES = 2000
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


@dataclass(frozen=True)
class Entry:
    """A file or folder of the list.

    Attributes:
        size: bytes; of a folder 0.
        modified: seconds since 1970.
    """

    path: Path
    is_folder: bool
    size: int
    modified: float


class FileBrowser:
    """A folder's entries and the chosen path.

    Args:
        folder: shown first; the nearest folder above it that exists.
        suffixes: of the files to list, in small letters; empty for all. A file to write gets the
            first of them if its name has none of them.

    Attributes:
        folder: the folder that is listed.
        entries: folders first, then files, in the order of their names.
        problem: why the folder cannot be listed, or the typed path not be taken; else empty.
        shows_hidden: whether names that begin with a dot are listed.
    """

    def __init__(self, purpose: Purpose, folder: Path, suffixes: Sequence[str] = ()) -> None:
        self.purpose, self._suffixes = purpose, tuple(suffixes)
        self.folder, self.entries, self.problem = home(), (), ""
        self.shows_hidden = False
        folder = expanded(folder).absolute()
        while not folder.is_dir() and folder != folder.parent:
            folder = folder.parent
        self.go(folder)

    folder: Path
    entries: tuple[Entry, ...]

    def go(self, folder: Path) -> None:
        """List a folder; one that cannot be read leaves the list as it is, with a ``problem``."""
        try:
            with os.scandir(folder) as found:
                entries = [entry for item in found if (entry := self._entry(item)) is not None]
        except OSError as error:
            self.problem = f"{folder} cannot be opened: {error.strerror}."
            return
        odd = sum(not is_showable(entry.path.name) for entry in entries)
        entries = [entry for entry in entries if is_showable(entry.path.name)]
        entries.sort(key=lambda entry: (not entry.is_folder, _natural(entry.path.name)))
        self.folder, self.entries, self.problem = folder, tuple(entries[:_MOST_ENTRIES]), ""
        if odd:
            self.problem = (
                f"{odd:,} {'name is' if odd == 1 else 'names are'} not UTF-8: not listed."
            )
        elif len(entries) > _MOST_ENTRIES:
            self.problem = f"The first {_MOST_ENTRIES:,} of {len(entries):,} entries are listed."

    def show_hidden(self, shown: bool) -> None:
        """List names that begin with a dot, or leave them out."""
        self.shows_hidden = shown
        self.go(self.folder)

    def accept(self, text: str) -> Path | None:
        """The path that a typed text means; None if the text names a folder to be listed, or fails.

        Args:
            text: a name in the folder, or an absolute path; may begin with ``~``. Empty for the
                folder itself.
        """
        self.problem = ""
        if not text.strip():
            if self.purpose != "folder":
                self.problem = "Choose a file, or type its name."
                return None
            return self.folder
        path = Path(os.path.normpath(self.folder / expanded(text)))
        if not path.exists() and not path.is_symlink():  # a blank at an end may be a slip
            path = Path(os.path.normpath(self.folder / expanded(text.strip())))
        if path.is_dir():
            if self.purpose == "folder":
                return path
            self.go(path)
            return None
        if self.purpose == "save":
            return self._to_write(path)
        if not path.exists():
            self.problem = f"There is no {'folder' if self.purpose == 'folder' else 'file'} {path}."
            return None
        if self.purpose == "folder":
            self.problem = f"{path} is a file; choose a folder."
            return None
        if self._suffixes and path.suffix.lower() not in self._suffixes:
            self.problem = f"{path.name} is none of {', '.join(self._suffixes)}."
            return None
        return path

    def _to_write(self, path: Path) -> Path | None:
        if self._suffixes and path.suffix.lower() not in self._suffixes:
            path = path.with_name(path.name + self._suffixes[0])
        if not path.parent.is_dir():
            self.problem = f"There is no folder {path.parent}."
            return None
        return path

    def _entry(self, item: os.DirEntry[str]) -> Entry | None:
        """An entry of the list; None for one that is not listed."""
        if item.name.startswith(".") and not self.shows_hidden:
            return None
        with suppress(OSError):  # removed meanwhile, or a broken link
            is_folder, facts = item.is_dir(), item.stat()
            suffix = os.path.splitext(item.name)[1].lower()
            is_wanted = not self._suffixes or suffix in self._suffixes
            if is_folder or (self.purpose != "folder" and is_wanted):
                size = 0 if is_folder else facts.st_size
                return Entry(Path(item.path), is_folder, size, facts.st_mtime)
        return None


def places(recent: Sequence[str]) -> list[tuple[str, Path]]:
    """Folders to begin in, and their names: the user's own, then recent ones; all exist."""
    known = [("Home", home())]
    for name in ("pictures", "documents", "downloads", "desktop"):
        with suppress(RuntimeError):  # there is no home folder
            known.append((name.capitalize(), Path(getattr(platformdirs, f"user_{name}_path")())))
    known.append(("Working folder", Path.cwd()))
    known += [(Path(path).name or path, Path(path)) for path in recent]
    known = [(name, path) for name, path in known if is_showable(path)]
    unique = {path: name for name, path in reversed(known) if path.is_dir()}
    return [(name, path) for path, name in reversed(unique.items())]


def size_in_words(size: int) -> str:
    """Bytes as ``12 kB`` or ``3.4 MB``."""
    value, unit = float(size), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000.0, unit + 1
    digits = 1 if unit and value < 9.95 else 0
    return f"{value:.{digits}f} {'byte' if size == 1 else _UNITS[unit]}"


def date_in_words(seconds: float) -> str:
    """A moment in local time, as ``27 Nov 2026 05:12``."""
    moment = time.localtime(seconds)
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f"{moment.tm_mday} {month[moment.tm_mon - 1]} " + time.strftime("%Y %H:%M", moment)


def _natural(name: str) -> list[tuple[int, int, str]]:
    """A key by which ``face2`` comes before ``face10``."""
    parts = re.split(r"(\d+)", name.casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]
