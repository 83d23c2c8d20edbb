"""The speed of the engine beside the plain path's, to which it is also held."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from stylesdf_core.errors import InputError
from stylesdf_core.evaluation.bench import pictures
from stylesdf_core.evaluation.bench.machine import describe_machine
from stylesdf_core.evaluation.bench.memory_probe import PathName, peak_memory
from stylesdf_core.evaluation.bench.meshes import (
    MeshTargets,
    compare_meshes,
    engine_mesh,
    engine_mesh_time,
)
from stylesdf_core.evaluation.bench.profile import profile
from stylesdf_core.evaluation.bench.report import BenchReport, Comparison
from stylesdf_core.evaluation.bench.subjects import (
    FULL,
    HEADS,
    Scenes,
    Subject,
    changing,
    dragging,
    full_subject,
    heads_subject,
)
from stylesdf_core.evaluation.bench.timing import BenchSettings
from stylesdf_core.evaluation.report import Figure
from stylesdf_core.model.model import select_device
from stylesdf_core.progress import Operation, Progress

Row: TypeAlias = Comparison | Figure
Rows: TypeAlias = tuple[Row, ...]
#: Measures one or a few rows of a subject; all their names begin with the given one.
Measure: TypeAlias = Callable[[str, Subject, BenchSettings], Operation[Rows]]


@dataclass(frozen=True)
class Targets:
    """What a comparison has to reach on two CPU cores."""

    speedup: float | None = None
    psnr: float | None = None


_NONE = Targets()
_TARGETS = {
    "full.volume64": Targets(10.0, 45.0),
    "full.image256": Targets(5.0, 40.0),
    "full.image1024": Targets(5.0, 40.0),
}
_MESH_TARGETS = {"full.mesh128": MeshTargets(speedup=60.0, voxels=1.0, percent=5.0)}
#: Of a moving camera alone: another identity has to be baked first.
_FIRST_PASS_MS = {"heads.first_pass": 15.0}


def _compared(build: pictures.PictureBuilder) -> Measure:
    def measure(name: str, subject: Subject, settings: BenchSettings) -> Operation[Rows]:
        targets = _TARGETS.get(name, _NONE) if _on_cpu(subject) else _NONE
        row = yield from pictures.compare(
            name, build(subject), settings, speedup=targets.speedup, psnr=targets.psnr
        )
        return (row,)

    return measure


def _rate(title: str, build: pictures.PictureBuilder) -> Measure:
    def measure(name: str, subject: Subject, settings: BenchSettings) -> Operation[Rows]:
        row = yield from pictures.frames_per_second(name, title, build(subject), settings)
        return (row,)

    return measure


def _first_pass(title: str, scenes: Scenes, *, fresh: bool = False) -> Measure:
    def measure(name: str, subject: Subject, settings: BenchSettings) -> Operation[Rows]:
        high = _FIRST_PASS_MS.get(name) if _on_cpu(subject) else None
        row = yield from pictures.first_pass(
            name, title, subject, settings, scenes=scenes, fresh=fresh, high=high
        )
        return (row,)

    return measure


def _meshes(resolution: int) -> Measure:
    def measure(name: str, subject: Subject, settings: BenchSettings) -> Operation[Rows]:
        targets = _MESH_TARGETS.get(name, MeshTargets()) if _on_cpu(subject) else MeshTargets()
        return (yield from compare_meshes(name, subject, resolution, settings, targets))

    return measure


def _engine_meshes(resolution: int) -> Measure:
    def measure(name: str, subject: Subject, settings: BenchSettings) -> Operation[Rows]:
        return ((yield from engine_mesh_time(name, subject, resolution, settings)),)

    return measure


def _memory(name: str, subject: Subject, settings: BenchSettings) -> Operation[Rows]:
    """The engine's peak, the median of a few; at most the plain path's is the target."""
    peaks: dict[PathName, list[float]] = {"reference": [], "engine": []}
    goes = min(3, settings.repeats)  # memory varies less than time, and a go takes seconds
    for go in range(goes):
        for path, values in peaks.items():
            yield Progress(go, goes, f"the {path}'s memory")
            values.append(peak_memory(path, subject.source, subject.device))
    plain, engine = (round(statistics.median(values)) for values in peaks.values())
    low, high = min(peaks["engine"]), max(peaks["engine"])
    title = f"peak memory of a {subject.large.image_size}² frame beyond the model"
    detail = f"{low:.0f}–{high:.0f}; the target is the plain path's; in processes of their own"
    return (Figure(name, title, engine, "MiB", 0, high=plain, detail=detail),)


def _on_cpu(subject: Subject) -> bool:
    return subject.device.type == "cpu"


def _pictures(large: int, small: int) -> dict[str, pictures.PictureBuilder]:
    """Cases that both paths draw, of a model whose decoders make images of these edges."""
    return {
        "volume64": pictures.volume,
        "image256": pictures.small_image,
        "image1024": pictures.large_image,
        f"decode{small}": pictures.small_decode,
        f"decode{large}": pictures.large_decode,
    }


def _measures(large: int, small: int) -> dict[str, Measure]:
    """All cases, of a model whose decoders make images of these edges."""
    return {
        **{name: _compared(build) for name, build in _pictures(large, small).items()},
        "mesh64": _meshes(64),
        "mesh128": _meshes(128),
        "mesh256": _engine_meshes(256),
        "first_pass": _first_pass("first pass while orbiting", dragging),
        "first_pass_new": _first_pass("first pass of another identity", changing),
        "first_pass_cold": _first_pass("first pass of a new engine", changing, fresh=True),
        f"orbit{large}": _rate(f"{large}² images while orbiting", pictures.orbit),
        f"slide{large}": _rate(f"{large}² images while sliding a latent", pictures.slide),
        f"memory{large}": _memory,
    }


_SIZES = {FULL: (1024, 256), HEADS: (256, 256)}
_MEASURES = {name: _measures(*sizes) for name, sizes in _SIZES.items()}


def figure_names() -> tuple[str, ...]:
    """All that can be measured: model and case, such as ``full.volume64``."""
    return tuple(f"{model}.{case}" for model, cases in _MEASURES.items() for case in cases)


def check_only(only: Sequence[str]) -> None:
    """Refuse prefixes that choose nothing.

    Raises:
        InputError: lists the names.
    """
    for prefix in only:
        if not any(name.startswith(prefix) for name in figure_names()):
            raise InputError(
                f"Nothing measured is called {prefix}…; there are {', '.join(figure_names())}."
            )


def run_bench(
    only: Sequence[str] = (), settings: BenchSettings | None = None, device: str = "auto"
) -> Operation[BenchReport]:
    """Measure both models.

    Args:
        only: beginnings of names of :func:`figure_names`; empty for all.
        device: auto, cpu, cuda or mps.

    Raises:
        InputError: ``only`` chooses nothing, or there is no such device.
    """
    check_only(only)
    machine = describe_machine(select_device(device))  # before this run is its own load
    rows: list[Row] = []
    for load in _subjects(only, device):
        subject = yield from load
        rows += yield from measure_subject(subject, only, settings or BenchSettings())
    comparisons = tuple(row for row in rows if isinstance(row, Comparison))
    figures = tuple(row for row in rows if isinstance(row, Figure))
    return BenchReport(machine, comparisons, figures)


def measure_subject(
    subject: Subject, only: Sequence[str], settings: BenchSettings
) -> Operation[Rows]:
    """The rows of one model, in the order of the table."""
    chosen = _chosen(subject.name, only)
    rows: Rows = ()
    for index, name in enumerate(chosen):
        measure = _MEASURES[subject.name][name.partition(".")[2]]
        part = measure(name, subject, settings)
        rows += yield from _counted(part, name, index, len(chosen))
    return rows


def profile_bench(only: Sequence[str] = (), device: str = "auto") -> Operation[str]:
    """Where the engine's time goes in one go of every chosen picture and 128³ mesh, as text.

    Raises:
        InputError: see :func:`run_bench`.
    """
    check_only(only)
    parts = [str(describe_machine(select_device(device)))]
    for load in _subjects(only, device):
        subject = yield from load
        works = {
            name: _drawing(build(subject))
            for name, build in _pictures(*_SIZES[subject.name]).items()
        }
        works["mesh128"] = partial(engine_mesh, subject, changing(0), 128)
        for name, work in works.items():
            if f"{subject.name}.{name}" in _chosen(subject.name, only):
                yield Progress(0, 1, f"profiling {subject.name}.{name}")
                parts.append(f"{subject.name}.{name}, engine\n{profile(work, subject.device)}")
    return "\n\n".join(parts) + "\n"


def _drawing(case: pictures.PictureCase) -> Callable[[], object]:
    case.engine(case.scenes(-1))  # warm
    return lambda: case.engine(case.scenes(0))


def _subjects(only: Sequence[str], device: str) -> list[Operation[Subject]]:
    """Those of which something is chosen; loaded, and the full-size one fitted, when run."""
    operations = {FULL: full_subject(device), HEADS: heads_subject(device)}
    return [load for name, load in operations.items() if _chosen(name, only)]


def _chosen(subject: str, only: Sequence[str]) -> list[str]:
    names = [f"{subject}.{case}" for case in _MEASURES[subject]]
    return [name for name in names if not only or name.startswith(tuple(only))]


def _counted(part: Operation[Rows], name: str, index: int, count: int) -> Operation[Rows]:
    """Run one measurement; what it reports is a row's share of the whole."""
    while True:
        try:
            progress = next(part)
        except StopIteration as stop:
            rows: Rows = stop.value
            return rows
        yield Progress(index + min(0.99, progress.fraction), count, f"{name}: {progress.message}")
