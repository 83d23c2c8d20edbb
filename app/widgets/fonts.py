"""Open Sans, the studio's typeface: its files, and the width of a text."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

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


@lru_cache(maxsize=2)
def _ruler(weight: str) -> tuple[ImageFont.FreeTypeFont, float] | None:
    path = font_path(weight)
    if path is None:
        return None
    font = ImageFont.truetype(str(path), 100)
    ascent, descent = font.getmetrics()
    return font, float(ascent + descent)


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, weight: str = "Regular") -> float:
    """Width of one line in pixels, for a font of line height ``size``."""
    ruler = _ruler(weight)
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
