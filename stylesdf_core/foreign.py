"""The guard around every parser of foreign bytes: each error becomes one sentence.

Sessions, pictures, meshes, weights, latents, lmdb pages and settings come from strangers' files.
Parsers of such bytes raise dozens of types of exception, and believe the sizes that a file claims.
Every reader in the program therefore works inside :func:`reading`; :func:`read_json` reads JSON
and :func:`open_picture` opens pictures. This module imports no room of the project, so that every
room may import this module.
"""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from stylesdf_core.errors import InputError, StyleSDFError

if TYPE_CHECKING:
    from PIL import Image

#: Largest session or file of settings, bytes; usual ones have some kilobytes.
LARGEST_JSON = 4 << 20
#: Deepest nesting of a JSON document's objects and lists.
DEEPEST_JSON = 64
_LONGEST_WORD, _LONGEST_TEXT = 60, 300


@contextmanager
def reading(
    path: Path | str, kind: str, *, error: type[StyleSDFError] = InputError, advice: str = ""
) -> Iterator[None]:
    """In this block, which parses the file ``path``, every exception becomes ``error``.

    Args:
        path: an existing file or folder: never a pipe or device, which may have no end.
        kind: what the file should be, with its article, such as "a GLB file".
        error: the type of the exception.
        advice: a sentence that says what to do, for the message's end.

    Raises:
        StyleSDFError: of the type ``error``: nothing is there, or the parser failed. Exceptions of
            the project that are raised in the block pass through.
    """
    if not os.path.isfile(path) and not os.path.isdir(path):
        raise error(f"There is no file {path}. {advice}".rstrip())
    try:
        yield
    except StyleSDFError:
        raise
    except Exception as failure:  # parsers of foreign bytes raise any type
        sentence = f"{path} cannot be read as {kind}: {cause(failure)}. {advice}"
        raise error(sentence.rstrip()) from failure


def cause(failure: BaseException) -> str:
    """Why a parser failed, as the last clause of a sentence: one short line without full stop."""
    if isinstance(failure, MemoryError):
        return "it asks for more memory than there is"
    if isinstance(failure, RecursionError):
        return "it is nested too deeply"
    text = str(failure) or type(failure).__name__
    if type(failure).__name__ == "UnidentifiedImageError":
        text = "no format that Pillow knows (HEIC needs the package pillow-heif)"
    elif isinstance(failure, KeyError):
        text = f"the field {text} is missing"
    elif isinstance(failure, OSError) and failure.strerror:
        text = failure.strerror
    text = re.sub(r"<[^<>]* object at 0x\w+>", "the data", text.splitlines()[0])
    return brief(text).rstrip(". ")


def brief(value: object) -> str:
    """``value`` as text that is short enough for a sentence: long words and long texts are cut."""
    words = re.sub(rf"(\S{{{_LONGEST_WORD // 2}}})\S{{{_LONGEST_WORD // 2},}}", r"\1…", str(value))
    return words if len(words) <= _LONGEST_TEXT else f"{words[:_LONGEST_TEXT]}…"


def read_json(path: Path | str, *, error: type[StyleSDFError] = InputError) -> Any:
    """The JSON document in the file ``path``: UTF-8, or UTF-16 with a byte order mark.

    Raises:
        StyleSDFError: of the type ``error``: no such file, or no JSON; names the file.
    """
    with reading(path, "JSON", error=error), open(path, "rb") as stream:
        return parse_json(stream.read(LARGEST_JSON + 1))


def parse_json(content: bytes) -> Any:
    """The JSON document ``content``, encoded as in :func:`read_json`; for use in :func:`reading`.

    Raises:
        ValueError: not JSON, longer than 4 MB, or nested deeper than 64 levels.
    """
    if len(content) > LARGEST_JSON:
        raise ValueError(f"it has more than {LARGEST_JSON >> 20} MB")
    text = content.decode(json.detect_encoding(content))
    depth = 0
    for token in re.finditer(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[]}]', text, re.DOTALL):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
        if depth > DEEPEST_JSON:
            raise ValueError(f"its objects and lists are nested deeper than {DEEPEST_JSON} levels")
    return json.loads(text)


def open_picture(file: Path | IO[bytes]) -> Image.Image:
    """A picture whose pixels may be decoded later; Pillow refuses more than 179 million pixels.

    Below that number Pillow warns of large pictures; the warning is suppressed.
    """
    from PIL import Image

    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    return Image.open(file)
