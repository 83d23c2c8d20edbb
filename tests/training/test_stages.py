"""The stages that train from images: they run, resume, guard themselves, and chunk exactly."""

from __future__ import annotations

import copy
import errno
import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from stylesdf_core.checkpoints import load_checkpoint
from stylesdf_core.config import from_json, to_json
from stylesdf_core.errors import InputError, TrainingError
from stylesdf_core.model_zoo import resolve
from stylesdf_core.networks.discriminators import VolumeDiscriminator
from stylesdf_core.networks.film_siren import SirenField
from stylesdf_core.networks.generator import Generator
from stylesdf_core.progress import drain
from stylesdf_core.training import loop, volume_terms
from stylesdf_core.training.draws import draw_fakes, seeded
from stylesdf_core.training.loop import Models
from stylesdf_core.training.losses import sphere_loss
from stylesdf_core.training.run_dir import RunDir
from stylesdf_core.training.snapshots import Snapshots
from stylesdf_core.training.stage_config import (
    PRESETS,
    STAGES,
    DecoderStageConfig,
    ImageLosses,
    ImagesConfig,
    PosesConfig,
    Precision,
    RendererConfig,
    SphereConfig,
    SphereInitConfig,
    VolumeLosses,
)
from stylesdf_core.training.stages import inherit, run_stage
from stylesdf_core.training.volume_phase import VolumePhase
from stylesdf_core.training.volume_terms import ray_points, render_fakes
from tests.golden import published_state, reference_discriminator
from tests.training.stage_phases import (
    KINDS,
    RUN,
    THUMB,
    VOLUME,
    WHOLE,
    Config,
    assert_same_gradients,
    double_precision,
    gradients,
    phase_of,
    stage_config,
    write_images,
    write_weights,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stages")
    write_images(folder / "images")
    write_weights(folder / "whole.safetensors")
    return folder


@pytest.fixture
def renderer(folder: Path) -> RendererConfig:
    config = stage_config("renderer", folder)
    assert isinstance(config, RendererConfig)
    return config


@pytest.fixture
def decoder(folder: Path) -> DecoderStageConfig:
    config = stage_config("decoder", folder)
    assert isinstance(config, DecoderStageConfig)
    return config


def start(folder: Path, config: Config | SphereInitConfig) -> RunDir:
    run = RunDir(folder)
    run.write_config(to_json(config))
    return run


def state(run: RunDir) -> dict[str, Any]:
    saved = run.load_checkpoint()
    assert saved is not None
    return saved


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
    assert from_json(STAGES[name], json.loads(json.dumps(to_json(config)))) == config


def test_defaults_are_the_papers_numbers() -> None:
    stage1 = RendererConfig(images=ImagesConfig("x"))
    assert (stage1.batch, stage1.steps, stage1.sphere.steps) == (24, 200_000, 10_000)
    assert (stage1.volume.generator_rate, stage1.volume.discriminator_rate) == (2e-5, 2e-4)
    assert (stage1.volume.pose, stage1.volume.eikonal) == (15.0, 0.1)
    assert (stage1.volume.minimal_surface, stage1.volume.r1) == (0.05, 10.0)
    stage2 = DecoderStageConfig(images=ImagesConfig("x"), init="y")
    assert (stage2.batch, stage2.steps) == (32, 300_000)
    assert stage2.image == ImageLosses(10.0, 16, 2.0, 4, 0.9, 0.002)
    assert stage2.run.ema == pytest.approx(0.5 ** (32 / 10000))
    assert PRESETS["afhq"].poses.azimuth_std == 0.15
    assert PRESETS["afhq"].image.r1 == 50.0
    assert set(PRESETS) == {"ffhq", "afhq", "heads", "tiny"}


def test_renderer_makes_its_sphere_and_leaves_what_the_folder_promises(
    tmp_path: Path, renderer: RendererConfig
) -> None:
    run = start(tmp_path / "run", renderer)
    result = drain(run_stage(run))
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
        "attempt", "best", "config", "ema", "live", "networks", "optimizers", "phase", "random",
        "scalers", "step",
    ]  # fmt: skip
    assert run.best("ema") is not None
    assert resolve(run.path).path == run.latest("ema"), "a run's folder is a model"


