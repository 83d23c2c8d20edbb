"""``invert`` and ``measure invert`` on a tiny model with random weights."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image

from stylesdf_core.commands.heads.measure_invert import MeasureInvert
from stylesdf_core.commands.invert import Invert
from stylesdf_core.commands.scenes.pictures import RenderImage
from stylesdf_core.data.frame_presets import FRAME_PRESET, FramePreset
from stylesdf_core.errors import InputError
from stylesdf_core.inversion import fitting
from stylesdf_core.model.checkpoints.checkpoints import read_frame_preset, save_safetensors
from stylesdf_core.progress import Announcement, drain
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Identity, Scene
from stylesdf_core.scene.session_files import read_scene
from tests.models import save_tiny, tiny_generator


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("invert") / "tiny.safetensors")


@pytest.fixture(scope="module")
def photo(weights: Path) -> Path:
    path = weights.with_name("photo.png")
    scene = Scene(
        str(weights), Identity(seed=3), truncation_psi=1.0, camera=OrbitCamera(azimuth=0.2)
    )
    drain(RenderImage(out=path, scene=scene, device="cpu").run())
    return path


def test_a_framed_picture_becomes_a_session_that_every_command_takes(
    weights: Path, photo: Path, tmp_path: Path
) -> None:
    out, compared = tmp_path / "head.json", tmp_path / "compared.png"
    request = Invert(
        photo=(photo,),
        model=str(weights),
        out=out,
        seconds=3,
        framed=True,
        compare=compared,
        device="cpu",
    )
    assert drain(request.run()) == out
    scene = read_scene(out)
    assert scene.identity.offsets.field
    with Image.open(compared) as strip:
        assert strip.size == (5 * 64, 64)
    assert read_scene(compared) == scene
    rendered = tmp_path / "again.png"
    drain(RenderImage(out=rendered, scene=scene, device="cpu").run())
    with Image.open(rendered) as one, Image.open(compared) as strip:
        np.testing.assert_array_equal(np.asarray(one), np.asarray(strip)[:, 64:128])


def test_a_tuned_head_is_nearer_to_the_photograph_and_its_file_lies_beside_the_session(
    weights: Path, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = tuple(replace(stage, steps=5) for stage in fitting._STAGES)
    monkeypatch.setattr(fitting, "_STAGES", stages)
    monkeypatch.setattr("stylesdf_core.inversion.tuning._STEPS", 40)
    painted = tmp_path / "painted.png"
    with Image.open(photo) as image:
        pixels = np.array(image)
    pixels[20:44, 20:44] = (250, 40, 40)
    Image.fromarray(pixels).save(painted)
    error = {}
    for tune in (False, True):
        out = tmp_path / f"head-{tune}.json"
        request = Invert(
            photo=(painted,),
            model=str(weights),
            out=out,
            framed=True,
            tune=tune,
            compare=out.with_suffix(".png"),
            device="cpu",
        )
        drain(request.run())
        scene = read_scene(out)
        with Image.open(out.with_suffix(".png")) as strip:
            given, head = (np.asarray(strip, np.float32)[:, x : x + 64] for x in (0, 64))
        error[tune] = float(np.abs(given - head)[20:44, 20:44].mean())
    assert error[True] < 0.9 * error[False]
    tuning = tmp_path / "head-True.tuning.safetensors"
    assert scene.model == str(tuning)
    assert f'"{tuning.name}"' in out.read_text(encoding="utf-8")
    assert not list(tmp_path.glob("head-False.tuning*"))
    rendered = tmp_path / "again.png"
    drain(RenderImage(out=rendered, scene=scene, device="cpu").run())
    with Image.open(rendered) as one:
        np.testing.assert_array_equal(np.asarray(one, np.float32), head)


def test_a_picture_without_face_is_refused_in_one_sentence(
    weights: Path, photo: Path, tmp_path: Path
) -> None:
    pytest.importorskip("dlib")
    out = tmp_path / "head.json"
    request = Invert(photo=(photo,), model=str(weights), out=out, device="cpu")
    with pytest.raises(InputError, match=r"photo\.png.*no face is found"):
        drain(request.run())
    assert not out.exists()


def test_marked_eyes_and_mouth_need_no_judge(
    weights: Path, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stylesdf_core.judges.finding.find_faces", None)
    large = tmp_path / "large.png"
    with Image.open(photo) as picture:
        picture.resize((256, 256)).save(large)
    request = Invert(
        photo=(large,),
        model=str(weights),
        out=tmp_path / "head.json",
        seconds=1,
        eyes=("158,118", "98,118"),
        mouth=("128,180",),
        device="cpu",
    )
    assert drain(request.run()).exists()
    for changes, message in (
        ({"mouth": ("128,300",)}, r"256 × 256 pixels; the point 128,300 lies outside"),
        ({"mouth": ("128,118",)}, r"large\.png: the marks of eyes and mouth lie on a line"),
        (
            {"eyes": ("110,118", "114,118"), "mouth": ("112,122",)},
            "pixels large; at least 64 are needed",
        ),
    ):
        with pytest.raises(InputError, match=message):
            drain(replace(request, **changes).run())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("stated", "crop", "taken"),
    [("heads", None, "heads"), ("ffhq", None, "ffhq"), ("heads", "ffhq", "ffhq"),
     (None, None, "ffhq"), (None, "heads", "heads")],
)  # fmt: skip
def test_a_photograph_is_framed_as_the_model_states(
    photo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stated: str | None,
    crop: FramePreset | None,
    taken: str,
) -> None:
    framed = []

    def views(_engine: object, preset: str, *_: object) -> None:
        framed.append(preset)
        raise InputError("The rest is tested elsewhere.")

    monkeypatch.setattr("stylesdf_core.commands.invert.PhotoViews", views)
    reader = "stylesdf_core.model.checkpoints.checkpoints.read_frame_preset"
    read = Mock(wraps=read_frame_preset)
    monkeypatch.setattr(reader, read)
    model = tmp_path / "own.safetensors"
    metadata = {} if stated is None else {FRAME_PRESET: stated}
    save_safetensors(tiny_generator(), model, metadata=metadata)
    request = Invert(
        photo=(photo,), model=str(model), out=tmp_path / "a.json", crop=crop, device="cpu"
    )
    said = []
    with suppress(InputError):
        for step in request.run():
            said += [step.message] if isinstance(step, Announcement) else []
    assert framed == [taken]
    assert read.call_count == (crop is None)
    if stated or crop:
        assert not said
    else:
        (sentence,) = said
        assert "own does not state" in sentence
        assert "--crop heads" in sentence


def test_framed_pictures_are_square(weights: Path, tmp_path: Path) -> None:
    wide = tmp_path / "wide.png"
    Image.new("RGB", (40, 30)).save(wide)
    request = Invert(
        photo=(wide,), model=str(weights), out=tmp_path / "a.json", framed=True, device="cpu"
    )
    with pytest.raises(InputError, match="40 × 30 pixels; with --framed a photograph is square"):
        drain(request.run())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seconds": 0.0}, "--seconds must lie between 1 and 3600"),
        ({"photo": ()}, "the number of photographs must lie between 1 and 12"),
        ({"face": (0,)}, "--face must be at least 1"),
        ({"face": (1, 2)}, "--face takes one number"),
        ({"eyes": ("1,2", "3,4")}, "--mouth one; for 1 photograph, 2 and 0 are given"),
        ({"eyes": ("1,2", "-"), "mouth": ("1,2",)}, "both eyes and the mouth are marked"),
        ({"eyes": ("1;2", "3,4"), "mouth": ("5,6",)}, "points X,Y such as"),
        ({"out": Path("head.png")}, r"must end in \.json"),
    ],
)
def test_values_out_of_range_are_refused(
    photo: Path, changes: dict[str, object], message: str
) -> None:
    values: dict[str, object] = {"photo": (photo,), "out": Path("head.json"), **changes}
    with pytest.raises(InputError, match=message):
        drain(Invert(**values).run())  # type: ignore[arg-type]


def test_fits_to_the_models_own_pictures_are_measured(weights: Path, tmp_path: Path) -> None:
    out, grid = tmp_path / "figures.json", tmp_path / "grid.png"
    request = MeasureInvert(
        model=str(weights), count=2, seconds=1, out=out, grid=grid, device="cpu"
    )
    report = drain(request.run())
    assert "the model's own pictures" in str(report)
    figures = {figure["key"] for figure in json.loads(out.read_text(encoding="utf-8"))["figures"]}
    assert {"pose_error", "psnr_thumb", "psnr_image", "psnr_novel", "depth_error"} <= figures
    with Image.open(grid) as picture:
        assert picture.size == (6 * 64, 2 * 64)
