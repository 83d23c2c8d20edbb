"""The render phase: where its rays go, and what it holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from stylesdf_core.errors import InputError
from stylesdf_core.heads.fit.bank import HeadBank, ViewBatch
from stylesdf_core.heads.fit.config import FitConfig, RenderConfig
from stylesdf_core.heads.fit.decoder_phases import EndToEndPhase
from stylesdf_core.heads.fit.field import FastField, render_surface
from stylesdf_core.heads.fit.field_phases import RenderPhase, chosen_pixels
from stylesdf_core.heads.fit.initial import initial_generator
from stylesdf_core.heads.fit.supervision import Readouts
from stylesdf_core.model.networks.film_siren import FieldOutput
from stylesdf_core.rendering.camera import focal_length
from stylesdf_core.rendering.rays import cam2world, make_rays
from stylesdf_core.training.phase import Models

SIZE = 32


def views_of_a_checkered_disk() -> ViewBatch:
    """Two heads that are a disk each, plain on the left and checkered on the right."""
    y, x = torch.meshgrid(*2 * [torch.linspace(-1.0, 1.0, 128)], indexing="ij")
    disk = (x.square() + y.square() < 0.5).float()
    checks = (torch.arange(128) // 2 % 2)[None] ^ (torch.arange(128) // 2 % 2)[:, None]
    image = disk * torch.where(x > 0.0, checks.float(), 0.5)
    covered = torch.nn.functional.adaptive_avg_pool2d(disk[None], 64)
    zeros = torch.zeros(2)
    images = image.expand(2, 3, 128, 128)
    covered = covered.expand(2, 1, 64, 64)
    return ViewBatch(
        zeros, torch.zeros(2, 256), zeros, zeros, images, covered, torch.zeros_like(covered)
    )


def test_rays_of_interest_go_where_there_is_detail() -> None:
    views, random = views_of_a_checkered_disk(), torch.Generator().manual_seed(0)
    settings = RenderConfig(heads=2, rays=200, interest=1.0)
    pixels = chosen_pixels(views, settings, SIZE, random)
    assert pixels.shape == (2, 200)
    assert all(len(row.unique()) == 200 for row in pixels), "no ray twice"
    right = (pixels % SIZE >= SIZE // 2).float().mean()
    assert right > 0.65
    covered = torch.gather(views.coverage(SIZE).flatten(1), 1, pixels)
    assert covered.mean() > 0.8


def test_the_other_rays_go_anywhere() -> None:
    views = views_of_a_checkered_disk()
    random = torch.Generator().manual_seed(0)
    halves = chosen_pixels(views, RenderConfig(heads=2, rays=100, interest=0.5), SIZE, random)
    anywhere = torch.randint(SIZE**2, (2, 50), generator=torch.Generator().manual_seed(0))
    assert torch.equal(halves[:, :50], anywhere)
    none = RenderConfig(heads=2, rays=50, interest=0.0)
    plain = chosen_pixels(views, none, SIZE, random.manual_seed(0))
    assert torch.equal(plain, anywhere), "without interest all rays are drawn anywhere"


def test_impossible_shares_are_refused() -> None:
    with pytest.raises(InputError, match=r"render.interest must lie between 0 and 1, not 1.5"):
        FitConfig(render=RenderConfig(interest=1.5))


def test_a_view_has_no_more_rays_than_pixels(tiny: FitConfig) -> None:
    wide = replace(tiny.render, rays=100)
    with pytest.raises(InputError, match=r"render.rays must lie between 1 and 64, not 100"):
        replace(tiny, render=wide)
    direct = replace(tiny.generator, decoder="direct")
    assert replace(tiny, generator=direct, render=wide).render.rays == 100  # of 16² pixels


def test_a_surface_that_was_moved_stays_there(tiny: FitConfig) -> None:
    """A field shifted inwards: its points' distances are as wrong as they were without."""
    losses, levels = [], []
    for moved in (0.0, 0.0016):
        generator = initial_generator(tiny.generator, 0)
        with torch.no_grad():
            generator.field.scalar_head.bias.add_(moved)
            generator.field.sigmoid_beta.fill_(0.002)
        config = replace(tiny, render=replace(tiny.render, interest=0.5))
        phase = RenderPhase(Models.of(generator), HeadBank(Path(tiny.data)), config)
        losses.append(phase.step(0)["distance"])
        levels.append([g.surface_scalar for g in (phase.models.live, phase.models.ema)])
        assert levels[-1] == [float(phase.supervision.surface.offset)] * 2
    assert levels[1][0] - levels[0][0] == pytest.approx(0.0016, abs=1e-6)
    torch.testing.assert_close(losses[0], losses[1], atol=1e-5, rtol=1e-4)


