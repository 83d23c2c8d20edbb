"""The window's words for the core's sentences and errors, and for paths."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

from stylesdf_core.errors import (
    OUT_OF_MEMORY,
    EmptySurfaceError,
    GraphicsError,
    StyleSDFError,
    is_out_of_memory,
)
from stylesdf_core.resources import expanded
from stylesdf_core.scene.scene import Identity

_FETCH = re.compile(r"run `stylesdf-studio models fetch (\S+)` first")
_SEE_HELP = re.compile(r"\s*;?\s*[Ss]ee (?:stylesdf-studio )?--help")
_FLAG = re.compile(r"--([a-z][\w-]*(?:\.[a-z][\w-]*)*)")


def showable(text: str) -> str:
    """A text as Dear PyGui can show it, which crashes on names of files that are not UTF-8."""
    return text.encode(errors="replace").decode()


def is_showable(path: Path | str) -> bool:
    """Whether a path is UTF-8; other paths are not taken into the window."""
    return showable(str(path)) == str(path)


def in_window(text: str) -> str:
    """A message or help text of the core without words of the command line.

    A flag such as ``--heads.batch-factor`` becomes the field's name, “batch factor”.
    """
    text = showable(text)
    text = _FETCH.sub(r"download \1 in the model's menu first", text)
    text = _SEE_HELP.sub("", text)
    words = _FLAG.sub(lambda flag: flag[1].rpartition(".")[2].replace("-", " "), text)
    return words if words == text or not text.startswith("--") else words[:1].upper() + words[1:]


def face_name(identity: Identity, custom: str = "custom face") -> str:
    """The seed in six digits, or ``custom`` for a face that no seed makes, as of a photograph."""
    return custom if identity.z is not None else f"{identity.seed:06d}"


def title_and_text(error: BaseException) -> tuple[str, str]:
    """Title and text of the card for an error."""
    if isinstance(error, EmptySurfaceError):
        text = (
            f"No surface between SDF {error.minimum:.3g} and {error.maximum:.3g} "
            f"at level {error.level:g}; try level {suggested_level(error):g}."
        )
        return "Empty mesh", text
    if isinstance(error, GraphicsError):
        return "No mesh view on this machine", in_window(str(error))
    if isinstance(error, StyleSDFError):
        return "This scene cannot be drawn", in_window(str(error))
    if is_out_of_memory(error):
        return "Out of memory", OUT_OF_MEMORY
    return "Something went wrong in the program", f"{type(error).__name__}: {error}"


def details(error: BaseException) -> str:
    """The traceback of an unforeseen error; empty for a StyleSDFError, whose text explains it."""
    if isinstance(error, StyleSDFError):
        return ""
    return "".join(traceback.format_exception(error))


def suggested_level(error: EmptySurfaceError) -> float:
    """A level inside the field's range, rounded to what the slider shows."""
    middle = 0.5 * (error.minimum + error.maximum)
    rounded = round(middle, 3)
    return rounded if error.minimum < rounded < error.maximum else middle


def short_path(path: Path) -> str:
    """A path as text; in the user's home folder it begins with ~."""
    home = expanded("~")
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
