"""Fréchet distance: known Gaussians, and pictures that get worse and worse."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F
from scipy.linalg import sqrtm
from torch import Tensor

from stylesdf_core.evaluation.metrics.frechet import (
    FEATURES,
    LENGTH,
    SHORT,
    FloatArray,
    Gaussian,
    SeededFeatures,
    frechet_distance,
)


def gaussian(mean: npt.ArrayLike, covariance: npt.ArrayLike) -> Gaussian:
    return Gaussian(np.asarray(mean, np.float64), np.asarray(covariance, np.float64))


@pytest.fixture(scope="module")
def extractor() -> SeededFeatures:
    return SeededFeatures()


def discs(count: int, seed: int, size: int = 48) -> Tensor:
    """Pictures (N, 3, S, S) of striped discs of random place, size and colour on white."""
    random = np.random.default_rng(seed)
    centre = torch.from_numpy(random.normal(0.0, 0.1, (count, 2, 1, 1)))
    radius = torch.from_numpy(random.uniform(0.4, 0.6, (count, 1, 1)))
    colour = torch.from_numpy(random.uniform(-0.8, 0.6, (count, 3, 1, 1)))
    line = torch.linspace(-1, 1, size, dtype=torch.float64)
    y, x = torch.meshgrid(line, line, indexing="ij")
    inside = (x - centre[:, 0]).square() + (y - centre[:, 1]).square() < radius.square()
    stripes = 0.2 * torch.sign(torch.sin(60.0 * x + 40.0 * y))
    return torch.where(inside[:, None], colour + stripes, torch.ones(())).float()


def blurred(images: Tensor, times: int) -> Tensor:
    for _ in range(times):
        images = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    return images


def test_gaussians_with_a_known_distance() -> None:
    one = gaussian([0.0, 0.0], np.diag([1.0, 4.0]))
    # ‖μ₁ − μ₂‖² = 25; (1 − 3)² + (2 − 1)² where the axes agree
    other = gaussian([3.0, 4.0], np.diag([9.0, 1.0]))
    assert frechet_distance(one, other) == pytest.approx(25.0 + 4.0 + 1.0)
    assert frechet_distance(one, one) == pytest.approx(0.0, abs=1e-9)


def test_any_covariances_agree_with_the_matrix_square_root() -> None:
    random = np.random.default_rng(1)
    a, b = random.standard_normal((2, 6, 6))
    one, other = gaussian(random.standard_normal(6), a @ a.T), gaussian(np.zeros(6), b @ b.T)
    root = sqrtm(one.covariance @ other.covariance).real
    expected = np.square(one.mean).sum() + np.trace(one.covariance + other.covariance - 2 * root)
    assert frechet_distance(one, other) == pytest.approx(expected)
    assert frechet_distance(other, one) == pytest.approx(expected)


def test_singular_covariances_do_no_harm() -> None:
    flat = gaussian([0.0, 0.0], [[1.0, 1.0], [1.0, 1.0]])
    point = gaussian([0.0, 1.0], np.zeros((2, 2)))
    assert frechet_distance(flat, point) == pytest.approx(1.0 + 2.0)


def test_gaussians_that_are_not_finite_have_no_distance() -> None:
    whole, lost = gaussian([0.0], [[1.0]]), gaussian([np.nan], [[np.nan]])
    assert np.isnan(frechet_distance(whole, lost))
    assert np.isnan(frechet_distance(lost, whole))


def test_a_single_picture_has_no_distance() -> None:
    single = Gaussian.of(np.ones((1, 3)))
    assert np.isnan(frechet_distance(single, Gaussian.of(np.eye(3))))


def test_a_sample_has_the_gaussian_it_was_drawn_from() -> None:
    features = np.random.default_rng(0).normal(2.0, 3.0, (20_000, 1))
    found = Gaussian.of(features)
    assert found.mean == pytest.approx([2.0], abs=0.1)
    assert found.covariance == pytest.approx(np.array([[9.0]]), rel=0.05)


def distance(extractor: SeededFeatures, a: FloatArray, b: FloatArray, *, short: bool) -> float:
    if short:
        a, b = extractor.short(a), extractor.short(b)
    return frechet_distance(Gaussian.of(a), Gaussian.of(b))


@pytest.mark.parametrize("short", [False, True])
def test_worse_pictures_are_further_away(extractor: SeededFeatures, short: bool) -> None:
    true, others = discs(96, 1), discs(96, 2)
    noise = torch.randn(others.shape, generator=torch.Generator().manual_seed(0))
    reference = extractor(true)

    def apart(images: Tensor) -> float:
        return distance(extractor, reference, extractor(images), short=short)

    floor = apart(others)
    by_blur = [apart(blurred(others, times)) for times in (1, 3, 9)]
    by_noise = [apart(others + amplitude * noise) for amplitude in (0.05, 0.15, 0.5)]
    grey = apart(torch.where(discs(1, 3) < 1.0, 0.0, 1.0).expand(96, -1, -1, -1))
    assert distance(extractor, reference, reference, short=short) == pytest.approx(0.0, abs=1e-6)
    for series in (by_blur, by_noise):
        assert floor < series[0] < series[1] < series[2]
    assert 10.0 * floor < grey


def test_one_picture_over_and_over_is_far_from_many(extractor: SeededFeatures) -> None:
    true, others = extractor(discs(96, 1)), extractor(discs(96, 2))
    floor = distance(extractor, true, others, short=False)
    assert distance(extractor, true, others[np.arange(96) % 3], short=False) > 3.0 * floor


def test_upside_down_has_the_texture_but_not_the_layout(extractor: SeededFeatures) -> None:
    half = discs(64, 1)
    half[:, :, :24] = 1.0
    upright, turned = extractor(half), extractor(half.flip(-2))
    assert distance(extractor, upright, turned, short=False) > 5.0


@pytest.mark.parametrize("size", [32, 128, 1024])
def test_all_sizes_give_as_many_numbers(extractor: SeededFeatures, size: int) -> None:
    features = extractor(discs(2, 0, size))
    assert features.shape == (2, LENGTH)
    assert extractor.short(features).shape == (2, SHORT)
    assert np.isfinite(features).all()


def test_the_version_of_the_extractor_stands_for_its_numbers(extractor: SeededFeatures) -> None:
    """Change FEATURES with them: figures of different numbers must not be compared."""
    line = torch.linspace(-1.0, 1.0, 64)
    image = torch.stack([line.expand(64, 64), line[:, None].expand(64, 64), torch.zeros(64, 64)])
    image = image * torch.sin(20.0 * line) * torch.cos(13.0 * line)[:, None]
    features = extractor(image[None])[0]
    picked = features[[0, 60, 150, 193, 230, 287, 300, 350, 400, 479]]
    assert FEATURES == "seeded-features-1"
    assert picked == pytest.approx(EXPECTED, rel=2e-4, abs=2e-6)
    short = extractor.short(features[None])[0, [0, 20, 47]]
    assert short == pytest.approx(EXPECTED_SHORT, rel=2e-4, abs=2e-5)


EXPECTED = [
    -0.0480697,
    -0.00875286,
    0.0,
    0.85222,
    0.402873,
    0.310443,
    0.368712,
    0.692757,
    0.750988,
    0.311715,
]
EXPECTED_SHORT = [-1.79557, -1.49417, 1.39476]
