"""Mesh files: OBJ, PLY, GLB and STL, checked after writing, with the session inside.

Units and axes are the world's in every format: 1 is the camera's distance, +y is up. Importers
that assume metres show a head 0.2 m high; STL has no unit, so scale it in the slicer.

Colours are in the space each format means: sRGB in OBJ (``v x y z r g b``, 0 to 1) and PLY; linear
light in GLB, as glTF 2.0 (Sec. 3.9.2) wants COLOR_0, in 16 bits lest dark tones band. STL has none.

The session (a Scene as JSON) is stored in GLB's ``asset.extras`` and in comments of OBJ and PLY.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from trimesh.exchange.gltf import export_glb
from trimesh.exchange.obj import export_obj
from trimesh.exchange.ply import export_ply
from trimesh.exchange.stl import export_stl

from stylesdf_core.errors import InputError, OutputError
from stylesdf_core.files import atomic_output
from stylesdf_core.mesh.meshing import SurfaceMesh
from stylesdf_core.mesh.sdf_grid import FloatArray
from stylesdf_core.scene.embedding import KEY

SUFFIXES = (".obj", ".ply", ".glb", ".stl")

_GENERATOR = "StyleSDF Studio, world units, y up"
_COMMENT_LENGTH = 200  # readers of PLY may hold header lines in small buffers


def export_mesh(mesh: SurfaceMesh, path: Path | str, *, metadata: str | None = None) -> None:
    """Write ``mesh`` in the format ``path`` ends in, read it back, and only then put it in place.

    Args:
        mesh: normals are written everywhere but to STL; colours, where there are any, as well.
        path: ``.obj``, ``.ply``, ``.glb`` or ``.stl``; an existing file is replaced.
        metadata: JSON text for :func:`read_metadata`; STL has no place for it.

    Raises:
        InputError: no such format.
        OutputError: the file cannot be written, or does not read back as the same mesh.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"Cannot export {path.name}: use one of {', '.join(SUFFIXES)}.")
    # One line of ASCII whatever the caller's JSON looks like: comments end at a line break.
    note = None if metadata is None else json.dumps(json.loads(metadata), separators=(",", ":"))
    content = _encode(mesh, path.suffix.lower(), note)
    with atomic_output(path) as temporary:
        temporary.write_bytes(content)
        _check(temporary, path, mesh)


def read_metadata(path: Path | str) -> str | None:
    """The JSON text that :func:`export_mesh` stored in a file (re-spaced), or None without one.

    Raises:
        InputError: the file cannot be read.
    """
    path = Path(path)
    try:
        with open(path, "rb") as stream:
            if path.suffix.lower() == ".glb":
                magic, _, _, length, _ = struct.unpack("<4sIIII", stream.read(20))
                if magic != b"glTF":
                    raise InputError(f"{path} is not a GLB file.")
                document = json.loads(stream.read(length))
                extras = document.get("asset", {}).get("extras")
                return json.dumps(extras[KEY]) if extras and KEY in extras else None
            return _read_comments(stream)
    except (OSError, struct.error, ValueError, AttributeError, TypeError) as error:
        raise InputError(f"Cannot read the session in {path}: {error}.") from error


def _encode(mesh: SurfaceMesh, suffix: str, note: str | None) -> bytes:
    model = trimesh.Trimesh(mesh.vertices, mesh.faces, vertex_normals=mesh.normals, process=False)
    if suffix == ".stl":
        return bytes(export_stl(model))
    if suffix == ".glb":
        return _encode_glb(model, mesh.colors, note)
    if mesh.colors is not None:
        colors = np.rint(255.0 * mesh.colors).astype(np.uint8)
        model.visual = trimesh.visual.ColorVisuals(model, vertex_colors=colors)
    if suffix == ".obj":
        header = "\n".join([_GENERATOR, *(f"# {line}" for line in _comment_lines(note))])
        text = export_obj(model, include_normals=True, include_texture=False, header=header)
        return str(text).encode("ascii")
    content = bytes(export_ply(model, vertex_normal=True))
    comments = "".join(f"comment {line}\n" for line in [_GENERATOR, *_comment_lines(note)])
    return content.replace(b"element vertex", comments.encode("ascii") + b"element vertex", 1)


def _encode_glb(model: trimesh.Trimesh, colors: FloatArray | None, note: str | None) -> bytes:
    if colors is not None:
        rgba = np.concatenate([srgb_to_linear(colors), np.ones((len(colors), 1))], axis=1)
        model.vertex_attributes["_LINEAR_COLOR"] = np.rint(65535.0 * rgba).astype(np.uint16)

    def finish(tree: dict[str, Any]) -> None:
        tree["asset"]["generator"] = _GENERATOR
        if note is not None:
            tree["asset"]["extras"] = {KEY: json.loads(note)}
        # glTF's default material is metal.
        tree["materials"] = [
            {
                "name": "skin",
                "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 0.9},
            }
        ]
        primitive = tree["meshes"][0]["primitives"][0]
        primitive["material"] = 0
        if colors is not None:
            # trimesh writes colours of 8 bits only, which linear light is too coarse for.
            accessor = primitive["attributes"].pop("_LINEAR_COLOR")
            primitive["attributes"]["COLOR_0"] = accessor
            tree["accessors"][accessor]["normalized"] = True

    return bytes(export_glb(model, include_normals=True, tree_postprocessor=finish))


def srgb_to_linear(colors: FloatArray) -> FloatArray:
    """IEC 61966-2-1: display values in [0, 1] to linear light in [0, 1], any shape."""
    low = colors / 12.92
    high = ((colors + 0.055) / 1.055) ** 2.4
    return np.where(colors <= 0.04045, low, high).astype(np.float32)


def _comment_lines(note: str | None) -> list[str]:
    """The note in pieces of bounded length, each behind the key."""
    if note is None:
        return []
    return [
        f"{KEY}:{note[start : start + _COMMENT_LENGTH]}"
        for start in range(0, len(note), _COMMENT_LENGTH)
    ]


def _read_comments(lines: Iterable[bytes]) -> str | None:
    """Join the note's pieces from the header of an OBJ or PLY."""
    pieces = []
    for line in lines:
        if line.startswith((b"v ", b"end_header")):
            break
        _, found, piece = line.rstrip(b"\r\n").partition(f"{KEY}:".encode())
        if found:
            pieces.append(piece.decode("ascii"))
    return "".join(pieces) or None


def _check(temporary: Path, path: Path, mesh: SurfaceMesh) -> None:
    """Read ``temporary`` back; an OutputError if it is not ``mesh``."""
    try:
        found = trimesh.load_mesh(temporary, process=False, maintain_order=True)
        counts = len(found.faces), len(found.vertices)
        bounds = np.asarray(found.bounds)
    except Exception as error:  # whatever a parser trips over, the file is not whole
        raise OutputError(f"{path} was written but cannot be read back: {error}.") from error
    # STL repeats each vertex for every triangle.
    vertices = 3 * len(mesh.faces) if path.suffix.lower() == ".stl" else len(mesh.vertices)
    expected = np.stack([mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)])
    if counts != (len(mesh.faces), vertices) or not np.allclose(bounds, expected, atol=1e-6):
        raise OutputError(
            f"{path} does not read back as the mesh that was written ({counts[0]} of "
            f"{len(mesh.faces)} triangles, {counts[1]} of {vertices} vertices); nothing was saved."
        )
