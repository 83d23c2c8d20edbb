"""The rows of the bench as data, and how each kind of row is measured.

Two models are measured: ``full``, the published architecture with decoders to 256² and 1024²
(see :mod:`~stylesdf_core.evaluation.bench.full_model`), and ``heads``, the shipped model. A new
row is one entry of :func:`_rows`; the target of a row is one entry of ``TARGETS``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from typing import Any, TypeAlias

import torch
from torch.profiler import ProfilerActivity

from stylesdf_core.evaluation.bench import paths
from stylesdf_core.evaluation.bench.full_model import bench_model
from stylesdf_core.evaluation.bench.machine import describe_machine
from stylesdf_core.evaluation.bench.memory_probe import FULL, PathName, peak_memory
from stylesdf_core.evaluation.bench.paths import Pair
from stylesdf_core.evaluation.bench.scenes import Scenes, changing, dragging, orbiting, sliding
from stylesdf_core.evaluation.bench.speed_report import SpeedReport, Speedup
from stylesdf_core.evaluation.bench.timing import BenchSettings, Path, alone, in_turns
from stylesdf_core.evaluation.reports.report import Figure
from stylesdf_core.model.model import load_model, select_device
from stylesdf_core.progress import Operation, Progress, part
from stylesdf_core.scene.scene import SHIPPED_MODEL, Scene

#: The names of the shipped model's rows begin with this word, the other model's rows with FULL.
HEADS = "heads"
#: Bounds of a row's speedup, PSNR or figure, on a CPU with two cores; in the row's own unit.
TARGETS: dict[str, dict[str, float]] = {
    "full.volume64": {"min_speedup": 10.0, "min_psnr": 45.0},
    "full.image256": {"min_speedup": 5.0, "min_psnr": 40.0},
    "full.image1024": {"min_speedup": 5.0, "min_psnr": 40.0},
    "full.mesh128": {"min_speedup": 60.0},
    "full.mesh128.hausdorff": {"high": 1.0},
    "full.mesh128.evaluated": {"high": 5.0},
    "heads.first_pass": {"high": 15.0},
    "heads.direct512": {"high": 400.0},
}
#: Seconds after which rows of pictures per second no longer repeat the plain path.
_RATE_PATIENCE = 15.0

Result: TypeAlias = Speedup | Figure
#: One model's pairs of paths, a pair for each of its decoders, smallest first.
Pairs: TypeAlias = tuple[Pair, ...]


@dataclass(frozen=True)
class Row:
    """One row of the table; a mesh has two more, about its vertices.

    Attributes:
        name: model and row, such as ``full.volume64``.
        title: the row in words.
        measure: one of the functions below, which measures the row.
        size: edge of the picture in pixels, or of the mesh's grid in points.
        compute: makes the two timed functions of :mod:`.paths`.
        scenes: the scene of each repeat.
    """

    name: str
    title: str
    measure: Callable[[Row, Pairs, BenchSettings], Operation[list[Result]]]
    size: int
    compute: Callable[[Pair, int], tuple[Path[Any], Path[Any]]] = paths.image
    scenes: Scenes = orbiting

    def pair(self, pairs: Pairs) -> Pair:
        """The smallest decoder for the row's size, else the largest one."""
        return next((pair for pair in pairs if pair.image_size >= self.size), pairs[-1])

    def run(self, pairs: Pairs, settings: BenchSettings) -> Operation[list[Result]]:
        """Measure; on a CPU the results have their targets."""
        graphs = self.pair(pairs).engine.graphs
        settings = replace(settings, prepare=None if graphs is None else graphs.wait)
        results = yield from self.measure(self, pairs, settings)
        if pairs[0].device.type != "cpu":
            return results
        names = [result.name if isinstance(result, Speedup) else result.key for result in results]
        targets = [TARGETS.get(name, {}) for name in names]
        return [
            replace(result, **target)  # type: ignore[arg-type]
            for result, target in zip(results, targets, strict=True)
        ]


# --- how each kind of row is measured -------------------------------------------------------------


def pictures(row: Row, pairs: Pairs, settings: BenchSettings) -> Operation[list[Result]]:
    """Time and agreement of a picture by both paths."""
    pair = row.pair(pairs)
    both = row.compute(pair, row.size)
    result = yield from in_turns(*both, row.scenes, settings, paths.compare_pictures)
    note = f"no decoder to {row.size}²: the {pair.image_size}² image enlarged, in both paths"
    note = note if row.size > pair.image_size else ""
    return [replace(result, name=row.name, title=row.title, note=note)]


