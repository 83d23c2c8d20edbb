"""``sheet``: a contact sheet as one picture."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.program import main
from stylesdf_core.commands.command_line import command_line
from stylesdf_core.commands.scenes.pictures import RenderImage
from stylesdf_core.commands.scenes.sheets import RenderSheet
from stylesdf_core.errors import InputError
from stylesdf_core.progress import drain
from stylesdf_core.scene.scene import Identity, Scene
from stylesdf_core.scene.session_files import read_scene
from stylesdf_core.scene.sheet import Sheet
from tests.models import save_tiny


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    path = save_tiny(tmp_path_factory.mktemp("models") / "tiny.safetensors")
    return Scene(model=str(path), identity=Identity(3))


def test_each_cell_shows_the_picture_that_render_makes(tmp_path: Path, scene: Scene) -> None:
    sheet = RenderSheet(
        out=tmp_path / "sheet.png", scene=scene, sheet=Sheet(columns=2), rows=2, cell=64
    )
    assert read_scene(drain(sheet.run())) == scene
    last = replace(scene, identity=Identity(6))
    drain(RenderImage(out=tmp_path / "face.png", scene=last, size=64).run())
    with Image.open(sheet.out) as page, Image.open(tmp_path / "face.png") as face:
        assert page.size == (6 + 2 * 70, 6 + 2 * 88)
        cell = np.asarray(page)[94 : 94 + 64, 76 : 76 + 64]
        np.testing.assert_array_equal(cell, np.asarray(face))


def test_the_command_repeats_the_request(tmp_path: Path, scene: Scene) -> None:
    request = RenderSheet(
        out=tmp_path / "sheet.png", scene=scene, sheet=Sheet("range", 2, "smile"), rows=1, cell=16,
        skip=1, labels=False, view="depth",
    )  # fmt: skip
    words = shlex.split(command_line(request))[1:]
    assert main(words) == 0
    first = np.asarray(Image.open(request.out))
    drain(request.run())
    np.testing.assert_array_equal(first, np.asarray(Image.open(request.out)))
    assert first.shape == (28, 50, 3)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sheet": Sheet("range", direction="nose")}, "no latent direction 'nose'"),
        ({"rows": 0}, "--rows must lie between 1 and 200"),
        ({"rows": 200, "cell": 1024}, "fewer --rows"),
        ({"background": "none"}, "ground of its own"),
        ({"out": Path("sheet.gif")}, ".png or .webp"),
    ],
)
def test_a_request_that_cannot_be_met_is_refused_in_a_sentence(
    tmp_path: Path, scene: Scene, changes: dict[str, object], reason: str
) -> None:
    request = replace(RenderSheet(out=tmp_path / "sheet.png", scene=scene), **changes)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=reason):
        drain(request.run())
    assert not list(tmp_path.iterdir())
