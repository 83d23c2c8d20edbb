"""``drag`` and ``measure drag``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylesdf_core.commands.drag import DragFace
from stylesdf_core.commands.heads.measure_drag import MeasureDrag
from stylesdf_core.commands.scenes.pictures import RenderImage
from stylesdf_core.errors import InputError
from stylesdf_core.progress import drain
from stylesdf_core.scene.scene import Identity, Scene
from stylesdf_core.scene.session_files import read_scene
from tests.models import save_tiny

FACE = Scene(identity=Identity(seed=2))


def test_a_dragged_face_is_a_session_that_every_command_takes(tmp_path: Path) -> None:
    out, compared = tmp_path / "dragged.json", tmp_path / "pair.png"
    request = DragFace(
        scene=FACE,
        move=(("0.5,0.55:0.5,0.53",),),
        pin=(("0.37,0.4", "0.63,0.4"),),
        out=out,
        compare=compared,
        device="cpu",
    )
    result = drain(request.run())
    assert result.misses[0] < 0.5
    assert "1 point dragged" in str(result)
    scene = read_scene(out)
    assert scene.identity.offsets.field
    assert scene.camera == FACE.camera
    with Image.open(compared) as pair:
        assert pair.size == (1024, 512)
        after = np.asarray(pair, np.float32)[:, 512:]
    assert read_scene(compared) == scene
    again = tmp_path / "again.png"
    drain(RenderImage(out=again, scene=scene, size=512, device="cpu").run())
    with Image.open(again) as one:
        same = np.abs(np.asarray(one, np.float32) - after).max(axis=2) < 8.0
    assert same.mean() > 0.98  # all but the marks


@pytest.mark.parametrize(
    ("move", "pin", "message"),
    [
        ("0.02,0.02:0.5,0.5", "", r"At 0\.02,0\.02 the picture shows the background"),
        ("0.5,0.55", "", r"--move takes X,Y:X2,Y2 such as 0\.5,0\.6:0\.5,0\.57, not"),
        ("0.5,0.55:0.5,1.2", "", "--move takes places X,Y in fractions of the picture"),
        ("0.5,0.55:128,130", "", "--move takes places X,Y in fractions of the picture"),
        ("0.5,0.55:0.5,0.5", "0.1", "--pin takes places X,Y in fractions"),
        ("", "0.5,0.5", "--move is missing"),
        ("0.5,0.55:0.5,0.5", "0,0,0.4", r"0,0,0\.4 lies off the face; name a point on it"),
    ],
)
def test_places_that_cannot_be_used_are_refused(
    move: str, pin: str, message: str, tmp_path: Path
) -> None:
    request = DragFace(
        scene=FACE,
        move=((move,),) if move else (),
        pin=((pin,),) if pin else (),
        out=tmp_path / "dragged.json",
    )
    with pytest.raises(InputError, match=message):
        drain(request.run())
    assert not list(tmp_path.iterdir())


def test_drags_of_the_shipped_model_are_measured_by_its_landmarks(tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    report = drain(MeasureDrag(count=1, out=out).run())
    assert "landmarks found by places on the neutral head" in str(report)
    figures = {f["key"]: f["value"] for f in json.loads(out.read_text(encoding="utf-8"))["figures"]}
    assert figures["arrival"] < 1.5
    assert figures["others"] < 1.5


def test_drags_of_any_model_are_measured(tmp_path: Path) -> None:
    weights = save_tiny(tmp_path / "tiny.safetensors")
    report = drain(MeasureDrag(model=str(weights), count=1, distance=1.0).run())
    assert "points at typical places" in str(report)