def meshes(row: Row, pairs: Pairs, settings: BenchSettings) -> Operation[list[Result]]:
    """Time of a mesh by both paths, distance of their vertices, share of points evaluated."""
    reference, engine = paths.mesh(row.pair(pairs), row.size)
    shares: list[float] = []

    def noted(scene: Scene) -> tuple[paths.BareMesh, float]:
        mesh, milliseconds = engine(scene)
        shares.append(mesh.evaluated)
        return mesh, milliseconds

    result = yield from in_turns(
        reference, noted, row.scenes, settings, paths.compare_meshes, warm_reference=False
    )
    distance = f"{row.size}³ surface, Hausdorff distance of the vertices"
    share = f"{row.size}³ surface, share of the grid's points evaluated"
    evaluated = 100.0 * max(shares[-settings.repeats :])  # without those that warm up
    return [
        replace(result, name=row.name, title=row.title, note="max error in voxels"),
        Figure(f"{row.name}.hausdorff", distance, result.max_error, "voxels"),
        Figure(f"{row.name}.evaluated", share, evaluated, "%"),
    ]


def mesh_alone(row: Row, pairs: Pairs, settings: BenchSettings) -> Operation[list[Result]]:
    """Time of the engine's mesh, where the plain path would take minutes."""
    _, engine = paths.mesh(row.pair(pairs), row.size)
    found = yield from alone(
        engine, row.scenes, replace(settings, repeats=min(3, settings.repeats))
    )
    times = [milliseconds for _, milliseconds in found]
    share = 100.0 * max(mesh.evaluated for mesh, _ in found)
    detail = f"{min(times):.0f}–{max(times):.0f}, {share:.2f} % of the points"
    return [Figure(row.name, row.title, median(times), "ms", 0, detail=detail)]


def mesh_rate(row: Row, pairs: Pairs, settings: BenchSettings) -> Operation[list[Result]]:
    """The engine's meshes per second, each of another face."""
    _, engine = paths.mesh(row.pair(pairs), row.size)
    found = yield from alone(engine, row.scenes, replace(settings, repeats=3 * settings.repeats))
    times = [milliseconds for _, milliseconds in found]
    detail = f"{1e3 / max(times):.1f}–{1e3 / min(times):.1f}"
    return [Figure(row.name, row.title, 1e3 / median(times), "/s", 1, detail=detail)]


def first_pass(
    row: Row, pairs: Pairs, settings: BenchSettings, *, new_engine: bool = False
) -> Operation[list[Result]]:
    """Time until the engine's first, coarse pass of an image."""
    engine = paths.first_pass(row.pair(pairs), new_engine=new_engine)
    found = yield from alone(engine, row.scenes, replace(settings, repeats=3 * settings.repeats))
    times = [milliseconds for _, milliseconds in found]
    detail = f"{found[0][0]}², {min(times):.1f}–{max(times):.1f}"
    return [Figure(row.name, row.title, median(times), "ms", 1, detail=detail)]


def direct(row: Row, pairs: Pairs, settings: BenchSettings) -> Operation[list[Result]]:
    """Time of the engine's direct view, which the plain path does not have."""
    engine = paths.direct(row.pair(pairs), row.size)
    found = yield from alone(engine, row.scenes, settings)
    times = [milliseconds for _, milliseconds in found]
    detail = f"{min(times):.0f}–{max(times):.0f}"
    return [Figure(row.name, row.title, median(times), "ms", 0, detail=detail)]


def rate(row: Row, pairs: Pairs, settings: BenchSettings) -> Operation[list[Result]]:
    """The engine's finished pictures per second, with the plain path's as a remark."""
    settings = replace(settings, patience=min(settings.patience, _RATE_PATIENCE))
    both = row.compute(row.pair(pairs), row.size)
    result = yield from in_turns(*both, row.scenes, settings, paths.compare_pictures)
    detail = (
        f"{1e3 / max(result.engine):.2f}–{1e3 / min(result.engine):.2f}; plain path "
        f"{1e3 / median(result.reference):.2g} fps, PSNR {result.psnr:.1f} dB"
    )
    return [Figure(row.name, row.title, 1e3 / median(result.engine), "fps", detail=detail)]


