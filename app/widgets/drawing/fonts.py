"""Open Sans, the studio's typeface: its files, and the width of a text.

Names in other scripts are shown in a font of the system, if it has one; else Dear PyGui draws �.
"""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path

import dearpygui.dearpygui as dpg
from PIL import ImageFont

from app.widgets.drawing.scripts import system_font

#: Line heights of the three sizes of text at scale 1, pixels: ascent plus descent.
BODY, SMALL, TITLE = 18, 15, 22


@lru_cache(maxsize=4)
def font_path(weight: str = "Regular") -> Path | None:
    """A file of Open Sans, which comes with pyrender; None if pyrender has no such file.

    The file is found without importing pyrender, which would load OpenGL.

    Args:
        weight: Regular or Semibold.
    """
    spec = importlib.util.find_spec("pyrender")
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        path = Path(folder) / "fonts" / f"OpenSans-{weight}.ttf"
        if path.is_file():
            return path
    return None


_loaded: dict[tuple[Path, int], int | str] = {}


def show_script(item: int | str, text: str, size: float, usual: int | str = 0) -> None:
    """Bind a font that has the script of an item's text.

    Args:
        size: line height, pixels.
        usual: bound where Open Sans has the script; 0 for the font of the window.
    """
    path = system_font(text)
    if path is None:
        dpg.bind_item_font(item, usual)
        return
    key = (path, round(size))
    if not dpg.does_item_exist(_loaded.get(key, 0)):
        with dpg.font_registry():
            _loaded[key] = dpg.add_font(str(path), key[1])
    dpg.bind_item_font(item, _loaded[key])


@lru_cache(maxsize=8)
def _ruler(path: Path | None) -> tuple[ImageFont.FreeTypeFont, float] | None:
    if path is None:
        return None
    font = ImageFont.truetype(str(path), 100)
    ascent, descent = font.getmetrics()
    return font, float(ascent + descent)


@lru_cache(maxsize=4096)
def text_width(text: str, size: float) -> float:
    """Width of one line in pixels, for a font of line height ``size``."""
    ruler = _ruler(system_font(text) or font_path())
    if ruler is None:
        return 0.5 * size * len(text)
    font, line_height = ruler
    return font.getlength(text) * size / line_height


def fitted(text: str, size: float, width: float) -> str:
    """``text``, shortened with an ellipsis to at most ``width`` pixels."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "…", size) > width:
        text = text[:-1]
    return text.rstrip() + "…"


def fitted_start(text: str, size: float, width: float) -> str:
    """``text``, as a path, whose beginning makes room with an ellipsis."""
    if text_width(text, size) <= width:
        return text
    while text and text_width("…" + text, size) > width:
        text = text[1:]
    return "…" + text.lstrip()


def wrapped(text: str, size: float, width: float) -> list[str]:
    """The lines of ``text``, broken at blanks to at most ``width`` pixels."""
    lines: list[str] = []
    for paragraph in text.splitlines():
        line = ""
        for word in paragraph.split(" "):
            longer = f"{line} {word}" if line else word
            if line and text_width(longer, size) > width:
                lines.append(line)
                line = word
            else:
                line = longer
        lines.append(line)
    return [fitted(line, size, width) for line in lines]
