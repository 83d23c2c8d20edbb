"""Sessions in files: the Scene inside exported pictures and meshes, written and read back.

A session is a Scene as JSON. The window saves a session as a ``.json`` file. Pictures and meshes
that are exported carry their session, so that opening such a file restores the scene:

    .json        the whole file
    .png         a text chunk named ``stylesdf-scene``
    .gif         the comment, after ``stylesdf-scene:``
    .webp        the description in the EXIF data, after ``stylesdf-scene:``
    .glb         ``asset.extras`` under ``stylesdf-scene``
    .obj, .ply   comment lines after ``stylesdf-scene:``, in pieces
    .3mf         metadata named ``session`` of the model

A session names the digest of its model's weights beside the model's name, since another file may
have that name by the time the session is opened. A model's file is named by its whole path, or, in
a ``.json`` file that lies in the same folder, by its name alone, so that the folder can be moved.

STL meshes and ``.npy`` arrays carry no session. The comment of an MP4 holds the session, but this
module does not read it back.
"""

from __future__ import annotations

import json
import re
import struct
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image, PngImagePlugin

from stylesdf_core.errors import InputError
from stylesdf_core.files import write_text
from stylesdf_core.foreign import (
    LARGEST_JSON,
    brief,
    open_picture,
    parse_json,
    read_json,
    reading,
)
from stylesdf_core.model.checkpoints.digests import weights_digest
from stylesdf_core.model.model_zoo import WEIGHT_SUFFIXES, resolve
from stylesdf_core.scene.scene import Scene

KEY = "stylesdf-scene"
#: The model's file in a 3MF archive.
THREE_MF_MODEL = "3D/3dmodel.model"
_COMMENT_LENGTH = 200  # programs that read PLY may hold header lines in small buffers


def png_info(session: str) -> PngImagePlugin.PngInfo:
    """The session as a PNG text chunk, for ``Image.save(pnginfo=…)``."""
    info = PngImagePlugin.PngInfo()
    info.add_text(KEY, session)
    return info


def gif_comment(session: str) -> bytes:
    """The session as a GIF's comment."""
    return f"{KEY}:{session}".encode("ascii")


def exif(session: str) -> Image.Exif:
    """The session as a WebP's EXIF data, for ``Image.save(exif=…)``."""
    data = Image.Exif()
    data[ExifTags.Base.ImageDescription] = f"{KEY}:{session}"
    return data


def glb_extras(session: str) -> dict[str, Any]:
    """The session as the ``extras`` of a GLB's ``asset``."""
    return {KEY: json.loads(session)}


def comment_lines(session: str) -> list[str]:
    """The session as comment lines of an OBJ or PLY, without the format's comment sign."""
    # json.dumps writes ASCII without line breaks; a line break would end the comment.
    line = json.dumps(json.loads(session), separators=(",", ":"))
    starts = range(0, len(line), _COMMENT_LENGTH)
    return [f"{KEY}:{line[start : start + _COMMENT_LENGTH]}" for start in starts]


def signed(scene: Scene) -> Scene:
    """The scene with the digest of the weights that its model's name stands for now.

    Raises:
        ModelNotFoundError, CheckpointError: there is no such model, or its file is damaged.
    """
    return replace(scene, model_digest=weights_digest(resolve(scene.model).path))


def written_to(folder: Path, document: dict[str, Any]) -> str:
    """The text of a session's ``.json`` file; model files in its folder are named relatively."""
    for scene in _scenes(document):
        model = Path(scene["model"])
        if _is_file_name(model) and model.is_absolute() and model.parent == folder.absolute():
            scene["model"] = model.name
    return json.dumps(document, allow_nan=False) + "\n"


def write_session(scene: Scene, path: Path) -> None:
    """Write a session.

    Raises:
        OutputError: the file cannot be written.
    """
    write_text(path, written_to(path.parent, json.loads(scene.to_json())))


