"""Losses on points: distances, colours, and hidden layers that learn what a shader computes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from stylesdf_core.errors import InputError
from stylesdf_core.heads.fit.bank import EYE_RADIUS, IRIS_RADIUS, HeadBank
from stylesdf_core.heads.fit.config import FitConfig
from stylesdf_core.heads.fit.field import FastField
from stylesdf_core.heads.fit.field_phases import PointsPhase
from stylesdf_core.heads.fit.initial import initial_generator
from stylesdf_core.heads.fit.supervision import ATTENTION, Readouts, visible
from stylesdf_core.heads.person.appearance import appearance, iris_tint
from stylesdf_core.heads.person.latent import attribute_values
from stylesdf_core.model.networks.film_siren import SirenField
from stylesdf_core.training.phase import Models
from tests.heads.fit.spheres import REST_RADIUS, write_spheres


def phase_of(config: FitConfig, **changes: float) -> PointsPhase:
    settings = replace(config.points, heads=4, near=32, learning_rate=2e-3, **changes)
    generator = initial_generator(config.generator, 0)
    config = replace(config, points=settings)
    return PointsPhase(Models.of(generator), HeadBank(Path(config.data)), config)


def with_generator(config: FitConfig, **changes: int) -> FitConfig:
    return replace(config, generator=replace(config.generator, **changes))


def without(folder: Path, names: Collection[str], *, shard: int = 0) -> None:
    """Write the folder's first surfaces again as ``shard``, as if nobody had known ``names``."""
    with np.load(folder / "surface" / "shard-00000.npz") as file:
        arrays = {key: file[key] for key in file.files if key not in names}
    np.savez(folder / "surface" / f"shard-{shard:05d}.npz", **arrays)


def unexplained_by(phase: PointsPhase) -> dict[str, float]:
    """Errors of the best readouts of the field's layers, by loss."""
    generator, readouts = (
        phase.models.live,
        Readouts(phase.config.generator.width, phase.config.generator.depth),
    )
    batch = phase.bank.points(torch.Generator().manual_seed(5), 64, 60, 1)
    readouts.find(generator, batch)
    fast = FastField(generator.field)
    with torch.no_grad():
        w = generator.mapping(batch.z)
        output, hidden = fast.with_hidden(batch.near, ahead(batch.near), w, readouts.layers)
        losses = readouts.losses((*hidden, output.features), batch.shader)
    return {name: float(loss) for name, loss in losses.items()}


def ahead(points: Tensor) -> Tensor:
    return torch.tensor([0.0, 0.0, -1.0]).expand_as(points)


def test_taught_layers_can_be_read_out_better(tiny: FitConfig) -> None:
    """Than the layers of a field that is taught without deep supervision."""
    config = with_generator(tiny, width=32)
    taught, untaught = (
        phase_of(config, steps=200, deep_supervision=weight) for weight in (1.0, 0.0)
    )
    for index in range(200):
        taught.step(index)
        untaught.step(index)
    seen, unseen = unexplained_by(taught), unexplained_by(untaught)
    for name in ("rest", "parts"):  # the phases of the hair's waves take more than 200 steps
        assert seen[name] < 0.8 * unseen[name], name


