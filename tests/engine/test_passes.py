"""Passes from the levels of a moving picture, and how alike the levels look."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F
from scipy import ndimage

from stylesdf_core.engine.decoder.matching import Match
from stylesdf_core.engine.engine import Engine
from stylesdf_core.engine.levels import Level, levels, volume_level
from stylesdf_core.engine.passes import RenderPass, passes
from stylesdf_core.evaluation.metrics.image_metrics import psnr
from stylesdf_core.model.model import load_model
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Identity, Scene
from tests.models import tiny_model

FloatArray: TypeAlias = npt.NDArray[np.float32]


def first_frame(engine: Engine, scene: Scene, level: Level, match: Match | None) -> RenderPass:
    return next(iter(passes(engine, scene, "image", first=level, match=match)))


def match_of(engine: Engine, scene: Scene) -> Match:
    *_, last = passes(engine, scene, "image")
    assert last.match is not None
    return last.match()


def of_edge(picture: FloatArray, edge: int) -> FloatArray:
    """(3, H, W) within [−1, 1] as (3, edge, edge)."""
    x = torch.from_numpy(picture).clamp(-1, 1)[None]
    mode = "area" if x.shape[-1] > edge else "bicubic"
    resized: FloatArray = F.interpolate(x, size=(edge, edge), mode=mode)[0].numpy()
    return resized


def displacement(picture: FloatArray, truth: FloatArray) -> tuple[float, float]:
    """Shift, and displacement of the border by the change of size, pixels of (3, E, E)."""
    picture, truth = (ndimage.gaussian_filter(x.mean(axis=0), 4.0) for x in (picture, truth))
    edge = len(truth)
    y, x = np.mgrid[:edge, :edge] - 0.5 * (edge - 1)
    shift, scale = np.zeros(2), 0.0
    inner = (slice(12, -12),) * 2
    for _ in range(6):
        places = [c * (1.0 + scale) + s + 0.5 * (edge - 1) for c, s in zip((y, x), shift)]  # noqa: B905
        moved = ndimage.map_coordinates(picture, places, order=3, mode="nearest")
        down, right = np.gradient(moved)
        columns = (down, right, y * down + x * right, np.ones_like(moved), moved)
        matrix = np.stack([column[inner].ravel() for column in columns], axis=1)
        change = np.linalg.lstsq(matrix, (truth - moved)[inner].ravel(), rcond=None)[0]
        shift, scale = shift + change[:2], scale + change[2]
    return float(np.abs(shift).max()), abs(scale) * edge / 2


@pytest.fixture(scope="module")
def heads() -> Engine:
    return Engine(load_model("heads"), "cpu")


@pytest.mark.parametrize(("seed", "azimuth", "turned"), [(3, 0.3, 0.0), (742, -0.4, 0.2)])
def test_levels_have_the_brightness_place_and_size_of_the_image(
    heads: Engine, seed: int, azimuth: float, turned: float
) -> None:
    """Where the Match was fitted, and after the camera has moved on."""
    match = match_of(heads, Scene(identity=Identity(seed), camera=OrbitCamera(azimuth)))
    scene = Scene(identity=Identity(seed), camera=OrbitCamera(azimuth + turned, 0.3 * turned))
    image = heads.render(scene, "image").data
    for level in levels(heads.config, "image", "cuda"):
        picture = first_frame(heads, scene, level, match).picture.data
        assert picture.shape[-1] == level.pixels
        difference = of_edge(picture, picture.shape[-1]) - of_edge(image, picture.shape[-1])
        assert np.abs(difference.mean(axis=(1, 2))).max() < 1.0 * 2 / 255, level
        pixel = 128 / picture.shape[-1]
        shift, growth = displacement(of_edge(picture, 128), of_edge(image, 128))
        assert max(shift, growth) < 0.25 * pixel, level


def test_the_half_size_image_is_close_to_the_reduced_image(heads: Engine) -> None:
    """The skip generator's sum without its last resolution is 26 dB from it."""
    scene = Scene(identity=Identity(4))
    image = of_edge(heads.render(scene, "image").data, 128)
    match = match_of(heads, scene)
    half = first_frame(heads, scene, Level(64, 128), match).picture.data
    assert psnr(of_edge(half, 128) / 2, image / 2) > 34.0