def _scenes(document: Any) -> list[dict[str, Any]]:
    """The scenes of a session or animation that name a model."""
    if not isinstance(document, dict):
        return []
    found: list[Any] = [document]
    for animation in (document, document.get("animation")):
        keyframes = animation.get("keyframes") if isinstance(animation, dict) else None
        if isinstance(keyframes, list):
            found += [frame.get("scene") for frame in keyframes if isinstance(frame, dict)]
    return [one for one in found if isinstance(one, dict) and isinstance(one.get("model"), str)]


def other_weights(scene: Scene, digest: str) -> str:
    """A sentence if a session was made with weights of another digest; empty if not."""
    if scene.model_digest in ("", digest):
        return ""
    return (
        f"The weights of {scene.model} are not those that the session was made with (digest "
        f"{digest} instead of {brief(scene.model_digest)}): the picture may be another one."
    )


def read_scene(path: Path | str) -> Scene:
    """The scene of a ``.json`` session, or of an exported PNG, WebP, GIF, GLB, OBJ, PLY or 3MF.

    Raises:
        InputError: no such file, the file is damaged, or there is no session in it.
    """
    document = read_session(path)
    if document is None:
        raise InputError(f"{path} carries no session; it was not exported by this program.")
    return Scene.from_document(document, Path(path).name)


def read_session(path: Path | str) -> Any:
    """The JSON document of the session in a file, or None where the file carries none.

    Raises:
        InputError: there is no such file, or it is damaged or not of its suffix's format.
    """
    path = Path(path)
    read, kind = _READERS.get(path.suffix.lower(), (_in_picture, "a picture"))
    with reading(path, kind):
        document = read(path)
    for scene in _scenes(document):
        model = Path(scene["model"])
        if _is_file_name(model):
            scene["model"] = str(path.parent.absolute() / model)
    return document


def _is_file_name(model: Path) -> bool:
    """Whether a model is a weights file, rather than a name or a run folder."""
    return model.suffix.lower() in WEIGHT_SUFFIXES


def _in_picture(path: Path) -> Any:
    with open_picture(path) as image:
        text, comment = image.info.get(KEY), image.info.get("comment", b"")
        described = image.getexif().get(ExifTags.Base.ImageDescription, "")
    if isinstance(described, str) and described.startswith(f"{KEY}:"):
        return parse_json(described.partition(":")[2].encode())
    if isinstance(text, str):
        return parse_json(text.encode())
    if isinstance(comment, bytes) and comment.startswith(f"{KEY}:".encode()):
        return parse_json(comment.split(b":", 1)[1])
    return None


def _in_glb(path: Path) -> Any:
    with open(path, "rb") as stream:
        magic, _, _, length, _ = struct.unpack("<4sIIII", stream.read(20))
        if magic != b"glTF":
            raise ValueError("the file does not begin with glTF")
        document = parse_json(stream.read(min(length, LARGEST_JSON + 1)))
    return (document["asset"].get("extras") or {}).get(KEY)


def _in_comments(path: Path) -> Any:
    pieces = []
    with open(path, "rb") as stream:
        for line in stream.read(LARGEST_JSON).splitlines():
            if line.startswith((b"v ", b"end_header")):
                break
            _, found, piece = line.partition(f"{KEY}:".encode())
            if found:
                pieces.append(piece)
    return parse_json(b"".join(pieces)) if pieces else None


def _in_3mf(path: Path) -> Any:
    from xml.sax.saxutils import unescape  # which imports urllib

    # The metadata stand before the mesh, and may be all that is ever unpacked.
    with zipfile.ZipFile(path) as archive, archive.open(THREE_MF_MODEL) as stream:
        beginning = stream.read(LARGEST_JSON)
    found = re.search(rb'<metadata name="s:session">(.*?)</metadata>', beginning, re.DOTALL)
    return parse_json(unescape(found[1].decode()).encode()) if found else None


_READERS: dict[str, tuple[Callable[[Path], Any], str]] = {
    ".json": (read_json, "JSON"),
    ".glb": (_in_glb, "a GLB file"),
    ".obj": (_in_comments, "an OBJ file"),
    ".ply": (_in_comments, "a PLY file"),
    ".3mf": (_in_3mf, "a 3MF file"),
}
#: Suffixes of the files that can carry a session.
SESSION_SUFFIXES = (".png", ".webp", ".gif", *_READERS)