@pytest.mark.parametrize("name", KINDS)
def test_stop_and_resume_equals_uninterrupted(name: str, tmp_path: Path, folder: Path) -> None:
    """Bit for bit: weights, averages, optimizers and discriminators."""
    config = stage_config(name, folder)
    whole, parts = start(tmp_path / "whole", config), start(tmp_path / "parts", config)
    drain(run_stage(whole))
    rounds, finished = 0, False
    while not finished:
        operation = run_stage(parts)
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
    drain(run_stage(run))
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
    result = drain(run_stage(run))
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
        drain(run_stage(run))
        last = [r for r in run.read_stats() if "g_adversarial" in r][-1]
        assert "eikonal" not in last
        assert last["minimal_surface"] > 0


def test_sphere_init_approaches_a_sphere(tmp_path: Path, renderer: RendererConfig) -> None:
    sphere = SphereConfig(steps=60, batch=4, rays=16, learning_rate=3e-3)
    run_config = replace(RUN, evaluate_every=100, checkpoint_every=100)
    config = SphereInitConfig(generator=THUMB, sphere=sphere, run=run_config)
    run = start(tmp_path / "sphere", config)
    drain(run_stage(run))
    losses = [record["sphere"] for record in run.read_stats() if "sphere" in record]
    assert losses[-1] < 0.5 * losses[0]
    started = start(tmp_path / "run", replace(renderer, init=str(run.path)))
    result = drain(run_stage(started))
    assert result.step == renderer.steps, "no second sphere"


def test_the_anchor_is_the_spheres_loss_and_fades(renderer: RendererConfig) -> None:
    weights = replace(VOLUME, geometry_rays=5, anchor=30.0, anchor_steps=10)
    assert [weights.anchor_at(step) for step in (0, 5, 10, 99)] == [30.0, 15.0, 0.0, 0.0]
    assert VolumeLosses().anchor_at(0) == 0.0, "not the paper's"
    with pytest.raises(InputError, match="geometry_rays"):
        replace(VOLUME, anchor=1.0)
    with double_precision():
        phase = phase_of(replace(renderer, volume=weights))
        assert isinstance(phase, VolumePhase)
        fakes = phase.draw(0, 14)
        live = phase.models.live
        free, held = (phase.g_terms(fakes, weight)["loss"].item() for weight in (0.0, 2.0))
        points = ray_points(live, fakes)
        sphere = sphere_loss(live.field.scalar(points, live.mapping(fakes.z)), points, 0.06)
    assert held - free == pytest.approx(2.0 * sphere.item())


def test_colours_may_be_kept_from_knowing_the_camera(renderer: RendererConfig) -> None:
    poses = PosesConfig(static_viewdirs=True)
    with double_precision(), torch.no_grad():
        phase = phase_of(renderer)
        assert isinstance(phase, VolumePhase)
        live = phase.models.live
        fakes = draw_fakes(seeded(1), 4, live.config, poses)[:2].to(torch.device("cpu"))
        assert fakes.static_viewdirs
        w = live.mapping(fakes.z)
        static = render_fakes(live, w, fakes)
        world = render_fakes(live, w, replace(fakes, static_viewdirs=False))
    assert torch.equal(static.scalar, world.scalar), "the same shapes"
    assert not torch.equal(static.rgb, world.rgb)
    assert not PosesConfig().static_viewdirs, "not the paper's"


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
    fakes = draw_fakes(torch.Generator().manual_seed(0), 2, WHOLE, PosesConfig(), rays=2)
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
    assert drain(run_stage(run)).finished
    assert seen == {False}
    scalers = state(run)["scalers"].values()
    assert all(bool(scaler.get("scale")) == (precision == "float16") for scaler in scalers)
    assert all(value.dtype == torch.float32 for value in state(run)["live"].values())


def test_going_on_from_a_run_takes_its_discriminator_along(
    tmp_path: Path, renderer: RendererConfig
) -> None:
    first = start(tmp_path / "first", renderer)
    drain(run_stage(first))
    judge = state(first)["networks"]["volume_discriminator"]
    still = replace(VOLUME, discriminator_rate=0.0)
    second = start(
        tmp_path / "second", replace(renderer, init=str(first.path), volume=still, steps=1)
    )
    drain(run_stage(second))
    assert_same(state(second)["networks"]["volume_discriminator"], judge)


