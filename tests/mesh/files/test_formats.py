"""Exports read back: geometry, colours in each format's colour space, and the session."""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image

from stylesdf_core.errors import InputError, OutputError
from stylesdf_core.mesh import SUFFIXES
from stylesdf_core.mesh.files import formats
from stylesdf_core.mesh.files.formats import export_mesh
from stylesdf_core.mesh.files.placement import companions, placement_for
from stylesdf_core.mesh.files.three_mf import read_3mf
from stylesdf_core.mesh.surface import SurfaceMesh, Textures, extract_surface
from stylesdf_core.progress import drain
from stylesdf_core.rendering.camera import METRES_PER_UNIT
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
    widths = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
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


def loaded(path: Path) -> trimesh.Trimesh:
    """A file as anyone would read it: equal vertices merged."""
    if path.suffix == ".3mf":
        return trimesh.Trimesh(*read_3mf(path))
    return trimesh.load_mesh(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_export_reads_back_in_the_unit_and_axes_that_the_format_s_readers_expect(
    mesh: SurfaceMesh, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"head{suffix}"
    export_mesh(mesh, path, session=SESSION)
    found = loaded(path)
    assert found.is_watertight
    assert len(found.faces) == len(mesh.faces)
    x, y, z = mesh.vertices.T * (0.143 / 0.105)  # metres
    if suffix in (".stl", ".3mf"):
        x, y, z = 1000 * x, -1000 * z, 1000 * y
    expected = np.stack([[x.min(), y.min(), z.min()], [x.max(), y.max(), z.max()]])
    assert np.allclose(found.bounds, expected, rtol=1e-5)
    assert found.volume > 0
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("suffix", "words"),
    [
        (".obj", b"unit cm, z up"),
        (".ply", b"unit cm, z up"),
        (".stl", b"unit cm, z up"),
        (".3mf", b'unit="centimeter"'),
    ],
)
def test_files_say_their_unit_their_axes_and_their_name(
    mesh: SurfaceMesh, tmp_path: Path, suffix: str, words: bytes
) -> None:
    path = tmp_path / f"head{suffix}"
    placement = placement_for(suffix, unit="cm", up="z", name="Ada", metres_per_unit=2.0)
    export_mesh(mesh, path, placement=placement)
    content = path.read_bytes()
    if suffix == ".3mf":
        content = zipfile.ZipFile(path).read("3D/3dmodel.model")
    assert words in content
    assert b"Ada" in content
    assert np.allclose(loaded(path).extents, np.ptp(mesh.vertices, axis=0)[[0, 2, 1]] * 200)


def test_glb_says_its_unit_and_its_name_and_has_no_other_axes(
    mesh: SurfaceMesh, tmp_path: Path
) -> None:
    export_mesh(mesh, tmp_path / "a.glb", placement=placement_for(".glb", unit="mm", name="Ada"))
    tree, _ = read_glb(tmp_path / "a.glb")
    assert tree["asset"]["extras"]["unit"] == "mm"
    assert tree["meshes"][0]["name"] == "Ada"
    assert "Ada" in [node.get("name") for node in tree["nodes"]]
    with pytest.raises(InputError, match="y points up"):
        placement_for(".glb", up="z")


@pytest.mark.parametrize("name", ["a\nb", "a\x01", "a\udcff"])
def test_a_name_that_no_file_can_hold_is_refused_before_the_work(name: str) -> None:
    with pytest.raises(InputError, match=r"name 'a.* cannot stand in a mesh file"):
        placement_for(".obj", name=name)
    assert placement_for(".obj", name="Köpfe 頭\u202f2").name


@pytest.fixture
def textured() -> SurfaceMesh:
    """A square of two triangles, cut in two charts along its diagonal."""
    vertices = np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]) * 0.1
    uv = np.float32([[0, 0], [0.5, 0], [0, 0.5], [1, 0.5], [1, 1], [0.5, 1]])
    picture = np.random.default_rng(1).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    return SurfaceMesh(
        vertices,
        np.int32([[0, 1, 2], [3, 4, 5]]),
        np.tile(np.float32([0, 0, 1]), (6, 1)),
        uv=uv,
        textures=Textures(picture, 255 - picture),
    )


def test_glb_holds_both_textures_and_tangents(textured: SurfaceMesh, tmp_path: Path) -> None:
    assert textured.textures is not None
    export_mesh(textured, tmp_path / "a.glb")
    tree, arrays = read_glb(tmp_path / "a.glb")
    assert np.allclose(arrays["TEXCOORD_0"], textured.uv * [1, -1] + [0, 1])  # v down in glTF
    assert np.allclose(arrays["TANGENT"], [1, 0, 0, 1], atol=1e-6)
    found = trimesh.load_mesh(tmp_path / "a.glb", process=False).visual.material
    assert np.array_equal(np.asarray(found.baseColorTexture), textured.textures.color)
    assert np.array_equal(np.asarray(found.normalTexture), textured.textures.normals)
    assert tree["materials"][0]["pbrMetallicRoughness"]["metallicFactor"] == 0.0


def test_obj_and_ply_name_the_textures_beside_them(textured: SurfaceMesh, tmp_path: Path) -> None:
    assert textured.textures is not None
    files = export_mesh(textured, tmp_path / "a.obj")
    assert sorted(files) == sorted([tmp_path / "a.obj", *companions(tmp_path / "a.obj")])
    lines = (tmp_path / "a.obj").read_text().splitlines()
    assert sum(line.startswith("v ") for line in lines) == 4  # charts cut no vertex
    assert sum(line.startswith("vt ") for line in lines) == 6
    assert {"map_Kd a-basecolor.png", "norm a-normalmap.png"} <= set(
        (tmp_path / "a.mtl").read_text().splitlines()
    )
    assert np.array_equal(
        np.asarray(Image.open(tmp_path / "a-basecolor.png")), textured.textures.color
    )
    files = export_mesh(textured, tmp_path / "b.ply")
    assert files == [tmp_path / "b.ply", *companions(tmp_path / "b.ply")]
    assert b"comment TextureFile b-basecolor.png\n" in (tmp_path / "b.ply").read_bytes()


def test_3mf_holds_the_texture_and_joins_what_charts_cut(
    textured: SurfaceMesh, tmp_path: Path
) -> None:
    export_mesh(textured, tmp_path / "a.3mf")
    with zipfile.ZipFile(tmp_path / "a.3mf") as archive:
        model = archive.read("3D/3dmodel.model").decode()
        picture = Image.open(archive.open("3D/Textures/basecolor.png"))
        assert textured.textures is not None
        assert np.array_equal(np.asarray(picture), textured.textures.color)
    assert (model.count("<vertex "), model.count("<m:tex2coord ")) == (4, 6)
    assert read_3mf(tmp_path / "a.3mf")[1].max() == 3


@pytest.mark.parametrize("suffix", [".obj", ".ply", ".glb", ".3mf"])
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
    assert np.allclose(vertices[:, :3], mesh.vertices * METRES_PER_UNIT, atol=1e-7)
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
    assert np.allclose(arrays["POSITION"], mesh.vertices * METRES_PER_UNIT, rtol=1e-6)
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
    with pytest.raises(InputError, match=r"\.obj, \.ply, \.glb, \.stl, \.3mf"):
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
