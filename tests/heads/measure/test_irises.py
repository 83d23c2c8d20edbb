"""Catchlights and irises: painted ones with known answers, and true heads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stylesdf_core.errors import GraphicsError
from stylesdf_core.heads.measure.irises import color_differences, score_irises
from stylesdf_core.heads.measure.truth import HeadTruth, TrueEye
from stylesdf_core.rendering.camera import OrbitCamera


def painted(iris: tuple[float, float, float], light: float) -> np.ndarray:
    picture = np.full((256, 256, 3), 0.5, np.float32)
    picture[8:20, 8:20] = iris
    picture[13, 13] += light
    return picture


@pytest.fixture
def eye() -> TrueEye:
    around = np.zeros((256, 256), bool)
    around[12:15, 12:15] = True
    iris = np.zeros((256, 256), bool)
    iris[8:20, 8:20] = True
    return TrueEye(iris & ~around, around)


def test_contrasts_and_colours_are_as_painted(eye: TrueEye) -> None:
    brown, blue = (0.3, 0.2, 0.1), (0.2, 0.3, 0.5)
    truth = painted(brown, 0.5)
    for light, shown in ((0.5, True), (0.26, True), (0.24, False), (0.0, False)):
        (score,) = score_irises(3, painted(blue, light), truth, painted(blue, 0.0), [eye])
        assert score.seed == 3
        assert score.catchlight == pytest.approx(light, abs=1e-6)
        assert score.true_catchlight == pytest.approx(0.5, abs=1e-6)
        assert score.lit
        assert score.is_bright(score.catchlight) is shown
        assert score.unlit == pytest.approx(0.0, abs=1e-6)
        assert not score.is_bright(score.unlit)
        np.testing.assert_allclose(score.color, blue, atol=1e-6)
        np.testing.assert_allclose(score.true_color, brown, atol=1e-6)


def test_an_edge_is_no_catchlight(eye: TrueEye) -> None:
    """As where an eye sits too low and skin shows where the light would be."""
    truth = painted((0.3, 0.2, 0.1), 0.5)
    skin = painted((0.3, 0.2, 0.1), 0.0)
    skin[:13] = (0.9, 0.8, 0.7)
    (score,) = score_irises(0, skin, truth, truth, [eye])
    assert not score.is_bright(score.catchlight)


def test_closed_eyes_and_dull_ones_do_not_count(eye: TrueEye) -> None:
    picture = painted((0.3, 0.2, 0.1), 0.1)
    (score,) = score_irises(0, picture, picture, picture, [eye])
    assert not score.lit
    nothing = np.zeros_like(eye.iris)
    for closed in (TrueEye(nothing, eye.around_catchlight), TrueEye(eye.iris, nothing)):
        assert score_irises(0, picture, picture, picture, [closed]) == []


def test_colour_differences_are_cie_1976(eye: TrueEye) -> None:
    """The middle of black and white is as far from either; equal colours are at 0."""
    colors = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    scores = []
    for shown, true in zip(((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)), colors, strict=True):
        truth = painted(true, 0.0)
        scores += score_irises(0, painted(shown, 0.0), truth, truth, [eye])
    apart, mean_apart = color_differences(scores)
    np.testing.assert_allclose(apart, [0.0, 100.0], atol=1e-3)
    np.testing.assert_allclose(mean_apart.sum(), 100.0, atol=1e-3)
    assert (mean_apart > 40.0).all()


def test_true_heads_have_catchlights_and_others_none(facekit_path: Path) -> None:
    """Nor has a moved picture, where skin or white lies in a catchlight's place."""
    try:
        truth = HeadTruth(facekit_path)
    except GraphicsError as error:
        pytest.skip(str(error))
    front, scores, deceived = OrbitCamera(), [], 0
    for seed in range(1, 9):
        head = truth.head(seed)
        picture, unlit = (truth.image(of, front, 256) for of in (head, truth.unlit(head)))
        eyes = truth.eyes(head, front, 256)
        sides = [np.nonzero(eye.iris)[1].mean() for eye in eyes if eye.iris.any()]
        assert sides == sorted(sides, reverse=True), "the left eye is on the right"
        scores += score_irises(seed, picture, picture, unlit, eyes)
        for shift in ((0, 2), (0, -2), (2, 0), (-2, 0), (1, 0), (-1, 0)):
            moved = np.roll(unlit, shift, axis=(0, 1))
            others = score_irises(seed, moved, picture, unlit, eyes)
            deceived += sum(score.lit and score.is_bright(score.catchlight) for score in others)
    truth.close()
    assert len(scores) >= 10
    lit = [score for score in scores if score.lit]
    assert len(lit) >= 0.5 * len(scores)
    assert not any(score.is_bright(score.unlit) for score in lit)
    assert deceived <= 0.1 * 6 * len(lit)
    apart, mean_apart = color_differences(scores)
    assert apart.max() < 1e-6
    assert np.median(mean_apart) > 5.0
