"""``compare``: two scenes under one camera, and their difference."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.program import main
from stylesdf_core.commands.command_line import command_line
from stylesdf_core.commands.scenes.compare import RenderComparison
from stylesdf_core.commands.scenes.pictures import RenderImage
from stylesdf_core.engine.picture import difference_colours
from stylesdf_core.errors import InputError
from stylesdf_core.progress import drain
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Identity, Scene
from stylesdf_core.scene.session_files import read_scene
from tests.models import save_tiny


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    path = save_tiny(tmp_path_factory.mktemp("models") / "tiny.safetensors")
    return Scene(model=str(path), camera=OrbitCamera(azimuth=0.2))


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_both_are_rendered_with_the_first_ones_camera(tmp_path: Path, one: Scene) -> None:
    other = replace(one, identity=Identity(1), camera=OrbitCamera())
    request = RenderComparison(out=tmp_path / "pair.png", scene=one, other=other, size=64)
    assert read_scene(drain(request.run())) == one
    for index, scene in enumerate((one, replace(other, camera=one.camera))):
        face = drain(RenderImage(out=tmp_path / f"{index}.png", scene=scene, size=64).run())
        part = pixels(request.out)[:, 64 * index : 64 * (index + 1)]
        np.testing.assert_array_equal(part, pixels(face))
    assert pixels(request.out).shape == (64, 192, 3)


def test_a_wipe_is_one_picture_of_both(tmp_path: Path, one: Scene) -> None:
    other = replace(one, identity=Identity(1))
    wiped = RenderComparison(
        out=tmp_path / "wipe.png", scene=one, other=other, size=64, wipe=0.25, view="depth"
    )
    drain(wiped.run())
    drain(replace(wiped, out=tmp_path / "row.png", wipe=None).run())
    row, page = pixels(tmp_path / "row.png"), pixels(wiped.out)
    np.testing.assert_array_equal(page[:, :16], row[:, :16])
    np.testing.assert_array_equal(page[:, 16:], row[:, 64 + 16 : 128])


def test_the_command_repeats_the_request(tmp_path: Path, one: Scene) -> None:
    other = replace(one, identity=Identity(2), truncation_psi=0.3)
    request = RenderComparison(
        out=tmp_path / "pair.png", scene=one, other=other, view="volume", other_view="image",
        size=32,
    )  # fmt: skip
    assert main(shlex.split(command_line(request))[1:]) == 0
    first = pixels(request.out)
    drain(request.run())
    np.testing.assert_array_equal(first, pixels(request.out))


def test_a_number_out_of_range_is_refused(tmp_path: Path, one: Scene) -> None:
    request = RenderComparison(out=tmp_path / "pair.png", scene=one, other=one)
    for changed, reason in (
        (replace(request, wipe=1.5), "--wipe must lie between 0 and 1"),
        (replace(request, hottest=0.0), "--hottest"),
        (replace(request, out=tmp_path / "pair.npy"), ".png or .webp"),
    ):
        with pytest.raises(InputError, match=reason):
            drain(changed.run())


def test_equal_pictures_have_no_bright_difference() -> None:
    grey = np.full((2, 2, 3), 0.5, np.float32)
    assert difference_colours(grey, grey).max() < 0.4
    assert difference_colours(grey, grey + 0.5).max() > 0.9
