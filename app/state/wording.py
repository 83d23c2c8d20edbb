"""The core's sentences in the window's words: fields have names there, not flags."""

from __future__ import annotations

import re

_FETCH = re.compile(r"run `stylesdf-studio models fetch (\S+)` first")
_SEE_HELP = re.compile(r"\s*;?\s*[Ss]ee (?:stylesdf-studio )?--help")
_FLAG = re.compile(r"--([a-z][\w-]*(?:\.[a-z][\w-]*)*)")


def in_window(text: str) -> str:
    """A message or help text of the core without words of the command line.

    A flag such as ``--heads.batch-factor`` becomes the field's name, “batch factor”.
    """
    text = _FETCH.sub(r"download \1 in the model's menu first", text)
    text = _SEE_HELP.sub("", text)
    words = _FLAG.sub(lambda flag: flag[1].rpartition(".")[2].replace("-", " "), text)
    return words if words == text or not text.startswith("--") else words[:1].upper() + words[1:]
