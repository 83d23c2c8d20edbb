"""The desktop's own file dialog, as a process beside the program.

zenity (GNOME) or kdialog (KDE) on Linux; on Windows and macOS Python's tkinter, which shows the
system's dialog there. A process, since a dialog waits for the user and the window must go on.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_CHOSEN, _CANCELLED = 0, 1
_TK = """
import sys, tkinter
from tkinter import filedialog
purpose, title, folder, name, *suffixes = sys.argv[1:]
root = tkinter.Tk()
root.withdraw()
root.attributes("-topmost", True)
options = {"title": title, "initialdir": folder}
if purpose != "folder":
    options["filetypes"] = [("Files", suffixes)] if suffixes else []
ask = {"open": filedialog.askopenfilename, "folder": filedialog.askdirectory}.get(purpose)
if ask is None:
    options |= {"initialfile": name, "defaultextension": suffixes[0] if suffixes else ""}
    ask = filedialog.asksaveasfilename
path = ask(**options)
if not path:
    sys.exit(1)
sys.stdout.buffer.write(path.encode() + b"\\n")
"""


@dataclass(frozen=True)
class PathQuestion:
    """What a file dialog asks for.

    Attributes:
        purpose: a file that exists, a file to write, or a folder.
        folder: shown first.
        name: suggested for a file to write.
        suffixes: of the files that can be chosen, in small letters; empty for all.
    """

    purpose: Literal["open", "save", "folder"]
    title: str
    folder: Path
    name: str = ""
    suffixes: tuple[str, ...] = ()


class NativeDialog:
    """A dialog on the screen; asked once a frame for its answer.

    Args:
        command: of :func:`native_command`.
        news: set when the user has answered.
    """

    def __init__(self, command: Sequence[str], news: threading.Event) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._output = b""
        self._thread = threading.Thread(target=self._wait, args=(news,), daemon=True)
        self._thread.start()

    @property
    def is_open(self) -> bool:
        """Whether the user has not answered yet."""
        return self._thread.is_alive()

    @property
    def has_failed(self) -> bool:
        """Whether the dialog could not be shown."""
        return not self.is_open and self._process.returncode not in (_CHOSEN, _CANCELLED)

    @property
    def path(self) -> Path | None:
        """The answer; None until there is one, and for a cancelled dialog."""
        chosen = os.fsdecode(self._output.removesuffix(b"\n"))
        is_chosen = not self.is_open and self._process.returncode == _CHOSEN
        return Path(chosen) if is_chosen and chosen else None

    def close(self) -> None:
        """Take the dialog off the screen."""
        if self._process.poll() is None:
            self._process.terminate()

    def _wait(self, news: threading.Event) -> None:
        self._output, _ = self._process.communicate()
        news.set()


def native_command(question: PathQuestion) -> list[str] | None:
    """The command that shows the desktop's dialog and prints the path; None where there is none."""
    if sys.platform in ("win32", "darwin"):
        if importlib.util.find_spec("tkinter") is None:
            return None
        words = (question.purpose, question.title, str(question.folder), question.name)
        return [sys.executable, "-c", _TK, *words, *question.suffixes]
    is_kde = "KDE" in os.environ.get("XDG_CURRENT_DESKTOP", "")
    for name in ("kdialog", "zenity") if is_kde else ("zenity", "kdialog"):
        program = shutil.which(name)
        if program is not None:
            return [program, *(_kdialog if name == "kdialog" else _zenity)(question)]
    return None


def _patterns(question: PathQuestion) -> str:
    return " ".join(f"*{suffix}" for suffix in question.suffixes)


def _zenity(question: PathQuestion) -> list[str]:
    start = question.folder / question.name  # a folder ends with a slash
    words = ["--file-selection", f"--title={question.title}"]
    words.append(f"--filename={start}" + ("" if question.name else os.sep))
    if question.purpose != "open":
        words.append("--save" if question.purpose == "save" else "--directory")
    if question.suffixes:
        patterns = _patterns(question)
        words.append(f"--file-filter=Files | {patterns} {patterns.upper()}")
    return words


def _kdialog(question: PathQuestion) -> list[str]:
    kind = {"open": "--getopenfilename", "save": "--getsavefilename"}.get(question.purpose)
    words = ["--title", question.title, kind or "--getexistingdirectory"]
    words.append(str(question.folder / question.name))
    return [*words, _patterns(question)] if question.suffixes else words
