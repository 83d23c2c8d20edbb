"""The slice view, on a sphere whose distances are known."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import pytest

from stylesdf_core.engine.cut import Cut
from stylesdf_core.engine.engine import Engine
from stylesdf_core.engine.sdf_slice import DRAFT, Slicer
from stylesdf_core.errors import InputError
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Identity, Scene
from tests.models import tiny_model

RADIUS = 0.06
FRONT = Scene(model="tiny")


@pytest.fixture
def slicer() -> Slicer:
    engine = Engine(tiny_model(), "cpu")

    def sphere(points: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.linalg.norm(points, axis=-1).astype(np.float32) - np.float32(RADIUS)

    engine.sdf = lambda scene: sphere  # type: ignore[method-assign, assignment]
    return Slicer(engine)


def radius_in_pixels(radius: float, edge: int) -> float:
    """Of a disc around the origin, which lies at a distance of 1 from the camera."""
    return OrbitCamera().focal(edge) * radius


@pytest.mark.parametrize(("level", "radius"), [(0.0, RADIUS), (0.02, RADIUS + 0.02)])
def test_the_cut_through_a_sphere_is_a_disc_of_the_levels_radius(
    slicer: Slicer, level: float, radius: float
) -> None:
    picture = slicer.draw(FRONT, Cut("z", 0.0, level), 128)
    red, blue = picture.data[0], picture.data[2]
    area = float((red - blue > 0.2).sum())  # warm: inside; lines, clay and ground are not
    expected = np.pi * radius_in_pixels(radius, 128) ** 2
    assert 0.55 * expected < area < 1.02 * expected, "its middle is dark, lines cross it"
    covered = picture.background[64] < 0.5
    assert covered.sum() == pytest.approx(2.0 * radius_in_pixels(radius, 128), abs=6)


def test_the_half_on_the_cameras_side_is_taken_away(slicer: Slicer) -> None:
    left_gone = slicer.draw(replace(FRONT, camera=OrbitCamera(azimuth=0.6)), Cut("x"), 96)
    right_gone = slicer.draw(replace(FRONT, camera=OrbitCamera(azimuth=-0.6)), Cut("x"), 96)
    np.testing.assert_allclose(left_gone.data, right_gone.data[:, :, ::-1], atol=0.05)


def test_a_cut_behind_the_head_leaves_nothing_and_one_before_it_leaves_the_head(
    slicer: Slicer,
) -> None:
    behind = slicer.draw(FRONT, Cut("z", -0.105), 64)
    assert behind.background[32, 32] > 0.9, "only faint lines around the head"
    before = slicer.draw(FRONT, Cut("z", 0.105), 64)
    assert before.background[32, 32] == 0.0
    grey = before.data[:, 32, 32]
    assert np.ptp(grey) < 0.12, "clay"


def test_only_another_face_needs_the_field_again(slicer: Slicer) -> None:
    engine = slicer._engine
    with patch.object(engine, "sdf", wraps=engine.sdf) as field:
        slicer.draw(FRONT, Cut(), 32, resolution=DRAFT)
        turned = replace(FRONT, camera=OrbitCamera(azimuth=0.3))
        slicer.draw(turned, Cut("y", 0.03, 0.01), 32, resolution=DRAFT)
        assert field.call_count == 1
        assert slicer.has_grid(turned, DRAFT)
        slicer.draw(replace(FRONT, identity=Identity(1)), Cut(), 32, resolution=DRAFT)
        assert field.call_count == 2


def test_a_plane_outside_the_volume_is_refused() -> None:
    with pytest.raises(InputError, match="place of a cut"):
        Cut(offset=0.2)
