"""Mesh files: OBJ, PLY, GLB, STL and 3MF, checked after writing; all but STL carry the session.

Every file states its unit and which axis points up: GLB in ``asset.extras``, 3MF in its own
fields, the others in comments or the header. A :class:`MeshPlacement` decides both.

Colours are sRGB in OBJ (``v x y z r g b``, 0 to 1), PLY and 3MF. In GLB they are linear light, as
glTF 2.0 (Sec. 3.9.2) demands of COLOR_0, in 16 bits, since 8 bits would show bands in dark tones.
STL has no colours.

Textures are part of GLB (base colour and normal map, with tangents) and 3MF (base colour). OBJ
names an MTL file beside it, which names PNG files beside it; PLY names one PNG file in a comment
``TextureFile``, as MeshLab reads it.

The session (a Scene as JSON) is stored in GLB's ``asset.extras``, in comments of OBJ and PLY, and
in 3MF's metadata.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import trimesh
from PIL import Image
from trimesh.exchange.gltf import export_glb
from trimesh.exchange.ply import export_ply
from trimesh.exchange.stl import export_stl

from stylesdf_core.errors import InputError
from stylesdf_core.files import atomic_output
from stylesdf_core.mesh import SUFFIXES
from stylesdf_core.mesh.assets.tangents import tangents
from stylesdf_core.mesh.files.placement import MeshPlacement, color_name, normal_name, placement_for
from stylesdf_core.mesh.files.three_mf import encode_3mf, png, read_3mf, rows
from stylesdf_core.mesh.sdf_grid import FloatArray
from stylesdf_core.mesh.surface import SurfaceMesh, welded
from stylesdf_core.scene.session_files import comment_lines, glb_extras

GENERATOR = "StyleSDF Studio"
_MATERIAL = "skin"
_ROUGHNESS = 0.9
_STL_HEADER = 80
#: Names and contents of files in one folder.
Files: TypeAlias = dict[str, bytes]


def export_mesh(
    mesh: SurfaceMesh,
    path: Path | str,
    *,
    placement: MeshPlacement | None = None,
    session: str | None = None,
) -> list[Path]:
    """Write ``mesh`` in the format of ``path``'s suffix; the file appears only if it reads back.

    Args:
        mesh: its normals, and its textures or colours if it has any, are written to all formats
            that have a place for them. Textures take the place of colours.
        path: ``.obj``, ``.ply``, ``.glb``, ``.stl`` or ``.3mf``; an existing file is replaced.
        placement: unit, axes and name; None for those that the format's readers expect.
        session: JSON text that :func:`read_session` finds again; STL has no place for one.

    Returns:
        The files: ``path``, and those beside it that hold the textures of OBJ and PLY.

    Raises:
        InputError: no such format.
        OutputError: a file cannot be written, or does not read back as the same mesh.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"Cannot export {path.name}: use one of {', '.join(SUFFIXES)}.")
    placement = placement or placement_for(suffix)
    placed = placement.apply(mesh)
    contents = _encode(placed, path, placement, session)
    with ExitStack() as files:  # which ends in reverse: the mesh appears after what it names
        for name, content in contents.items():
            check = _checker(placed) if name == path.name else None
            temporary = files.enter_context(atomic_output(path.with_name(name), check=check))
            temporary.write_bytes(content)
    return [path.with_name(name) for name in contents]


def viewer_glb(mesh: SurfaceMesh) -> bytes:
    """A mesh in world units as the contents of a GLB file, for viewers that draw it themselves."""
    model = trimesh.Trimesh(mesh.vertices, mesh.faces, vertex_normals=mesh.normals, process=False)
    return _encode_glb(model, mesh, placement_for(".glb"), None)


def _encode(mesh: SurfaceMesh, path: Path, placement: MeshPlacement, session: str | None) -> Files:
    """File names and contents, the mesh first."""
    suffix = path.suffix.lower()
    about = f"{GENERATOR}: {placement.name}, {placement}"
    if suffix == ".3mf":
        return {path.name: encode_3mf(mesh, placement, GENERATOR, session)}
    model = trimesh.Trimesh(mesh.vertices, mesh.faces, vertex_normals=mesh.normals, process=False)
    if suffix == ".stl":
        content = bytes(export_stl(model))
        header = about.encode("ascii", "replace")[:_STL_HEADER].ljust(_STL_HEADER)
        return {path.name: header + content[_STL_HEADER:]}
    if suffix == ".glb":
        return {path.name: _encode_glb(model, mesh, placement, session)}
    comments = [about] if session is None else [about, *comment_lines(session)]
    if suffix == ".obj":
        return _encode_obj(mesh, path, placement, comments)
    if mesh.textures is not None:
        model.visual = trimesh.visual.TextureVisuals(uv=mesh.uv)
    elif mesh.colors is not None:
        colors = np.rint(255.0 * mesh.colors).astype(np.uint8)
        model.visual = trimesh.visual.ColorVisuals(model, vertex_colors=colors)
    content = bytes(export_ply(model, vertex_normal=True))
    files: Files = {}
    if mesh.textures is not None:
        comments.append(f"TextureFile {color_name(path)}")
        files[color_name(path)] = png(mesh.textures.color)
    lines = "".join(f"comment {line}\n" for line in comments).encode()
    return {path.name: content.replace(b"element vertex", lines + b"element vertex", 1), **files}


