"""Timing two paths in turns and comparing their results.

In each repeat the plain path and the engine compute the same scene one after the other, so that a
machine that slows down slows both. ``torch.utils.benchmark`` would time all repeats of one path
first, of one fixed statement, and would not return the results.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import torch

from stylesdf_core.evaluation.bench.scenes import Scenes
from stylesdf_core.evaluation.bench.speed_report import Speedup
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.scene.scene import Scene

T = TypeVar("T")
#: Pictures of one size after which the engine prepares a graph for that size on a GPU.
_UNPREPARED = 4
#: Computes a scene; returns the result and the milliseconds that the computation took.
Path: TypeAlias = Callable[[Scene], tuple[T, float]]


@dataclass(frozen=True)
class BenchSettings:
    """How thoroughly to measure.

    Attributes:
        repeats: number of repeats, at least 1.
        patience: seconds after which a row no longer repeats its plain path; the first repeat
            always computes it.
        prepare: waits until what the engine compiles for its device is ready; None on devices for
            which nothing is compiled.
    """

    repeats: int = 5
    patience: float = 40.0
    prepare: Callable[[], None] | None = None

    def warm_up(self, engine: Path[T], scenes: Scenes) -> None:
        """Compute scenes off the clock, as many as the device needs to be prepared."""
        if self.prepare is not None:
            for repeat in range(_UNPREPARED):
                engine(scenes(-2 - repeat))
            self.prepare()
        engine(scenes(-1))


def clocked(compute: Callable[[Scene], T], device: torch.device) -> Path[T]:
    """``compute`` with a clock around it; its result must lie in host memory."""

    def path(scene: Scene) -> tuple[T, float]:
        if device.type == "cuda":
            torch.cuda.synchronize(device)  # work queued earlier is not part of this time
        start = time.perf_counter()
        result = compute(scene)
        return result, 1e3 * (time.perf_counter() - start)

    return path


def in_turns(
    reference: Path[T],
    engine: Path[T],
    scenes: Scenes,
    settings: BenchSettings,
    compare: Callable[[T, T], tuple[float | None, float]],
    *,
    warm_reference: bool = True,
) -> Operation[Speedup]:
    """Time both paths in turns; the result is a row without a name.

    As in the studio no result is kept: a GPU's pictures lie in pinned memory, which takes longer
    to allocate than a picture to draw.

    Args:
        scenes: the scene of repeat −1 is computed first, untimed, to warm up.
        compare: PSNR, None where there is none, and error of the engine's result.
        warm_reference: False for a plain path so slow that warming up makes no difference.
    """
    yield Progress(0, settings.repeats, "warming up")
    if warm_reference:
        reference(scenes(-1))
    settings.warm_up(engine, scenes)
    slow: list[float] = []
    fast: list[float] = []
    levels: list[float] = []
    errors: list[float] = []
    for repeat in range(settings.repeats):
        yield Progress(repeat, settings.repeats, f"repeat {repeat + 1} of {settings.repeats}")
        gc.collect()  # one path's garbage must not be collected on the other's time
        truths: list[T] = []
        if repeat == 0 or sum(slow) < 1e3 * settings.patience:
            truth, milliseconds = reference(scenes(repeat))
            slow.append(milliseconds)
            truths.append(truth)
        result, milliseconds = engine(scenes(repeat))
        fast.append(milliseconds)
        for truth in truths:
            psnr, error = compare(result, truth)
            levels += [] if psnr is None else [psnr]
            errors.append(error)
    worst = min(levels, default=None), max(errors)
    return Speedup("", "", tuple(slow), tuple(fast), *worst)


def alone(
    engine: Path[T], scenes: Scenes, settings: BenchSettings
) -> Operation[list[tuple[T, float]]]:
    """Results and milliseconds of the engine without the plain path; more scenes warm up."""
    measured = []
    yield Progress(0, settings.repeats, "warming up")
    settings.warm_up(engine, scenes)
    for repeat in range(settings.repeats):
        yield Progress(repeat, settings.repeats, f"repeat {repeat + 1} of {settings.repeats}")
        measured.append(engine(scenes(repeat)))
    return measured
