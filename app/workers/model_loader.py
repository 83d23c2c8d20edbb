"""Loading models in the background; the first load also brings torch into the process."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from app.workers.workers import LatestWorker, Work

if TYPE_CHECKING:
    from stylesdf_core.model.model import Model

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


@dataclass(frozen=True)
class Loading:
    """A model on its way.

    Attributes:
        adopt: the scene shall take it once it is there; else the scene names it already.
        since: time.monotonic() of the beginning.
    """

    reference: str
    message: str
    adopt: bool
    since: float = field(default_factory=time.monotonic, compare=False)


@dataclass(frozen=True)
class FailedLoad:
    """A load that ended in an error."""

    loading: Loading
    error: BaseException


class ModelSlot:
    """The loaded model, and the one on its way; a failed load leaves the loaded one in place.

    Attributes:
        reference: how the loaded model was asked for; empty while there is none.
        devices: those of :data:`DEVICES` that this machine has.
        failed: the load that went wrong last, until another begins, and its error.
    """

    def __init__(self) -> None:
        self.model: Model | None = None
        self.reference = ""
        self.devices: tuple[str, ...] = ("auto", "cpu")
        self.loading: Loading | None = None
        self.failed: FailedLoad | None = None
        self._worker: LatestWorker[str, LoadStep] = LatestWorker("model-loader", _prepare)

    @property
    def name(self) -> str:
        """Short name of the loaded model; empty while there is none."""
        return self.model.name if self.model is not None else ""

    def wants(self, reference: str) -> bool:
        """Whether a scene of this model has to wait and nothing has been done about it."""
        failed = self.failed is not None and self.failed.loading.reference == reference
        return self.loading is None and reference != self.reference and not failed

    def load(self, reference: str, *, adopt: bool) -> None:
        """Begin to load; a load under way is forgotten."""
        self.failed = None
        self.loading = Loading(reference, "waiting", adopt)
        self._worker.submit(reference)

    def poll(self) -> Loading | None:
        """Take the worker's results in; returns the load that has just succeeded, if one has."""
        outcome, loading = self._worker.poll(), self.loading
        if outcome is None or loading is None or outcome.request != loading.reference:
            return None
        if outcome.error is not None:
            self.failed, self.loading = FailedLoad(loading, outcome.error), None
            return None
        step = outcome.value
        if step is None or step.model is None:
            self.loading = loading if step is None else replace(loading, message=step.message)
            return None
        self.model, self.devices = step.model, step.devices
        self.reference, self.loading = loading.reference, None
        return loading

    def dismiss(self) -> None:
        """Forget what went wrong; its model may be tried again."""
        self.failed = None

    def close(self) -> None:
        """End the thread."""
        self._worker.close()


def _prepare() -> Work[str, LoadStep]:
    return _load


def _load(reference: str) -> Iterator[LoadStep]:
    yield LoadStep("starting PyTorch")
    # The window draws while pictures are computed: threads that wait for each other must sleep, as
    # spinning they take from it half of what they gain. OpenMP reads this when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

    from stylesdf_core.errors import InputError
    from stylesdf_core.model.model import load_model, select_device

    devices = ["auto"]
    for name in DEVICES[1:]:
        try:
            select_device(name)
        except InputError:
            continue
        devices.append(name)
    yield LoadStep(f"reading {Path(reference).name}")
    yield LoadStep("ready", load_model(reference), tuple(devices))