def test_readouts_begin_as_what_layers_tell(tiny: FitConfig) -> None:
    """Least squares is no worse than any other readout, and better than the mean."""
    generator = initial_generator(tiny.generator, 0).requires_grad_(False)
    batch = HeadBank(Path(tiny.data)).points(torch.Generator().manual_seed(0), 16, 60, 1)
    truth = batch.shader
    readouts = Readouts(tiny.generator.width, tiny.generator.depth)
    assert not readouts.ready
    readouts.find(generator, batch)
    assert readouts.ready
    fast = FastField(generator.field)
    w = generator.mapping(batch.z)
    output, hidden = fast.with_hidden(batch.near, ahead(batch.near), w, readouts.layers)
    right = readouts.parts(output.features)[..., 3:6]
    left_light, right_light, iris = readouts.parts(output.features)[..., 9:].split(3, dim=-1)
    left_eye, right_eye, _ = truth.parts.split(1, dim=-1)
    beside = truth.places - truth.catchlight
    for told, true, mask in (
        (readouts.rest(hidden[0]), truth.rest, torch.ones_like(truth.hair)),
        (readouts.strands(hidden[1]), truth.strands, truth.hair),
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


def test_the_readouts_losses_reach_the_field(tiny: FitConfig) -> None:
    """Their terms alone have gradients in every layer up to the features."""
    phase = phase_of(with_generator(tiny, depth=4), steps=1)
    phase.supervision.losses(torch.Generator().manual_seed(0), 4, 32, 8)  # finds the readouts
    batch = phase.bank.points(torch.Generator().manual_seed(1), 4, 32, 8)
    readouts, live = phase.supervision.readouts, phase.models.live
    assert readouts is not None
    random = torch.Generator().manual_seed(2)
    terms = phase.supervision.losses_at(batch, random)
    for name, last in (("rest", 2), ("strands", 3), ("parts", 4)):
        live.zero_grad()
        terms[name].backward(retain_graph=True)
        layers = [*live.field.trunk, live.field.view_layer]
        reached = [layer.linear.weight.grad is not None for layer in layers]
        assert reached == [index <= last for index in range(5)], name
    assert live.field.scalar_head.weight.grad is None
    assert phase_of(tiny, steps=1, deep_supervision=0.0).supervision.readouts is None


def test_hidden_layers_are_those_of_the_field() -> None:
    torch.manual_seed(0)
    field = SirenField(8, 16, 3)
    points, w = torch.randn(2, 30, 3) * 0.05, torch.randn(2, 8)
    viewdirs = torch.nn.functional.normalize(torch.randn(2, 30, 3), dim=-1)
    fast = FastField(field)
    with torch.no_grad():
        plain = fast(points, viewdirs, w)
        for layers in ((0, 2), (1,), ()):
            output, hidden = fast.with_hidden(points, viewdirs, w, layers)
            assert torch.equal(output.rgb, plain.rgb)
            assert len(hidden) == len(layers)
        last = fast.with_hidden(points, viewdirs, w, (0, 2))[1][-1]
        torch.testing.assert_close(last, field.trunk_features(points, w), atol=2e-5, rtol=1e-4)


def test_a_shallow_field_has_both_readouts_at_its_last_layer(tiny: FitConfig) -> None:
    assert Readouts(16, 6).layers == (2, 5)
    phase = phase_of(with_generator(tiny, depth=1), steps=2)
    assert phase.supervision.readouts is not None
    assert phase.supervision.readouts.layers == (0, 0)
    assert float(phase.step(0)["rest"]) > 0.0


def test_truth_is_in_units_of_a_head(spheres: Path) -> None:
    batch = HeadBank(spheres).points(torch.Generator().manual_seed(0), 3, 20, 5)
    length = batch.shader.rest.norm(dim=-1)
    torch.testing.assert_close(length, torch.full_like(length, REST_RADIUS / 10), atol=2e-3, rtol=0)
    assert batch.shader.strands.abs().max() <= 1.0
    hair, parts = batch.shader.hair[..., 0], batch.shader.parts
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
        batch.z, batch.shader.catchlight, batch.shader.iris, strict=True
    ):
        look = appearance(attribute_values(z.numpy())).uniforms
        np.testing.assert_allclose(iris[0], iris_tint(look), atol=1e-6)
        glint = np.array(look["glint"])
        glint *= EYE_RADIUS / IRIS_RADIUS / np.linalg.norm(glint)
        np.testing.assert_allclose(catchlight[0], glint, atol=1e-5)
    places = batch.shader.places
    torch.testing.assert_close(places[..., 0], x * REST_RADIUS / 0.68, atol=0.15, rtol=0)


def test_without_deep_supervision_there_are_no_readouts(tiny: FitConfig) -> None:
    assert "rest" not in phase_of(tiny, deep_supervision=0.0).step(0)


def test_a_shard_of_another_version_is_named(tmp_path: Path) -> None:
    write_spheres(tmp_path)
    without(tmp_path, ("strands",), shard=1)
    with pytest.raises(
        InputError,
        match=r"shard-00001.npz lacks strands, since another version wrote it.*made again",
    ):
        HeadBank(tmp_path).points(torch.Generator().manual_seed(0), 2, 2, 2)


def test_weights_to_go_on_from_keep_beta_and_surface(tiny: FitConfig) -> None:
    """A field whose surface was moved inwards is measured there, and held there."""
    phases = []
    for moved in (0.0, 0.0016):
        generator = initial_generator(tiny.generator, 0)
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
    shader = batch.shader

    def color(part: int | None) -> float:
        parts = torch.zeros_like(shader.parts)
        if part is not None:
            parts[..., part] = 1.0
        seen = replace(batch, shader=replace(shader, parts=parts))
        terms = phase.supervision.losses_at(seen, torch.Generator().manual_seed(1))
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
    assert visible(batch, 12).flatten().tolist() == [0.0, 1.0, 1.0, 0.0]
    assert visible(batch, 48).flatten().tolist() == [0.0, 1.0, 0.0, 0.0]
    gray = torch.full_like(batch.near_color, 0.5)
    terms = []
    for wrong in (0, 1):
        colors = gray.clone()
        colors[:, wrong] = 0.9
        seen, random = replace(batch, near_color=colors), torch.Generator().manual_seed(1)
        losses = phase.supervision.losses_at(seen, random)
        terms.append(losses["color"].detach())
    seen, random = replace(batch, near_color=gray), torch.Generator().manual_seed(1)
    losses = phase.supervision.losses_at(seen, random)
    assert torch.equal(terms[0], losses["color"].detach())
    assert not torch.equal(terms[1], losses["color"].detach())
    drawn = phase.supervision.points(torch.Generator().manual_seed(0), 8, 60, 5)
    asked = drawn.shader.parts.sum(dim=-1, keepdim=True) > 0.0
    assert asked.any()
    assert not (asked & (visible(drawn, 12) == 0.0)).any()
