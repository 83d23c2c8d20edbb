"""The phases of the stages that train from images: what a step computes and what it moves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from stylesdf_core.errors import InputError
from stylesdf_core.model.checkpoints.checkpoints import load_checkpoint
from stylesdf_core.model.config import GeneratorConfig
from stylesdf_core.model.networks.film_siren import SirenField
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.model.poses import Poses
from stylesdf_core.progress import drain
from stylesdf_core.seeds import seeded, seeded_weights
from stylesdf_core.training.adversarial.batches.draws import draw_fakes
from stylesdf_core.training.adversarial.config.losses import VolumeLosses
from stylesdf_core.training.adversarial.config.stages import (
    DecoderStageConfig,
    RendererConfig,
    SphereConfig,
    SphereInitConfig,
)
from stylesdf_core.training.adversarial.phases.gan_phase import new_volume_discriminator
from stylesdf_core.training.adversarial.phases.phase import PhaseContext, Purpose
from stylesdf_core.training.adversarial.phases.snapshots import Snapshots
from stylesdf_core.training.adversarial.phases.sphere_phase import SpherePhase
from stylesdf_core.training.adversarial.terms.volume import (
    SPHERE_RADIUS,
    normal_smoothness,
    ray_points,
    render_fakes,
)
from stylesdf_core.training.loop import train_run
from stylesdf_core.training.losses import sphere_loss
from stylesdf_core.training.phase import Models
from stylesdf_core.training.run_config import Precision
from stylesdf_core.training.world import World
from tests.training.adversarial.stage_phases import (
    KINDS,
    RUN,
    THUMB,
    VOLUME,
    WHOLE,
    assert_same_gradients,
    double_precision,
    gradients,
    phase_of,
    stage_config,
    start,
    state,
    write_weights,
)


def test_frozen_parts_stay(tmp_path: Path, decoder: DecoderStageConfig) -> None:
    run = start(tmp_path / "run", decoder)
    drain(train_run(run))
    before = load_checkpoint(decoder.init).generator.state_dict()
    after = state(run)["live"]
    for key, value in before.items():
        same = torch.equal(value, after[key])
        assert same or key.startswith("decoder."), key
    assert not torch.equal(
        before["decoder.convs.0.conv.weight"], after["decoder.convs.0.conv.weight"]
    )
    assert float(state(run)["networks"]["path_mean"]["mean"]) > 0


def test_the_surface_follows_the_density(tmp_path: Path, renderer: RendererConfig) -> None:
    """Pictures show it beside the distance 0; see Generator.place_surface."""
    run = start(tmp_path / "run", replace(renderer, sphere=replace(renderer.sphere, beta=0.01)))
    drain(train_run(run))
    for name in ("live", "ema"):
        level = float(state(run)[name]["surface_level"])
        assert level == pytest.approx(0.0204, abs=5e-4)  # with samples 0.06 apart


def test_an_alias_free_decoder_is_trained_and_stays_one(
    tmp_path: Path, decoder: DecoderStageConfig
) -> None:
    thumbs = tmp_path / "thumbs.safetensors"
    write_weights(thumbs, THUMB)
    config = replace(decoder, init=str(thumbs), decoder_kind="alias_free", steps=2)
    run = start(tmp_path / "run", config)
    result = drain(train_run(run))
    trained = load_checkpoint(result.weights).generator
    assert trained.config == replace(WHOLE, decoder="alias_free")
    assert trained.decoder is not None
    assert not any(name.endswith("noise_strength") for name, _ in trained.named_parameters())
    other = start(tmp_path / "other", replace(config, init=str(run.path), decoder_kind="stylegan2"))
    with pytest.raises(InputError, match=r"does not fit the decoder stage's architecture: decoder"):
        drain(train_run(other))


def test_density_field_trains_without_the_sdf_losses(
    tmp_path: Path, renderer: RendererConfig
) -> None:
    config = replace(renderer, generator=replace(THUMB, field="density"))
    run = start(tmp_path / "run", config)
    result = drain(train_run(run))
    assert result.step == 4, "no sphere"
    last = [r for r in run.read_stats() if "g_adversarial" in r][-1]
    assert not {"eikonal", "minimal_surface", "beta", "no_crossing"} & set(last)
    assert load_checkpoint(result.weights).generator.config.field == "density"


def test_without_eikonal_the_minimal_surface_stays(
    tmp_path: Path, renderer: RendererConfig
) -> None:
    for rays in (0, 5):
        config = replace(renderer, volume=replace(VOLUME, eikonal=0.0, geometry_rays=rays))
        run = start(tmp_path / f"run{rays}", config)
        drain(train_run(run))
        last = [r for r in run.read_stats() if "g_adversarial" in r][-1]
        assert "eikonal" not in last
        assert last["minimal_surface"] > 0


@pytest.mark.parametrize("rays", [0, 20])
def test_normal_smoothness_makes_the_surface_of_a_rough_field_smoother(rays: int) -> None:
    """A few steps by this term alone; the field begins with random weights."""
    with seeded_weights(0):
        generator = Generator(replace(THUMB, samples=12))
    fakes = draw_fakes(seeded(1), 4, generator.config, Poses(), rays=rays)
    optimizer = torch.optim.Adam(generator.field.parameters(), 3e-3)
    w = generator.mapping(fakes.z).detach()
    found = []
    for _ in range(8):
        loss = normal_smoothness(generator, render_fakes(generator, w, fakes), w, fakes)
        found.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert found[0] > 1e-4
    assert found[-1] < 0.7 * found[0]


def test_normal_smoothness_is_recorded_where_it_has_a_weight(
    tmp_path: Path, renderer: RendererConfig
) -> None:
    config = replace(renderer, volume=replace(VOLUME, normal_smoothness=0.1, geometry_rays=5))
    run = start(tmp_path / "run", config)
    drain(train_run(run))
    assert [r for r in run.read_stats() if "g_adversarial" in r][-1]["normal_smoothness"] > 0
    density = replace(config, generator=replace(THUMB, field="density"))
    run = start(tmp_path / "density", density)
    drain(train_run(run))
    assert not any("normal_smoothness" in record for record in run.read_stats())


def test_sphere_init_approaches_a_sphere(tmp_path: Path, renderer: RendererConfig) -> None:
    sphere = SphereConfig(steps=60, batch=4, rays=16, learning_rate=3e-3)
    run_config = replace(RUN, evaluate_every=100, checkpoint_every=100)
    config = SphereInitConfig(generator=THUMB, sphere=sphere, run=run_config)
    run = start(tmp_path / "sphere", config)
    drain(train_run(run))
    losses = [record["sphere"] for record in run.read_stats() if "sphere" in record]
    assert losses[-1] < 0.5 * losses[0]
    started = start(tmp_path / "run", replace(renderer, init=str(run.path)))
    result = drain(train_run(started))
    assert result.step == renderer.steps, "no second sphere"


def test_the_field_ends_as_a_sphere_of_the_radius_asked_for() -> None:
    """On points of cameras that it has not seen, in the averaged weights."""
    shape = replace(THUMB, width=64, depth=2, thumb_size=16, output_size=16)
    with seeded_weights(0):
        models = Models.of(Generator(shape))
    poses = Poses()
    context = PhaseContext(World(0, 1, torch.device("cpu")), RUN, poses, Snapshots(poses, 0))
    settings = SphereConfig(batch=8, rays=32, learning_rate=1e-3)
    phase = SpherePhase(models, context, settings)
    for index in range(250):
        phase.step(index)
        models.average(min(0.98, (2.0 + index) / (11.0 + index)))
    fakes = draw_fakes(seeded(99), 32, shape, poses, rays=32)
    with torch.no_grad():
        points = ray_points(models.ema, fakes)
        found = models.ema.field.scalar(points, models.ema.mapping(fakes.z))
    error = (found[..., 0] - (points.norm(dim=-1) - SPHERE_RADIUS)).abs().mean()
    assert float(error) < 6e-3


def test_the_anchor_is_the_spheres_loss_and_fades(renderer: RendererConfig) -> None:
    weights = replace(VOLUME, geometry_rays=5, anchor=30.0, anchor_steps=10)
    assert [weights.anchor_at(step) for step in (0, 5, 10, 99)] == [30.0, 15.0, 0.0, 0.0]
    assert VolumeLosses().anchor_at(0) == 0.0, "not the paper's"
    with pytest.raises(InputError, match="geometry_rays"):
        replace(VOLUME, anchor=1.0)
    with double_precision():
        phase = phase_of(replace(renderer, volume=weights))
        fakes = phase.draw(Purpose.GENERATOR, 0, 4, rays=5)
        live = phase.models.live
        free, held = (phase.g_terms(fakes, weight)["loss"].item() for weight in (0.0, 2.0))
        points = ray_points(live, fakes)
        sphere = sphere_loss(live.field.scalar(points, live.mapping(fakes.z)), points, 0.06)
    assert held - free == pytest.approx(2.0 * sphere.item())


def test_colours_may_be_kept_from_knowing_the_camera(renderer: RendererConfig) -> None:
    poses = Poses(static_viewdirs=True)
    with double_precision(), torch.no_grad():
        phase = phase_of(renderer)
        live = phase.models.live
        fakes = draw_fakes(seeded(1), 4, live.config, poses)[:2].to(torch.device("cpu"))
        assert fakes.poses.static_viewdirs
        w = live.mapping(fakes.z)
        static = render_fakes(live, w, fakes)
        world = render_fakes(live, w, replace(fakes, poses=Poses()))
    assert torch.equal(static.scalar, world.scalar), "the same shapes"
    assert not torch.equal(static.rgb, world.rgb)
    assert not Poses().static_viewdirs, "not the paper's"


@pytest.mark.parametrize(
    ("name", "smoothness"), [*((kind, 0.0) for kind in KINDS), ("renderer", 0.5), ("joint", 0.5)]
)
def test_chunks_give_the_gradients_of_the_whole_batch(
    name: str, smoothness: float, folder: Path
) -> None:
    config = stage_config(name, folder)
    config = replace(config, batch=4 * config.chunk)  # so that half batches have chunks too
    if not isinstance(config, DecoderStageConfig):
        config = replace(config, volume=replace(config.volume, normal_smoothness=smoothness))
    with double_precision():
        whole = gradients(phase_of(replace(config, chunk=config.batch)), 2)
        chunked = gradients(phase_of(config), 2)
    assert_same_gradients(chunked, whole)


def test_recomputed_activations_give_the_same_gradients_for_less_memory() -> None:
    generator = Generator(WHOLE)
    fakes = draw_fakes(torch.Generator().manual_seed(0), 2, WHOLE, Poses(), rays=2)
    found, kept = [], []
    for recompute in (False, True):
        held: list[int] = []

        def keep(value: Tensor, held: list[int] = held) -> Tensor:
            held.append(value.numel())
            return value

        generator.zero_grad()
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
            w = generator.mapping(fakes.z)
            render = render_fakes(generator, w, fakes, recompute=recompute)
        (render.rgb.square().mean() + render.features.mean()).backward()
        found.append({k: v.grad for k, v in generator.field.named_parameters()})
        kept.append(sum(held))
    for key, value in found[0].items():
        torch.testing.assert_close(found[1][key], value)
    assert kept[1] < 0.1 * kept[0]


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_trains_but_not_the_field(
    precision: Precision, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = set()
    plain = SirenField.trunk_features

    def watched(field: SirenField, points: Tensor, w: Tensor) -> Tensor:
        seen.add(torch.is_autocast_enabled("cpu"))
        return plain(field, points, w)

    monkeypatch.setattr(SirenField, "trunk_features", watched)
    config = replace(stage_config("joint", folder), steps=2)
    run = start(tmp_path / "run", replace(config, run=replace(RUN, precision=precision)))
    assert drain(train_run(run)).finished
    assert seen == {False}
    scalers = state(run)["scalers"].values()
    assert all(bool(scaler.get("scale")) == (precision == "float16") for scaler in scalers)
    assert all(value.dtype == torch.float32 for value in state(run)["live"].values())


def test_a_models_field_of_view_reaches_its_rays(renderer: RendererConfig) -> None:
    """The same camera through twice the angle sees the volume's corners."""
    with torch.no_grad():
        generator = Generator(THUMB)
        fakes = [draw_fakes(seeded(1), 2, THUMB, Poses(fov=fov), rays=3) for fov in (3.0, 6.0)]
        near, far = (ray_points(generator, drawn)[..., :2].abs().max() for drawn in fakes)
        one, other = (render_fakes(generator, torch.ones(2, 8), drawn).xyz for drawn in fakes)
    assert far > 1.2 * near
    assert other.var() > 1.2 * one.var()


