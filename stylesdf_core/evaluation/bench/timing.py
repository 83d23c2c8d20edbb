"""Timing two paths in turns and comparing their results.

Within one repeat the plain path and the engine compute the same scene one after the other, so
that a machine that slows down meanwhile slows both. ``torch.utils.benchmark`` would time one path
after the other, on one fixed statement, without handing out the results.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

import torch

from stylesdf_core.evaluation.bench.scenes import Scenes
from stylesdf_core.evaluation.bench.speed_report import Agreement, Timing
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.scene.scene import Scene

T = TypeVar("T")


@dataclass(frozen=True)
class BenchSettings:
    """How thoroughly to measure.

    Attributes:
        repeats: of each path, at least 1.
        patience: seconds of the plain path after which it is not repeated in a row; it is always
            computed once.
    """

    repeats: int = 5
    patience: float = 40.0


@dataclass(frozen=True, eq=False)
class Timed(Generic[T]):
    """A result, and the seconds spent on it."""

    result: T
    seconds: float


#: One path: computes a scene and times itself, so that preparations can be left out.
Path: TypeAlias = Callable[[Scene], Timed[T]]


@dataclass(frozen=True, eq=False)
class Turns(Generic[T]):
    """Times of two paths in turns, and the engine's results."""

    reference: Timing
    engine: Timing
    agreement: Agreement
    results: tuple[T, ...]


def clocked(compute: Callable[[Scene], T], device: torch.device) -> Path[T]:
    """``compute`` with a clock around it; its result must lie in host memory."""

    def path(scene: Scene) -> Timed[T]:
        if device.type == "cuda":
            torch.cuda.synchronize(device)  # work queued earlier is not part of this time
        start = time.perf_counter()
        result = compute(scene)
        return Timed(result, time.perf_counter() - start)

    return path


def in_turns(
    reference: Path[T],
    engine: Path[T],
    scenes: Scenes,
    settings: BenchSettings,
    compare: Callable[[T, T], Agreement],
    *,
    warm_reference: bool = True,
) -> Operation[Turns[T]]:
    """Time both paths, one after the other in each repeat, and compare their results.

    Args:
        scenes: the scene of repeat −1 is computed first, untimed, to warm up.
        compare: the engine's result with the plain path's.
        warm_reference: False where the plain path takes long enough not to need it.
    """
    yield Progress(0, settings.repeats, "warming up")
    if warm_reference:
        reference(scenes(-1))
    engine(scenes(-1))
    slow: list[float] = []
    fast: list[Timed[T]] = []
    agreements: list[Agreement] = []
    for repeat in range(settings.repeats):
        yield Progress(repeat, settings.repeats, f"repeat {repeat + 1} of {settings.repeats}")
        gc.collect()  # one path's garbage must not be collected on the other's time
        truth = None
        if repeat == 0 or sum(slow) < settings.patience:
            truth = reference(scenes(repeat))
            slow.append(truth.seconds)
        fast.append(engine(scenes(repeat)))
        if truth is not None:
            agreements.append(compare(fast[-1].result, truth.result))
    levels = [agreement.psnr for agreement in agreements if agreement.psnr is not None]
    worst = Agreement(min(levels, default=None), max(a.max_error for a in agreements))
    seconds, results = zip(*((timed.seconds, timed.result) for timed in fast), strict=True)
    return Turns(Timing(tuple(slow)), Timing(seconds), worst, results)


def alone(engine: Path[T], scenes: Scenes, repeats: int) -> Operation[tuple[Timing, tuple[T, ...]]]:
    """Times and results of the engine without the plain path; the first scene warms up."""
    timed: list[Timed[T]] = []
    for repeat in range(-1, repeats):
        yield Progress(repeat + 1, repeats + 1, f"repeat {repeat + 1} of {repeats}")
        timed.append(engine(scenes(repeat)))
    return Timing(tuple(t.seconds for t in timed[1:])), tuple(t.result for t in timed[1:])
