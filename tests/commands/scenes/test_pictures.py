from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.program import main
from stylesdf_core.commands.command_line import _quoted_for_windows, command_line
from stylesdf_core.commands.field_help import field_help
from stylesdf_core.commands.scenes.depth_files import write_depth
from stylesdf_core.commands.scenes.films import RenderTurntable
from stylesdf_core.commands.scenes.meshes import ExportMesh
from stylesdf_core.commands.scenes.options.rendering import MeshSettings
from stylesdf_core.commands.scenes.pictures import RenderImage
from stylesdf_core.engine.picture import Picture
from stylesdf_core.errors import InputError
from stylesdf_core.mesh import SUFFIXES
from stylesdf_core.model.checkpoints.digests import weights_digest
from stylesdf_core.progress import drain
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Identity, Mixing, Morph, Scene
from stylesdf_core.scene.session_files import read_scene, signed
from tests.models import save_tiny


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_tiny(tmp_path_factory.mktemp("models") / "tiny.safetensors"))


def run(*words: str) -> int:
    return main(words)


def test_png_reopens_as_the_same_scene_and_pixels(
    tmp_path: Path, weights: str, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = Scene(weights, Identity(4), Morph(), Mixing(2, 1), 0.9, OrbitCamera(0.3, 0.1))
    path = drain(RenderImage(out=tmp_path / "face.png", scene=scene).run())
    assert read_scene(path) == scene
    again = ("render", "--scene", str(path), "--out", str(tmp_path / "again.png"))
    assert run(*again) == 2  # a file that a session names is not touched before the user names it
    assert f"names the model file {weights}" in capsys.readouterr().err
    assert run(*again, "--model", weights) == 0
    with Image.open(path) as one, Image.open(tmp_path / "again.png") as other:
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
        assert one.size == (64, 64)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".gif", ".glb", ".obj", ".ply", ".3mf"])
def test_an_export_names_the_digest_of_its_weights(
    tmp_path: Path, weights: str, suffix: str
) -> None:
    films = {".gif": ("turntable", "--frames", "2"), ".png": ("render",), ".webp": ("render",)}
    command = films.get(suffix, ("mesh", "--resolution", "32"))
    made = tmp_path / f"face{suffix}"
    assert run(*command, "--model", weights, "--out", str(made), "--quiet") == 0
    assert read_scene(made).model_digest == weights_digest(Path(weights))


def test_a_session_made_with_other_weights_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RenderImage, "run", lambda _: (_ for _ in ()))
    weights, made = save_tiny(tmp_path / "mine.safetensors"), tmp_path / "face.json"
    made.write_text(signed(Scene(str(weights))).to_json())
    reopen = ("render", "--scene", str(made), "--out", str(tmp_path / "again.png"))

    def said(*words: str) -> str:
        assert run(*reopen, *words) == 0
        return capsys.readouterr().err

    assert said("--model", str(weights)) == ""
    save_tiny(weights, width=16)
    found, made_with = weights_digest(weights), read_scene(made).model_digest
    assert said("--model", str(weights)) == (
        f"stylesdf-studio: The weights of {weights} are not those that the session was made with "
        f"(digest {found} instead of {made_with}): the picture may be another one.\n"
    )
    other = save_tiny(tmp_path / "other.safetensors", width=20)  # on purpose: nothing to say
    assert said("--model", str(other)) == ""
    assert said("--model", str(weights), "--quiet") == ""


def test_arrays_are_channels_first_and_float32(tmp_path: Path, weights: str) -> None:
    shapes = {"image": (3, 64, 64), "volume": (3, 16, 16), "depth": (1, 16, 16)}
    for view, shape in shapes.items():
        out = tmp_path / f"{view}.npy"
        assert run("render", "--model", weights, "--view", view, "--out", str(out)) == 0
        array = np.load(out)
        assert (array.shape, array.dtype) == (shape, np.float32)
    assert 0.88 <= np.nanmin(array) <= np.nanmax(array) <= 1.12
    image = np.load(tmp_path / "volume.npy")
    assert -1.0 <= image.min() < image.max() <= 1.0


