"""The training commands' runs: how they resume, and the processes that they start and end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from stylesdf_core.commands.train import base as train_base
from stylesdf_core.commands.train.listing import TrainList
from stylesdf_core.commands.train.stages import (
    TrainRenderer,
)
from stylesdf_core.dataclass_json import to_json
from stylesdf_core.errors import InputError, TrainingError
from stylesdf_core.progress import drain
from stylesdf_core.training.loop import train_run
from stylesdf_core.training.runs import processes
from stylesdf_core.training.runs.run_dir import RunDir
from stylesdf_core.training.runs.run_summary import summary
from tests.commands.train.requests import renderer
from tests.training.adversarial.stage_phases import stage_config, write_images


def test_the_same_command_resumes_and_may_go_further(tmp_path: Path) -> None:
    write_images(tmp_path / "images")
    settings: dict[str, Any] = {
        "generator__field": "density", "batch": 2, "run__checkpoint_every": 2, "run__device": "cpu",
        "images__compare": 8,
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
    root = str(Path(train_base.__file__).parents[3])
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
        images__compare=8, run__device="cpu", gpus=2,
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
    monkeypatch.setattr(train_base, "_POLL_SECONDS", 0.0)
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
    monkeypatch.setattr(train_base, "_POLL_SECONDS", 0.0)
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
    monkeypatch.setattr(train_base, "_POLL_SECONDS", 0.0)
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
