"""Which kind of products CUDA is set to while files and figures are computed; needs no GPU.

An engine on the CPU stands for one on CUDA: its tiles run as a GPU's do, and exact work sets the
process's settings of CUDA, at which the test looks at each product.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from stylesdf_core.commands.evaluation.evaluate import Evaluate
from stylesdf_core.commands.heads.measure import Measure
from stylesdf_core.commands.heads.measure_invert import MeasureInvert
from stylesdf_core.engine.compiled import device_graphs
from stylesdf_core.engine.compiled.device_graphs import exact_convolutions, exactly, products
from stylesdf_core.engine.coverage import coverage
from stylesdf_core.engine.engine import Engine
from stylesdf_core.engine.march import tiles
from stylesdf_core.inversion.fitting import Fit
from stylesdf_core.inversion.picture import PhotoView
from stylesdf_core.mesh.surface import extract_surface
from stylesdf_core.progress import Operation, Progress, drain
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Identity, Scene
from tests.models import save_tiny, tiny_model

#: ATen's operations on which the settings have an effect.
PRODUCTS = ("mm", "addmm", "bmm", "baddbmm", "convolution")
SCENE = Scene(identity=Identity(3), camera=OrbitCamera(0.3, 0.1))


def kinds() -> tuple[bool, bool]:
    """Whether matrix products, and convolutions, may be of TF32."""
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


class Watched(TorchDispatchMode):
    """Collects the settings at each product of float32 in its block."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[bool, bool]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket.__name__ in PRODUCTS and args[0].dtype == torch.float32:
            self.seen.append(kinds())
        return func(*args, **(kwargs or {}))


@contextmanager
def as_another_thread_compiles() -> Iterator[None]:
    """The process's settings while a graph of the screen is compiled elsewhere, at its worst."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = kinds()
    matmul.allow_tf32, cudnn.allow_tf32 = True, True
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


@pytest.fixture
def on_cuda(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Engine]:
    """Makes engines that compute as on CUDA, on the CPU."""
    for module in (device_graphs, tiles):
        monkeypatch.setattr(module, "exact_products", lambda _: products(tf32=False))

    def made(*, exact: bool) -> Engine:
        engine = Engine(tiny_model(), "cpu", exact=exact)
        engine._tiles._on_cpu, engine._evaluates_all = False, True
        return engine

    return made


def mesh(engine: Engine) -> None:
    drain(
        extract_surface(
            engine.sdf(SCENE),
            resolution=32,
            normals=engine.normals(SCENE),
            colors=engine.colors(SCENE),
        )
    )


@pytest.mark.parametrize(
    "work",
    [
        lambda engine: engine.render(SCENE, "image"),
        lambda engine: engine.render(SCENE, "image", rays=2),
        lambda engine: engine.render(SCENE, "normals", 24),
        lambda engine: engine.direct(SCENE, 32),
        lambda engine: coverage(engine, SCENE, 24),
        mesh,
    ],
    ids=["image", "rays", "normals", "direct", "coverage", "mesh"],
)
def test_an_exact_engine_makes_no_product_of_tf32(
    work: Callable[[Engine], object], on_cuda: Callable[..., Engine]
) -> None:
    engine = on_cuda(exact=True)
    with as_another_thread_compiles(), Watched() as watched:
        work(engine)
        assert kinds() == (True, True), "the settings go back"
    assert len(watched.seen) > 3
    assert set(watched.seen) == {(False, False)}


def test_the_screen_takes_what_there_is(on_cuda: Callable[..., Engine]) -> None:
    engine = on_cuda(exact=False)
    with as_another_thread_compiles(), Watched() as watched:
        engine.render(SCENE, "image")
    assert set(watched.seen) == {(True, True)}


def test_a_fit_to_photographs_makes_no_product_of_tf32(on_cuda: Callable[..., Engine]) -> None:
    engine = on_cuda(exact=True)
    picture = torch.from_numpy(engine.render(SCENE, "image").data)
    fit = Fit(engine.model, engine.generator, [PhotoView.framed(picture)], seconds=1.0, framed=True)
    with as_another_thread_compiles(), Watched() as watched:
        for _ in zip(range(2), fit.run(), strict=False):
            assert kinds() == (True, True), "between two steps, others have their settings"
    assert set(watched.seen) == {(False, False)}


def test_exact_work_waits_for_a_thread_that_compiles() -> None:
    begun, go_on, seen = threading.Event(), threading.Event(), []

    def compile_something() -> None:
        with products(tf32=True):
            begun.set()
            go_on.wait(20)
            seen.append(kinds())

    def steps() -> Operation[str]:
        seen.append(kinds())
        yield Progress(1, 1)
        return "done"

    other = threading.Thread(target=compile_something)
    other.start()
    assert begun.wait(20)
    threading.Timer(0.05, go_on.set).start()
    assert drain(exactly(steps(), torch.device("cuda"))) == "done"
    other.join()
    assert seen == [(True, False), (False, False)]


def test_convolutions_stay_exact_after_exact_work_of_another_thread() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work() -> None:
        with products(tf32=False), products(tf32=True):
            begun.set()
            go_on.wait(20)

    with as_another_thread_compiles():
        other = threading.Thread(target=work)
        other.start()
        assert begun.wait(20)
        exact_convolutions()  # as the screen's engine does, without waiting for the work
        go_on.set()
        other.join()
        assert kinds() == (True, False)


class _MadeError(Exception):
    """An engine was asked for; the rest of the command does not matter."""


@pytest.mark.parametrize("kind", ["evaluate", "measure", "invert"])
def test_figures_come_from_exact_engines(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = str(save_tiny(tmp_path / "tiny.safetensors"))
    facekit = tmp_path / "none.npz"
    np.savez(facekit)

    def engine(*_: object, exact: bool = False) -> None:
        raise _MadeError(exact)

    monkeypatch.setattr("stylesdf_core.engine.engine.Engine", engine)
    request = {
        "evaluate": lambda: Evaluate(model=model, metrics="flicker"),
        "measure": lambda: Measure(model=model, facekit=facekit),
        "invert": lambda: MeasureInvert(model=model, facekit=facekit),
    }[kind]()
    with pytest.raises(_MadeError) as made:
        drain(request.run())
    assert made.value.args == (True,)
