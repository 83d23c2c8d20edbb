"""Two processes over gloo against one with the whole batch."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stylesdf_core.dataclass_json import to_json
from stylesdf_core.model.checkpoints.checkpoints import load_checkpoint
from stylesdf_core.progress import drain
from stylesdf_core.training.adversarial.config.stages import RendererConfig
from stylesdf_core.training.loop import train_run
from stylesdf_core.training.runs.run_dir import RunDir
from tests.training.adversarial.stage_phases import (
    KINDS,
    assert_same_gradients,
    double_precision,
    gradients,
    phase_of,
    small_decoders,
    stage_config,
    write_images,
    write_weights,
)

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which two processes have done their work."""
    folder = tmp_path_factory.mktemp("two")
    write_images(folder / "images")
    with small_decoders():
        write_weights(folder / "whole.safetensors")
    RunDir(folder / "run").write_config(to_json(short_run(folder)))
    with socket.socket() as one, socket.socket() as other:
        for probe in (one, other):
            probe.bind(("127.0.0.1", 0))
        first, second = (str(probe.getsockname()[1]) for probe in (one, other))
    processes = []
    for rank in (0, 1):
        surroundings = {
            **os.environ,
            "PYTHONPATH": str(REPOSITORY),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": first,
            "SECOND_PORT": second,
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": "2",
            "OMP_NUM_THREADS": "1",
        }
        processes.append(
            subprocess.Popen(
                [sys.executable, "-m", "tests.training.one_of_two", str(folder)],
                env=surroundings,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    try:
        for process in processes:
            output, _ = process.communicate(timeout=240)
            assert process.returncode == 0, output
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return folder


def short_run(folder: Path) -> RendererConfig:
    """Two steps of a sphere, two of the renderer: one stage has all the loop has."""
    config = stage_config("renderer", folder)
    assert isinstance(config, RendererConfig)
    return replace(config, steps=2)


@pytest.mark.parametrize("kind", KINDS)
def test_averaged_gradients_are_the_whole_batchs(kind: str, trained: Path) -> None:
    with double_precision():
        expected = gradients(phase_of(stage_config(kind, trained)), 2)
    for rank in (0, 1):
        assert_same_gradients(torch.load(trained / f"gradients-{kind}-{rank}.pt"), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_processes_start_equal(kind: str, trained: Path) -> None:
    """Even where their own weights were not."""
    first, second = (torch.load(trained / f"weights-{kind}-{rank}.pt") for rank in (0, 1))
    assert first
    for key, value in first.items():
        assert torch.equal(value, second[key]), key


def test_a_run_of_two_is_a_run_of_one_and_only_one_writes(trained: Path) -> None:
    alone = RunDir(trained / "alone")
    alone.write_config(to_json(short_run(trained)))
    one = load_checkpoint(drain(train_run(alone)).weights).generator.state_dict()
    together = RunDir(trained / "run").latest("ema")
    assert together is not None
    two = load_checkpoint(together).generator.state_dict()
    for key, value in one.items():
        torch.testing.assert_close(two[key], value, rtol=1e-3, atol=1e-4)


def test_recorded_losses_are_those_of_the_whole_batch(trained: Path) -> None:
    """Means over both processes, not the first one's half of the batch."""
    alone = RunDir(trained / "whole")
    alone.write_config(to_json(short_run(trained)))
    drain(train_run(alone))
    one, two = (
        next(
            record for record in run.read_stats() if record["step"] == 3 and "d_logistic" in record
        )
        for run in (alone, RunDir(trained / "run"))
    )
    names = ("d_logistic", "d_pose", "score_fake", "g_adversarial", "g_pose", "eikonal")
    for name in (*names, "scalar_min", "scalar_max", "background"):
        assert two[name] == pytest.approx(one[name], rel=1e-3, abs=1e-5), name
