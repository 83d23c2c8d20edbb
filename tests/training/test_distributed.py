"""Two processes over gloo against one with the whole batch."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stylesdf_core.checkpoints import load_checkpoint
from stylesdf_core.config import to_json
from stylesdf_core.progress import drain
from stylesdf_core.training.run_dir import RunDir
from stylesdf_core.training.stage_config import RendererConfig
from stylesdf_core.training.stages import run_stage
from tests.training.stage_phases import (
    assert_same_gradients,
    double_precision,
    gradients,
    phase_of,
    stage_config,
    write_images,
    write_weights,
)

REPOSITORY = Path(__file__).resolve().parents[2]


def two_processes(folder: Path, *, train: bool = False) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    processes = []
    for rank in (0, 1):
        surroundings = {
            **os.environ,
            "PYTHONPATH": str(REPOSITORY),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": "2",
            "OMP_NUM_THREADS": "1",
        }
        command = [sys.executable, "-m", "tests.training.one_of_two", str(folder)]
        command.append("train" if train else "gradients")
        processes.append(
            subprocess.Popen(
                command,
                env=surroundings,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    for process in processes:
        output, _ = process.communicate(timeout=240)
        assert process.returncode == 0, output


@pytest.mark.parametrize("kind", ["renderer", "decoder", "joint"])
def test_two_processes_are_one(kind: str, tmp_path: Path) -> None:
    """Averaged gradients equal the whole batch's, ranks start equal, only rank 0 writes."""
    write_images(tmp_path / "images")
    write_weights(tmp_path / "whole.safetensors")
    config = stage_config(kind, tmp_path)
    if isinstance(config, RendererConfig):
        config = replace(config, steps=2)
    (tmp_path / "config.json").write_text(json.dumps(to_json(config)))
    run = RunDir(tmp_path / "run")
    run.write_config(to_json(config))
    whole_run = kind == "renderer"  # it has two phases; one stage is enough
    two_processes(tmp_path, train=whole_run)

    first, second = (torch.load(tmp_path / f"weights-{rank}.pt") for rank in (0, 1))
    assert first
    for key, value in first.items():
        assert torch.equal(value, second[key]), key
    with double_precision():
        expected = gradients(phase_of(config), 2)
    for rank in (0, 1):
        assert_same_gradients(torch.load(tmp_path / f"gradients-{rank}.pt"), expected)
    if not whole_run:
        return
    alone = RunDir(tmp_path / "alone")
    alone.write_config(to_json(config))
    one = load_checkpoint(drain(run_stage(alone)).weights).generator.state_dict()
    together = run.latest("ema")
    assert together is not None
    two = load_checkpoint(together).generator.state_dict()
    for key, value in one.items():
        torch.testing.assert_close(two[key], value, rtol=1e-3, atol=1e-4)
