"""The training commands: what they write as config, how they resume, how they start others."""

from __future__ import annotations

import dataclasses
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from app.__main__ import _parse as parse
from stylesdf_core.commands import train_stage
from stylesdf_core.commands.command_line import command_line
from stylesdf_core.commands.field_help import field_help
from stylesdf_core.commands.train_list import TrainList
from stylesdf_core.commands.train_stages import (
    TrainDecoder,
    TrainJoint,
    TrainRenderer,
    TrainSphereInit,
)
from stylesdf_core.dataclass_json import to_json
from stylesdf_core.errors import InputError, TrainingError
from stylesdf_core.model.checkpoints import load_checkpoint
from stylesdf_core.progress import drain
from stylesdf_core.training import processes
from stylesdf_core.training.adversarial.config import RendererConfig
from stylesdf_core.training.adversarial.stages import run_stage
from stylesdf_core.training.run_dir import RunDir
from tests.models import save_tiny
from tests.training.adversarial.stage_phases import stage_config, write_images


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_the_line_of_the_manual_is_understood(tmp_path: Path) -> None:
    line = "train renderer --data faces --preset ffhq --run-dir r --steps 9 --checkpoint-every 3"
    request = parse([*line.split(), "--gpus", "4"])
    assert request == TrainRenderer(
        data=Path("faces"), run_dir=Path("r"), steps=9, checkpoint_every=3, gpus=4
    )
    assert isinstance(parse(["train", "sphere-init", "--run-dir", "r"]), TrainSphereInit)
    packed = parse(["dataset", "pack", "--data", "a", "--out", "b", "--sizes", "64", "512"])
    assert packed.sizes == (64, 512)


def test_presets_become_configs(tmp_path: Path) -> None:
    paper = TrainRenderer(data=tmp_path, run_dir=tmp_path).config()
    assert isinstance(paper, RendererConfig)
    assert (paper.batch, paper.chunk, paper.steps) == (24, 4, 200_000)
    assert paper.generator.output_size == paper.generator.thumb_size == 64
    animals = TrainRenderer(
        data=tmp_path, run_dir=tmp_path, preset="afhq", field="density", r1=50.0, batch=8, seed=3
    ).config()
    assert isinstance(animals, RendererConfig)
    assert (animals.poses.azimuth_std, animals.volume.r1) == (0.15, 50.0)
    assert (animals.generator.field, animals.batch, animals.run.seed) == ("density", 8, 3)


def test_what_the_advice_names_can_be_given(tmp_path: Path) -> None:
    line = "train renderer --data faces --run-dir r --r1 20 --eikonal 0.2 --minimal-surface 0.01"
    request = parse([*line.split(), "--generator-rate", "1e-5", "--discriminator-rate", "1e-4"])
    volume = request.config().volume
    assert (volume.r1, volume.eikonal, volume.minimal_surface) == (20.0, 0.2, 0.01)
    assert (volume.generator_rate, volume.discriminator_rate) == (1e-5, 1e-4)
    weights = save_tiny(tmp_path / "renderer.safetensors", output_size=16)
    decoder = TrainDecoder(
        data=tmp_path, run_dir=tmp_path, init=str(weights), r1=3.0, rate=1e-3
    ).config()
    assert (decoder.image.r1, decoder.image.rate) == (3.0, 1e-3)


@pytest.mark.parametrize(
    ("batch", "renderer", "decoder"), [(8, 4, 8), (6, 3, 6), (12, 4, 4), (7, 1, 7), (2, 2, 2)]
)
def test_any_batch_has_a_chunk_that_divides_it(
    batch: int, renderer: int, decoder: int, tmp_path: Path
) -> None:
    weights = save_tiny(tmp_path / "renderer.safetensors", output_size=16)
    volume = TrainRenderer(data=tmp_path, run_dir=tmp_path, batch=batch).config()
    image = TrainDecoder(
        data=tmp_path, run_dir=tmp_path, batch=batch, preset="tiny", init=str(weights)
    ).config()
    assert (volume.chunk, image.chunk) == (renderer, decoder)


def test_negative_weights_are_refused(tmp_path: Path) -> None:
    for name in ("r1", "eikonal", "generator_rate"):
        with pytest.raises(InputError, match=f"{name} must be at least 0, not -1"):
            TrainRenderer(data=tmp_path, run_dir=tmp_path, **{name: -1.0}).config()


