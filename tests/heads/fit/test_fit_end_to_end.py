"""The phase in which everything learns: it moves all of it, sees windows, and holds the surface."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stylesdf_core.errors import InputError
from stylesdf_core.heads.fit.bank import HeadBank
from stylesdf_core.heads.fit.config import EndToEndConfig, FitConfig
from stylesdf_core.heads.fit.decoder_phases import EndToEndPhase, WindowDiscriminator
from stylesdf_core.heads.fit.initial import initial_generator
from stylesdf_core.heads.fit.windows import Crop, cut, draw_windows, rays_at
from stylesdf_core.rendering.rays import make_rays
from stylesdf_core.training.phase import Models


def phase_of(config: FitConfig, **changes: float) -> EndToEndPhase:
    settings = replace(config.end_to_end, steps=60, heads=4, crop=8, **changes)
    generator = initial_generator(config.generator, 0)
    with torch.no_grad():
        generator.field.sigmoid_beta.fill_(0.002)
    config = replace(config, end_to_end=settings, decoder=replace(config.decoder, steps=0))
    return EndToEndPhase(Models.of(generator), HeadBank(Path(config.data)), config)


def test_everything_learns_from_the_images_and_the_points(tiny: FitConfig) -> None:
    phase = phase_of(tiny, learning_rate=1e-3, decoder_rate=1e-2, sharpness=0.0)
    before = {k: v.clone() for k, v in phase.models.live.named_parameters()}
    losses = [phase.step(index) for index in range(60)]
    for name in ("image", "detail", "color"):
        first, last = (sum(float(x[name]) for x in part) for part in (losses[:5], losses[-5:]))
        assert last < 0.97 * first, name
    moved = {k for k, v in phase.models.live.named_parameters() if not torch.equal(v, before[k])}
    still = set(before) - moved
    assert all(name.endswith("noise_strength") for name in still), still
    assert {"adversarial", "image_d_logistic", "beta"} <= set(losses[0])


def test_without_an_adversarial_loss_there_is_no_discriminator_step(tiny: FitConfig) -> None:
    phase = phase_of(tiny, adversarial=0.0)
    losses = phase.step(0)
    assert not {"adversarial", "image_d_logistic"} & set(losses)
    assert phase.discriminator is None
    assert "discriminator" not in {**phase.networks, **phase.optimizers}


def test_the_surface_is_held_where_the_density_phase_has_put_it(tiny: FitConfig) -> None:
    """A field shifted inwards: its points' distances are as wrong as they were without."""
    plain, shifted = phase_of(tiny), phase_of(tiny)
    for model in (shifted.models.live, shifted.models.ema):
        with torch.no_grad():
            model.field.scalar_head.bias.add_(0.0016)
    first, second = plain.step(0), shifted.step(0)
    difference = float(shifted.supervision.surface.offset - plain.supervision.surface.offset)
    assert difference == pytest.approx(0.0016, abs=1e-6)
    assert float(second["distance"]) == pytest.approx(float(first["distance"]), rel=1e-3)
    assert "surface" in shifted.networks, "it is saved with the run"


def test_each_picture_gives_its_own_part() -> None:
    maps = torch.arange(2 * 3 * 8 * 8).view(2, 3, 8, 8).float()
    crops = [Crop(0, 1, 4, 4), Crop(3, 2, 4, 4)]
    parts = cut(maps, crops)
    assert torch.equal(parts[0], maps[0, :, 0:4, 1:5])
    assert torch.equal(parts[1], maps[1, :, 3:7, 2:6])
    assert torch.equal(cut(maps, [Crop(1, 1, 2, 2)] * 2, 2)[0], maps[0, :, 2:6, 2:6])
    rays = make_rays(torch.eye(4)[None, :3].repeat(2, 1, 1), 10.0, 8)
    some = rays_at(rays, lambda maps: cut(maps, crops))
    assert torch.equal(some.directions[1], rays.directions[1, 3:7, 2:6])


def test_a_window_as_large_as_the_map_shows_whole_images(tiny: FitConfig) -> None:
    phase = phase_of(tiny)
    views = phase.bank.held_out()
    whole = draw_windows(phase.random(0), views, 8, 8)
    assert torch.equal(whole.truth, views.images)
    with torch.no_grad():
        images, losses = phase.show(whole, phase.random(1))
    assert images.shape == views.images.shape
    assert {"render", "coverage", "distance"} <= set(losses)


def test_the_verdict_leaves_the_discriminator_alone(tiny: FitConfig) -> None:
    discriminator = WindowDiscriminator(tiny, tiny.end_to_end, torch.device("cpu"))  # of 8² windows
    images = torch.randn(4, 3, 8, 8, requires_grad=True)
    discriminator.generator_term(images).backward()
    assert images.grad is not None
    assert all(p.grad is None for p in discriminator.network.parameters())
    real, fake = torch.full((4, 3, 8, 8), 0.5), torch.full((4, 3, 8, 8), -0.5)
    seen = [discriminator.train(fake, real, index) for index in range(20)]
    assert float(seen[-1]["image_score_real"]) > float(seen[-1]["image_score_fake"])
    assert float(seen[-1]["image_d_logistic"]) < float(seen[0]["image_d_logistic"])


@pytest.mark.parametrize("crop", [6, 2])
def test_impossible_crops_are_refused(tiny: FitConfig, crop: int) -> None:
    with pytest.raises(InputError, match=r"end_to_end\.crop"):
        replace(tiny, end_to_end=EndToEndConfig(steps=1, crop=crop))
