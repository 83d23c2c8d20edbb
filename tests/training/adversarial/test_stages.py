"""The stages that train from images: they run, resume, guard themselves, and chunk exactly."""

from __future__ import annotations

import copy
import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from PIL import Image
from torch import Tensor

from stylesdf_core.dataclass_json import from_json, to_json
from stylesdf_core.errors import InputError
from stylesdf_core.model import model_zoo
from stylesdf_core.model.checkpoints import load_checkpoint
from stylesdf_core.model.model import load_model
from stylesdf_core.model.model_zoo import resolve
from stylesdf_core.model.networks.discriminators import VolumeDiscriminator
from stylesdf_core.model.networks.film_siren import SirenField
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.model.poses import Poses
from stylesdf_core.progress import drain
from stylesdf_core.training.adversarial.config import (
    DecoderStageConfig,
    ImageLosses,
    JointConfig,
    PresetName,
    RendererConfig,
    SphereConfig,
    SphereInitConfig,
    StageConfig,
    VolumeLosses,
)
from stylesdf_core.training.adversarial.draws import draw_fakes
from stylesdf_core.training.adversarial.phase import PhaseContext, Purpose
from stylesdf_core.training.adversarial.poses_config import PosesConfig
from stylesdf_core.training.adversarial.presets import PRESETS, preset
from stylesdf_core.training.adversarial.snapshots import Snapshots
from stylesdf_core.training.adversarial.sphere_phase import SpherePhase
from stylesdf_core.training.adversarial.stages import take_over
from stylesdf_core.training.adversarial.volume_terms import SPHERE_RADIUS, ray_points, render_fakes
from stylesdf_core.training.loop import Models
from stylesdf_core.training.losses import sphere_loss
from stylesdf_core.training.run_config import Precision
from stylesdf_core.training.seeds import seeded, seeded_weights
from stylesdf_core.training.settings import by_path
from stylesdf_core.training.stages import train_run
from stylesdf_core.training.world import World
from tests.golden import published_state, reference_discriminator
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
)


def assert_same(one: Any, other: Any, where: str = "") -> None:
    if isinstance(one, Tensor):
        assert torch.equal(one, other), where
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, (list, tuple)):
        for index, (a, b) in enumerate(zip(one, other, strict=True)):
            assert_same(a, b, f"{where}[{index}]")
    else:
        assert one == other, where


@pytest.mark.parametrize("name", KINDS)
def test_configs_round_trip(name: str, folder: Path) -> None:
    config = stage_config(name, folder)
    assert from_json(type(config), json.loads(json.dumps(to_json(config)))) == config


def test_defaults_are_the_papers_numbers() -> None:
    stage1 = RendererConfig(data="x")
    assert (stage1.batch, stage1.steps, stage1.sphere.steps) == (24, 200_000, 10_000)
    assert (stage1.volume.generator_rate, stage1.volume.discriminator_rate) == (2e-5, 2e-4)
    assert (stage1.volume.pose, stage1.volume.eikonal) == (15.0, 0.1)
    assert (stage1.volume.minimal_surface, stage1.volume.r1) == (0.05, 10.0)
    stage2 = DecoderStageConfig(data="x", init="y")
    assert (stage2.batch, stage2.steps) == (32, 300_000)
    assert stage2.image == ImageLosses(10.0, 16, 2.0, 4, 0.9, 0.002)
    assert stage2.run.ema == pytest.approx(0.5 ** (32 / 10000))
    animals = preset(DecoderStageConfig, "afhq", data="x", init="y")
    assert (animals.poses.azimuth_std, animals.image.r1, animals.output_size) == (0.15, 50.0, 512)
    assert preset(RendererConfig, "ffhq", data="x") == stage1


def test_every_number_of_a_preset_is_a_setting_of_some_stage() -> None:
    assert set(PRESETS) == set(get_args(PresetName))
    stages: tuple[StageConfig, ...] = (
        SphereInitConfig(),
        RendererConfig(data=""),
        DecoderStageConfig(data="", init=""),
        JointConfig(data="", init=""),
    )
    known = {path for stage in stages for path in by_path(stage)}
    for values in PRESETS.values():
        assert set(values) <= known


def test_presets_leave_settings_alone_that_are_given() -> None:
    run = replace(RUN, seed=7)
    tiny = preset(RendererConfig, "tiny", data="x", steps=5, run=run)
    assert (tiny.steps, tiny.run, tiny.batch, tiny.preset) == (5, run, 8, "tiny")