def test_hidden_layers_go_on_being_taught(tiny: FitConfig) -> None:
    """Readouts are found at the first step, and learn on with the field."""
    generator = initial_generator(tiny.generator, 0)
    phase = RenderPhase(Models.of(generator), HeadBank(Path(tiny.data)), tiny)
    readouts = phase.supervision.readouts
    assert readouts is not None
    assert not readouts.ready
    losses = phase.step(0)
    assert set(Readouts.NAMES) <= set(losses)
    assert readouts.ready
    before = readouts.rest.weight.clone()
    phase.step(1)
    assert not torch.equal(readouts.rest.weight, before)


def test_a_surface_is_measured_only_where_there_is_one(tiny: FitConfig) -> None:
    """Renders that begin with an untrained field hold their points to the truth."""
    bank, generator = (
        HeadBank(Path(tiny.data)),
        initial_generator(tiny.generator, 0),
    )
    for steps, measured in ((0, False), (2, True)):
        config = replace(tiny, points=replace(tiny.points, steps=steps))
        for kind in (RenderPhase, EndToEndPhase):
            if kind is EndToEndPhase:
                config = replace(config, render=replace(config.render, steps=0))
            phase = kind(Models.of(generator), bank, config)
            phase.step(0)
            assert (float(phase.supervision.surface.offset) != 0.0) == measured


class Ball(FastField):
    """A ball of radius 0.06 whose colours are its points."""

    def __init__(self) -> None:
        """No network."""

    def scalar(self, points: Tensor, w: Tensor) -> Tensor:
        return points.norm(dim=-1, keepdim=True) - 0.06

    def __call__(self, points: Tensor, viewdirs: Tensor, w: Tensor) -> FieldOutput:
        return FieldOutput(self.scalar(points, w), points, points)


@pytest.mark.parametrize("level", [0.0, 0.004])
def test_the_surface_s_colours_are_those_where_rays_meet_it(level: float, tiny: FitConfig) -> None:
    generator, radius = initial_generator(tiny.generator, 0), 0.06 + level
    generator.surface_level.fill_(level)
    camera = cam2world(torch.tensor([0.3, -0.2]), torch.tensor([0.1, 0.0]))
    rays = make_rays(camera, focal_length(6.0, 16), 16)
    surface = render_surface(Ball(), generator, torch.zeros(2, 256), rays)
    hits = surface.meets[:, 0] == 1.0
    nearest = torch.linalg.cross(rays.origins, rays.directions).norm(dim=-1)
    nearest = nearest / rays.directions.norm(dim=-1)
    assert torch.equal(hits, nearest < radius)
    places = torch.logit(0.5 + 0.5 * surface.rgb.movedim(1, -1)[hits])
    # A ray that grazes the ball crosses it between two samples.
    sure = nearest[hits] < radius - 0.005
    found = places[sure]
    torch.testing.assert_close(
        found.norm(dim=-1), torch.full_like(found[:, 0], radius), atol=2e-4, rtol=0.0
    )
    assert ((found - rays.origins[hits][sure]).norm(dim=-1) < 1.0).all(), "the side that is seen"


def test_a_model_whose_image_is_the_direct_view_learns_from_pixels_of_the_image(
    tiny: FitConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        ViewBatch, "coverage", lambda self, size: torch.ones(len(self.z), 1, size, size)
    )
    config = replace(tiny, generator=replace(tiny.generator, decoder="direct"))
    assert config.phase_steps()["decoder"] == config.phase_steps()["refine"] == 0
    generator = initial_generator(config.generator, 0)
    torch.nn.init.zeros_(generator.field.scalar_head.bias)  # a surface somewhere
    models = Models.of(generator)
    phase = RenderPhase(models, HeadBank(Path(config.data), held_out=2), config)
    drawn = chosen_pixels(phase.bank.views(phase.random(0), 2), config.render, 16, phase.random(0))
    assert int(drawn.max()) >= 8 * 8, "pixels of the image, not of the volume render"
    before = models.live.field.rgb_head.weight.clone()
    record = phase.step(0)
    assert "coverage" not in record
    assert float(record["render"]) > 0.0
    assert not torch.equal(models.live.field.rgb_head.weight, before)
    figures = phase.evaluate(tmp_path / "00000001.png")
    assert {"psnr", "psnr_thumb", "iou"} <= set(figures)
    assert (tmp_path / "00000001-direct.png").exists()