def test_an_array_is_nan_where_there_is_no_surface() -> None:
    data = np.array([[[0.9, 0.5], [1.2, 0.0]]], np.float32)
    background = np.array([[0.0, 0.49], [0.51, 1.0]], np.float32)
    depth = Picture("depth", data, background).array()
    np.testing.assert_array_equal(depth[0], np.float32([[0.9, 0.5], [np.nan, np.nan]]))
    normals = Picture("normals", np.repeat(data, 3, 0), background).array()
    assert np.isnan(normals[:, 1]).all()
    image = Picture("image", data * 2.0, np.zeros_like(background)).array()
    assert (image.dtype, image.max(), image.min()) == (np.float32, 1.0, 0.0)


def test_sixteen_bit_depth_comes_with_the_scale_that_restores_it(
    tmp_path: Path, weights: str
) -> None:
    words = ("render", "--model", weights, "--view", "depth", "--size", "32")
    assert run(*words, "--sixteen-bit", "--out", str(tmp_path / "d.png")) == 0
    assert run(*words, "--out", str(tmp_path / "d.npy")) == 0
    depth = np.load(tmp_path / "d.npy")[0]
    with Image.open(tmp_path / "d.png") as image:
        grey = np.asarray(image)
    assert (grey.dtype, grey.shape) == (np.uint16, (32, 32))
    scale = json.loads((tmp_path / "d.scale.json").read_text())
    np.testing.assert_array_equal(grey == 0, np.isnan(depth))
    seen = grey > 0
    restored = scale["near"] + (grey[seen] - 1.0) * scale["step"]
    np.testing.assert_allclose(restored, depth[seen], atol=scale["step"])
    assert read_scene(tmp_path / "d.png").model == weights


def test_sixteen_bit_depth_of_no_surface_is_black(tmp_path: Path) -> None:
    nothing = Picture("depth", np.ones((1, 4, 4), np.float32), np.ones((4, 4), np.float32))
    write_depth(nothing, tmp_path / "d.png", Scene())
    with Image.open(tmp_path / "d.png") as image:
        assert not np.asarray(image).any()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--sixteen-bit", "--out", "a.png"], "--sixteen-bit is for one PNG of --view depth"),
        (["--split", "--out", "a.npy"], "--split puts two pictures side by side"),
    ],
)
def test_flags_of_pictures_that_do_not_go_together_are_refused(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("render", *words) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.window
def test_a_split_picture_has_the_mesh_at_its_right(tmp_path: Path, weights: str) -> None:
    out = tmp_path / "split.png"
    words = ("render", "--model", weights, "--view", "volume", "--size", "32", "--split")
    assert run(*words, "--resolution", "32", "--level", "0.003", "--out", str(out)) == 0
    with Image.open(out) as image:
        assert image.size == (64, 32)


@pytest.mark.parametrize("suffix", [".NPY", ".Npy", ".PNG"])
def test_suffixes_in_capitals_give_whole_files(tmp_path: Path, weights: str, suffix: str) -> None:
    out = tmp_path / f"face{suffix}"
    assert run("render", "--model", weights, "--view", "volume", "--out", str(out)) == 0
    assert list(tmp_path.iterdir()) == [out]
    if suffix == ".PNG":
        with Image.open(out) as image:
            assert image.size == (16, 16)
    else:
        assert np.load(out).shape == (3, 16, 16)


def test_flags_and_requests_describe_the_same_scene(tmp_path: Path, weights: str) -> None:
    scene = Scene(
        weights,
        Identity(7),
        Morph(12, 0.3),
        Mixing(3, 3, (0, 0.25, 1, 1, 0.5, 0), (("hair", 0.25),), (0, 0.5, 1)),
        0.4,
        OrbitCamera(-0.25, 1 / 3, 7.5, 0.01, -0.02),
    )
    scene = replace(scene, options=replace(scene.options, noise="random", noise_seed=5))
    request = RenderImage(out=tmp_path / "by window.png", scene=scene, view="normals", size=32)
    text = command_line(request)
    drain(request.run())
    assert main(shlex.split(text)[1:]) == 0
    again = read_scene(tmp_path / "by window.png")
    assert again.camera.elevation == pytest.approx(scene.camera.elevation, abs=1e-8)
    assert replace(again, camera=scene.camera) == scene


def test_command_lines_leave_defaults_out() -> None:
    assert command_line(RenderImage(out=Path("a.png"))) == "stylesdf-studio render --out a.png"
    mesh = ExportMesh(out=Path("a.obj"), scene=Scene(identity=Identity(edits=(("smile", 1.0),))))
    text = "stylesdf-studio mesh --set smile=1 --out a.obj"
    assert command_line(mesh) == text
    one = text.replace("--out", "--no-largest-component --out")
    assert command_line(replace(mesh, largest_component=False)) == one
    picture = RenderImage(out=Path("a.png"), view="mesh", mesh=MeshSettings(64, wireframe=True))
    text = "stylesdf-studio render --resolution 64 --wireframe --out a.png --view mesh"
    assert command_line(picture) == text
    with pytest.raises(InputError, match="save the session"):
        command_line(RenderImage(out=Path("a.png"), scene=Scene(identity=Identity(z=(0.0,)))))


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        (r"C:\x\face.png", r"C:\x\face.png"),
        ("smile=-1.5", "smile=-1.5"),
        (r"C:\my pictures\x", r'"C:\my pictures\x"'),
        ("a&b", '"a&b"'),  # cmd.exe would take b for a second command
        ("it's", '"it\'s"'),
        ('a "b"', r'"a \"b\""'),
        ("my folder\\", '"my folder\\\\"'),
        ('a\\"b', r'"a\\\"b"'),
        ("", '""'),
    ],
)
def test_words_for_windows_shells_are_quoted_twice_or_not_at_all(word: str, quoted: str) -> None:
    assert _quoted_for_windows(word) == quoted