def test_renderer_makes_its_sphere_and_leaves_what_the_folder_promises(
    tmp_path: Path, renderer: RendererConfig
) -> None:
    run = start(tmp_path / "run", renderer)
    result = drain(train_run(run))
    assert result.finished
    assert result.step == 6
    records = run.read_stats()
    assert {record["phase"] for record in records if "phase" in record} == {"sphere", "renderer"}
    assert all("step" in record for record in records)
    last = [record for record in records if "g_adversarial" in record][-1]
    for name in (
        "beta", "scalar_min", "scalar_max", "no_crossing", "score_real", "score_fake", "eikonal",
        "minimal_surface", "g_pose", "d_pose", "images_per_second", "eta_hours", "peak_memory_gb",
    ):  # fmt: skip
        assert math.isfinite(last[name]), name
    assert "20 images" in records[0]["event"]
    for suffix in (".png", "-thumb.png"):
        with Image.open(run.path / "samples" / f"00000006{suffix}") as grid:
            assert grid.size == (8 * 8, 4 * 8)
    assert list((run.path / "tensorboard").glob("events*"))
    assert sorted(state(run)) == [
        "attempt", "best", "config", "ema", "live", "networks", "optimizers", "phase",
        "scalers", "step",
    ]  # fmt: skip
    assert run.best("ema") is not None
    assert resolve(run.path).path == run.latest("ema"), "a run's folder is a model"


@pytest.mark.parametrize("name", KINDS)
def test_stop_and_resume_equals_uninterrupted(name: str, tmp_path: Path, folder: Path) -> None:
    """Bit for bit: weights, averages, optimizers and discriminators."""
    config = stage_config(name, folder)
    whole, parts = start(tmp_path / "whole", config), start(tmp_path / "parts", config)
    drain(train_run(whole))
    rounds, finished = 0, False
    while not finished:
        operation = train_run(parts)
        progress = next(operation)
        while not progress.message.startswith(("sphere", name)):
            progress = next(operation)
        parts.request_stop()
        finished = drain(operation).finished
        rounds += 1
        assert rounds < 8
    assert rounds > 1
    ours = {k: v for k, v in state(parts).items() if k != "config"}
    assert_same({k: v for k, v in state(whole).items() if k != "config"}, ours)
    steps = [r["step"] for r in parts.read_stats() if "seconds" in r]
    assert steps == sorted(set(steps))


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


# --- chunks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_chunks_give_the_gradients_of_the_whole_batch(name: str, folder: Path) -> None:
    config = stage_config(name, folder)
    config = replace(config, batch=4 * config.chunk)  # so that half batches have chunks too
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


# --- precision and initial weights -------------------------------------------------------------


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


def test_going_on_from_a_run_takes_its_discriminator_along(
    tmp_path: Path, renderer: RendererConfig
) -> None:
    first = start(tmp_path / "first", renderer)
    drain(train_run(first))
    judge = state(first)["networks"]["volume_discriminator"]
    still = replace(VOLUME, discriminator_rate=0.0)
    second = start(
        tmp_path / "second", replace(renderer, init=str(first.path), volume=still, steps=1)
    )
    drain(train_run(second))
    assert_same(state(second)["networks"]["volume_discriminator"], judge)
    events = [str(record.get("event")) for record in second.read_stats()]
    assert f"starts from the averaged weights of {first.path}, with new optimizers" in events


def test_every_network_reaches_the_stages_after(
    tmp_path: Path, folder: Path, renderer: RendererConfig
) -> None:
    first = start(tmp_path / "renderer", renderer)
    drain(train_run(first))
    judge = state(first)["networks"]["volume_discriminator"]
    decoder = stage_config("decoder", folder)
    assert isinstance(decoder, DecoderStageConfig)
    second = start(tmp_path / "decoder", replace(decoder, init=str(first.path), steps=2))
    operation = train_run(second)
    while second.latest() is None:
        next(operation)
    operation.close()  # as if killed: what is carried along comes through a resume as well
    drain(train_run(second))
    handed_on = state(second)["networks"]
    assert_same(handed_on["volume_discriminator"], judge)
    assert handed_on["path_mean"]["mean"] > 0
    joint = stage_config("joint", folder)
    assert isinstance(joint, JointConfig)
    third = start(
        tmp_path / "joint",
        replace(
            joint,
            init=str(second.path),
            steps=1,
            volume=replace(joint.volume, discriminator_rate=0.0),
            image=replace(joint.image, rate=0.0, path_length=0.0),
            renderer_rate=0.0,
        ),
    )
    drain(train_run(third))
    assert_same(state(third)["networks"], handed_on)
    assert_same(state(third)["live"], {**state(second)["ema"]})
    assert not any("untrained" in str(r.get("event")) for r in third.read_stats())


