"""Files in the system's file manager, or in the program that the system opens them with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def show_file(path: Path) -> bool:
    """Open the system's file manager at ``path``; False if there is none."""
    if sys.platform == "win32":
        command = ["explorer", f"/select,{path}"]
    elif sys.platform == "darwin":
        command = ["open", "-R", str(path)]
    else:
        command = ["xdg-open", str(path.parent)]
    return _started(command)


def open_file(path: Path) -> bool:
    """Open a file with the system's program for its kind; False if there is none."""
    if sys.platform == "win32":
        return _started(["cmd", "/c", "start", "", str(path)])
    return _started(["open" if sys.platform == "darwin" else "xdg-open", str(path)])


def _started(command: list[str]) -> bool:
    try:
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except OSError:
        return False
    return True