@pytest.mark.parametrize("name", ["decoder", "joint"])
def test_path_length_has_an_optimizer_step_of_its_own(name: str, folder: Path) -> None:
    """Both updates move the decoder; Adam's steps count them, the renderer's does not."""
    phase = phase_of(stage_config(name, folder))
    with double_precision():
        records = [phase.step(index) for index in range(4)]
    assert ["path_gradient_norm" in record for record in records] == [True, False, True, False]
    counts = {
        key: {int(entry["step"]) for entry in optimizer.state_dict()["state"].values()}
        for key, optimizer in phase.optimizers.items()
    }
    # Biases and the last toRGB's layers do not change the lengths: they take part in four steps.
    assert counts["decoder"] == {4, 6}
    assert counts["discriminator"] == {4}
    assert counts.get("renderer", {4}) == {4}


def test_initial_weights_of_the_volume_discriminator_are_scaled_by_its_gain() -> None:
    generator = Generator(GeneratorConfig(width=8, depth=1, thumb_size=16, output_size=16))
    published = new_volume_discriminator(generator, VolumeLosses(discriminator_channels=8), 3)
    scaled = new_volume_discriminator(
        generator, VolumeLosses(discriminator_channels=8, discriminator_gain=2.0), 3
    )
    for name, weights in published.state_dict().items():
        torch.testing.assert_close(scaled.state_dict()[name], 2.0 * weights, rtol=0, atol=0)
    with pytest.raises(InputError, match="discriminator_gain must be at least"):
        VolumeLosses(discriminator_gain=0.0)