def test_later_stages_take_the_architecture_of_what_they_start_from(tmp_path: Path) -> None:
    weights = save_tiny(tmp_path / "renderer.safetensors", output_size=16)
    decoder = TrainDecoder(
        data=tmp_path, run_dir=tmp_path, preset="tiny", init=str(weights)
    ).config()
    assert (decoder.generator.width, decoder.generator.output_size) == (24, 64)
    whole = save_tiny(tmp_path / "whole.safetensors")
    joint = TrainJoint(data=tmp_path, run_dir=tmp_path, preset="tiny", init=str(whole)).config()
    assert joint.generator == load_checkpoint(whole).generator.config


def test_the_same_command_resumes_and_may_go_further(tmp_path: Path) -> None:
    write_images(tmp_path / "images")
    settings: dict[str, Any] = {
        "data": tmp_path / "images", "run_dir": tmp_path / "runs" / "a", "preset": "tiny",
        "field": "density", "batch": 2, "checkpoint_every": 2, "device": "cpu",
    }  # fmt: skip
    with pytest.raises(InputError, match="no folder"):
        drain(TrainRenderer(**{**settings, "data": tmp_path / "nowhere"}).run())
    # Nothing was trained yet, so the corrected command is not held to the first one.
    assert drain(TrainRenderer(**settings, steps=2).run()).step == 2
    result = drain(TrainRenderer(**settings, steps=3).run())
    assert (result.step, result.finished) == (3, True)
    with pytest.raises(InputError, match=r"another run\.seed"):
        drain(TrainRenderer(**settings, steps=3, seed=1).run())
    listed = str(drain(TrainList(folder=tmp_path / "runs").run()))
    assert "renderer  step 3 of 3  finished" in listed
    for bad in ({"steps": 0}, {"gpus": 0}, {"batch": 0}, {"chunk": 0}):
        with pytest.raises(InputError, match="at least 1"):
            drain(TrainRenderer(**{**settings, **bad}).run())


