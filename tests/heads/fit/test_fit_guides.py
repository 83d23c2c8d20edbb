"""Guides of the points phase: hidden layers learn what a shader knows, and the field with them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from stylesdf_core.errors import InputError
from stylesdf_core.heads.appearance import appearance, iris_tint
from stylesdf_core.heads.fit.config import FitConfig
from stylesdf_core.heads.fit.data import EYE_RADIUS, IRIS_RADIUS, USED_LATENTS, HeadBank
from stylesdf_core.heads.fit.fast_field import FastField
from stylesdf_core.heads.fit.guides import Guides
from stylesdf_core.heads.fit.init import initial_generator
from stylesdf_core.heads.fit.points import PointsPhase
from stylesdf_core.heads.fit.supervision import ATTENTION, point_losses, shown
from stylesdf_core.heads.latent import attribute_values
from stylesdf_core.model.networks.film_siren import SirenField
from stylesdf_core.training.loop import Models
from tests.heads.fit.spheres import HEADS, REST_RADIUS, write_spheres


def phase_of(config: FitConfig, **changes: float) -> PointsPhase:
    settings = replace(config.points, heads=4, near=32, learning_rate=2e-3, **changes)
    generator = initial_generator(config.generator(256), USED_LATENTS, 0)
    config = replace(config, points=settings)
    return PointsPhase(Models.of(generator), HeadBank(Path(config.data)), config)


def without(folder: Path, names: Collection[str], *, shard: int = 0) -> None:
    """Write the folder's first surfaces again as ``shard``, as if nobody had known ``names``."""
    with np.load(folder / "surface" / "shard-00000.npz") as file:
        arrays = {key: file[key] for key in file.files if key not in names}
    np.savez(folder / "surface" / f"shard-{shard:05d}.npz", **arrays)


def told_by(phase: PointsPhase) -> dict[str, float]:
    """What the best readouts of the field's layers leave unknown, by term."""
    generator, guides = phase.models.live, Guides(phase.config.width, phase.config.depth)
    batch = phase.bank.points(torch.Generator().manual_seed(5), 64, 60, 1)
    assert batch.guidance is not None
    guides.find(generator, batch)
    fast = FastField(generator.field, torch.float32, compiled=False)
    with torch.no_grad():
        w = generator.mapping(batch.z)
        output, hidden = fast.with_hidden(batch.near, ahead(batch.near), w, guides.layers)
        losses = guides.losses((*hidden, output.features), batch.guidance)
    return {name: float(loss) for name, loss in losses.items()}


def ahead(points: Tensor) -> Tensor:
    return torch.tensor([0.0, 0.0, -1.0]).expand_as(points)


def test_guided_layers_tell_more(tiny: FitConfig) -> None:
    """What guides ask for can be read from them better than from a field without guides."""
    config = replace(tiny, width=32)
    guided, alone = (phase_of(config, steps=200, guide=guide) for guide in (1.0, 0.0))
    for index in range(200):
        guided.step(index)
        alone.step(index)
    seen, unseen = told_by(guided), told_by(alone)
    for name in Guides.NAMES:
        assert seen[name] < 0.8 * unseen[name], name


def test_readouts_begin_as_what_layers_tell(tiny: FitConfig) -> None:
    """Least squares is no worse than any other readout, and better than the mean."""
    generator = initial_generator(tiny.generator(256), USED_LATENTS, 0).requires_grad_(False)
    batch = HeadBank(Path(tiny.data)).points(torch.Generator().manual_seed(0), 16, 60, 1)
    truth = batch.guidance
    assert truth is not None
    guides = Guides(tiny.width, tiny.depth)
    assert not guides.ready
    guides.find(generator, batch)
    assert guides.ready
    fast = FastField(generator.field, torch.float32, compiled=False)
    w = generator.mapping(batch.z)
    output, hidden = fast.with_hidden(batch.near, ahead(batch.near), w, guides.layers)
    right = guides.parts(output.features)[..., 3:6]
    left_light, right_light, iris = guides.parts(output.features)[..., 9:].split(3, dim=-1)
    left_eye, right_eye, _ = truth.parts.split(1, dim=-1)
    beside = truth.places - truth.catchlight
    for told, true, mask in (
        (guides.rest(hidden[0]), truth.rest, torch.ones_like(truth.hair)),
        (guides.strands(hidden[1]), truth.strands, truth.hair),
        (right, truth.places, right_eye),
        (left_light, beside, left_eye),
        (right_light, beside, right_eye),
        (iris, truth.iris.expand_as(beside), left_eye + right_eye),
    ):
        chosen = true[mask[..., 0] > 0.0]
        error, mean = told[mask[..., 0] > 0.0] - chosen, chosen.mean(dim=0)
        # Least squares leaves nothing that the readout could still take away.
        torch.testing.assert_close(error.mean(dim=0), torch.zeros_like(mean), atol=5e-3, rtol=0)
        assert error.square().mean() < 0.95 * (chosen - mean).square().mean()


