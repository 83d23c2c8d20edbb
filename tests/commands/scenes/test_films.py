"""`animate` and `turntable`: frames, sizes, formats, files of keyframes, mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.program import main
from stylesdf_core.commands.command_line import command_line
from stylesdf_core.commands.scenes.films import Animate, RenderTurntable
from stylesdf_core.commands.scenes.pictures import RenderImage
from stylesdf_core.errors import InputError
from stylesdf_core.model.poses import Poses
from stylesdf_core.progress import Operation, drain
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.animation import Animation, Keyframe, read_animation, write_animation
from stylesdf_core.scene.scene import Identity, Scene
from stylesdf_core.scene.session_files import read_scene
from tests.models import save_tiny


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_tiny(tmp_path_factory.mktemp("models") / "tiny.safetensors"))


@pytest.fixture
def animation(weights: str) -> Animation:
    one = Scene(weights, Identity(1))
    other = Scene(weights, Identity(2), camera=OrbitCamera(0.4))
    return Animation((Keyframe(0.0, one), Keyframe(0.5, other, "depth"), Keyframe(1.0, one)))


def test_frames_of_an_animation_as_pictures(tmp_path: Path, animation: Animation) -> None:
    out = drain(Animate(out=tmp_path / "frames", animation=animation, fps=4).run())
    frames = [np.asarray(Image.open(path)) for path in sorted(out.iterdir())]
    assert [frame.shape for frame in frames] == [(64, 64, 3)] * 4
    assert np.abs(frames[0].astype(int) - frames[1]).max() > 2
    assert read_scene(out / "00000.png") == animation.keyframes[0].scene


def test_keyframes_from_a_file_as_a_transparent_film_beside_its_mesh(
    tmp_path: Path, weights: str, animation: Animation, capsys: pytest.CaptureFixture[str]
) -> None:
    write_animation(animation, tmp_path / "keys.json")
    words = ("animate", "--keyframes", str(tmp_path / "keys.json"), "--fps", "3", "--size", "32")
    out = tmp_path / "film.webp"
    assert main([*words, "--out", str(out)]) == 2
    assert f"names the model file {weights}" in capsys.readouterr().err
    more = ("--model", weights, "--background", "none", "--split", "--resolution", "32")
    try:
        assert main([*words, *more, "--out", str(out)]) == 0
    finally:
        said = capsys.readouterr().err
    if "OpenGL" in said:
        pytest.skip("the mesh view needs OpenGL")
    with Image.open(out) as film:
        assert (film.size, film.n_frames, film.mode) == ((64, 32), 3, "RGBA")


def test_a_preset_becomes_a_film_or_a_file_of_keyframes(tmp_path: Path, weights: str) -> None:
    words = ("animate", "--preset", "morph", "--seeds", "1-2,7", "--seconds", "0.6")
    words = (*words, "--model", weights)
    assert main([*words, "--space", "z", "--out", str(tmp_path / "morph.json")]) == 0
    animation = read_animation(tmp_path / "morph.json")
    assert [keyframe.scene.identity.seed for keyframe in animation.keyframes] == [1, 2, 7, 1]
    assert animation.space == "z"
    assert main([*words, "--fps", "10", "--size", "16", "--out", str(tmp_path / "m.gif")]) == 0
    with Image.open(tmp_path / "m.gif") as gif:
        assert gif.n_frames == 6


def test_beside_keyframes_a_model_of_other_cameras_is_no_other_flag(tmp_path: Path) -> None:
    wide = str(save_tiny(tmp_path / "wide.safetensors", Poses(fov=12.0)))
    sway = ("animate", "--preset", "sway", "--seconds", "0.2", "--model", wide)
    keys = str(tmp_path / "keys.json")
    assert main([*sway, "--out", keys]) == 0
    assert read_animation(keys).keyframes[0].scene.camera.fov == 12.0
    words = ("animate", "--keyframes", keys, "--fps", "5", "--size", "16", "--model", wide)
    assert main([*words, "--out", str(tmp_path / "a.gif")]) == 0
    assert main([*words, "--fov", "9", "--out", str(tmp_path / "b.gif")]) == 2


def test_a_turntable_gif(tmp_path: Path, weights: str) -> None:
    request = RenderTurntable(
        out=tmp_path / "t.gif", scene=Scene(weights), frames=5, fps=10, size=32
    )
    drain(request.run())
    with Image.open(request.out) as gif:
        assert gif.size == (32, 32)
        assert gif.n_frames == 5
        assert gif.info["duration"] == 100
        assert gif.info["loop"] == 0
    assert read_scene(request.out) == request.scene


def test_a_turntable_mp4(tmp_path: Path, weights: str) -> None:
    ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="MP4 is an extra")
    request = RenderTurntable(
        out=tmp_path / "t.mp4", scene=Scene(weights), frames=6, fps=12, size=33
    )
    drain(request.run())
    count, seconds = ffmpeg.count_frames_and_secs(str(request.out))
    assert count == 6
    assert seconds == pytest.approx(0.5, abs=0.1)


def test_a_turntable_swings_or_turns_and_has_as_many_frames_as_it_says() -> None:
    for arc, reach in ((1.0, 0.5), (6.3, 2 * np.pi)):
        request = RenderTurntable(out=Path("t.gif"), frames=97, fps=23.976, arc=arc)
        animation = request.animation()
        azimuths = [animation.at(t).camera.azimuth for t in animation.frame_times(request.fps)]
        assert len(azimuths) == 97
        assert max(azimuths) == pytest.approx(reach, rel=0.02)


def test_a_film_s_command_line() -> None:
    request = Animate(out=Path("a.webp"), preset="sway", seconds=2.5, background="none", fps=30.0)
    assert command_line(request) == (
        "stylesdf-studio animate --out a.webp --background none --fps 30.0 --preset sway "
        "--seconds 2.5"
    )


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "Give either --keyframes FILE.json or --preset NAME"),
        (("--preset", "sway", "--keyframes", "k.json"), "Give either"),
        (("--keyframes", "k.json", "--seed", "3"), "only --model counts"),
        (("--keyframes", "one.json"), "two or more keyframes"),
        (("--keyframes", "no.json"), "There is no file no.json"),
        (("--preset", "morph"), "needs the --seeds"),
        (("--preset", "sway", "--seeds", "1,2"), "--seeds are the faces of --preset morph"),
        (("--preset", "sway", "--seconds", "0"), "--seconds must lie between 0.1 and 600"),
        (("--preset", "sway", "--arc", "0"), "--arc must be an angle above 0"),
        (("--preset", "sway", "--fps", "99"), "--fps must lie between 1 and 60"),
        (("--preset", "sway", "--out", "x.mov"), "must end in .gif, .webp or .mp4"),
        (("--preset", "sway", "--out", "x.mp4", "--background", "none"), "cannot be transparent"),
    ],
)
def test_a_mistake_is_one_sentence_and_writes_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    reason: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    document = {"stylesdf_animation": 1, "keyframes": [{}]}
    Path("one.json").write_text(json.dumps(document))
    document["keyframes"] = [{}, {"time": 1}]
    Path("k.json").write_text(json.dumps(document))
    out = () if "--out" in words else ("--out", "x.gif")
    assert main(["animate", *out, *words]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert reason in said
    assert sorted(path.name for path in Path().iterdir()) == ["k.json", "one.json"]


def test_an_animation_of_many_hours_is_refused() -> None:
    animation = Animation((Keyframe(0.0), Keyframe(1e6, Scene(identity=Identity(1)))))
    with pytest.raises(InputError, match="more than 108,000 frames"):
        drain(Animate(out=Path("a.gif"), animation=animation).run())


def test_a_film_that_is_cancelled_leaves_no_frames(tmp_path: Path, animation: Animation) -> None:
    film = Animate(out=tmp_path / "frames", animation=animation, fps=4).run()
    while not list(tmp_path.glob("frames/.*/0*.png")):
        next(film)
    film.close()
    assert not list(tmp_path.glob("frames/*"))
    again = drain(Animate(out=tmp_path / "frames", animation=animation, fps=4).run())
    assert len(list(again.iterdir())) == 4


def test_a_film_replaces_an_older_one_in_its_folder_as_a_whole(
    tmp_path: Path, weights: str
) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("mine")

    def film(frames: int, seed: int) -> Operation[Path]:
        scene = Scene(weights, Identity(seed))
        return RenderTurntable(out=tmp_path, frames=frames, size=16, scene=scene).run()

    def seeds() -> list[int]:
        return [read_scene(path).identity.seed for path in sorted(tmp_path.glob("*.png"))]

    drain(film(3, seed=1))
    assert seeds() == [1, 1, 1]
    shorter = film(2, seed=2)
    while not list(tmp_path.glob(".*/0*.png")):
        next(shorter)
    assert seeds() == [1, 1, 1], "until the new film is complete"
    shorter.close()
    assert seeds() == [1, 1, 1], "a cancelled film leaves the older one"
    drain(film(2, seed=2))
    assert seeds() == [2, 2]
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        *("00000.png", "00001.png", "notes.txt")
    ]


def test_numbered_pictures_that_are_no_film_are_left_alone(tmp_path: Path, weights: str) -> None:
    picture = tmp_path / "00002.png"  # of a batch, or of a data set
    drain(RenderImage(out=picture, scene=Scene(weights), size=16).run())
    for content in (picture.read_bytes(), b""):
        picture.write_bytes(content)
        with pytest.raises(InputError, match=r"that are no film of this program, such as 00002\."):
            drain(RenderTurntable(out=tmp_path, frames=2).run())
        assert [file.name for file in tmp_path.iterdir()] == ["00002.png"]