def test_a_joint_stage_says_which_discriminator_starts_untrained(
    tmp_path: Path, folder: Path
) -> None:
    run = start(tmp_path / "run", replace(stage_config("joint", folder), steps=1))
    drain(train_run(run))
    events = [record["event"] for record in run.read_stats() if "event" in record]
    assert "no fitting volume discriminator nor discriminator: it starts untrained" in events[-1]


def test_a_published_files_discriminator_is_taken_along(
    tmp_path: Path, renderer: RendererConfig
) -> None:
    torch.save({"d": published_state("layout_d_volume"), "g": {}}, tmp_path / "published.pt")
    phase = phase_of(renderer)
    judge, small = VolumeDiscriminator(), VolumeDiscriminator(16, 8)
    before = copy.deepcopy(small.state_dict())
    phase.networks = {"volume_discriminator": judge}
    assert take_over(str(tmp_path / "published.pt"), phase) == []
    expected = reference_discriminator("layout_d_volume").state_dict()
    assert_same(judge.state_dict(), expected)
    phase.networks = {"volume_discriminator": small}
    assert take_over(str(tmp_path / "published.pt"), phase) == ["volume_discriminator"]
    assert_same(small.state_dict(), before)
    phase.networks = {}
    take_over(str(tmp_path / "published.pt"), phase)
    assert_same(phase.carried, {"volume_discriminator": expected})


# --- poses -------------------------------------------------------------------------------------


def test_poses_belong_to_the_model_and_are_inherited(
    tmp_path: Path, folder: Path, renderer: RendererConfig
) -> None:
    own = PosesConfig(azimuth_std=0.15, fov=7.0, static_viewdirs=True)
    first = start(tmp_path / "first", replace(renderer, steps=1, poses=own))
    drain(train_run(first))
    poses = Poses(azimuth_std=0.15, fov=7.0, static_viewdirs=True)
    assert model_zoo.trained_poses(first.path) == poses
    decoder = stage_config("decoder", folder)
    assert isinstance(decoder, DecoderStageConfig)
    decoder = replace(decoder, init=str(first.path), steps=1)
    second = start(tmp_path / "second", decoder)
    drain(train_run(second))
    assert load_model(str(second.path)).poses == poses
    for setting, value in (("azimuth_std", 0.3), ("static_viewdirs", False), ("fov", 6.0)):
        other = replace(decoder, poses=PosesConfig(**{setting: value}))
        with pytest.raises(InputError, match=rf"first was trained with {setting} .*, not"):
            drain(train_run(start(tmp_path / setting, other)))
    with pytest.raises(InputError, match=r"ffhq-renderer was .* azimuth_std 0\.3, not 0\.15"):
        PosesConfig(azimuth_std=0.15).of(Poses(), "ffhq-renderer")


def test_a_models_field_of_view_reaches_its_rays(renderer: RendererConfig) -> None:
    """The same camera through twice the angle sees the volume's corners."""
    with torch.no_grad():
        generator = Generator(THUMB)
        fakes = [draw_fakes(seeded(1), 2, THUMB, Poses(fov=fov), rays=3) for fov in (3.0, 6.0)]
        near, far = (ray_points(generator, drawn)[..., :2].abs().max() for drawn in fakes)
        one, other = (render_fakes(generator, torch.ones(2, 8), drawn).xyz for drawn in fakes)
    assert far > 1.2 * near
    assert other.var() > 1.2 * one.var()


def test_named_models_know_their_poses() -> None:
    zoo = {entry.name: entry.poses for entry in model_zoo.list_models()}
    assert zoo["afhq512"] == zoo["afhq-renderer"] == Poses(azimuth_std=0.15)
    assert zoo["ffhq1024"] == Poses()
    assert zoo["sphere-init"] is None


def test_resuming_needs_no_initial_weights_any_more(
    tmp_path: Path, decoder: DecoderStageConfig
) -> None:
    own = tmp_path / "own.safetensors"
    shutil.copy(decoder.init, own)
    run = start(tmp_path / "run", replace(decoder, init=str(own)))
    operation = train_run(run)
    while not next(operation).message.startswith("decoder"):
        pass
    run.request_stop()
    assert not drain(operation).finished
    own.unlink()
    assert drain(train_run(run)).finished


# --- the path-length penalty ---------------------------------------------------------------------


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
