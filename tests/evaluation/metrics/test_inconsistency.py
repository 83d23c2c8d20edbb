"""The inconsistency map: nothing where colours stick to the head, something where they do not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from stylesdf_core.engine.engine import Engine
from stylesdf_core.engine.picture import HOTTEST, Picture
from stylesdf_core.evaluation.metrics.inconsistency import inconsistency, mean_grey_levels
from stylesdf_core.evaluation.metrics.shape_metrics import back_project
from stylesdf_core.scene.scene import Scene, View
from tests.models import tiny_model

EDGE = 48
_PLACE = 0.06  # of the wall, z


class Wall:
    """An engine whose pictures show an endless wall before the head.

    The wall's colours stick to the wall or, for ``swims``, to the screen.
    """

    def __init__(self, *, swims: bool) -> None:
        self._swims = swims

    def render_views(self, scene: Scene, views: Sequence[View]) -> dict[View, Picture]:
        camera = scene.camera
        ahead = back_project(np.ones((EDGE, EDGE), np.float32), camera)
        origin = camera.cam2world()[:, 3]
        share = (_PLACE - origin[2]) / (ahead[..., 2] - origin[2])
        points = origin + share[..., None] * (ahead - origin)
        x = np.tile(np.linspace(-0.1, 0.1, EDGE), (EDGE, 1)) if self._swims else points[..., 0]
        image = np.stack([np.sin(60.0 * x)] * 3).astype(np.float32)
        none = np.zeros((EDGE, EDGE), np.float32)
        depth = share[None].astype(np.float32)
        return {"image": Picture("image", image, none), "depth": Picture("depth", depth, none)}


@pytest.mark.parametrize(("swims", "low", "high"), [(False, 0.0, 1.0), (True, 4.0, 60.0)])
def test_colours_that_swim_are_inconsistent_and_colours_that_stick_are_not(
    swims: bool, low: float, high: float
) -> None:
    picture = inconsistency(Wall(swims=swims), Scene())  # type: ignore[arg-type]
    assert low <= mean_grey_levels(picture) < high


def test_the_map_of_a_model_has_the_images_size_and_colours() -> None:
    picture = inconsistency(Engine(tiny_model(), "cpu"), Scene(model="tiny"))
    assert picture.data.shape == (2, 64, 64)
    assert picture.to_uint8().shape == (64, 64, 3)


def test_large_differences_glow_and_none_leaves_the_picture_grey() -> None:
    data = np.stack([np.array([[0.0, HOTTEST]]), np.full((1, 2), 0.5)]).astype(np.float32)
    shown = Picture("inconsistency", data, np.zeros((1, 2), np.float32)).display()
    assert np.ptp(shown[0, 0]) < 0.01
    assert shown[0, 1].min() > 0.7
