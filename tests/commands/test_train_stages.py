"""The training commands: what they write as config, how they resume, how they start others."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from app.program import _parse as parse
from app.program import main
from stylesdf_core.commands import train_stage
from stylesdf_core.commands.command_line import command_line
from stylesdf_core.commands.field_help import settings_of
from stylesdf_core.commands.train_list import TrainList
from stylesdf_core.commands.train_stage import absolute_init
from stylesdf_core.commands.train_stages import (
    TRAIN_COMMANDS,
    TrainDecoder,
    TrainFit,
    TrainJoint,
    TrainRenderer,
    TrainRequest,
    TrainSphereInit,
)
from stylesdf_core.dataclass_json import to_json
from stylesdf_core.errors import InputError, TrainingError
from stylesdf_core.heads.fit.config import FitConfig
from stylesdf_core.model import checkpoints
from stylesdf_core.model.checkpoints import load_checkpoint
from stylesdf_core.progress import drain
from stylesdf_core.training import processes
from stylesdf_core.training.adversarial.config import (
    DecoderStageConfig,
    ImagesConfig,
    JointConfig,
    PresetName,
    RendererConfig,
    SphereInitConfig,
)
from stylesdf_core.training.adversarial.presets import preset
from stylesdf_core.training.adversarial.stages import architecture
from stylesdf_core.training.run_dir import RunDir
from stylesdf_core.training.run_summary import summary
from stylesdf_core.training.settings import with_values
from stylesdf_core.training.stages import train_run
from tests.models import save_tiny
from tests.training.adversarial.stage_phases import stage_config, write_images


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def renderer(
    run_dir: Path, data: Path, name: PresetName = "tiny", **settings: Any
) -> TrainRenderer:
    """A request with settings by path, dots written as double underscores."""
    values = {path.replace("__", "."): value for path, value in settings.items()}
    gpus = values.pop("gpus", 1)
    config = preset(RendererConfig, name, data=str(data))
    return TrainRenderer(run_dir=run_dir, config=with_values(config, values), gpus=gpus)


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
    shown = capsys.readouterr().out
    assert "(default: 1200)" in shown
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


def test_negative_weights_are_refused() -> None:
    for name in ("r1", "eikonal", "generator_rate"):
        with pytest.raises(InputError, match=f"{name} must be at least 0, not -1"):
            with_values(RendererConfig(data="d"), {f"volume.{name}": -1.0})


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


def test_the_same_command_resumes_and_may_go_further(tmp_path: Path) -> None:
    write_images(tmp_path / "images")
    settings: dict[str, Any] = {
        "generator__field": "density", "batch": 2, "run__checkpoint_every": 2, "run__device": "cpu",
    }  # fmt: skip
    folder = tmp_path / "runs" / "a"

    def request(steps: int = 3, images: Path = tmp_path / "images", **more: Any) -> TrainRenderer:
        return renderer(folder, images, steps=steps, **{**settings, **more})

    with pytest.raises(InputError, match="no folder"):
        drain(request(images=tmp_path / "nowhere").run())
    # Nothing was trained yet, so the corrected command is not held to the first one.
    assert drain(request(2).run()).step == 2
    result = drain(request().run())
    assert (result.step, result.finished) == (3, True)
    with pytest.raises(InputError, match=r"already holds a run with run\.seed 0 instead of 1"):
        drain(request(run__seed=1).run())
    listed = str(drain(TrainList(folder=tmp_path / "runs").run()))
    assert "renderer  step 3 of 3  finished" in listed
    for bad in ({"gpus": 0}, {"batch": 0}, {"chunk": 0}, {"steps": 0}):
        with pytest.raises(InputError, match="at least 1"):
            drain(request(**bad).run())


@pytest.mark.parametrize(("change", "named"), [({"volume": None}, "volume"), ({"pace": 5}, "pace")])
def test_a_run_with_an_unknown_or_a_missing_setting_is_refused_by_its_name(
    change: dict[str, Any], named: str, tmp_path: Path
) -> None:
    run = RunDir(tmp_path / "run")
    config = to_json(stage_config("renderer", tmp_path)) | change
    run.write_config(
        {key: value for key, value in config.items() if value is not None or key == "init"}
    )
    with pytest.raises(InputError, match=named):
        drain(train_run(run))
    with pytest.raises(InputError, match=named):
        summary(run)


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
    drain(train_run(killed))
    drain(train_run(whole))
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
    request = renderer(
        tmp_path / "run", tmp_path / "images", generator__field="density", batch=2, steps=1,
        run__device="cpu", gpus=2,
    )  # fmt: skip
    commands: list[list[str]] = []

    class StandIn:
        def __init__(self, command: list[str], **_: object) -> None:
            commands.append(command)
            self.returncode: int | None = None

        def poll(self) -> int | None:
            if self.returncode is None and commands[-1][-1] == str(tmp_path / "run"):
                drain(train_run(RunDir(tmp_path / "run")))
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
    request = renderer(tmp_path / "run", tmp_path / "images", batch=3, gpus=2)
    with pytest.raises(InputError, match="batch 3 must be a multiple of the 2 processes"):
        drain(request.run())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", TRAIN_COMMANDS.values())
def test_every_setting_of_a_training_command_explains_itself(command: type[TrainRequest]) -> None:
    for setting in settings_of(command):
        assert setting.help, setting.path
        assert setting.flag in ("--run-dir", "--gpus") or setting.path.startswith("config.")


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


def test_closed_while_its_processes_start_they_are_asked_again_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process forgets a stop file that is older than itself."""
    write_images(tmp_path / "images")
    request = renderer(tmp_path / "run", tmp_path / "images", batch=2, gpus=2)
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


