"""Mesh files: OBJ, PLY, GLB and STL, checked after writing; all but STL carry the session.

Units and axes are the world's in every format: 1 is the camera's distance, +y is up. Importers
that assume metres show a head 0.2 m high; STL has no unit, so scale it in the slicer.

Colours are sRGB in OBJ (``v x y z r g b``, 0 to 1) and PLY. In GLB they are linear light, as
glTF 2.0 (Sec. 3.9.2) demands of COLOR_0, in 16 bits, since 8 bits would show bands in dark tones.
STL has no colours.

The session (a Scene as JSON) is stored in GLB's ``asset.extras`` and in comments of OBJ and PLY.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from trimesh.exchange.gltf import export_glb
from trimesh.exchange.obj import export_obj
from trimesh.exchange.ply import export_ply
from trimesh.exchange.stl import export_stl

from stylesdf_core.errors import InputError
from stylesdf_core.files import atomic_output
from stylesdf_core.mesh import SUFFIXES
from stylesdf_core.mesh.sdf_grid import FloatArray
from stylesdf_core.mesh.surface import SurfaceMesh
from stylesdf_core.scene.session_files import comment_lines, glb_extras

_GENERATOR = "StyleSDF Studio, world units, y up"


def export_mesh(mesh: SurfaceMesh, path: Path | str, *, session: str | None = None) -> None:
    """Write ``mesh`` in the format of ``path``'s suffix; the file appears only if it reads back.

    Args:
        mesh: its normals, and its colours if it has any, are written to all formats but STL.
        path: ``.obj``, ``.ply``, ``.glb`` or ``.stl``; an existing file is replaced.
        session: JSON text that :func:`read_session` finds again; STL has no place for one.

    Raises:
        InputError: no such format.
        OutputError: the file cannot be written, or does not read back as the same mesh.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"Cannot export {path.name}: use one of {', '.join(SUFFIXES)}.")
    content = _encode(mesh, path.suffix.lower(), session)
    with atomic_output(path, check=lambda file: _check(file, mesh)) as temporary:
        temporary.write_bytes(content)


def _encode(mesh: SurfaceMesh, suffix: str, session: str | None) -> bytes:
    model = trimesh.Trimesh(mesh.vertices, mesh.faces, vertex_normals=mesh.normals, process=False)
    if suffix == ".stl":
        return bytes(export_stl(model))
    if suffix == ".glb":
        return _encode_glb(model, mesh.colors, session)
    if mesh.colors is not None:
        colors = np.rint(255.0 * mesh.colors).astype(np.uint8)
        model.visual = trimesh.visual.ColorVisuals(model, vertex_colors=colors)
    comments = [_GENERATOR] if session is None else [_GENERATOR, *comment_lines(session)]
    if suffix == ".obj":
        header = "\n# ".join(comments)
        text = export_obj(model, include_normals=True, include_texture=False, header=header)
        return str(text).encode("ascii")
    content = bytes(export_ply(model, vertex_normal=True))
    lines = "".join(f"comment {line}\n" for line in comments).encode("ascii")
    return content.replace(b"element vertex", lines + b"element vertex", 1)


def _encode_glb(model: trimesh.Trimesh, colors: FloatArray | None, session: str | None) -> bytes:
    if colors is not None:
        rgba = np.concatenate([srgb_to_linear(colors), np.ones((len(colors), 1))], axis=1)
        model.vertex_attributes["_LINEAR_COLOR"] = np.rint(65535.0 * rgba).astype(np.uint16)

    def finish(tree: dict[str, Any]) -> None:
        tree["asset"]["generator"] = _GENERATOR
        if session is not None:
            tree["asset"]["extras"] = glb_extras(session)
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


def _check(path: Path, mesh: SurfaceMesh) -> None:
    """Read a file back; a ValueError if it does not hold ``mesh``."""
    found = trimesh.load_mesh(path, process=False, maintain_order=True)
    # STL repeats each vertex for every triangle.
    vertices = 3 * len(mesh.faces) if path.suffix.lower() == ".stl" else len(mesh.vertices)
    bounds = np.stack([mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)])
    found_counts, counts = (len(found.faces), len(found.vertices)), (len(mesh.faces), vertices)
    if found_counts != counts:
        raise ValueError(f"its triangles and vertices are {found_counts} in number, not {counts}")
    if not np.allclose(found.bounds, bounds, atol=1e-6):
        raise ValueError("its vertices lie at other places than the mesh's")
