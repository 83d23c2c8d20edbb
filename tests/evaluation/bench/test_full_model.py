"""The fit of the bench's full-size model, on small networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stylesdf_core.engine.engine import Engine
from stylesdf_core.evaluation.bench.full_model import (
    SIGMOID_BETA,
    FitRecipe,
    bench_model,
    fit_field,
    head_color,
    head_distance,
)
from stylesdf_core.model.model import Model
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.progress import drain
from stylesdf_core.scene.scene import Scene

SMALL = FitRecipe(width=64, depth=2, steps=120, points=512, learning_rate=5e-4)


def points() -> torch.Tensor:
    return (2.0 * torch.rand(4000, 3, generator=torch.Generator().manual_seed(1)) - 1.0) * 0.12


def error(generator: Generator) -> float:
    """Mean absolute error of the distance near the surface, world units."""
    x = points()
    truth = head_distance(x)
    w = generator.mapping(torch.zeros(1, 256))
    found = generator.field.scalar(x[None], w)[0]
    return float((found - truth).abs()[truth.abs() < 0.02].mean())


def test_the_shape_is_a_distance_with_a_neck_through_the_floor() -> None:
    x = points().requires_grad_(True)
    distance = head_distance(x)
    (gradient,) = torch.autograd.grad(distance.sum(), x)
    norms = gradient.norm(dim=-1)
    assert norms.max() < 1.0 + 0.0008 * 250.0 * 1.01
    assert 0.8 < norms.mean() < 1.1
    probes = torch.tensor([[0.0, 0.0, 0.0], [0.0, -0.12, 0.0], [0.0, 0.11, 0.0], [0.1, 0.0, 0.1]])
    assert (head_distance(probes)[:, 0] < 0.0).tolist() == [True, True, False, False]
    colors = head_color(x)
    assert colors.min() > 0.0
    assert colors.max() < 1.0


def test_the_fit_halves_the_error() -> None:
    before = error(drain(fit_field(replace(SMALL, steps=0))))
    fitted = drain(fit_field(SMALL))
    assert error(fitted) < 0.5 * before
    assert float(fitted.field.sigmoid_beta) == pytest.approx(SIGMOID_BETA)


def made(recipe: FitRecipe, size: int) -> tuple[Model, int]:
    """The model, and how many steps of a fit it took."""
    operation, steps = bench_model(size, recipe), 0
    while True:
        try:
            next(operation)
        except StopIteration as stop:
            return stop.value, steps
        steps += 1


def test_the_model_is_fitted_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLESDF_CACHE", str(tmp_path))
    recipe = replace(SMALL, steps=5)
    model, steps = made(recipe, 128)
    assert steps == 5
    assert [path.name for path in tmp_path.iterdir()] == [recipe.file_name]
    again, steps = made(recipe, 128)
    assert steps == 0
    expected = model.generator.state_dict()
    for key, value in again.generator.state_dict().items():
        torch.testing.assert_close(value, expected[key], msg=key)
    other, steps = made(recipe, 256)  # another decoder, the same field
    assert steps == 0
    assert other.generator.config.output_size == 256
    (tmp_path / recipe.file_name).write_bytes(b"half a file")
    assert made(recipe, 128)[1] == 5
    assert made(replace(recipe, seed=1), 128)[1] == 5


def test_decoded_pictures_fill_their_range(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLESDF_CACHE", str(tmp_path))
    model, _ = made(replace(SMALL, steps=5), 128)
    image = Engine(model, "cpu").render(Scene(), "image").data
    assert 0.1 < np.std(image) < 1.0