def test_a_signal_to_end_stops_all_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_images(tmp_path / "images")
    request = renderer(tmp_path / "run", tmp_path / "images", batch=2, gpus=2)
    stop = RunDir(tmp_path / "run").stop_file

    class Training:
        def __init__(self, *_: object, start_new_session: bool, **__: object) -> None:
            assert start_new_session, "the terminal's Ctrl+C is not theirs"

        def poll(self) -> int | None:
            return 0 if stop.exists() else None

    monkeypatch.setattr(processes.subprocess, "Popen", Training)
    monkeypatch.setattr(train_stage, "_POLL_SECONDS", 0.0)
    operation = request.run()
    next(operation)
    signal.raise_signal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt, match="Stopped at step 0; the same command goes on"):
        drain(operation)


def test_on_windows_background_processes_outlive_the_console() -> None:
    no_console, own_group = 0x8000000, 0x200  # CREATE_NO_WINDOW, CREATE_NEW_PROCESS_GROUP
    assert processes._windows_flags(background=True) & (no_console | own_group) == 0x8000200
    assert processes._windows_flags(background=False) == own_group


@pytest.mark.skipif(sys.platform == "win32", reason="started by a POSIX shell")
def test_processes_that_are_ended_leave_no_orphans() -> None:
    shell = ["sh", "-c", "sleep 60 & echo $!; wait"]
    with subprocess.Popen(shell, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        processes.end(process.pid)
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize(
    "change",
    [
        {"run.threads": -1},
        {"run.threads": 100_000},
        {"images.split_seed": -1},
        {"images.workers": 0},
    ],
)
def test_numbers_that_no_machine_has_use_for_are_refused(change: dict[str, int]) -> None:
    (name,) = change
    with pytest.raises(InputError, match=name.partition(".")[2]):
        with_values(RendererConfig(data="d"), change)


def test_every_float_of_the_command_line_is_finite(capsys: pytest.CaptureFixture[str]) -> None:
    for flag in ("--volume.r1", "--run.max-gradient-norm", "--images.cache-gb"):
        words = ["train", "renderer", "--run-dir", "r", "--data", "d", flag, "nan"]
        assert main(words) == 2
        assert "must be a finite number" in capsys.readouterr().err
    assert not Path("r").exists()
