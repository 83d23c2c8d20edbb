"""`--background`: transparent pictures and films, colours, pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.program import main
from stylesdf_core.commands.scenes.pictures import RenderImage
from stylesdf_core.progress import drain
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Identity, Scene
from stylesdf_core.scene.session_files import read_scene
from tests.models import save_tiny


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    weights = save_tiny(tmp_path_factory.mktemp("models") / "tiny.safetensors")
    return Scene(str(weights), Identity(4), camera=OrbitCamera(fov=16.0))


def rendered(scene: Scene, out: Path, **fields: object) -> np.ndarray:
    drain(RenderImage(out=out, scene=scene, **fields).run())  # type: ignore[arg-type]
    with Image.open(out) as image:
        return np.asarray(image)


@pytest.mark.parametrize("suffix", [".png", ".webp"])
@pytest.mark.parametrize("view", ["image", "volume", "normals", "depth"])
def test_none_is_transparent_and_reopens(
    scene: Scene, tmp_path: Path, view: str, suffix: str
) -> None:
    out = tmp_path / f"face{suffix}"
    pixels = rendered(scene, out, view=view, background="none")
    assert pixels.shape[2] == 4
    assert pixels[..., 3].max() == 255
    assert pixels[..., 3].min() == 0
    assert read_scene(out).identity == scene.identity


def test_a_colour_and_a_picture_fill_what_none_leaves_open(scene: Scene, tmp_path: Path) -> None:
    open_ = rendered(scene, tmp_path / "none.png", background="none")[..., 3] == 0
    red = rendered(scene, tmp_path / "red.png", background="#ff2000")
    assert red.shape[2] == 3
    assert (red[open_] == (255, 32, 0)).all()
    Image.new("RGB", (300, 40), (0, 9, 200)).save(tmp_path / "sky.png")
    sky = rendered(scene, tmp_path / "out.png", background=str(tmp_path / "sky.png"))
    assert (sky[open_] == (0, 9, 200)).all()
    Image.fromarray(np.full((8, 8), 40000, np.uint16)).save(tmp_path / "deep.png")
    deep = rendered(scene, tmp_path / "out.png", background=str(tmp_path / "deep.png"))
    assert (deep[open_] == 40000 >> 8).all(), "16 bits are not cut off at 255"
    own = rendered(scene, tmp_path / "own.png")
    kept = rendered(scene, tmp_path / "again.png", background="model")
    np.testing.assert_array_equal(own, kept)


@pytest.mark.parametrize("name", ["loop.webp", "loop.gif", "frames"])
def test_films_can_be_transparent(scene: Scene, tmp_path: Path, name: str) -> None:
    words = ("turntable", "--model", scene.model, "--fov", "16", "--frames", "3")
    out = tmp_path / name
    assert main([*words, "--background", "none", "--out", str(out)]) == 0
    first = out / "00000.png" if out.is_dir() else out
    assert read_scene(first).model == scene.model
    with Image.open(first) as image:
        assert getattr(image, "n_frames", 1) == (1 if out.is_dir() else 3)
        alpha = np.asarray(image.convert("RGBA"))[..., 3]
    assert {alpha.min(), alpha.max()} == {0, 255}
    if out.is_dir():
        assert sorted(path.name for path in out.iterdir()) == [f"0000{i}.png" for i in range(3)]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["render", "--out", "a.npy", "--background", "none"], "pictures in colour"),
        (["render", "--out", "a.png", "--background", "blue"], "there is no file blue"),
        (["turntable", "--out", "a.mp4", "--background", "none"], "MP4 cannot be transparent"),
        (["turntable", "--out", "a.avi"], "must end in .gif, .webp or .mp4"),
    ],
)
def test_mistakes_are_one_sentence(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert message in capsys.readouterr().err


def test_a_damaged_picture_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"\xff\xd8nothing")
    assert main(["render", "--out", str(tmp_path / "a.png"), "--background", str(bad)]) == 2
    assert "cannot be read as a picture" in capsys.readouterr().err


def test_a_background_field_is_kept_hidden_or_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "sphere.safetensors"
    save_tiny(model, background="sphere")
    scene = Scene(str(model), Identity(4), camera=OrbitCamera(fov=16.0))
    for view in ("image", "volume", "direct", "depth"):
        kept, hidden, red = (
            rendered(scene, tmp_path / "a.png", view=view, size=64, background=text)
            for text in ("model", "none", "#ff0000")
        )
        alpha = hidden[..., 3]
        assert {alpha.min(), alpha.max()} == {0, 255}
        assert kept.shape == red.shape == (64, 64, 3)
        np.testing.assert_array_equal(
            red[alpha == 0], np.broadcast_to((255, 0, 0), (64, 64, 3))[alpha == 0]
        )
        if view in ("volume", "direct"):
            inner = alpha == 255
            assert np.abs(kept[inner].astype(int) - red[inner]).max() <= 1
            assert kept[alpha == 0].std() > 0.0, "the background is no plain colour"
    words = ["turntable", "--model", str(model), "--frames", "2", "--out", str(tmp_path / "f")]
    assert main([*words, "--background", "none"]) == 0
    assert main(["info", "--model", str(model)]) == 0
    capsys.readouterr()
    assert main(["models", "export", str(model), "--out", str(tmp_path / "a.pt")]) == 2
    assert "background" in capsys.readouterr().err