def test_a_half_size_image_without_a_match_is_the_reduced_image() -> None:
    engine = Engine(tiny_model(), "cpu")
    half, whole, exact = passes(engine, Scene(), "image", first=Level(16, 32))
    assert [frame.resolution for frame in (half, whole, exact)] == [32, 64, 64]
    assert [frame.pass_count for frame in (half, whole, exact)] == [3, 3, 3]
    reduced = F.avg_pool2d(torch.from_numpy(whole.picture.data), 2).numpy()
    np.testing.assert_allclose(half.picture.data, reduced, atol=1e-5)
    np.testing.assert_array_equal(exact.picture.data, engine.render(Scene(), "image").data)


def test_a_coarse_first_pass_is_followed_by_the_image_where_that_is_quick() -> None:
    engine = Engine(tiny_model(thumb_size=32, output_size=64), "cpu")
    first, moving, exact = passes(
        engine, Scene(), "image", first=volume_level(16), decodes_soon=True
    )
    assert [f.picture.view for f in (first, moving, exact)] == ["volume", "image", "image"]
    assert [f.resolution for f in (first, moving, exact)] == [16, 64, 64]
    assert psnr(moving.picture.display(), exact.picture.display()) > 40.0
    np.testing.assert_array_equal(exact.picture.data, engine.render(Scene(), "image").data)


@pytest.mark.parametrize("level", [Level(16, 64), Level(32, 64)])
def test_after_a_decoded_first_pass_only_the_last_pass_follows(level: Level) -> None:
    engine = Engine(tiny_model(), "cpu")
    moving, exact = passes(engine, Scene(), "image", first=level)
    assert [frame.resolution for frame in (moving, exact)] == [64, 64]
    assert psnr(moving.picture.display(), exact.picture.display()) > 30.0
    np.testing.assert_array_equal(exact.picture.data, engine.render(Scene(), "image").data)


def test_a_match_is_fitted_for_finished_images_only() -> None:
    engine = Engine(tiny_model(), "cpu")
    fits = [frame.match for frame in passes(engine, Scene(), "image")]
    assert [fit is None for fit in fits] == [True, True, False]
    assert all(frame.match is None for frame in passes(engine, Scene(), "depth"))
    plain = Engine(tiny_model(output_size=16), "cpu")
    assert all(frame.match is None for frame in passes(plain, Scene(), "image"))


def test_a_match_finds_colours_place_and_size() -> None:
    source = torch.Generator().manual_seed(5)
    image = F.interpolate(
        torch.rand(1, 3, 12, 12, generator=source) - 0.5, size=(256, 256), mode="bicubic"
    )
    place = torch.tensor([[[1.006, 0.0, 0.01], [0.0, 1.006, -0.004]]])
    grid = F.affine_grid(place, [1, 3, 64, 64], align_corners=False)
    moved = F.grid_sample(image, grid, align_corners=False, padding_mode="border")[0]
    match = Match.fit(0.8 * moved + 0.05, image[0])
    assert match.half is None
    torch.testing.assert_close(match.gain, torch.full((3, 1, 1), 1.25), rtol=0.02, atol=0.0)
    inverse = torch.tensor([[[1 / 1.006, 0.0, -0.01], [0.0, 1 / 1.006, 0.004]]])
    torch.testing.assert_close(match.place, inverse, rtol=0.0, atol=3e-3)  # 0.1 pixel


def test_pictures_without_anything_in_common_are_not_moved() -> None:
    source = torch.Generator().manual_seed(6)
    volume, image = torch.rand(3, 32, 32, generator=source), torch.full((3, 64, 64), 0.25)
    match = Match.fit(volume, image)
    torch.testing.assert_close(match.place, torch.tensor([[[1.0, 0, 0], [0, 1.0, 0]]]))
    assert float(match(volume).mean()) == pytest.approx(0.25, abs=1e-4)
