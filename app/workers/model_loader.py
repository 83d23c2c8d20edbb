"""Loading models in the background; the first load also brings torch into the process."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from app.workers.concurrency.schedule import LatestWorker

if TYPE_CHECKING:
    from stylesdf_core.model.model import Model

DEVICES = ("auto", "cpu", "cuda", "mps")


@dataclass(frozen=True)
class LoadStep:
    """How far a load has come.

    Attributes:
        message: the work under way.
        model: the loaded model, in the last step.
        devices: the members of :data:`DEVICES` that this machine has, in the last step.
    """

    message: str
    model: Model | None = None
    devices: tuple[str, ...] = ("auto", "cpu")


@dataclass(frozen=True)
class Loading:
    """A load under way, or one that has failed.

    Attributes:
        reference: a name in the model zoo, or a path.
        adopt: name this model in the scene once it is loaded; False if the scene names it already.
        message: the work under way.
        since: time.monotonic() of the beginning.
        error: why the load has failed; None while it is under way.
    """

    reference: str
    adopt: bool
    message: str = "waiting"
    since: float = field(default_factory=time.monotonic, compare=False)
    error: BaseException | None = None


class ModelSlot:
    """The loaded model and the load under way; a failed load leaves the loaded model in place.

    Attributes:
        reference: name or path from which the model was loaded; empty without a model.
        devices: the members of :data:`DEVICES` that this machine has.
        failed: the last load if it failed; None once another load has begun.
    """

    def __init__(self) -> None:
        self.model: Model | None = None
        self.reference = ""
        self.devices: tuple[str, ...] = ("auto", "cpu")
        self.loading: Loading | None = None
        self.failed: Loading | None = None
        self._worker: LatestWorker[str, LoadStep] = LatestWorker("model-loader", _load)

    @property
    def name(self) -> str:
        """Short name of the loaded model; empty without a model."""
        return self.model.name if self.model is not None else ""

    def of(self, reference: str) -> Model | None:
        """The loaded model if it is that of a reference, such as a scene's."""
        return self.model if reference == self.reference else None

    def want(self, reference: str) -> None:
        """Once a frame: load the scene's model, if it is neither loaded nor has just failed.

        A load that was for the scene's model before, as before an undo, is given up.
        """
        loading = self.loading
        if loading is not None and not loading.adopt and loading.reference != reference:
            self.loading = None
            self._worker.drop()
        has_failed = self.failed is not None and self.failed.reference == reference
        if self.loading is None and reference != self.reference and not has_failed:
            self.load(reference, adopt=False)

    def load(self, reference: str, *, adopt: bool) -> None:
        """Begin to load, in place of a load under way; for ``adopt`` see :class:`Loading`."""
        self.failed = None
        self.loading = Loading(reference, adopt)
        self._worker.submit(reference)

    def poll(self) -> Loading | None:
        """Take the worker's newest step; returns the load if it has just succeeded."""
        outcome, loading = self._worker.poll(), self.loading
        if outcome is None or loading is None or outcome.request != loading.reference:
            return None
        step = outcome.value
        if step is not None and step.model is not None:
            self.model, self.devices = step.model, step.devices
            self.reference, self.loading = loading.reference, None
            return loading
        if step is not None:
            self.loading = replace(loading, message=step.message)
        else:
            self.failed, self.loading = replace(loading, error=outcome.error), None
        return None

    def rename(self, labels: Mapping[str, str]) -> Path:
        """Give the loaded model's directions other labels, by their names; returns their file.

        Raises:
            InputError: a label cannot be used, or the file cannot be written.
        """
        from stylesdf_core.model.latents.direction_files import relabelled, save_directions

        assert self.model is not None
        named = relabelled(self.model.directions, labels)
        path = save_directions(self.model.path, self.model.digest, named)
        self.model = replace(self.model, named=named)
        return path

    def dismiss(self) -> None:
        """Forget the failure; the same model may be tried again."""
        self.failed = None

    def close(self) -> None:
        """End the thread."""
        self._worker.close()


def _load(reference: str) -> Iterator[LoadStep]:
    yield LoadStep("starting PyTorch")
    # The window draws while pictures are computed, so torch's threads must sleep while they wait
    # for each other: spinning threads would take CPU time from the window. OpenMP reads this
    # variable when torch is loaded.
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
    model = load_model(reference)
    if not model.named:
        yield LoadStep("finding directions")
        _ = model.directions  # found here, not in the window's thread
    yield LoadStep("ready", model, tuple(devices))
