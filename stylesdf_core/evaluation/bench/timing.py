"""Timing the plain path and the engine in turns, and comparing what they made."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from stylesdf_core.evaluation.bench.report import Agreement, Timing
from stylesdf_core.evaluation.image_metrics import psnr
from stylesdf_core.evaluation.shape_metrics import nearest_distances
from stylesdf_core.mesh.surface import SurfaceMesh
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.scene.scene import Scene

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class BenchSettings:
    """How thoroughly to measure.

    Attributes:
        repeats: goes of either path, at least 1.
        patience: seconds of plain path after which a case does without further goes of it; one it
            always gets.
    """

    repeats: int = 5
    patience: float = 40.0


@dataclass(frozen=True, eq=False)
class Timed:
    """A picture (C, H, W) on the host, and the seconds it took to make."""

    picture: FloatArray
    seconds: float


#: One path's way to draw a scene, its own clock included.
Draw = Callable[[Scene], Timed]


@dataclass(frozen=True)
class Turns:
    """What came of two paths drawing in turns."""

    reference: Timing
    engine: Timing
    agreement: Agreement


def timed(draw: Callable[[Scene], FloatArray], device: torch.device) -> Draw:
    """``draw`` with a clock around it; it returns host memory, so its work is done then."""

    def call(scene: Scene) -> Timed:
        synchronize(device)  # what was queued before is not this call's
        start = time.perf_counter()
        picture = draw(scene)
        return Timed(picture, time.perf_counter() - start)

    return call


def synchronize(device: torch.device) -> None:
    """Wait until a GPU has done all it was given; the CPU always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def in_turns(
    reference: Draw, engine: Draw, scene_of: Callable[[int], Scene], settings: BenchSettings
) -> Operation[Turns]:
    """Time both paths, one after the other in each go, and compare their pictures.

    Args:
        scene_of: the scene of a go, 0-based, another in each so that no picture can be kept. The
            scene of go −1 is drawn by both first, untimed, to warm up.
    """
    yield Progress(0, settings.repeats, "warming up")
    reference(scene_of(-1))
    engine(scene_of(-1))
    slow: list[float] = []
    fast: list[float] = []
    decibels: list[float] = []
    errors: list[float] = []
    for go in range(settings.repeats):
        yield Progress(go, settings.repeats, f"go {go + 1} of {settings.repeats}")
        gc.collect()  # nobody's rubbish on the other's clock
        truth = reference(scene_of(go)) if go == 0 or sum(slow) < settings.patience else None
        drawn = engine(scene_of(go))
        fast.append(drawn.seconds)
        if truth is not None:
            slow.append(truth.seconds)
            decibels.append(picture_psnr(drawn.picture, truth.picture))
            errors.append(float(np.abs(drawn.picture - truth.picture).max()))
    agreement = Agreement(min(decibels), max(errors))
    return Turns(Timing(tuple(slow)), Timing(tuple(fast)), agreement)


def picture_psnr(picture: FloatArray, truth: FloatArray) -> float:
    """Peak signal-to-noise ratio of pictures in [−1, 1], dB: their range is 2."""
    return psnr(0.5 * picture, 0.5 * truth)


def hausdorff(a: SurfaceMesh, b: SurfaceMesh) -> float:
    """Greatest distance from a vertex of either mesh to the other's nearest vertex.

    It bounds from above how far the vertices are from the other *surface*. For meshes of one grid
    it is 0 where all cells agree.
    """
    there = nearest_distances(a.vertices, b.vertices).max()
    back = nearest_distances(b.vertices, a.vertices).max()
    return float(max(there, back))
