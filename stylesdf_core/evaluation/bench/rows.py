"""The rows of the bench as data, and how each kind of row is measured.

Two models are measured: ``full``, the published architecture with decoders to 256² and 1024²
(see :mod:`~stylesdf_core.evaluation.bench.full_model`), and ``heads``, the shipped model. A new
row is one entry of :func:`_rows`; the target of a row is one entry of ``TARGETS``.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import torch
from torch.profiler import ProfilerActivity

from stylesdf_core.evaluation.bench import paths
from stylesdf_core.evaluation.bench.full_model import bench_model
from stylesdf_core.evaluation.bench.machine import describe_machine
from stylesdf_core.evaluation.bench.memory_probe import FULL_SIZE, PathName, peak_memory
from stylesdf_core.evaluation.bench.paths import Pair, Paths
from stylesdf_core.evaluation.bench.scenes import Scenes, changing, dragging, orbiting, sliding
from stylesdf_core.evaluation.bench.speed_report import SpeedReport, Speedup
from stylesdf_core.evaluation.bench.timing import BenchSettings, alone, in_turns
from stylesdf_core.evaluation.report import Figure
from stylesdf_core.model.model import load_model, select_device
from stylesdf_core.progress import Operation, Progress, part
from stylesdf_core.scene.scene import SHIPPED_MODEL

#: Names of the two models, with which the names of their rows begin.
FULL, HEADS = "full", "heads"
#: Seconds of the plain path that rows of pictures per second wait for: other rows time it longer.
_RATE_PATIENCE = 15.0

Results: TypeAlias = tuple[Speedup | Figure, ...]
Measure: TypeAlias = Callable[["Row", "Subject", BenchSettings], Operation[Results]]


@dataclass(frozen=True)
class Target:
    """Bounds for one row on a CPU with two cores; None for no bound.

    Attributes:
        speedup, psnr: at least; times the plain path's speed, and dB.
        milliseconds: at most.
        voxels, percent: at most; distance of a mesh's vertices, and share of the grid's points
            that are evaluated.
    """

    speedup: float | None = None
    psnr: float | None = None
    milliseconds: float | None = None
    voxels: float | None = None
    percent: float | None = None


TARGETS = {
    "full.volume64": Target(speedup=10.0, psnr=45.0),
    "full.image256": Target(speedup=5.0, psnr=40.0),
    "full.image1024": Target(speedup=5.0, psnr=40.0),
    "full.mesh128": Target(speedup=60.0, voxels=1.0, percent=5.0),
    "heads.first_pass": Target(milliseconds=15.0),
}


@dataclass(frozen=True, eq=False)
class Subject:
    """One of the two models.

    Attributes:
        small, large: the model with its decoder to 256² and with its largest; they are one where
            the model has one decoder.
        source: the model's name for :func:`~.memory_probe.peak_memory`.
    """

    name: str
    small: Pair
    large: Pair
    source: str

    def pair(self, size: int) -> Pair:
        """The model with the smallest decoder to ``size``² or more, else the largest."""
        return self.small if size <= self.small.image_size else self.large

    @property
    def device(self) -> torch.device:
        """Where both paths compute."""
        return self.large.device


@dataclass(frozen=True)
class Row:
    """One row of the table; a mesh has two more, about its vertices.

    Attributes:
        name: model and row, such as ``full.volume64``.
        title: the row in words.
        measure: how to measure it: one of the functions below.
        size: edge of the picture in pixels, or of the mesh's grid in points.
        compute: makes the two functions, of the plain path and of the engine.
        scenes: the scene of each repeat.
    """

    name: str
    title: str
    measure: Measure
    size: int
    compute: Callable[[Pair, int], Paths[Any]] = paths.image
    scenes: Scenes = orbiting

    def target(self, subject: Subject) -> Target:
        """The row's target, which holds on a CPU only."""
        target = TARGETS.get(self.name) if subject.device.type == "cpu" else None
        return target or Target()


# --- how each kind of row is measured -------------------------------------------------------------


def pictures(row: Row, subject: Subject, settings: BenchSettings) -> Operation[Results]:
    """Time and agreement of a picture by both paths."""
    both = row.compute(subject.pair(row.size), row.size)
    turns = yield from in_turns(
        both.reference, both.engine, row.scenes, settings, paths.compare_pictures
    )
    target, times = row.target(subject), (turns.reference, turns.engine, turns.agreement)
    return (Speedup(row.name, row.title, *times, target.speedup, target.psnr, both.note),)