def test_cancelled_export_leaves_nothing(tmp_path: Path, weights: str) -> None:
    operation = RenderTurntable(out=tmp_path / "t.gif", scene=Scene(weights), frames=4).run()
    next(operation), next(operation), next(operation)
    operation.close()
    assert list(tmp_path.iterdir()) == []


def test_cancelling_never_hides_a_finished_file(tmp_path: Path, weights: str) -> None:
    for request in (
        RenderImage(out=tmp_path / "a.png", scene=Scene(weights)),
        RenderTurntable(out=tmp_path / "t.gif", scene=Scene(weights), frames=2),
        ExportMesh(out=tmp_path / "m.ply", scene=Scene(weights), resolution=32),
    ):
        for _ in request.run():
            assert not request.out.exists()
        assert request.out.exists()


def test_mesh_carries_its_scene(tmp_path: Path, weights: str) -> None:
    for suffix in ("obj", "glb"):
        out = tmp_path / f"head.{suffix}"
        assert run("mesh", "--model", weights, "--resolution", "32", "--out", str(out)) == 0
        assert read_scene(out) == Scene(weights)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["render"], "needs --out"),
        (["render", "--out", "a.jpg"], "must end in .png, .webp or .npy"),
        (["render", "--out", "a.png", "--seed", "x"], "--seed"),
        (["render", "--out", "a.png", "--seed", "1", "--latent", "z.npy"], "either --seed or"),
        (["render", "--out", "a.png", "--set", "smile"], "NAME=NUMBER"),
        (["render", "--out", "a.png", "--set", "smile=1", "smile=2"], "gives smile twice: 1 and 2"),
        (["render", "--out", "a.png", "--set", "skin=1", "--set", "skin=0"], "gives skin twice"),
        (["render", "--out", "a.png", "--set", "smirk=1"], "no latent direction 'smirk'"),
        (["render", "--out", "a.png", "--crossover", "2"], "--mix-seed"),
        (["render", "--out", "a.png", "--mix-groups", "hair=1"], "--mix-seed"),
        (["render", "--out", "a.png", "--mix-seed", "1", "--mix-groups", "hair"], "NAME=NUMBER"),
        (["render", "--out", "a.png", "--mix-seed", "1", "--mix-groups", "ears=1"], "known: shape"),
        (
            ["render", "--out", "a.png", "--mix-seed", "1", "--mix-groups", "hair=1", "hair=0"],
            "gives hair twice",
        ),
        (
            [
                *("render", "--out", "a.png", "--mix-seed", "1"),
                *("--mix-groups", "hair=1", "--crossover", "2"),
            ],
            "--crossover cannot be combined with --mix-groups",
        ),
        (["render", "--out", "a.png", "--fov", "90"], "half opening angle"),
        (["render", "--out", "a.png", "--azimuth", "inf"], "azimuth must be a finite number"),
        (["render", "--out", "a.png", "--pan-y", "nan"], "pan_y must be a finite number"),
        (["render", "--out", "a.png", "--pan-x", "nan", "--pan-y", "0"], "pan_x must be a finite"),
        (["render", "--out", "a.png", "--fov", "nan"], "fov must be a finite number"),
        (["render", "--out", "a.png", "--elevation", "nan"], "elevation must be a finite number"),
        (["render", "--out", "a.png", "--psi", "nan"], "truncation_psi must be a finite number"),
        (
            ["render", "--out", "a.png", "--mix-seed", "1", "--mix-strengths", "nan"],
            "strengths must be a finite number",
        ),
        (
            ["render", "--out", "a.png", "--morph-seed", "1", "--morph", "nan"],
            "amount must be a finite number",
        ),
        (
            ["render", "--out", "a.png", "--view", "mesh", "--level", "nan"],
            "level must be a finite",
        ),
        (["mesh", "--out", "a.glb", "--pan-y", "nan"], "pan_y must be a finite number"),
        (["mesh", "--out", "a.glb", "--level", "nan"], "level must be a finite number"),
        (["turntable", "--out", "a.gif", "--arc", "nan"], "arc must be a finite"),
        (["turntable", "--out", "a.gif", "--fps", "nan"], "fps must be a finite"),
        (["render", "--out", "a.png", "--set", "smile=nan"], "smile must be a finite number"),
        (["render", "--out", "a.png", "--morph", "0.5"], "--morph-seed"),
        (["render", "--out", "a.png", "--psi", "9"], "between -2 and 2"),
        (["render", "--out", "a.png", "--size", "9"], "between 16 and 2048"),
        (["render", "--out", "a.png", "--model", "nobody"], "no model 'nobody'"),
        (["render", "--out", "a.png", "--device", "abacus"], "no device 'abacus'"),
        (["mesh", "--out", "a.obj", "--resolution", "8"], "between 32 and 512"),
        (["mesh", "--out", "a.obj", "--level", "9"], "No surface at level 9"),
        (["turntable", "--out", "a.gif", "--frames", "1"], "--frames must lie"),
        (["turntable", "--out", "a.webm"], "must end in .gif, .webp or .mp4"),
        (["sing"], "sing"),
    ],
)
def test_mistakes_get_one_sentence_and_status_2(
    words: list[str],
    message: str,
    weights: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    if "--model" not in words and words[0] != "sing":
        words = [*words, "--model", weights]
    assert main(words) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert list(tmp_path.iterdir()) == []


def test_quiet_prints_nothing(
    tmp_path: Path, weights: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("render", "--quiet", "--model", weights, "--out", str(tmp_path / "a.png")) == 0
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_help_has_units(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        run("render", "--help")
    assert stop.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "radians" in text
    assert "degrees" in text


def test_the_help_of_mesh_names_every_format() -> None:
    assert all(suffix in field_help(ExportMesh)["out"] for suffix in SUFFIXES)
