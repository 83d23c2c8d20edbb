"""Where files lie: those that come with the program, and the user's own folders.

A user may have no home folder, as in a container with a foreign user id and no ``HOME``.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Literal

import platformdirs

from stylesdf_core.errors import StyleSDFError

_PACKAGE = Path(__file__).resolve().parent
# A wheel holds assets/ and pretrained/ in _shipped (see pyproject.toml);
# a checkout, and with it an editable install, has them beside the package.
_ROOTS = (_PACKAGE / "_shipped", _PACKAGE.parent)


def shipped(relative: str) -> Path:
    """Path of a shipped file or folder, such as ``"assets/icon.png"`` or ``"pretrained"``.

    Raises:
        StyleSDFError: the installation is incomplete: it has no such file.
    """
    for root in _ROOTS:
        path = root / relative
        if path.exists():
            return path
    looked_in = " and ".join(str(root) for root in _ROOTS)
    raise StyleSDFError(
        f"{relative} did not come with this installation (looked in {looked_in}); "
        "install StyleSDF Studio again."
    )


def expanded(path: Path | str) -> Path:
    """``path`` with a leading ``~`` replaced; unchanged if there is no such home folder."""
    return Path(os.path.expanduser(path))


def home() -> Path:
    """The user's home folder; without one, the system's folder of temporary files."""
    path = expanded("~")
    return path if path.is_absolute() else Path(tempfile.gettempdir())


def user_folder(kind: Literal["cache", "config", "data", "pictures"]) -> Path:
    """The folder in which this program keeps files of a kind for the user."""
    name = "StyleSDF Studio" if kind == "pictures" else "stylesdf-studio"
    try:
        path = Path(getattr(platformdirs, f"user_{kind}_path")())
    except RuntimeError:  # there is no home folder
        path = Path()
    return (path if path.is_absolute() else home() / kind) / name
