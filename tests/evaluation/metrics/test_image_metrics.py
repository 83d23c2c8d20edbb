"""Picture metrics on pictures whose scores are known."""

from __future__ import annotations

import numpy as np
import pytest

from stylesdf_core.evaluation.metrics.image_metrics import (
    MAX_PSNR,
    FloatArray,
    blur,
    enlarge,
    psnr,
    sharpness,
    sharpness_ratio,
    shrink,
)


@pytest.fixture
def noise() -> FloatArray:
    return np.random.default_rng(0).random((64, 64, 3)).astype(np.float32)


def test_psnr_of_equal_pictures_is_its_maximum(noise: FloatArray) -> None:
    assert psnr(noise, noise) == MAX_PSNR


@pytest.mark.parametrize(("error", "expected"), [(0.1, 20.0), (0.01, 40.0), (1.0, 0.0)])
def test_psnr_of_a_constant_error(error: float, expected: float) -> None:
    truth = np.zeros((8, 8, 3), np.float32)
    assert psnr(truth + np.float32(error), truth) == pytest.approx(expected, abs=1e-4)


def test_psnr_of_gaussian_noise_follows_from_its_variance(noise: FloatArray) -> None:
    errors = np.random.default_rng(1).normal(0.0, 0.05, noise.shape)
    expected = -20.0 * np.log10(0.05)
    assert psnr((noise + errors).astype(np.float32), noise) == pytest.approx(expected, abs=0.2)


def test_sharpness_of_a_parabola_is_its_second_derivative() -> None:
    x = np.arange(16, dtype=np.float32)
    row = 0.002 * x**2
    image = np.repeat(np.tile(row, (16, 1))[..., None], 3, axis=2)
    assert sharpness(image) == pytest.approx(0.004, rel=1e-4)
    assert sharpness(np.full((16, 16, 3), 0.7, np.float32)) == pytest.approx(0.0, abs=1e-6)


def test_blur_lowers_and_noise_raises_sharpness(noise: FloatArray) -> None:
    smooth = blur(noise, 2.0)
    assert sharpness(smooth) < 0.2 * sharpness(noise)
    errors = np.random.default_rng(1).normal(0.0, 0.05, noise.shape)
    assert sharpness((smooth + errors).astype(np.float32)) > 2.0 * sharpness(smooth)


def test_sharpness_is_no_ratio_of_a_flat_picture() -> None:
    assert sharpness_ratio([0.02, 0.04], [0.06]) == pytest.approx(0.5)
    flat = sharpness(np.full((16, 16, 3), 0.7, np.float32))
    assert np.isnan(sharpness_ratio([0.005], [flat]))
    assert np.isnan(sharpness_ratio([flat], [0.0]))


def test_shrink_averages_blocks() -> None:
    image = np.arange(16, dtype=np.float32).reshape(4, 4)
    assert shrink(image, 2).tolist() == [[2.5, 4.5], [10.5, 12.5]]
    with pytest.raises(ValueError, match="averaged"):
        shrink(image, 3)


def test_enlarge_keeps_the_slope_of_a_ramp() -> None:
    ramp = np.repeat(np.tile(np.linspace(0.2, 0.8, 16), (16, 1))[..., None], 3, axis=2)
    large = enlarge(ramp.astype(np.float32), 64)
    assert large.shape == (64, 64, 3)
    assert large[32, 48, 0] - large[32, 16, 0] == pytest.approx(32 * 0.6 / 15 / 4, rel=1e-3)
