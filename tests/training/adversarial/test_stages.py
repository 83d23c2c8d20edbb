"""The stages that train from images: settings, runs, resuming, and what they start from."""

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
from stylesdf_core.model.model import load_model
from stylesdf_core.model.model_zoo import resolve
from stylesdf_core.model.networks.discriminators import VolumeDiscriminator
from stylesdf_core.model.poses import Poses
from stylesdf_core.progress import drain
from stylesdf_core.training.adversarial.config.losses import ImageLosses
from stylesdf_core.training.adversarial.config.poses import PosesConfig
from stylesdf_core.training.adversarial.config.presets import PRESETS, preset
from stylesdf_core.training.adversarial.config.stages import (
    DecoderStageConfig,
    JointConfig,
    PresetName,
    RendererConfig,
    SphereInitConfig,
    StageConfig,
)
from stylesdf_core.training.adversarial.phases import snapshots
from stylesdf_core.training.adversarial.stages import take_over
from stylesdf_core.training.loop import train_run
from stylesdf_core.training.settings import by_path
from tests.golden import published_state, reference_discriminator
from tests.training.adversarial.stage_phases import (
    KINDS,
    RUN,
    VOLUME,
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
            assert grid.size == (snapshots.COLUMNS * 8, 4 * 8)
    assert list((run.path / "tensorboard").glob("events*"))
    assert sorted(state(run)) == [
        "attempt", "best", "config", "ema", "live", "networks", "optimizers", "phase",
        "scalers", "step",
    ]  # fmt: skip
    assert run.best("ema") is not None
    assert resolve(run.path).path == run.latest("ema"), "a run's folder is a model"


def test_terms_of_few_steps_are_recorded_though_no_such_step_is(
    tmp_path: Path, decoder: DecoderStageConfig
) -> None:
    """R1 and path length belong to steps 1 and 3; steps 2 and 4 are recorded."""
    found = []
    for every in (1, 2):
        run = start(tmp_path / str(every), replace(decoder, run=replace(RUN, record_every=every)))
        drain(train_run(run))
        found.append({r["step"]: r for r in run.read_stats() if "seconds" in r})
    each, second = found
    for name in ("image_r1", "path_penalty", "path_length", "path_gradient_norm"):
        assert [step for step, record in each.items() if name in record] == [1, 3]
        newest = {step: record[name] for step, record in second.items()}
        assert newest == {2: each[1][name], 4: each[3][name]}
    assert second[2]["image_d_logistic"] == each[2]["image_d_logistic"]


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


def test_a_model_states_how_its_pictures_frame_a_face(
    tmp_path: Path, folder: Path, renderer: RendererConfig
) -> None:
    data = shutil.copytree(folder, tmp_path / "images1024x1024")
    first = start(tmp_path / "first", replace(renderer, data=str(data), steps=1))
    drain(train_run(first))
    assert model_zoo.trained_frame_preset(first.path) == "ffhq"
    decoder = stage_config("decoder", folder)
    assert isinstance(decoder, DecoderStageConfig)
    second = start(tmp_path / "second", replace(decoder, init=str(first.path), steps=1))
    drain(train_run(second))
    assert model_zoo.trained_frame_preset(second.path) == "ffhq", "its data do not say it"
    zoo = {entry.name: entry.frame_preset for entry in model_zoo.list_models()}
    assert (zoo["heads"], zoo["heads-gan"], zoo["ffhq1024"]) == ("heads", "heads", "ffhq")


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