def meshes(row: Row, subject: Subject, settings: BenchSettings) -> Operation[Results]:
    """Time of a mesh by both paths, distance of their vertices, share of points evaluated."""
    both = paths.mesh(subject.pair(row.size), row.size)
    turns = yield from in_turns(
        both.reference,
        both.engine,
        row.scenes,
        settings,
        paths.compare_meshes,
        warm_reference=False,
    )
    target, times = row.target(subject), (turns.reference, turns.engine, turns.agreement)
    distance = turns.agreement.max_error
    share = 100.0 * max(mesh.evaluated for mesh in turns.results)
    surface = f"{row.size}³ surface,"
    return (
        Speedup(row.name, row.title, *times, target.speedup, note=both.note),
        Figure(
            f"{row.name}.hausdorff",
            f"{surface} Hausdorff distance of the vertices",
            distance,
            "voxels",
            high=target.voxels,
        ),
        Figure(
            f"{row.name}.evaluated",
            f"{surface} share of the grid's points evaluated",
            share,
            "%",
            high=target.percent,
        ),
    )


def mesh_alone(row: Row, subject: Subject, settings: BenchSettings) -> Operation[Results]:
    """Time of the engine's mesh, where the plain path would take minutes."""
    engine = paths.mesh(subject.pair(row.size), row.size).engine
    timing, results = yield from alone(engine, row.scenes, min(3, settings.repeats))
    low, high = timing.spread
    share = 100.0 * max(mesh.evaluated for mesh in results)
    detail = f"{low:.0f}–{high:.0f}, {share:.2f} % of the points"
    return (Figure(row.name, row.title, timing.median, "ms", 0, detail=detail),)


def first_pass(
    row: Row, subject: Subject, settings: BenchSettings, *, new_engine: bool = False
) -> Operation[Results]:
    """Time until the engine's first, coarse pass of an image."""
    engine = paths.first_pass(subject.pair(row.size), new_engine=new_engine)
    timing, edges = yield from alone(engine, row.scenes, 3 * settings.repeats)
    low, high = timing.spread
    detail = f"{edges[0]}², {low:.1f}–{high:.1f}"
    most = row.target(subject).milliseconds
    return (Figure(row.name, row.title, timing.median, "ms", 1, high=most, detail=detail),)


def rate(row: Row, subject: Subject, settings: BenchSettings) -> Operation[Results]:
    """The engine's finished pictures per second, with the plain path's as a remark."""
    settings = replace(settings, patience=min(settings.patience, _RATE_PATIENCE))
    (both,) = yield from pictures(row, subject, settings)
    assert isinstance(both, Speedup)
    fastest, slowest = both.engine.spread
    detail = (
        f"{1e3 / slowest:.2f}–{1e3 / fastest:.2f}; plain path "
        f"{1e3 / both.reference.median:.2g} fps, PSNR {both.agreement.psnr:.1f} dB"
    )
    return (Figure(row.name, row.title, 1e3 / both.engine.median, "fps", detail=detail),)


def memory(row: Row, subject: Subject, settings: BenchSettings) -> Operation[Results]:
    """The engine's peak memory, median of at most three; its target is the plain path's."""
    peaks: dict[PathName, list[float]] = {"reference": [], "engine": []}
    repeats = min(3, settings.repeats)  # memory varies less than time, and one takes seconds
    for repeat in range(repeats):
        for path, values in peaks.items():
            yield Progress(repeat, repeats, f"the {path}'s memory")
            values.append(peak_memory(path, subject.source, subject.device))
    plain, engine = (round(statistics.median(values)) for values in peaks.values())
    low, high = min(peaks["engine"]), max(peaks["engine"])
    detail = f"{low:.0f}–{high:.0f}; the target is the plain path's; in processes of their own"
    return (Figure(row.name, row.title, engine, "MiB", 0, high=plain, detail=detail),)


# --- the rows -------------------------------------------------------------------------------------


