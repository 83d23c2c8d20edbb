"""Exports read back: geometry, colours in each format's colour space, and the session."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from stylesdf_core.errors import InputError, OutputError
from stylesdf_core.mesh import SUFFIXES, formats
from stylesdf_core.mesh.formats import export_mesh
from stylesdf_core.mesh.surface import SurfaceMesh, extract_surface
from stylesdf_core.progress import drain
from stylesdf_core.scene.session_files import read_session

SESSION = json.dumps({"model": "Köpfe", "z": list(range(100)), "text": "a  b\nc " * 40}, indent=1)
ORANGE = np.float32([0.9, 0.5, 0.1])


@pytest.fixture(scope="module")
def mesh() -> SurfaceMesh:
    """A ball cut at the bottom, dark above and orange below."""

    def colors(points: np.ndarray) -> np.ndarray:
        return np.where(points[:, 1:2] > 0.0, np.float32([0.02, 0.02, 0.04]), ORANGE)

    def ball(points: np.ndarray) -> np.ndarray:
        return np.linalg.norm(points - np.float32([0, -0.06, 0]), axis=1) - 0.09

    return drain(extract_surface(ball, resolution=32, colors=colors))


def read_glb(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The JSON and the vertex attributes of a GLB, by the specification."""
    content = path.read_bytes()
    magic, version, total, length, kind = struct.unpack_from("<4sIII4s", content)
    assert (magic, version, total, kind) == (b"glTF", 2, len(content), b"JSON")
    tree = json.loads(content[20 : 20 + length])
    binary = content[20 + length + 8 :]
    dtypes = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
    widths = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}
    primitive = tree["meshes"][0]["primitives"][0]
    arrays = {}
    for name, index in {**primitive["attributes"], "indices": primitive["indices"]}.items():
        accessor = tree["accessors"][index]
        view = tree["bufferViews"][accessor["bufferView"]]
        dtype, width = dtypes[accessor["componentType"]], widths[accessor["type"]]
        data = np.frombuffer(binary, dtype, accessor["count"] * width, view["byteOffset"]).reshape(
            -1, width
        )
        arrays[name] = data / np.iinfo(dtype).max if accessor.get("normalized") else data
    return tree, arrays


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_export_reads_back(mesh: SurfaceMesh, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"head{suffix}"
    export_mesh(mesh, path, session=SESSION)
    found = trimesh.load_mesh(path)  # as anyone would: equal vertices merged
    assert found.is_watertight
    assert len(found.faces) == len(mesh.faces)
    assert np.allclose(found.bounds, [mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)])
    assert found.volume > 0
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".obj", ".ply", ".glb"])
def test_session_comes_back(mesh: SurfaceMesh, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"head{suffix}"
    export_mesh(mesh, path, session=SESSION)
    assert read_session(path) == json.loads(SESSION)
    export_mesh(mesh, path)
    assert read_session(path) is None


def test_ply_header_lines_are_short(mesh: SurfaceMesh, tmp_path: Path) -> None:
    path = tmp_path / "head.ply"
    export_mesh(mesh, path, session=SESSION)
    header = path.read_bytes().partition(b"end_header\n")[0]
    assert max(map(len, header.split(b"\n"))) < 256


def test_obj_and_ply_hold_srgb_colours_and_the_field_s_normals(
    mesh: SurfaceMesh, tmp_path: Path
) -> None:
    assert mesh.colors is not None
    export_mesh(mesh, tmp_path / "head.obj")
    lines = [line.split() for line in (tmp_path / "head.obj").read_text().splitlines()]
    vertices = np.array([line[1:] for line in lines if line[:1] == ["v"]], float)
    assert np.allclose(vertices[:, :3], mesh.vertices, atol=1e-7)
    assert np.allclose(vertices[:, 3:], mesh.colors, atol=0.5 / 255 + 1e-6)
    normals = np.array([line[1:] for line in lines if line[:1] == ["vn"]], float)
    assert np.allclose(normals, mesh.normals, atol=1e-6)

    export_mesh(mesh, tmp_path / "head.ply")
    found = trimesh.load_mesh(tmp_path / "head.ply", process=False)
    assert np.allclose(found.visual.vertex_colors[:, :3] / 255, mesh.colors, atol=0.5 / 255)


def test_glb_holds_linear_colours_and_a_material_that_is_not_metal(
    mesh: SurfaceMesh, tmp_path: Path
) -> None:
    assert mesh.colors is not None
    export_mesh(mesh, tmp_path / "head.glb")
    tree, arrays = read_glb(tmp_path / "head.glb")
    assert np.array_equal(arrays["POSITION"], mesh.vertices)
    assert np.array_equal(arrays["indices"].reshape(-1, 3), mesh.faces)
    assert np.allclose(arrays["NORMAL"], mesh.normals, atol=1e-6)
    linear = arrays["COLOR_0"]
    assert linear.shape == (len(mesh.vertices), 4)
    orange = linear[mesh.colors[:, 0] > 0.5][0]
    assert np.allclose(orange, [0.7874, 0.2140, 0.0100, 1.0], atol=1e-4)  # IEC 61966-2-1
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert np.allclose(srgb[:, :3], mesh.colors, atol=2e-4)  # dark tones did not band
    primitive = tree["meshes"][0]["primitives"][0]
    material = tree["materials"][primitive["material"]]
    assert material["pbrMetallicRoughness"]["metallicFactor"] == 0.0


def test_mesh_without_colours(mesh: SurfaceMesh, tmp_path: Path) -> None:
    plain = SurfaceMesh(mesh.vertices, mesh.faces, mesh.normals)
    for suffix in SUFFIXES:
        export_mesh(plain, tmp_path / f"head{suffix}")
    assert "COLOR_0" not in read_glb(tmp_path / "head.glb")[1]
    first = next(
        line for line in (tmp_path / "head.obj").read_text().splitlines() if line.startswith("v ")
    )
    assert len(first.split()) == 4


def test_unknown_format_names_the_known_ones(mesh: SurfaceMesh, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.obj, \.ply, \.glb, \.stl"):
        export_mesh(mesh, tmp_path / "head.fbx")


def test_file_that_does_not_read_back_is_not_put_in_place(
    mesh: SurfaceMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "head.stl"
    path.write_bytes(b"earlier")
    whole = formats.export_stl
    monkeypatch.setattr(formats, "export_stl", lambda model: whole(model)[:-50])
    with pytest.raises(OutputError, match="read back"):
        export_mesh(mesh, path)
    assert path.read_bytes() == b"earlier"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", ["missing.glb", "broken.glb", "broken.obj"])
def test_unreadable_file_is_an_input_error(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.startswith("broken"):
        path.write_bytes(b"# stylesdf-scene:\xff\xfe" * 4)
    with pytest.raises(InputError, match=path.stem):
        read_session(path)
