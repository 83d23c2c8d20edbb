"""Fonts of the system for names in scripts that Open Sans lacks, such as Chinese or Arabic."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

#: Code points that Open Sans has: Latin, Greek, Cyrillic; Latin with marks, punctuation, symbols.
_KNOWN = (range(0x530), range(0x1E00, 0x2300), range(0xFB00, 0xFB07), range(0xFFFC, 0xFFFE))
_SUFFIXES = (".ttf", ".ttc", ".otf")
_SECONDS = 5.0  # for fontconfig to answer
#: Fonts of Windows and macOS with many scripts, the best first.
_SYSTEM = {
    "win32": (
        "C:/Windows/Fonts",
        ("msyh.ttc", "YuGothM.ttc", "malgun.ttf", "simsun.ttc", "arial.ttf"),
    ),
    "darwin": (
        "/System/Library/Fonts",
        ("Supplemental/Arial Unicode.ttf", "PingFang.ttc", "Hiragino Sans GB.ttc"),
    ),
}
_found: dict[int, Path | None] = {}


def system_font(text: str) -> Path | None:
    """A font for a text that Open Sans cannot show; None if it can, or if there is no such font."""
    if text.isascii():
        return None
    for character in text:
        code = ord(character)
        if not any(code in part for part in _KNOWN):
            block = code >> 8  # most fonts have all of a block's letters, or none
            if block not in _found:
                _found[block] = _font_with(code)
            return _found[block]
    return None


def _font_with(code: int) -> Path | None:
    if sys.platform in _SYSTEM:
        folder, names = _SYSTEM[sys.platform]
        return next(
            (Path(folder) / name for name in names if (Path(folder) / name).is_file()), None
        )
    program = shutil.which("fc-list")
    if program is None:
        return None
    words = [program, "--format", "%{file}\n", f":charset={code:x}"]
    try:
        answer = subprocess.run(
            words, capture_output=True, text=True, timeout=_SECONDS, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    files = sorted(line for line in answer.splitlines() if line.lower().endswith(_SUFFIXES))
    plain = [file for file in files if not re.search("bold|italic|oblique", file.lower())]
    return next((Path(file) for file in [*plain, *files]), None)