def _rows(model: str, large: int) -> Iterator[Row]:
    """The rows of a model whose largest decoder makes images of ``large``²."""
    yield Row(f"{model}.volume64", "64² volume render", pictures, 64, paths.volume)
    yield Row(f"{model}.image256", "256² image", pictures, 256)
    yield Row(f"{model}.image1024", "1024² image", pictures, 1024)
    for size in sorted({256, large}):
        yield Row(f"{model}.decode{size}", f"{size}² decoder alone", pictures, size, paths.decode)
    for size in (64, 128):
        yield Row(f"{model}.mesh{size}", f"{size}³ mesh", meshes, size, paths.mesh, changing)
    yield Row(f"{model}.mesh256", "256³ surface, engine alone", mesh_alone, 256, scenes=changing)
    for name, title, measure, scenes in (
        ("first_pass", "while orbiting", first_pass, dragging),
        ("first_pass_new", "of another identity", first_pass, changing),
        ("first_pass_cold", "of a new engine", partial(first_pass, new_engine=True), changing),
    ):
        yield Row(f"{model}.{name}", f"first pass {title}", measure, 256, scenes=scenes)
    for name, title, scenes in (
        ("orbit", "while orbiting", dragging),
        ("slide", "while sliding a latent", sliding),
    ):
        yield Row(f"{model}.{name}{large}", f"{large}² images {title}", rate, large, scenes=scenes)
    title = f"peak memory of a {large}² frame beyond the model"
    yield Row(f"{model}.memory{large}", title, memory, large)


ROWS = (*_rows(FULL, 1024), *_rows(HEADS, 256))


def chosen_rows(only: Sequence[str] = ()) -> tuple[Row, ...]:
    """The rows whose names begin with an entry of ``only``; all rows where it is empty."""
    return tuple(row for row in ROWS if not only or row.name.startswith(tuple(only)))


def load_full(device: str) -> Operation[Subject]:
    """The published architecture; its field is fitted on the first run, in two minutes."""
    small = Pair.of((yield from bench_model(256)), device)
    return Subject(FULL, small, Pair.of((yield from bench_model(1024)), device), FULL_SIZE)


def load_heads(device: str, model: str = SHIPPED_MODEL) -> Operation[Subject]:
    """The shipped model, or another one with a single decoder."""
    yield Progress(0, 1, f"loading {model}")
    pair = Pair.of(load_model(model), device)
    return Subject(HEADS, pair, pair, model)


def run_bench(
    only: Sequence[str] = (), settings: BenchSettings | None = None, device: str = "auto"
) -> Operation[SpeedReport]:
    """Measure the chosen rows; a model without chosen rows is not loaded.

    Args:
        only: beginnings of rows' names; empty for all.
        device: auto, cpu, cuda or mps.

    Raises:
        InputError: there is no such device.
        OutputError: the fitted field cannot be written into the cache.
    """
    machine = describe_machine(select_device(device))  # before this run adds to the load
    results: list[Speedup | Figure] = []
    for load, rows in _by_model(only):
        subject = yield from load(device)
        for index, row in enumerate(rows):
            measured = row.measure(row, subject, settings or BenchSettings())
            results += yield from part(measured, index, index + 1, len(rows), f"{row.name}: ")
    return SpeedReport(
        machine,
        tuple(result for result in results if isinstance(result, Speedup)),
        tuple(result for result in results if isinstance(result, Figure)),
    )


def profile_bench(only: Sequence[str] = (), device: str = "auto") -> Operation[str]:
    """Where the engine's time goes in each chosen picture and mesh, as torch's own tables.

    Raises:
        InputError: there is no such device.
    """
    sections = [str(describe_machine(select_device(device)))]
    for load, rows in _by_model(only):
        subject = yield from load(device)
        for row in rows:
            if row.measure in (pictures, meshes):
                yield Progress(0, 1, f"profiling {row.name}")
                engine = row.compute(subject.pair(row.size), row.size).engine
                engine(row.scenes(-1))  # warm up
                table = _profile(partial(engine, row.scenes(0)), subject.device)
                sections.append(f"{row.name}, engine\n{table}")
    return "\n\n".join(sections) + "\n"


def _by_model(
    only: Sequence[str],
) -> Iterator[tuple[Callable[[str], Operation[Subject]], list[Row]]]:
    """Each model that has chosen rows: how to load it, and these rows."""
    for model, load in ((FULL, load_full), (HEADS, load_heads)):
        rows = [row for row in chosen_rows(only) if row.name.startswith(f"{model}.")]
        if rows:
            yield load, rows


def _profile(work: Callable[[], object], device: torch.device) -> str:
    """The fifteen most expensive torch operations of ``work``, as a table of torch's profiler."""
    activities, order = [ProfilerActivity.CPU], "self_cpu_time_total"
    if device.type == "cuda":
        activities, order = [*activities, ProfilerActivity.CUDA], "self_cuda_time_total"
    with torch.profiler.profile(activities=activities) as profiler:
        work()
    averages = profiler.key_averages()
    table: str = averages.table(sort_by=order, row_limit=15, max_name_column_width=40)
    return table
