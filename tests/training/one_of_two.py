"""One of two processes that train together over gloo; started by test_distributed.py.

``python -m tests.training.one_of_two FOLDER KIND``: reads ``config.json`` of the folder, leaves
``gradients-RANK.pt`` and ``weights-RANK.pt``, then trains the whole run in ``FOLDER/run``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from stylesdf_core.config import from_json
from stylesdf_core.progress import drain
from stylesdf_core.training import monitor
from stylesdf_core.training.run_dir import RunDir
from stylesdf_core.training.stage_config import STAGES
from stylesdf_core.training.stages import run_stage
from stylesdf_core.training.world import joined_world
from tests.training.stage_phases import Config, double_precision, gradients, phase_of


def main(folder: Path, *, train: bool) -> None:
    torch.set_num_threads(1)
    data = json.loads((folder / "config.json").read_text())
    config: Config = from_json(STAGES[data["stage"]], data)  # type: ignore[assignment]
    with joined_world("cpu") as world, double_precision():
        torch.save(gradients(phase_of(config, world), 2), folder / f"gradients-{world.rank}.pt")
        apart = phase_of(config, world, seed=50 + world.rank)
        trained = {k: v for k, v in apart.models.live.named_parameters() if v.requires_grad}
        torch.save(trained, folder / f"weights-{world.rank}.pt")
    if not train:
        return
    run = RunDir(folder / "run")
    if world.rank == 1:

        def refuse(*_: object, **__: object) -> None:
            raise AssertionError("rank 1 writes")

        for name in ("append_stats", "trim_stats", "sample_path", "save_checkpoint", "owned"):
            setattr(RunDir, name, refuse)
        monitor._events = refuse
    drain(run_stage(run))


if __name__ == "__main__":
    main(Path(sys.argv[1]), train=sys.argv[2] == "train")