def test_a_published_files_discriminator_is_taken_along(tmp_path: Path) -> None:
    torch.save({"d": published_state("layout_d_volume"), "g": {}}, tmp_path / "published.pt")
    judge, small = VolumeDiscriminator(), VolumeDiscriminator(16, 8)
    before = copy.deepcopy(small.state_dict())
    inherit(str(tmp_path / "published.pt"), {"volume_discriminator": judge})
    assert_same(judge.state_dict(), reference_discriminator("layout_d_volume").state_dict())
    inherit(str(tmp_path / "published.pt"), {"volume_discriminator": small})
    assert_same(small.state_dict(), before)


def test_resuming_needs_no_initial_weights_any_more(
    tmp_path: Path, decoder: DecoderStageConfig
) -> None:
    own = tmp_path / "own.safetensors"
    shutil.copy(decoder.init, own)
    run = start(tmp_path / "run", replace(decoder, init=str(own)))
    operation = run_stage(run)
    while not next(operation).message.startswith("decoder"):
        pass
    run.request_stop()
    assert not drain(operation).finished
    own.unlink()
    assert drain(run_stage(run)).finished


# --- guards ------------------------------------------------------------------------------------


def poison(monkeypatch: pytest.MonkeyPatch, calls: set[int]) -> None:
    """Make the pose loss NaN at those calls (two of them a step and chunk)."""
    plain, count = volume_terms.pose_loss, 0

    def broken(predicted: Tensor, truth: Tensor) -> Tensor:
        nonlocal count
        count += 1
        return plain(predicted, truth) * (math.nan if count in calls else 1.0)

    monkeypatch.setattr(volume_terms, "pose_loss", broken)


def test_a_diverged_step_rolls_back_once_and_goes_on(
    tmp_path: Path, renderer: RendererConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, {10})
    run = start(tmp_path / "run", renderer)
    result = drain(run_stage(run))
    assert result.finished
    events = [r["event"] for r in run.read_stats() if "event" in r]
    assert events[-1] == "rolled back: 'd_pose' of phase 'renderer' became nan"
    assert state(run)["attempt"] == 1
    steps = [r["step"] for r in run.read_stats() if "seconds" in r]
    assert steps == [1, 2, 3, 4, 5, 6]


def test_a_run_that_diverges_again_stops_with_a_reason(
    tmp_path: Path, renderer: RendererConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, set(range(9, 100)))
    run = start(tmp_path / "run", renderer)
    with pytest.raises(TrainingError, match=r"became .* at step 5 again, after a roll-back"):
        drain(run_stage(run))
    saved = state(run)
    assert saved["step"] == 4
    assert all(torch.isfinite(value).all() for value in saved["live"].values())


