"""One of two processes that train together over gloo; started by test_distributed.py.

``python -m tests.training.one_of_two FOLDER``: for every stage it leaves ``gradients-KIND-RANK.pt``
and ``weights-KIND-RANK.pt``; then it trains the run that lies in ``FOLDER/run``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch

import stylesdf_core.commands.train.stages  # noqa: F401  (makes the stages known)
from stylesdf_core.progress import drain
from stylesdf_core.training.loop import train_run
from stylesdf_core.training.runs import monitor
from stylesdf_core.training.runs.run_dir import RunDir
from stylesdf_core.training.world import joined_world
from tests.training.adversarial.stage_phases import (
    KINDS,
    double_precision,
    gradients,
    phase_of,
    small_decoders,
    stage_config,
)


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    with joined_world("cpu") as world, double_precision():
        for kind in KINDS:
            config = stage_config(kind, folder)
            found = gradients(phase_of(config, world), 2)
            torch.save(found, folder / f"gradients-{kind}-{world.rank}.pt")
            apart = phase_of(config, world, seed=50 + world.rank)
            trained = {k: v for k, v in apart.models.live.named_parameters() if v.requires_grad}
            torch.save(trained, folder / f"weights-{kind}-{world.rank}.pt")
    if world.rank == 1:

        def refuse(*_: object, **__: object) -> None:
            raise AssertionError("rank 1 writes")

        for name in ("append_stats", "trim_stats", "sample_path", "save_checkpoint", "owned"):
            setattr(RunDir, name, refuse)
        monitor._events = refuse  # type: ignore[assignment]
    # A port of its own: the other process may still hold the first one's store.
    os.environ["MASTER_PORT"] = os.environ["SECOND_PORT"]
    drain(train_run(RunDir(folder / "run")))


if __name__ == "__main__":
    with small_decoders():
        main(Path(sys.argv[1]))