def test_killed_at_any_moment_a_run_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    write_images(tmp_path / "images")
    config = stage_config("renderer", tmp_path)
    killed, whole = RunDir(tmp_path / "killed"), RunDir(tmp_path / "whole")
    for run in (killed, whole):
        run.write_config(to_json(config))
    command = [sys.executable, "-m", processes.ENTRY_POINT, str(killed.path)]
    root = str(Path(train_stage.__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment)
    try:
        while killed.latest() is None and process.poll() is None:
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    assert killed.running_process() is None
    drain(run_stage(killed))
    drain(run_stage(whole))
    one, other = killed.load_checkpoint(), whole.load_checkpoint()
    assert one is not None
    assert other is not None
    for key, value in other["live"].items():
        assert torch.equal(one["live"][key], value), key
    steps = [record["step"] for record in killed.read_stats() if "seconds" in record]
    assert steps == [1, 2, 3, 4, 5, 6]


def test_several_processes_are_started_by_torchrun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The processes themselves are test_distributed.py's; here a stand-in trains alone."""
    write_images(tmp_path / "images")
    request = TrainRenderer(
        data=tmp_path / "images", run_dir=tmp_path / "run", preset="tiny", field="density",
        batch=2, steps=1, device="cpu", gpus=2,
    )  # fmt: skip
    commands: list[list[str]] = []

    class StandIn:
        def __init__(self, command: list[str], **_: object) -> None:
            commands.append(command)
            self.returncode: int | None = None

        def poll(self) -> int | None:
            if self.returncode is None and commands[-1][-1] == str(tmp_path / "run"):
                drain(run_stage(RunDir(tmp_path / "run")))
                self.returncode = 0
                return None
            return self.returncode

    monkeypatch.setattr(processes.subprocess, "Popen", StandIn)
    monkeypatch.setattr(train_stage, "_POLL_SECONDS", 0.0)
    operation = request.run()
    assert next(operation).done == 1
    assert drain(operation).finished
    assert "--nproc-per-node" in commands[0]
    assert commands[0][commands[0].index("--nproc-per-node") + 1] == "2"

    assert processes.processes_before(RunDir(tmp_path / "run")) == 2
    said = ["training: no room left.\nTraceback\n"]

    class Failing(StandIn):
        def poll(self) -> int | None:
            with open(tmp_path / "run" / "training.log", "a") as log:
                log.write(said[0])
            self.returncode = 1
            return 1

    monkeypatch.setattr(processes.subprocess, "Popen", Failing)
    with pytest.raises(TrainingError, match=r"no room left \(see"):
        drain(request.run())
    said[0] = "wrong request: 3 usable images and a batch has 4.\n"
    with pytest.raises(InputError, match=r"a batch has 4 \(see"):
        drain(request.run())
    said[0] = "nothing of the kind\n"
    with pytest.raises(TrainingError, match="A process of the run failed"):
        drain(request.run())  # what earlier starts said is not repeated


def test_a_batch_that_cannot_be_shared_out_is_a_mistake_of_the_request(tmp_path: Path) -> None:
    write_images(tmp_path / "images")
    request = TrainRenderer(
        data=tmp_path / "images", run_dir=tmp_path / "run", preset="tiny", batch=3, gpus=2
    )
    with pytest.raises(InputError, match="--batch 3 must be a multiple of --gpus 2"):
        drain(request.run())
    assert not (tmp_path / "run").exists()


def test_settings_are_what_the_config_will_say(tmp_path: Path) -> None:
    """What a form shows as default is what a run gets."""
    for preset in ("ffhq", "afhq", "heads", "tiny"):
        request = TrainRenderer(data=tmp_path, run_dir=tmp_path, preset=preset)
        shown, config = request.settings(), request.config()
        assert isinstance(config, RendererConfig)
        for name in ("steps", "batch", "chunk"):
            assert shown[name] == getattr(config, name)
        for name in ("r1", "eikonal", "minimal_surface", "generator_rate"):
            assert shown[name] == getattr(config.volume, name)
        for name in ("precision", "checkpoint_every", "evaluate_every", "keep"):
            assert shown[name] == getattr(config.run, name)
    assert TrainRenderer(data=tmp_path, run_dir=tmp_path, batch=6).settings()["chunk"] == 3
    sphere = TrainSphereInit(run_dir=tmp_path, preset="tiny")
    assert sphere.settings()["steps"] == sphere.config().sphere.steps  # type: ignore[attr-defined]


def test_every_field_of_a_training_command_explains_itself(tmp_path: Path) -> None:
    for request in (TrainSphereInit, TrainRenderer, TrainDecoder, TrainJoint):
        help_texts = field_help(request)
        assert help_texts.keys() == {item.name for item in dataclasses.fields(request)}
        assert all(help_texts.values())


def test_a_training_request_is_the_command_that_makes_it(tmp_path: Path) -> None:
    requests = (
        TrainSphereInit(run_dir=Path("a b"), preset="tiny", steps=5),
        TrainRenderer(run_dir=Path("r"), data=Path("d"), flip=False, r1=2.5, field="density"),
        TrainDecoder(run_dir=Path("r"), data=Path("d"), init="runs/v", held_out=0.1, gpus=2),
        TrainJoint(run_dir=Path("r"), data=Path("d"), init="heads", renderer_rate=1e-6),
    )
    for request in requests:
        line = command_line(request)
        assert parse(shlex.split(line)[1:]) == request, line


def test_closed_while_its_processes_start_they_are_asked_again_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process forgets a stop file that is older than itself."""
    write_images(tmp_path / "images")
    request = TrainRenderer(
        data=tmp_path / "images", run_dir=tmp_path / "run", preset="tiny", batch=2, gpus=2
    )
    stop = RunDir(tmp_path / "run").stop_file
    forgotten: list[bool] = []

    class Starting:
        def __init__(self, *_: object, **__: object) -> None:
            pass

        def poll(self) -> int | None:
            if not stop.exists():
                return None
            if len(forgotten) == 2:
                return 0
            stop.unlink()
            forgotten.append(True)
            return None

    monkeypatch.setattr(processes.subprocess, "Popen", Starting)
    monkeypatch.setattr(train_stage, "_POLL_SECONDS", 0.0)
    operation = request.run()
    next(operation)
    operation.close()
    assert len(forgotten) == 2
