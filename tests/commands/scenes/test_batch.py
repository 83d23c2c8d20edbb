"""`batch`: files, tables, what a second run skips, makes anew and refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from PIL import Image

from app.program import main
from stylesdf_core.commands.command_line import command_line
from stylesdf_core.commands.scenes.batch import Batch, BatchKinds
from stylesdf_core.commands.scenes.options.assets import AssetSettings
from stylesdf_core.commands.scenes.options.scene_flags import seeds_of
from stylesdf_core.commands.scenes.pictures import RenderImage
from stylesdf_core.errors import InputError
from stylesdf_core.progress import drain
from stylesdf_core.scene.scene import Scene
from stylesdf_core.scene.session_files import read_scene
from tests.models import save_tiny


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_tiny(tmp_path_factory.mktemp("models") / "tiny.safetensors"))


def batch(weights: str, folder: Path, seeds: str, *words: str) -> int:
    common = ("batch", "--model", weights, "--seeds", seeds, "--out", str(folder))
    return main([*common, "--resolution", "32", *words])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.stem != "batch")


def table(folder: Path) -> list[dict[str, str]]:
    with open(folder / "batch.csv", newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_pictures_and_meshes_of_all_seeds_and_a_table(tmp_path: Path, weights: str) -> None:
    more = ("--png", "--glb", "--background", "none", "--name", "{model}-{seed:04d}")
    assert batch(weights, tmp_path, "0-1,12", *more, "--azimuth", "0.2") == 0
    assert names(tmp_path) == [
        f"tiny-{seed}.{kind}" for seed in ("0000", "0001", "0012") for kind in ("glb", "png")
    ]
    with Image.open(tmp_path / "tiny-0012.png") as picture:
        assert (picture.size, picture.mode) == ((64, 64), "RGBA")
    scene = read_scene(tmp_path / "tiny-0012.glb")
    assert (scene.identity.seed, scene.camera.azimuth) == (12, 0.2)
    lines = table(tmp_path)
    assert [line["seed"] for line in lines] == ["0", "0", "1", "1", "12", "12"]
    assert {line["state"] for line in lines} == {"made"}
    assert lines[0]["triangles"] > "0"
    assert lines[1]["width"] == "64"
    listed = json.loads((tmp_path / "batch.json").read_text())["files"]
    assert [line["file"] for line in listed] == names(tmp_path)


def test_each_picture_is_the_one_that_render_makes(tmp_path: Path, weights: str) -> None:
    assert batch(weights, tmp_path, "3", "--png", "--size", "48") == 0
    alone = tmp_path / "alone.png"
    words = ("render", "--model", weights, "--seed", "3", "--size", "48", "--out", str(alone))
    assert main(list(words)) == 0
    assert alone.read_bytes() == (tmp_path / "tiny-000003.png").read_bytes()


def test_a_second_run_makes_only_what_is_missing_or_not_whole(
    tmp_path: Path, weights: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert batch(weights, tmp_path, "0-2", "--png") == 0
    whole, cut, gone = (tmp_path / f"tiny-{seed:06d}.png" for seed in range(3))
    before = whole.stat().st_mtime_ns
    cut.write_bytes(cut.read_bytes()[:100])
    gone.unlink()
    capsys.readouterr()
    assert batch(weights, tmp_path, "0-3", "--png") == 0
    said = capsys.readouterr().out
    assert "3 files made" in said
    assert "1 file skipped, made before: seeds 0." in said
    assert whole.stat().st_mtime_ns == before
    for path in (whole, cut, gone):
        with Image.open(path) as picture:
            picture.load()
    assert batch(weights, tmp_path, "0-3", "--png") == 0
    assert "0 files made" in capsys.readouterr().out


def test_other_settings_are_not_mixed_in_silently(
    tmp_path: Path, weights: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert batch(weights, tmp_path, "0", "--png") == 0
    assert batch(weights, tmp_path, "5", "--png", "--size", "32") == 2
    assert "made with other settings (size: not given, now 32)" in capsys.readouterr().err
    assert batch(weights, tmp_path, "0", "--png", "--psi", "1") == 2
    assert "(truncation_psi: 0.7, now 1.0)" in capsys.readouterr().err
    assert names(tmp_path) == ["tiny-000000.png"]
    assert batch(weights, tmp_path, "0", "--ply", "--size", "32") == 0  # no size matters to meshes
    assert batch(weights, tmp_path, "0", "--png", "--size", "32", "--again") == 0
    with Image.open(tmp_path / "tiny-000000.png") as picture:
        assert picture.size == (32, 32)
    assert batch(weights, tmp_path, "0-1", "--png", "--size", "32") == 0


def test_files_that_no_batch_made_are_not_replaced(
    tmp_path: Path, weights: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "tiny-000001.png"
    mine.write_bytes(b"mine")
    assert batch(weights, tmp_path, "0-1", "--png") == 2
    assert "is there, but no batch made it" in capsys.readouterr().err
    assert mine.read_bytes() == b"mine"
    assert names(tmp_path) == [mine.name]


def test_a_face_that_fails_does_not_end_the_batch(
    tmp_path: Path,
    weights: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write = RenderImage.write

    def failing(request: RenderImage, renderer: object) -> object:
        if request.scene.identity.seed == 1:
            raise RuntimeError("no memory")
        return write(request, renderer)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(RenderImage, "write", failing)
        assert batch(weights, tmp_path, "0-2", "--png") == 1
    said = capsys.readouterr().err
    assert (
        "1 file could not be made: tiny-000001.png: RuntimeError: no memory. 2 files made" in said
    )
    assert [line["state"] for line in table(tmp_path)] == ["made", "failed", "made"]
    assert table(tmp_path)[1]["error"] == "RuntimeError: no memory"
    assert batch(weights, tmp_path, "0-2", "--png") == 0
    assert [line["state"] for line in table(tmp_path)] == ["made"] * 3
    assert batch(weights, tmp_path / "empty", "0-1", "--stl", "--level", "9") == 1
    assert "(and 1 more): No surface at level 9" in capsys.readouterr().err


def test_backgrounds_and_textures_are_for_the_kinds_that_can_have_them(
    tmp_path: Path, weights: str
) -> None:
    words = ("--png", "--npy", "--background", "none", "--stl", "--glb", "--resolution", "32")
    assert batch(weights, tmp_path, "0", *words) == 0
    kinds = BatchKinds(stl=True, glb=True, npy=True, png=True)
    asset = AssetSettings(texture=512)
    request = Batch(out=tmp_path, seeds="0", kinds=kinds, asset=asset, background="none")
    assert request._request(0, ".stl").asset.texture is None  # type: ignore[union-attr]
    assert request._request(0, ".glb").asset.texture == 512  # type: ignore[union-attr]


def test_a_cancelled_batch_keeps_what_it_made_and_goes_on(tmp_path: Path, weights: str) -> None:
    request = Batch(
        out=tmp_path, seeds="0-2", kinds=BatchKinds(png=True), scene=Scene(weights), device="cpu"
    )
    operation = request.run()
    while not (tmp_path / "tiny-000000.png").exists():
        next(operation)
    operation.close()
    states = [line["state"] for line in table(tmp_path)]
    assert states[0] == "made"
    assert states[-1] == "to do"
    report = drain(request.run())
    assert [line.seed for line in report.skipped] == [0]
    assert [line.seed for line in report.made] == [1, 2]


def test_a_batch_s_command_line() -> None:
    kinds = BatchKinds(png=True, three_mf=True)
    request = Batch(out=Path("d"), seeds="0-9", kinds=kinds, background="none", name="{seed:03d}")
    assert command_line(request) == (
        "stylesdf-studio batch --png --3mf --out d --background none --seeds 0-9 "
        "--name '{seed:03d}'"
    )


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "Say what to make of each face: --png"),
        (("--png", "--seeds", "3-1"), "ends before it begins"),
        (("--png", "--seeds", "a"), "--seeds takes seeds and ranges such as 0-99,120, not 'a'"),
        (("--png", "--name", "{seed.real}"), "--name takes a file name with {seed}"),
        (("--png", "--name", "{seed:q}"), "--name takes a file name with {seed}"),
        (("--png", "--name", "face"), "gives two faces one name"),
        (("--png", "--name", "../{seed}"), "which is no file name on every system"),
        (("--stl", "--texture", "512"), "A .stl file holds no texture"),
        (("--npy", "--background", "none"), "--background is for pictures"),
        (("--png", "--set", "nose=1"), "no latent direction 'nose'"),
    ],
)
def test_a_mistake_is_one_sentence_and_writes_nothing(
    tmp_path: Path,
    weights: str,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    reason: str,
) -> None:
    assert batch(weights, tmp_path / "out", "0-1", *words) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert reason in said
    assert list(tmp_path.iterdir()) == []


def test_a_table_of_another_program_is_left_alone(
    tmp_path: Path, weights: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for text in ("{}", "moo", '{"stylesdf_batch": 1, "settings": 3, "files": []}'):
        (tmp_path / "batch.json").write_text(text)
        assert batch(weights, tmp_path, "0", "--png") == 2
        assert "batch.json" in capsys.readouterr().err
        assert (tmp_path / "batch.json").read_text() == text


def test_seeds() -> None:
    assert seeds_of("0-2, 7,1") == (0, 1, 2, 7)
    with pytest.raises(InputError, match="more than 100,000 seeds"):
        seeds_of("0-100000")
    with pytest.raises(InputError, match="4294967295"):
        seeds_of("4294967296")
