"""The session inside exported pictures: a PNG text chunk, a GIF comment."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, PngImagePlugin, UnidentifiedImageError

from stylesdf_core.errors import InputError

KEY = "stylesdf-scene"


def png_info(scene_json: str) -> PngImagePlugin.PngInfo:
    """A PNG text chunk that holds the session, for ``Image.save(pnginfo=…)``."""
    info = PngImagePlugin.PngInfo()
    info.add_text(KEY, scene_json)
    return info


def gif_comment(scene_json: str) -> bytes:
    """A GIF comment block that holds the session."""
    return f"{KEY}:{scene_json}".encode("ascii")


def read_picture_metadata(path: Path) -> str | None:
    """The session's JSON inside an exported picture, or None where there is none.

    Raises:
        InputError: the file is not a picture.
    """
    try:
        with Image.open(path) as image:
            text = image.info.get(KEY)
            comment = image.info.get("comment", b"")
    except (OSError, UnidentifiedImageError) as error:
        raise InputError(f"{path} cannot be read as a picture: {error}.") from error
    if isinstance(text, str):
        return text
    if isinstance(comment, bytes) and comment.startswith(f"{KEY}:".encode()):
        return comment.split(b":", 1)[1].decode("ascii", errors="replace")
    return None
