"""Fixtures that several test files share."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent

# Workers of pytest-xdist share the cores, while torch would use all cores in each worker. It reads
# this variable when it is imported.
if "PYTEST_XDIST_WORKER_COUNT" in os.environ:
    threads = (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, threads)))

# A shell's `&` starts processes that ignore Ctrl+C, and so would the tests of interruptions.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the checkout the tests run in."""
    return REPOSITORY


@pytest.fixture(scope="session")
def facekit_path() -> Path:
    """The reduced ICT-FaceKit model (.npz) that the synthetic heads are built from."""
    default = REPOSITORY.parent / "shared" / "data" / "ict_facekit_light.npz"
    path = Path(os.environ.get("STYLESDF_FACEKIT", default))
    if not path.exists():
        pytest.skip(f"needs the ICT-FaceKit model: {path} does not exist; set STYLESDF_FACEKIT")
    return path


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sums in the same order every time, and the machine's thread count restored."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def quick_snapshots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluations of two columns, not eight, and of the mean of a hundred z, not of 10,000.

    The runs of tests are evaluated after every few steps, which would take longer than the steps.
    """
    from stylesdf_core.model.latents import mean_latents
    from stylesdf_core.model.networks.generator import Generator
    from stylesdf_core.training.adversarial.phases import snapshots

    def of_a_hundred(generator: Generator) -> mean_latents.MeanLatents:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(mean_latents, "_MEAN_SAMPLES", 100)
            return mean_latents.mean_latents(generator)

    monkeypatch.setattr(snapshots, "mean_latents", of_a_hundred)
    monkeypatch.setattr(snapshots, "COLUMNS", 2)
