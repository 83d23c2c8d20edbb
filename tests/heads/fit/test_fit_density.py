"""Between renders and decoder: β and the distances' offset are found, whatever they were."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stylesdf_core.heads.fit.bank import HeadBank, ViewBatch
from stylesdf_core.heads.fit.config import FitConfig
from stylesdf_core.heads.fit.field_phases import DensityPhase, search_density
from stylesdf_core.heads.fit.initial import initial_generator
from stylesdf_core.heads.fit.measures import render_views
from stylesdf_core.training.phase import Models


def test_density_search_finds_what_makes_a_render_right(tiny: FitConfig) -> None:
    """Truth rendered with the grid's β and offset; the search gives them back."""
    generator = initial_generator(tiny.generator, 0).requires_grad_(False)
    generator.field.scalar_head.weight.mul_(3.0)
    generator.field.scalar_head.bias.zero_()
    azimuth, elevation = torch.tensor([0.1, -0.4]), torch.tensor([0.0, 0.2])
    views = ViewBatch(
        rows=torch.arange(2),
        z=torch.randn(2, 256, generator=torch.Generator().manual_seed(3)),
        azimuth=azimuth,
        elevation=elevation,
        images=torch.zeros(2, 3, 8, 8),
        covered=torch.zeros(2, 1, 64, 64),
        eyes=torch.zeros(2, 1, 64, 64),
    )
    generator.field.sigmoid_beta.fill_(6e-4)
    generator.field.scalar_head.bias.add_(8e-4)
    truth = render_views(generator, views).rgb
    generator.field.scalar_head.bias.sub_(8e-4)
    best = search_density(generator, replace(views, images=truth))
    assert (best["beta"], best["offset"]) == (6e-4, 8e-4)
    assert best["psnr_thumb"] > 60.0


def test_density_starts_from_the_true_surface(
    tiny: FitConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a field had been moved by: fits from fits would sink further each time."""
    monkeypatch.setattr("stylesdf_core.heads.fit.field_phases.OFFSETS", (0.0008,))
    bank, ends = HeadBank(Path(tiny.data)), []
    for moved in (0.0, 1.6e-3):
        generator = initial_generator(tiny.generator, 0)
        with torch.no_grad():
            generator.field.scalar_head.bias.add_(moved)
        models = Models.of(generator)
        DensityPhase(models, bank, tiny).step(0)
        ends.append(float(models.ema.field.scalar_head.bias))
        assert float(models.live.field.scalar_head.bias) == ends[-1]
        levels = [generator.surface_scalar for generator in (models.live, models.ema)]
        assert levels == pytest.approx([0.0008] * 2), "meshes have the surface at the offset"
    assert ends[0] == pytest.approx(ends[1], abs=1e-6)
