"""What makes two sets of pictures incomparable is said in words."""

from __future__ import annotations

import numpy as np

from stylesdf_core.evaluation.measures.set_checks import (
    backgrounds,
    border_colours,
    contrast,
    few,
    one_coloured,
    resolutions,
)


def test_pictures_of_one_colour_are_counted() -> None:
    images = np.zeros((3, 8, 8, 3), np.uint8)
    images[0] = (200, 10, 10)  # one colour, though its three values differ
    images[1, :, :4] = 255
    (note,) = one_coloured("generated", contrast(images))
    assert note == "2 of 3 generated pictures have one colour only."
    assert not one_coloured("true", contrast(images)[1:2])


def test_backgrounds_are_compared_above_the_shoulders() -> None:
    images = np.full((2, 50, 50, 3), 250, np.uint8)
    images[:, 25:] = 0  # a body reaches the lower border
    images[:, 10:, 10:40] = 120
    white = border_colours(images)
    assert white.tolist() == [[250.0] * 3] * 2
    assert not backgrounds(white, white - 20.0)
    (note,) = backgrounds(white, white - 200.0)
    assert "(250, 250, 250) in generated and (50, 50, 50) in true" in note


def test_small_pictures_are_said() -> None:
    edges = np.array([64, 256, 300, 300])
    assert not resolutions(edges[1:], 256, 256)
    assert "1 of 4 true pictures are smaller than 256²" in resolutions(edges, 256, 256)[0]
    assert "compared at 64²" in resolutions(edges, 64, 256)[0]


def test_few_pictures_are_said() -> None:
    assert not few(2048, 5000, 2048)
    assert "With 256 generated and 5,000 true pictures FID is too large" in few(256, 5000, 2048)[0]