def _encode_obj(mesh: SurfaceMesh, path: Path, placement: MeshPlacement, about: list[str]) -> Files:
    """OBJ joins what charts cut: a corner of a triangle names vertex, UV place and normal apart."""
    joined = welded(mesh)
    lines = [f"# {line}" for line in about]
    files: Files = {}
    vertices = joined.vertices
    if mesh.textures is not None and mesh.uv is not None:
        lines.append(f"mtllib {path.stem}.mtl")
        files = {
            f"{path.stem}.mtl": (
                f"# {about[0]}\nnewmtl {_MATERIAL}\nKa 1 1 1\nKd 1 1 1\nKs 0 0 0\nillum 1\n"
                f"Pr {_ROUGHNESS}\nPm 0\nmap_Kd {color_name(path)}\nnorm {normal_name(path)}\n"
            ).encode(),
            color_name(path): png(mesh.textures.color),
            normal_name(path): png(mesh.textures.normals),
        }
    elif mesh.colors is not None:
        vertices = np.concatenate([vertices, mesh.colors], axis=1)
    lines += [f"o {placement.name}", *rows("v" + " {:.8g}" * vertices.shape[1], vertices)]
    if files and mesh.uv is not None:
        lines += [*rows("vt {:.6f} {:.6f}", mesh.uv), f"usemtl {_MATERIAL}"]
    lines += rows("vn {:.6f} {:.6f} {:.6f}", mesh.normals)
    corner, uv = 1 + joined.faces, 1 + mesh.faces
    form, corners = "{}//{}", [corner, uv]
    if files:
        form, corners = "{}/{}/{}", [corner, uv, uv]
    numbers = np.stack(corners, axis=-1).reshape(len(mesh.faces), -1)
    lines += rows(" ".join(["f", *[form] * 3]), numbers)
    return {path.name: ("\n".join(lines) + "\n").encode(), **files}


def _encode_glb(
    model: trimesh.Trimesh, mesh: SurfaceMesh, placement: MeshPlacement, session: str | None
) -> bytes:
    attributes = {}
    if mesh.textures is not None:
        assert mesh.uv is not None
        frame = tangents(mesh.vertices, mesh.faces, mesh.normals, mesh.uv)
        attributes["TANGENT"] = frame
        images = (Image.fromarray(mesh.textures.color), Image.fromarray(mesh.textures.normals))
        material = trimesh.visual.material.PBRMaterial(
            baseColorTexture=images[0], normalTexture=images[1]
        )
        model.visual = trimesh.visual.TextureVisuals(uv=mesh.uv, material=material)
    elif mesh.colors is not None:
        rgba = np.concatenate([srgb_to_linear(mesh.colors), np.ones((len(mesh.colors), 1))], axis=1)
        # trimesh writes colours of 8 bits only, which linear light is too coarse for.
        attributes["COLOR_0"] = np.rint(65535.0 * rgba).astype(np.uint16)
    for name, values in attributes.items():
        model.vertex_attributes[f"_{name}"] = values  # trimesh writes a name without _ otherwise

    def finish(tree: dict[str, Any]) -> None:
        extras: dict[str, Any] = {} if session is None else glb_extras(session)
        extras["unit"] = placement.unit
        tree["asset"].update(generator=GENERATOR, extras=extras)
        # glTF's default material is metal.
        material = tree.setdefault("materials", [{}])[0]
        shading = material.setdefault("pbrMetallicRoughness", {})
        shading.update(metallicFactor=0.0, roughnessFactor=_ROUGHNESS)
        material["name"] = _MATERIAL
        tree["meshes"][0]["name"] = placement.name
        next(node for node in tree["nodes"] if "mesh" in node)["name"] = placement.name
        primitive = tree["meshes"][0]["primitives"][0]
        primitive["material"] = 0
        for name in attributes:
            accessor = primitive["attributes"].pop(f"_{name}")
            primitive["attributes"][name] = accessor
            if name == "COLOR_0":
                tree["accessors"][accessor]["normalized"] = True

    return bytes(export_glb(model, include_normals=True, tree_postprocessor=finish))


def srgb_to_linear(colors: FloatArray) -> FloatArray:
    """IEC 61966-2-1: display values in [0, 1] to linear light in [0, 1], any shape."""
    low = colors / 12.92
    high = ((colors + 0.055) / 1.055) ** 2.4
    return np.where(colors <= 0.04045, low, high).astype(np.float32)


def _checker(mesh: SurfaceMesh) -> Any:
    """A function that reads a file back; ValueError if the file does not hold ``mesh``."""

    def check(path: Path) -> None:
        suffix = path.suffix.lower()
        if suffix == ".3mf":
            vertices, faces = read_3mf(path)
            found = trimesh.Trimesh(vertices, faces, process=False)
        else:
            found = trimesh.load_mesh(path, process=False, maintain_order=True)
        # STL repeats each vertex for every triangle; 3MF and OBJ join what charts cut, and the
        # reader of OBJ cuts anew.
        count = {".stl": 3 * len(mesh.faces), ".3mf": len(welded(mesh).vertices)}.get(
            suffix, len(mesh.vertices)
        )
        if suffix == ".obj" and mesh.uv is not None:
            count = len(found.vertices)
        bounds = np.stack([mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)])
        found_counts, counts = (len(found.faces), len(found.vertices)), (len(mesh.faces), count)
        if found_counts != counts:
            raise ValueError(
                f"its triangles and vertices are {found_counts} in number, not {counts}"
            )
        if not np.allclose(found.bounds, bounds, rtol=1e-5, atol=1e-6 * np.ptp(bounds)):
            raise ValueError("its vertices lie at other places than the mesh's")

    return check