def test_an_exploding_gradient_counts_as_divergence(
    tmp_path: Path, renderer: RendererConfig
) -> None:
    run = start(tmp_path / "run", replace(renderer, run=replace(RUN, max_gradient_norm=1e-12)))
    message = r"gradient_norm' of phase 'sphere' became inf at step 1\. There is no checkpoint"
    with pytest.raises(TrainingError, match=message):
        drain(run_stage(run))


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), RuntimeError])
def test_a_full_disk_ends_the_run_with_the_last_checkpoint_intact(
    error: Any, tmp_path: Path, renderer: RendererConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, count = torch.save, 0

    def full(value: Any, path: Path) -> None:
        nonlocal count
        count += 1
        if count == 2:
            Path(path).write_bytes(b"half")
            raise error
        save(value, path)

    run = start(tmp_path / "run", renderer)
    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(TrainingError, match=r"step-00000002\.pt, is intact. Make room"):
        drain(run_stage(run))
    assert state(run)["step"] == 2
    assert not [file for file in run.checkpoints.iterdir() if ".tmp" in file.name]
    assert drain(run_stage(run)).finished


def test_too_little_memory_is_said_with_its_remedy(
    tmp_path: Path, renderer: RendererConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(VolumePhase, "step", full)
    with pytest.raises(TrainingError, match=r"more memory than cpu has; .* smaller --chunk"):
        drain(run_stage(start(tmp_path / "run", renderer)))


def test_a_roll_back_forgets_the_score_of_what_it_undoes() -> None:
    models = Models.of(Generator(THUMB))
    run = loop._Run(RunDir(Path("x")), models, {}, None, score=1.0)
    weights = models.live.state_dict()
    run.restore({"step": 3, "phase": "renderer", "live": weights, "ema": weights})
    assert run.score == math.inf


def test_the_best_checkpoint_outlives_the_newest(
    tmp_path: Path, renderer: RendererConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The second is the stage's beginning, of which no checkpoint is written.
    scores = iter([5.0, 0.5, 1.0, 3.0, 4.0, 5.0, 6.0])
    monkeypatch.setattr(Snapshots, "write", lambda *_: {"swd": next(scores)})
    config = replace(
        renderer, steps=10, run=replace(RUN, evaluate_every=2, checkpoint_every=2, keep=1)
    )
    run = start(tmp_path / "run", config)
    drain(run_stage(run))
    best, latest = run.best("ema"), run.latest("ema")
    assert best is not None
    assert latest is not None
    assert best.name == "ema-00000004.safetensors"
    assert sorted(file.name for file in run.checkpoints.glob("ema-*")) == [best.name, latest.name]


def test_a_stage_is_measured_before_its_first_step_and_only_once(
    tmp_path: Path, renderer: RendererConfig, decoder: DecoderStageConfig
) -> None:
    for config, first in ((renderer, 2), (decoder, 0)):
        run = start(tmp_path / config.stage, config)
        drain(run_stage(run))
        measured = [record for record in run.read_stats() if "frechet" in record]
        assert [record["step"] for record in measured] == [first, 4, first + 4][: 2 + (first > 0)]
        assert {record["phase"] for record in measured} == {config.stage}
        assert all(record["frechet"] > 0 and "swd" in record for record in measured)


def test_a_run_that_was_killed_after_measuring_its_start_does_not_measure_it_again(
    tmp_path: Path, renderer: RendererConfig
) -> None:
    whole = start(tmp_path / "whole", renderer)
    drain(run_stage(whole))
    run = start(tmp_path / "killed", renderer)
    operation = run_stage(run)
    while not any("swd" in record for record in run.read_stats()):
        next(operation)
    operation.close()
    drain(run_stage(run))
    assert [r["frechet"] for r in run.read_stats() if "frechet" in r] == pytest.approx(
        [r["frechet"] for r in whole.read_stats() if "frechet" in r], rel=1e-4
    )


def test_mistakes_are_refused_before_the_first_step(
    tmp_path: Path, renderer: RendererConfig, decoder: DecoderStageConfig
) -> None:
    run = start(tmp_path / "few", replace(renderer, batch=24))
    with pytest.raises(InputError, match="holds 20 usable images and a batch has 24"):
        drain(run_stage(run))
    run = start(tmp_path / "small", replace(decoder, generator=replace(WHOLE, output_size=64)))
    with pytest.raises(InputError, match=r"holds 0 usable images .* half of 64"):
        drain(run_stage(run))
    (tmp_path / "empty").mkdir()
    empty = replace(renderer, images=ImagesConfig(str(tmp_path / "empty")))
    with pytest.raises(InputError, match="holds no images"):
        drain(run_stage(start(tmp_path / "none", empty)))
    other = replace(decoder, generator=replace(WHOLE, width=16))
    with pytest.raises(InputError, match="another architecture"):
        drain(run_stage(start(tmp_path / "other", other)))
    with pytest.raises(InputError, match="multiple of chunk"):
        replace(renderer, chunk=3)
    with pytest.raises(InputError, match="multiple of 4"):
        replace(decoder, chunk=2)
    assert not (tmp_path / "few" / "checkpoints").exists()


def test_an_older_checkpoint_without_the_new_entries_is_resumed() -> None:
    models = Models.of(Generator(THUMB))
    run = loop._Run(RunDir(Path("x")), models, {}, None)
    weights = models.live.state_dict()
    run.restore({"step": 3, "phase": "points", "live": weights, "ema": weights})
    assert (run.step, run.attempt, run.best) == (3, 0, math.inf)
