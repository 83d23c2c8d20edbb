"""Files in the system's file manager."""

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
    try:
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except OSError:
        return False
    return True
