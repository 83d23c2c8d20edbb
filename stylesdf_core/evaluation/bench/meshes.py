"""The bench's meshes, bare of normals and colours: every grid point against coarse to fine."""

from __future__ import annotations

import gc
import statistics
import time
from dataclasses import dataclass

from stylesdf_core.evaluation.bench.report import Agreement, Comparison, Timing
from stylesdf_core.evaluation.bench.subjects import Subject, changing
from stylesdf_core.evaluation.bench.timing import BenchSettings, hausdorff, synchronize
from stylesdf_core.evaluation.report import Figure
from stylesdf_core.mesh.sdf_grid import sample_grid
from stylesdf_core.mesh.surface import SurfaceMesh, mesh_grid
from stylesdf_core.progress import Operation, Progress, drain
from stylesdf_core.rendering.camera import VOLUME_RADIUS
from stylesdf_core.scene.scene import Scene


@dataclass(frozen=True)
class MeshTargets:
    """Of one resolution; None for none.

    Attributes:
        speedup: at least.
        voxels: Hausdorff distance, at most.
        percent: of the grid's points evaluated, at most.
    """

    speedup: float | None = None
    voxels: float | None = None
    percent: float | None = None


@dataclass(frozen=True, eq=False)
class Meshed:
    """A mesh of the engine's, and what it took.

    Attributes:
        fraction: of the grid's points at which the field was evaluated.
    """

    mesh: SurfaceMesh
    fraction: float
    seconds: float


def compare_meshes(
    name: str, subject: Subject, resolution: int, settings: BenchSettings, targets: MeshTargets
) -> Operation[tuple[Comparison | Figure, ...]]:
    """Time, Hausdorff distance and share of evaluations; another identity in each go.

    Raises:
        EmptySurfaceError: the field has no surface.
    """
    yield Progress(0, settings.repeats, "warming up")
    engine_mesh(subject, changing(-1), resolution)
    pitch = 2.0 * VOLUME_RADIUS / (resolution - 1)
    slow: list[float] = []
    fast: list[Meshed] = []
    voxels: list[float] = []
    for go in range(settings.repeats):
        yield Progress(go, settings.repeats, f"go {go + 1} of {settings.repeats}")
        gc.collect()
        truth = None
        if go == 0 or sum(slow) < settings.patience:
            synchronize(subject.device)
            start = time.perf_counter()
            truth = yield from subject.large.reference.mesh(changing(go), resolution)
            slow.append(time.perf_counter() - start)
        fast.append(engine_mesh(subject, changing(go), resolution))
        if truth is not None:
            voxels.append(hausdorff(fast[-1].mesh, truth) / pitch)
    comparison = Comparison(
        name,
        Timing(tuple(slow)),
        Timing(tuple(meshed.seconds for meshed in fast)),
        Agreement(None, max(voxels)),
        min_speedup=targets.speedup,
        note="max error in voxels",
    )
    return (
        comparison,
        Figure(
            f"{name}.hausdorff",
            f"{resolution}³ surface, Hausdorff distance of the vertices",
            max(voxels),
            "voxels",
            high=targets.voxels,
        ),
        Figure(
            f"{name}.evaluated",
            f"{resolution}³ surface, share of the grid's points evaluated",
            100.0 * max(meshed.fraction for meshed in fast),
            "%",
            high=targets.percent,
        ),
    )


def engine_mesh_time(
    name: str, subject: Subject, resolution: int, settings: BenchSettings
) -> Operation[Figure]:
    """The engine's mesh alone, where every point of the grid would take minutes."""
    goes = min(3, settings.repeats)
    yield Progress(0, goes, "warming up")
    engine_mesh(subject, changing(-1), resolution)
    meshes = []
    for go in range(goes):
        yield Progress(go, goes, f"go {go + 1} of {goes}")
        gc.collect()
        meshes.append(engine_mesh(subject, changing(go), resolution))
    seconds = [meshed.seconds for meshed in meshes]
    share = 100.0 * max(meshed.fraction for meshed in meshes)
    detail = f"{1e3 * min(seconds):.0f}–{1e3 * max(seconds):.0f}, {share:.2f} % of the points"
    value = 1e3 * statistics.median(seconds)
    return Figure(name, f"{resolution}³ surface, engine alone", value, "ms", 0, detail=detail)


def engine_mesh(subject: Subject, scene: Scene, resolution: int) -> Meshed:
    """One surface, coarse to fine; in world units, bare."""
    synchronize(subject.device)
    start = time.perf_counter()
    grid = drain(sample_grid(subject.large.engine.sdf(scene), resolution=resolution))
    mesh = drain(mesh_grid(grid))
    return Meshed(mesh, grid.fraction_evaluated, time.perf_counter() - start)