def memory(row: Row, pairs: Pairs, settings: BenchSettings) -> Operation[list[Result]]:
    """The engine's peak memory, median of at most three; its target is the plain path's.

    CUDA counts every byte of its memory: one process says what all say.
    """
    pair = row.pair(pairs)
    varies = pair.device.type != "cuda"
    repeats = min(3, settings.repeats) if varies else 1  # memory varies less than time
    model = FULL if row.name.startswith(FULL) else str(pair.engine.model.path)
    peaks: dict[PathName, list[float]] = {"reference": [], "engine": []}
    for repeat in range(repeats):
        for path, values in peaks.items():
            yield Progress(repeat, repeats, f"the {path}'s memory")
            values.append(peak_memory(path, model, pair.device))
    plain, engine = (round(median(values)) for values in peaks.values())
    low, high = min(peaks["engine"]), max(peaks["engine"])
    detail = f"{low:.0f}–{high:.0f}; the target is the plain path's; in processes of their own"
    return [Figure(row.name, row.title, engine, "MiB", 0, high=plain, detail=detail)]


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
    title = "48³ meshes while sliding a latent"
    yield Row(f"{model}.slide_mesh48", title, mesh_rate, 48, scenes=sliding)
    for name, title, measure, scenes in (
        ("first_pass", "while orbiting", first_pass, dragging),
        ("first_pass_new", "of another identity", first_pass, changing),
        ("first_pass_cold", "of a new engine", partial(first_pass, new_engine=True), changing),
    ):
        yield Row(f"{model}.{name}", f"first pass {title}", measure, 256, scenes=scenes)
    yield Row(f"{model}.direct512", "512² direct view", direct, 512, scenes=orbiting)
    for name, title, scenes in (
        ("orbit", "while orbiting", dragging),
        ("slide", "while sliding a latent", sliding),
    ):
        yield Row(f"{model}.{name}{large}", f"{large}² images {title}", rate, large, scenes=scenes)
    title = f"peak memory of a {large}² frame beyond the model"
    yield Row(f"{model}.memory{large}", title, memory, large)


ROWS = (*_rows(FULL, 1024), *_rows(HEADS, 256))


def chosen_rows(only: Sequence[str] = ()) -> tuple[Row, ...]:
    """The rows whose names begin with an entry of ``only``; all rows if ``only`` is empty."""
    return tuple(row for row in ROWS if not only or row.name.startswith(tuple(only)))


def load_full(device: str) -> Operation[Pairs]:
    """The published architecture; its field is fitted on the first run, on a CPU in two minutes."""
    small = yield from bench_model(256, device=device)
    large = yield from bench_model(1024, device=device)
    return Pair(small, device), Pair(large, device)


def load_heads(device: str, model: str = SHIPPED_MODEL) -> Operation[Pairs]:
    """The shipped model, or another one with a single decoder."""
    yield Progress(0, 1, f"loading {model}")
    return (Pair(load_model(model), device),)


def run_bench(
    only: Sequence[str] = (),
    settings: BenchSettings | None = None,
    device: str = "auto",
    keep: Callable[[SpeedReport], None] = lambda _: None,
) -> Operation[SpeedReport]:
    """Measure the chosen rows; a model without chosen rows is not loaded.

    Args:
        only: beginnings of rows' names; empty for all.
        device: auto, cpu, cuda or mps.
        keep: is given the report so far after every row, so that a stopped run loses none.

    Raises:
        InputError: there is no such device.
        OutputError: the fitted field cannot be written into the cache.
    """
    machine = describe_machine(select_device(device))  # before this run adds to the load
    report = SpeedReport(machine, (), ())
    for load, rows in _by_model(only):
        pairs = yield from load(device)
        for index, row in enumerate(rows):
            measured = row.run(pairs, settings or BenchSettings())
            found = yield from part(measured, index, index + 1, len(rows), f"{row.name}: ")
            speedups = tuple(result for result in found if isinstance(result, Speedup))
            figures = tuple(result for result in found if isinstance(result, Figure))
            report = replace(
                report, speedups=report.speedups + speedups, figures=report.figures + figures
            )
            keep(report)
    return report


def profile_bench(only: Sequence[str] = (), device: str = "auto") -> Operation[str]:
    """Where the engine's time goes in each chosen picture and mesh, as torch's own tables.

    Raises:
        InputError: there is no such device.
    """
    sections = [str(describe_machine(select_device(device)))]
    for load, rows in _by_model(only):
        pairs = yield from load(device)
        for row in rows:
            if row.measure in (pictures, meshes):
                yield Progress(0, 1, f"profiling {row.name}")
                _, engine = row.compute(row.pair(pairs), row.size)
                engine(row.scenes(-1))  # warm up
                table = _profile(partial(engine, row.scenes(0)), pairs[0].device)
                sections.append(f"{row.name}, engine\n{table}")
    return "\n\n".join(sections) + "\n"


def _by_model(
    only: Sequence[str],
) -> Iterator[tuple[Callable[[str], Operation[Pairs]], list[Row]]]:
    """The loader and the chosen rows of each model that has chosen rows."""
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
