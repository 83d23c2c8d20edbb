"""`stylesdf-studio mesh` as a user types it: levels of detail, units, textures, mistakes."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from app.program import main
from stylesdf_core.commands.command_line import command_line
from stylesdf_core.commands.scenes.meshes import ExportMesh
from stylesdf_core.commands.scenes.options.assets import AssetSettings
from stylesdf_core.mesh.files.three_mf import read_3mf
from stylesdf_core.progress import drain
from stylesdf_core.scene.scene import Scene
from stylesdf_core.scene.session_files import read_scene
from tests.models import save_tiny


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_tiny(tmp_path_factory.mktemp("models") / "tiny.safetensors"))


def mesh(weights: str, out: Path, *words: str) -> int:
    return main(["mesh", "--model", weights, "--resolution", "32", "--out", str(out), *words])


def test_levels_of_detail_are_files_of_their_own(
    tmp_path: Path, weights: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("fast_simplification")
    assert mesh(weights, tmp_path / "head.stl", "--triangles", "900", "300", "100") == 0
    names = ["head.stl", "head-lod1.stl", "head-lod2.stl"]
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(names)
    counts = [len(trimesh.load_mesh(tmp_path / name).faces) for name in names]
    assert all(
        0.8 * most < count <= most for count, most in zip(counts, (900, 300, 100), strict=True)
    )
    assert capsys.readouterr().out.count(" mm, z up") == 3


def test_the_unit_is_metres_or_as_asked_and_printers_get_millimetres(
    tmp_path: Path, weights: str
) -> None:
    assert mesh(weights, tmp_path / "a.ply") == 0
    assert mesh(weights, tmp_path / "b.ply", "--units", "cm", "--up", "z") == 0
    assert mesh(weights, tmp_path / "c.ply", "--metres-per-unit", "1") == 0
    assert mesh(weights, tmp_path / "d.3mf") == 0
    a, b, c = (trimesh.load_mesh(tmp_path / name).vertices for name in ("a.ply", "b.ply", "c.ply"))
    assert np.allclose(c * (0.143 / 0.105), a, rtol=1e-4, atol=1e-6)
    assert np.allclose(np.stack([a[:, 0], -a[:, 2], a[:, 1]], axis=1) * 100, b, atol=1e-4)
    printed = np.ptp(read_3mf(tmp_path / "d.3mf")[0], axis=0)
    assert np.allclose(printed, 1000 * np.ptp(a, axis=0)[[0, 2, 1]], rtol=1e-4)


def test_a_textured_mesh_has_its_pictures_and_its_session(tmp_path: Path, weights: str) -> None:
    for library in ("xatlas", "fast_simplification"):
        pytest.importorskip(library)
    out = tmp_path / "head.obj"
    scene, asset = Scene(weights), AssetSettings(triangles=(400,), texture=512)
    done = drain(ExportMesh(out=out, scene=scene, resolution=32, asset=asset).run())
    assert {file.name for file in done.files} == {
        "head.obj",
        "head.mtl",
        "head-basecolor.png",
        "head-normalmap.png",
    }
    assert done.report.triangles <= 400
    assert "textures 512²" in str(done)
    for name in ("head-basecolor.png", "head-normalmap.png"):
        with Image.open(tmp_path / name) as picture:
            assert picture.size == (512, 512)
    assert read_scene(out).model == weights


def test_an_asset_s_command_line_makes_the_same_asset() -> None:
    asset = AssetSettings(triangles=(20000, 5000), texture=2048, units="cm", base=True)
    words = command_line(ExportMesh(out=Path("a.obj"), asset=asset, name="Ada"))
    assert words == (
        "stylesdf-studio mesh --triangles 20000 5000 --texture 2048 --units cm --base --out a.obj "
        "--name Ada"
    )
    assert shlex.split(words)[-1] == "Ada"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("a.stl", "--texture", "512"), "A .stl file holds no texture"),
        (("a.glb", "--texture", "600"), "--texture must be 512, 1024, 2048 or 4096, not 600"),
        (("a.glb", "--triangles", "50"), "--triangles must be 100 or more, not 50"),
        (("a.glb", "--triangles", "500", "900"), "must begin with the most triangles"),
        (("a.glb", "--up", "z"), "In GLB y points up, always"),
        (("a.obj", "--metres-per-unit", "0"), "metres_per_unit"),
        (("a.fbx", "--texture", "512"), "must end in .obj"),
    ],
)
def test_a_mistake_is_one_sentence_and_writes_nothing(
    tmp_path: Path,
    weights: str,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    reason: str,
) -> None:
    assert mesh(weights, tmp_path / words[0], *words[1:]) == 2
    complaint = capsys.readouterr().err
    assert reason in complaint
    assert complaint.count("\n") == 1
    assert not list(tmp_path.iterdir())
