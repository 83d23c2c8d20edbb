"""Loading models in the background; the first load also brings torch into the process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.workers import LatestWorker, Work

if TYPE_CHECKING:
    from stylesdf_core.model import Model

DEVICES = ("auto", "cpu", "cuda", "mps")


@dataclass(frozen=True)
class LoadStep:
    """How far a load has come.

    Attributes:
        message: what is being done.
        model: the result, once it is there.
        devices: those of :data:`DEVICES` that this machine has.
    """

    message: str
    model: Model | None = None
    devices: tuple[str, ...] = ("auto", "cpu")


def model_loader() -> LatestWorker[str, LoadStep]:
    """A worker whose requests are names of the zoo, weight files or run folders."""
    return LatestWorker("model-loader", _prepare)


def _prepare() -> Work[str, LoadStep]:
    return _load


def _load(reference: str) -> Iterator[LoadStep]:
    yield LoadStep("starting PyTorch")
    import torch

    from stylesdf_core.errors import InputError
    from stylesdf_core.model import load_model, select_device

    # One core's worth of time belongs to the window.
    torch.set_num_threads(max(1, (os.cpu_count() or 2) - 1))
    devices = ["auto"]
    for name in DEVICES[1:]:
        try:
            select_device(name)
        except InputError:
            continue
        devices.append(name)
    yield LoadStep(f"reading {Path(reference).name}")
    yield LoadStep("ready", load_model(reference), tuple(devices))