def test_guides_reach_the_field(tiny: FitConfig) -> None:
    """Their terms alone have gradients in every layer up to the features."""
    phase = phase_of(replace(tiny, depth=4), steps=1)
    phase.supervision.losses(torch.Generator().manual_seed(0), 4, 32, 8)  # finds the readouts
    batch = phase.bank.points(torch.Generator().manual_seed(1), 4, 32, 8)
    guides, live = phase.supervision.guides, phase.models.live
    assert guides is not None
    random = torch.Generator().manual_seed(2)
    terms = point_losses(phase.field, live, batch, random, 0.0, guides)
    for name, last in (("rest", 2), ("strands", 3), ("parts", 4)):
        live.zero_grad()
        terms[name].backward(retain_graph=True)
        layers = [*live.field.trunk, live.field.view_layer]
        reached = [layer.linear.weight.grad is not None for layer in layers]
        assert reached == [index <= last for index in range(5)], name
    assert live.field.scalar_head.weight.grad is None
    assert phase_of(tiny, steps=1, guide=0.0).supervision.guides is None


def test_hidden_layers_are_those_of_the_field() -> None:
    torch.manual_seed(0)
    field = SirenField(8, 16, 3)
    points, w = torch.randn(2, 30, 3) * 0.05, torch.randn(2, 8)
    viewdirs = torch.nn.functional.normalize(torch.randn(2, 30, 3), dim=-1)
    fast = FastField(field, torch.float32, compiled=False)
    with torch.no_grad():
        plain = fast(points, viewdirs, w)
        for layers in ((0, 2), (1,), ()):
            output, hidden = fast.with_hidden(points, viewdirs, w, layers)
            assert torch.equal(output.rgb, plain.rgb)
            assert len(hidden) == len(layers)
        last = fast.with_hidden(points, viewdirs, w, (0, 2))[1][-1]
        torch.testing.assert_close(last, field.trunk_features(points, w), atol=2e-5, rtol=1e-4)


def test_a_shallow_field_has_both_readouts_at_its_last_layer(tiny: FitConfig) -> None:
    assert Guides(16, 6).layers == (2, 5)
    phase = phase_of(replace(tiny, depth=1), steps=2)
    assert phase.supervision.guides is not None
    assert phase.supervision.guides.layers == (0, 0)
    assert float(phase.step(0)["rest"]) > 0.0


def test_truth_is_in_units_of_a_head(spheres: Path) -> None:
    batch = HeadBank(spheres).points(torch.Generator().manual_seed(0), 3, 20, 5)
    assert batch.guidance is not None
    length = batch.guidance.rest.norm(dim=-1)
    torch.testing.assert_close(length, torch.full_like(length, REST_RADIUS / 10), atol=2e-3, rtol=0)
    assert batch.guidance.strands.abs().max() <= 1.0
    hair, parts = batch.guidance.hair[..., 0], batch.guidance.parts
    x, y, z = batch.near_normal.unbind(dim=-1)
    assert torch.equal(hair, (y > 0.5).float())
    eyes = (y <= 0.5) & (z > 0.6)
    assert torch.equal(parts[..., 0] > 0.0, eyes & (x > 0.0))
    assert torch.equal(parts[..., 1] > 0.0, eyes & (x <= 0.0))
    mouth = torch.tensor([0.0, -3.4, 10.8]) / REST_RADIUS
    near = (batch.near_normal - mouth).norm(dim=-1) < 3.0 / REST_RADIUS
    assert 0.0 < near.float().mean() < 0.2
    assert (parts[..., 2] == near).float().mean() > 0.97, "but for rounding"
    for z, catchlight, iris in zip(
        batch.z, batch.guidance.catchlight, batch.guidance.iris, strict=True
    ):
        look = appearance(attribute_values(z.numpy())).uniforms
        np.testing.assert_allclose(iris[0], iris_tint(look), atol=1e-6)
        glint = np.array(look["glint"])
        glint *= EYE_RADIUS / IRIS_RADIUS / np.linalg.norm(glint)
        np.testing.assert_allclose(catchlight[0], glint, atol=1e-5)
    places = batch.guidance.places
    torch.testing.assert_close(places[..., 0], x * REST_RADIUS / 0.68, atol=0.15, rtol=0)


def test_heads_of_an_earlier_version_are_refused_or_used_without(
    tiny: FitConfig, tmp_path: Path
) -> None:
    write_spheres(tmp_path / "old")
    without(tmp_path / "old", ("rest", "strands"))
    config = replace(tiny, data=str(tmp_path / "old"))
    with pytest.raises(InputError, match=r"earlier version.*choose another folder"):
        phase_of(config)
    assert "rest" not in phase_of(config, guide=0.0).step(0)


