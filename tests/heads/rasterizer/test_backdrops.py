"""Backgrounds of heads: functions of direction, one for each head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stylesdf_core.heads.rasterizer.backdrops import Backdrop
from stylesdf_core.heads.rasterizer.renderer import BACKGROUND, HeadPicture
from stylesdf_core.rendering.camera import OrbitCamera


def picture(size: int, covered: float) -> HeadPicture:
    """A picture of one colour in front of the renderer's background."""
    plain = np.rint(np.array(BACKGROUND) * 255.0)
    image = np.rint(covered * 40.0 + (1.0 - covered) * plain)
    share = np.full((size, size), covered, np.float32)
    return HeadPicture(np.tile(image.astype(np.uint8), (size, size, 1)), share, 0.0 * share)


def test_what_the_head_covers_stays_and_the_rest_is_the_backdrop_s() -> None:
    backdrop, camera = Backdrop.drawn(1, 2), OrbitCamera(0.2)
    assert np.array_equal(backdrop.behind(picture(8, 1.0), camera), picture(8, 1.0).image)
    behind = backdrop.behind(picture(8, 0.0), camera).astype(float)
    half = backdrop.behind(picture(8, 0.5), camera).astype(float)
    assert np.abs(half - (20.0 + 0.5 * behind)).max() <= 1.5


def test_it_turns_with_the_camera() -> None:
    """A direction that two cameras see has one colour."""
    backdrop, size, fov = Backdrop.drawn(3, 4), 64, 6.0
    step = 2.0 * np.degrees(np.arctan(8.0 / OrbitCamera(fov=fov).focal(size)))  # some 16 pixels
    one, other = (
        backdrop.behind(picture(size, 0.0), OrbitCamera(np.radians(angle), 0.0, fov))
        for angle in (0.0, step)
    )
    seam = size // 2
    # The camera moves to +x and looks to −x: what was in the middle moves to the right.
    assert np.abs(one[seam, 24:40].astype(int) - other[seam, 40:56].astype(int)).max() <= 12
    assert np.abs(one[seam].astype(int) - other[seam]).max() > 12


def test_heads_have_different_backdrops_and_each_head_always_the_same() -> None:
    seen = [
        Backdrop.drawn(seed, index).behind(picture(16, 0.0), OrbitCamera())
        for seed, index in ((0, 0), (0, 0), (0, 1), (1, 0))
    ]
    assert np.array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[0], seen[2])
    assert not np.array_equal(seen[0], seen[3])


def test_an_ellipse_and_a_light_have_their_colours_at_their_centres() -> None:
    plain = Backdrop.drawn(0, 0)
    ahead = np.array([[0.0, 0.0, -1.0]])
    frame = np.array([[[10.0, 0.0, 0.0], [0.0, 10.0, 0.0], [0.0, 0.0, -1.0]]])
    none = np.zeros((0, 7))
    shape = replace(
        plain,
        frames=frame,
        powers=np.array([2.0]),
        softness=np.array([0.5]),
        tints=np.array([[0.2, 0.4, 0.6, 1.0]]),
        lights=none,
    )
    np.testing.assert_allclose(shape(ahead), [[0.2, 0.4, 0.6]])
    lit = replace(shape, lights=np.array([[0.0, 0.0, -1.0, 0.02, 0.1, 0.2, 0.3]]))
    np.testing.assert_allclose(lit(ahead), [[0.3, 0.6, 0.9]])
    beside = np.array([[0.17, 0.0, -np.sqrt(1.0 - 0.17**2)]])
    assert np.abs(lit(beside) - shape(ahead)).max() > 0.05
