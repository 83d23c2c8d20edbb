"""The head without its background: outline and colours at the edge."""

from __future__ import annotations

import numpy as np
import pytest

from stylesdf_core.engine.coverage import coverage
from stylesdf_core.engine.engine import Engine
from stylesdf_core.engine.matte import cut_out
from stylesdf_core.engine.picture import FloatArray
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Scene
from tests.models import tiny_model

HEAD, OLD = np.float32([0.2, 0.1, 0.05]), np.float32([0.8, 0.85, 0.9])


def disc(size: int = 128) -> FloatArray:
    y, x = np.mgrid[:size, :size] + 0.5 - size / 2
    return np.clip(size * 0.35 - np.hypot(x, y) + 0.5, 0.0, 1.0).astype(np.float32)


@pytest.mark.parametrize("new", [0.0, 1.0])
def test_nothing_of_the_old_background_is_left_on_a_new_one(new: float) -> None:
    coverage = disc()
    colors = HEAD * coverage[..., None] + OLD * (1.0 - coverage[..., None])
    rgba = cut_out(colors, coverage, mixed=True)
    composite = rgba[..., :3] * rgba[..., 3:] + new * (1.0 - rgba[..., 3:])
    ideal = HEAD * rgba[..., 3:] + new * (1.0 - rgba[..., 3:])
    assert np.abs(composite - ideal).max() < 4 / 255
    assert np.abs(colors * rgba[..., 3:] - HEAD * rgba[..., 3:]).max() > 30 / 255, "else a fringe"


def test_surface_views_keep_their_colours() -> None:
    colors = np.random.default_rng(0).random((32, 32, 3), np.float32)
    np.testing.assert_array_equal(cut_out(colors, disc(32), mixed=False)[..., :3], colors)


@pytest.mark.parametrize("field", ["sdf", "density"])
def test_coverage_is_the_volume_render_s_at_the_same_size(field: str) -> None:
    engine, scene = Engine(tiny_model(field=field), "cpu"), Scene(camera=OrbitCamera(0.3))
    covered = coverage(engine, scene, 64)
    finer = 1.0 - engine.render(scene, "volume", 128).background
    quarters = finer.reshape(64, 2, 64, 2).mean(axis=(1, 3))
    assert covered.shape == (64, 64)
    assert np.abs(covered - quarters).mean() < 0.01
    sharp = np.abs(covered - quarters) > 0.2
    assert sharp.mean() < 0.01