def test_a_folder_that_an_earlier_version_began_goes_on(tmp_path: Path) -> None:
    write_spheres(tmp_path)
    without(tmp_path, (), shard=1)
    without(tmp_path, ("rest", "strands"))
    bank = HeadBank(tmp_path)
    assert not bank.guided
    rows = bank.points(torch.Generator().manual_seed(0), 64, 1, 1).z
    assert len(rows.unique(dim=0)) > HEADS - 16, "heads of both files"


def test_a_file_that_lacks_what_others_have_is_named(tmp_path: Path) -> None:
    write_spheres(tmp_path)
    without(tmp_path, ("strands",), shard=1)
    with pytest.raises(InputError, match=r"shard-00001.npz lacks strands.*made again"):
        HeadBank(tmp_path).points(torch.Generator().manual_seed(0), 2, 2, 2)


def test_weights_to_go_on_from_keep_beta_and_surface(tiny: FitConfig) -> None:
    """A field whose surface was moved inwards is measured there, and held there."""
    phases = []
    for moved in (0.0, 0.0016):
        generator = initial_generator(tiny.generator(256), USED_LATENTS, 0)
        with torch.no_grad():
            generator.field.scalar_head.bias.add_(moved)
            generator.field.sigmoid_beta.fill_(7e-4)
        config = replace(tiny, init="somewhere")
        phases.append(PointsPhase(Models.of(generator), HeadBank(Path(tiny.data)), config))
    plain, shifted = (phase.step(0) for phase in phases)
    offsets = [float(phase.supervision.surface.offset) for phase in phases]
    assert offsets[1] - offsets[0] == pytest.approx(0.0016, abs=1e-6)
    torch.testing.assert_close(plain["distance"], shifted["distance"], atol=1e-5, rtol=1e-4)
    for phase in phases:
        assert float(phase.models.live.field.sigmoid_beta) == pytest.approx(7e-4)


def test_colors_count_more_where_people_look(tiny: FitConfig) -> None:
    phase = phase_of(tiny, steps=1)
    batch = phase.bank.points(torch.Generator().manual_seed(0), 3, 20, 5)
    assert batch.guidance is not None
    guidance = batch.guidance

    def color(part: int | None) -> float:
        parts = torch.zeros_like(guidance.parts)
        if part is not None:
            parts[..., part] = 1.0
        seen = replace(batch, guidance=replace(guidance, parts=parts))
        guides, random = phase.supervision.guides, torch.Generator().manual_seed(1)
        terms = point_losses(phase.field, phase.models.live, seen, random, 0.0, guides)
        return float(terms["color"].detach())

    plain = color(None)
    for part, attention in enumerate(ATTENTION):
        assert color(part) == pytest.approx((1.0 + attention) * plain, rel=1e-5)


def test_only_what_rays_show_is_learned_of_colours_and_parts(tiny: FitConfig) -> None:
    """Up to a sample's spacing behind the surface, which is 0.24 / 12, and next to it before."""
    phase = phase_of(tiny, steps=1)
    batch = phase.bank.points(torch.Generator().manual_seed(0), 1, 4, 5)
    distances = torch.tensor([0.002, 0.001, -0.02, -0.022])[None, :, None]
    batch = replace(batch, near_distance=distances)
    assert shown(batch, 12).flatten().tolist() == [0.0, 1.0, 1.0, 0.0]
    assert shown(batch, 48).flatten().tolist() == [0.0, 1.0, 0.0, 0.0]
    gray = torch.full_like(batch.near_color, 0.5)
    terms = []
    for wrong in (0, 1):
        colors = gray.clone()
        colors[:, wrong] = 0.9
        seen, random = replace(batch, near_color=colors), torch.Generator().manual_seed(1)
        guides = phase.supervision.guides
        losses = point_losses(phase.field, phase.models.live, seen, random, 0.0, guides)
        terms.append(losses["color"].detach())
    seen, random = replace(batch, near_color=gray), torch.Generator().manual_seed(1)
    losses = point_losses(phase.field, phase.models.live, seen, random, 0.0, guides)
    assert torch.equal(terms[0], losses["color"].detach())
    assert not torch.equal(terms[1], losses["color"].detach())
    drawn = phase.supervision._points(torch.Generator().manual_seed(0), 8, 60, 5)
    assert drawn.guidance is not None
    asked = drawn.guidance.parts.sum(dim=-1, keepdim=True) > 0.0
    assert asked.any()
    assert not (asked & (shown(drawn, 12) == 0.0)).any()
