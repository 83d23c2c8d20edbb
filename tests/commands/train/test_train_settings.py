"""Settings of the training commands: flags, presets, help, config, checks before a run."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.program import _parse as parse
from app.program import main
from stylesdf_core.commands.command_line import command_line
from stylesdf_core.commands.field_help import settings_of
from stylesdf_core.commands.train.base import absolute_init
from stylesdf_core.commands.train.stages import (
    TRAIN_COMMANDS,
    TrainDecoder,
    TrainFit,
    TrainJoint,
    TrainRequest,
    TrainSphereInit,
)
from stylesdf_core.errors import InputError
from stylesdf_core.heads.fit.config import FitConfig
from stylesdf_core.model.checkpoints import checkpoints
from stylesdf_core.model.checkpoints.checkpoints import load_checkpoint
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.training.adversarial.config.images import ImagesConfig
from stylesdf_core.training.adversarial.config.presets import preset
from stylesdf_core.training.adversarial.config.stages import (
    DecoderStageConfig,
    JointConfig,
    RendererConfig,
    SphereInitConfig,
)
from stylesdf_core.training.adversarial.stages import architecture
from stylesdf_core.training.runs.run_dir import RunDir
from stylesdf_core.training.settings import with_values
from tests.commands.train.requests import renderer
from tests.models import save_tiny


def test_the_line_of_the_manual_is_understood(tmp_path: Path) -> None:
    line = "train renderer --data faces --preset ffhq --run-dir r --steps 9"
    request = parse([*line.split(), "--run.checkpoint-every", "3", "--gpus", "4"])
    expected = {"steps": 9, "run__checkpoint_every": 3, "gpus": 4}
    assert request == renderer(Path("r"), Path("faces"), "ffhq", **expected)
    sphere = parse(["train", "sphere-init", "--run-dir", "r", "--preset=tiny", "--steps", "5"])
    assert isinstance(sphere, TrainSphereInit)
    assert (sphere.config.preset, sphere.config.sphere.steps) == ("tiny", 5)
    assert sphere.config.sphere.batch == 8, "the preset's"
    packed = parse(["dataset", "pack", "--data", "a", "--out", "b", "--sizes", "64", "512"])
    assert packed.sizes == (64, 512)


def test_flags_change_the_settings_of_the_preset() -> None:
    required = ["train", "renderer", "--data", "d", "--run-dir", "r"]
    words = [*required, "--batch", "8", "--generator.field", "density"]
    paper = parse(required).config
    assert paper == RendererConfig(data="d")
    assert (paper.batch, paper.chunk_size, paper.steps) == (24, 4, 200_000)
    assert paper.generator.output_size == paper.generator.thumb_size == 64
    more = ["--preset", "afhq", "--volume.r1", "50", "--run.seed", "3", "--images.no-flip"]
    animals = parse([*words, *more]).config
    assert (animals.poses.azimuth_std, animals.volume.r1) == (0.15, 50.0)
    assert (animals.generator.field, animals.batch, animals.run.seed) == ("density", 8, 3)
    assert not animals.images.flip
    with pytest.raises(InputError, match="preset"):
        parse([*words, "--preset", "huge"])
    with pytest.raises(InputError, match=r"r1 must be at least 0, not -1"):
        parse([*words, "--volume.r1", "-1"])


def test_help_shows_the_numbers_of_the_preset(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["train", "renderer", "--preset", "tiny", "--help"])
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "Optimizer steps after the sphere's. (default: 1600)" in shown
    assert "--stage" not in shown


def test_settings_that_the_advice_of_a_run_names_can_be_given() -> None:
    line = "train renderer --data d --run-dir r --volume.r1 20 --volume.eikonal 0.2"
    rates = "--volume.generator-rate 1e-5 --volume.discriminator-rate 1e-4"
    volume = parse(f"{line} {rates} --volume.minimal-surface 0.01".split()).config.volume
    assert (volume.r1, volume.eikonal, volume.minimal_surface) == (20.0, 0.2, 0.01)
    assert (volume.generator_rate, volume.discriminator_rate) == (1e-5, 1e-4)
    line = "train decoder --data d --run-dir r --init heads --image.r1 3 --image.rate 1e-3"
    image = parse(line.split()).config.image
    assert (image.r1, image.rate) == (3.0, 1e-3)


@pytest.mark.parametrize(
    ("batch", "volume", "image"), [(8, 4, 8), (6, 3, 6), (12, 4, 4), (7, 1, 7), (2, 2, 2)]
)
def test_any_batch_has_a_chunk_that_divides_it(batch: int, volume: int, image: int) -> None:
    assert RendererConfig(data="d", batch=batch).chunk_size == volume
    assert DecoderStageConfig(data="d", init="i", batch=batch).chunk_size == image


def test_impossible_weights_are_refused() -> None:
    for name in ("r1", "eikonal", "generator_rate"):
        with pytest.raises(InputError, match=f"{name} must be at least 0, not -1"):
            with_values(RendererConfig(data="d"), {f"volume.{name}": -1.0})
    joint = JointConfig(data="d", init="i")
    with pytest.raises(InputError, match="renderer_rate must be at least 0, not -1"):
        replace(joint, renderer_rate=-1.0)
    with pytest.raises(InputError, match="mixing must lie between 0 and 1, not 2"):
        replace(joint, image=replace(joint.image, mixing=2.0))


@pytest.mark.parametrize(
    ("change", "least"),
    [
        ({"sphere.batch": 0}, "The sphere's batch must be at least 1, not 0"),
        ({"sphere.rays": 0}, "The sphere's rays must be at least 1, not 0"),
        ({"sphere.beta": 0.0}, "The sphere's beta must be at least 1e-06, not 0"),
        ({"sphere.learning_rate": -1.0}, "The sphere's learning_rate must be at least 0, not -1"),
        ({"sphere.steps": -1}, "The sphere's steps must be at least 0, not -1"),
        ({"generator.samples": 1}, "samples must lie between 2 and 1024, not 1"),
    ],
)
def test_numbers_that_leave_nothing_to_learn_from_are_refused(
    change: dict[str, float], least: str
) -> None:
    with pytest.raises(InputError, match=least):
        with_values(RendererConfig(data="d"), change)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"sphere.steps": 0}, "The sphere's steps must be at least 1, not 0"),
        ({"generator.field": "density"}, "must be sdf: a density has no distance to a sphere"),
        ({"generator.thumb_size": 32}, r"output_size \(64\) must equal generator.thumb_size \(32"),
    ],
)
def test_only_a_renderer_of_a_distance_begins_as_a_sphere(change: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=why):
        with_values(SphereInitConfig(), change)


@pytest.mark.parametrize("name", ["points.heads", "points.near", "render.rays", "refine.widest"])
def test_phases_of_a_fit_without_samples_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=rf"{name} must be at least [14], not 0"):
        with_values(FitConfig(), {name: 0})


def test_sizes_that_a_discriminator_cannot_halve_are_refused_before_the_first_step(
    tmp_path: Path,
) -> None:
    run, init = RunDir(tmp_path / "run"), str(tmp_path / "whole.safetensors")
    save_tiny(Path(init), thumb_size=12, output_size=24)
    thumb = save_tiny(tmp_path / "thumb.safetensors", thumb_size=12, output_size=12)
    small = {"generator.thumb_size": 12, "generator.output_size": 12}
    refused = (
        (with_values(RendererConfig(data="d"), small), "from 4 on, not 12"),
        (JointConfig(data="d", init=init), "from 4 on, not 12"),
        (
            DecoderStageConfig(data="d", init=str(thumb), output_size=24, channel_multiplier=1),
            "from 8 on, not 24",
        ),
    )
    for config, words in refused:
        with pytest.raises(InputError, match=f"edge is a power of two {words}"):
            architecture(config, run)


def test_later_stages_take_the_architecture_of_their_initial_weights(tmp_path: Path) -> None:
    thumb = save_tiny(tmp_path / "renderer.safetensors", output_size=16)
    decoder = preset(DecoderStageConfig, "tiny", data="d", init=str(thumb))
    wanted = architecture(decoder, RunDir(tmp_path))
    assert (wanted.width, wanted.output_size, wanted.channel_multiplier) == (24, 64, 1)
    whole = save_tiny(tmp_path / "whole.safetensors")
    joint = preset(JointConfig, "tiny", data="d", init=str(whole))
    assert architecture(joint, RunDir(tmp_path)) == load_checkpoint(whole).generator.config


def test_checking_a_request_reads_the_header_of_initial_weights_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    thumb = save_tiny(tmp_path / "renderer.safetensors", output_size=16)
    decoder = preset(DecoderStageConfig, "tiny", data="d", init=str(thumb))
    request = TrainDecoder(run_dir=tmp_path / "run", config=decoder)
    monkeypatch.setattr(checkpoints, "filled", None)
    assert request.checked().init == str(thumb)
    missing = replace(request, config=replace(decoder, init=str(tmp_path / "no.safetensors")))
    with pytest.raises(InputError, match="no model file"):
        missing.checked()


def test_paths_of_a_prepared_run_are_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    thumb = save_tiny(tmp_path / "renderer.safetensors", output_size=16)
    decoder = preset(DecoderStageConfig, "tiny", data="d", init=thumb.name)
    run = TrainDecoder(run_dir=tmp_path / "run", config=decoder).prepare()
    config = run.read_config()
    assert (config["data"], config["init"]) == (str(tmp_path / "d"), str(thumb))
    assert absolute_init("heads") == "heads", "a model's name"


def test_a_run_goes_on_with_initial_weights_that_were_moved_and_not_with_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TrainDecoder, "check_data", lambda *_: None)
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    save_tiny(old / "renderer.safetensors", output_size=16)

    def request(folder: Path, weights: str = "renderer.safetensors") -> TrainDecoder:
        config = preset(DecoderStageConfig, "tiny", data="d", init=str(folder / weights))
        return TrainDecoder(run_dir=folder / "run", config=config)

    run = request(old).prepare()
    shape = architecture(request(old).config, run)
    run.save_checkpoint(1, {"step": 1}, Generator(shape), keep=1)
    old.rename(new)
    run = request(new).prepare()
    assert run.read_config()["init"] == str(new / "renderer.safetensors")
    changed = replace(request(new), config=with_values(request(new).config, {"batch": 2}))
    with pytest.raises(InputError, match="holds a run with batch"):
        changed.prepare()
    save_tiny(new / "other.safetensors", output_size=16, samples=12)
    with pytest.raises(InputError, match="holds a run with init"):
        request(new, "other.safetensors").prepare()


@pytest.mark.parametrize("command", TRAIN_COMMANDS.values())
def test_every_setting_of_a_training_command_explains_itself(command: type[TrainRequest]) -> None:
    for setting in settings_of(command):
        assert setting.help, setting.path
        assert setting.flag in ("--run-dir", "--gpus", "--dry-run") or setting.path.startswith(
            "config."
        )


def test_a_training_request_is_the_command_that_makes_it(tmp_path: Path) -> None:
    images: dict[str, Any] = {"data": "d", "images": ImagesConfig(flip=False, held_out=0.1)}
    requests = (
        TrainSphereInit(
            run_dir=Path("a b"),
            config=with_values(preset(SphereInitConfig, "tiny"), {"sphere.steps": 5}),
        ),
        renderer(Path("r"), Path("d"), volume__r1=2.5, generator__field="density"),
        renderer(Path("r"), Path("d"), "ffhq", init="heads", gpus=3),
        TrainDecoder(
            run_dir=Path("r"), config=preset(DecoderStageConfig, "afhq", init="i", **images), gpus=2
        ),
        TrainJoint(
            run_dir=Path("r"), config=JointConfig(init="heads", renderer_rate=1e-6, **images)
        ),
        TrainFit(
            run_dir=Path("r"),
            config=with_values(FitConfig(), {"points.steps": 5, "heads.facekit": "a kit"}),
        ),
    )
    for request in requests:
        line = command_line(request)
        assert parse(shlex.split(line)[1:]) == request, line
    short = command_line(renderer(Path("r"), Path("d"), steps=7, images__flip=False))
    assert short == (
        "stylesdf-studio train renderer --run-dir r --data d --preset tiny --steps 7 "
        "--images.no-flip"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"run.threads": -1},
        {"run.threads": 100_000},
        {"images.split_seed": -1},
        {"images.workers": 0},
        {"images.cache_gb": -1.0},
        {"run.max_gradient_norm": 0.0},
    ],
)
def test_numbers_that_no_machine_has_use_for_are_refused(change: dict[str, float]) -> None:
    (name,) = change
    with pytest.raises(InputError, match=name.partition(".")[2]):
        with_values(RendererConfig(data="d"), change)


def test_every_float_of_the_command_line_is_finite(capsys: pytest.CaptureFixture[str]) -> None:
    for flag in ("--volume.r1", "--run.max-gradient-norm", "--volume.eikonal"):
        words = ["train", "renderer", "--run-dir", "r", "--data", "d", flag, "nan"]
        assert main(words) == 2
        assert "must be a finite number" in capsys.readouterr().err
    assert not Path("r").exists()
