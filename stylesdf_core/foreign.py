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
import struct
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
_LONGEST_PATH, _LONGEST_SENTENCE = 300, 3000
#: Errors of parsers that assume a file's structure; their texts speak of Python, not of the file.
_UNFORESEEN = (AssertionError, AttributeError, EOFError, IndexError, TypeError, struct.error)
_INTERNAL = "values to unpack|malformed node|invalid literal for"
#: Formats of Pillow's that other programs decode: Ghostscript, Windows' graphics.
_DECODED_ELSEWHERE = ("EPS", "WMF")


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
    if isinstance(failure, _UNFORESEEN) or re.search(_INTERNAL, text):
        text = "it is damaged, or not built as such a file is"
    elif isinstance(failure, UnicodeDecodeError):
        text = f"its text is not {failure.encoding.upper()}"
    elif "pickled (object) data" in text or "Python objects in dtype" in text:
        text = "it is no array of numbers"
    elif type(failure).__name__ == "UnidentifiedImageError":
        text = "no format that Pillow knows (HEIC needs the package pillow-heif)"
    elif isinstance(failure, KeyError):
        key = str(failure.args[0]) if failure.args else ""
        text = key if " " in key else f"the field {text} is missing"  # zipfile says a sentence
    elif "length is greater than file size" in text:  # of a file that is mapped
        text = "it is shorter than its header says"
    elif isinstance(failure, OSError) and failure.strerror:
        text = failure.strerror
    text = re.sub(r"<[^<>]* object at 0x\w+>", "the data", text.splitlines()[0])
    return brief(text).rstrip(". ")


def brief(value: object) -> str:
    """``value`` as text that is short enough for a sentence: long words and long texts are cut."""
    words = re.sub(rf"(\S{{{_LONGEST_WORD // 2}}})\S{{{_LONGEST_WORD // 2},}}", r"\1…", str(value))
    return words if len(words) <= _LONGEST_TEXT else f"{words[:_LONGEST_TEXT]}…"


def printable(sentence: str) -> str:
    """A sentence that may be printed on a terminal: one line, bounded, without control characters.

    Names of files, and texts in them, may hold sequences that command a terminal.
    """
    half = _LONGEST_PATH // 2
    words = re.sub(rf"(\S{{{half}}})\S+(\S{{{half}}})", r"\1…\2", sentence)
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in words)
    return shown if len(shown) <= _LONGEST_SENTENCE else f"{shown[:_LONGEST_SENTENCE]}…"


def read_json(
    path: Path | str, *, error: type[StyleSDFError] = InputError, largest: int = LARGEST_JSON
) -> Any:
    """The JSON document in the file ``path``: UTF-8, or UTF-16 with a byte order mark.

    Args:
        largest: file that is read, bytes.

    Raises:
        StyleSDFError: of the type ``error``: no such file, or no JSON; names the file.
    """
    with reading(path, "JSON", error=error), open(path, "rb") as stream:
        return parse_json(stream.read(largest + 1), largest)


def parse_json(content: bytes, largest: int = LARGEST_JSON) -> Any:
    """The JSON document ``content``, encoded as in :func:`read_json`; for use in :func:`reading`.

    Raises:
        ValueError: not JSON, longer than ``largest`` bytes, or nested deeper than 64 levels.
    """
    if len(content) > largest:
        raise ValueError(f"it has more than {largest >> 20} MB")
    text = content.decode(json.detect_encoding(content))
    depth = 0
    for token in re.finditer(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[]}]', text, re.DOTALL):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
        if depth > DEEPEST_JSON:
            raise ValueError(f"its objects and lists are nested deeper than {DEEPEST_JSON} levels")
    return json.loads(text)


def open_picture(file: Path | IO[bytes]) -> Image.Image:
    """A picture whose pixels may be decoded later; Pillow refuses more than 179 million pixels.

    Below that number Pillow warns of large pictures; the warning is suppressed. PostScript is
    refused whatever the file's name, since Pillow has Ghostscript run it as a program.

    Raises:
        Exception: of any type: the file is no picture; call this function inside :func:`reading`.
    """
    from PIL import Image

    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    image = Image.open(file)
    if image.format in _DECODED_ELSEWHERE:
        image.close()
        raise ValueError(f"{image.format} pictures are not read")
    return image
