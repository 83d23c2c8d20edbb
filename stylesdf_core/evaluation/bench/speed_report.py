"""The bench's result: plain path and engine side by side, single figures, and all targets."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from stylesdf_core.evaluation.bench.machine import Machine
from stylesdf_core.evaluation.reports.report import (
    Figure,
    Report,
    Table,
    markdown_table,
    targets_reached,
    yes_or_no,
)

#: Rows of the short table, for the README; the others stand in SPEED.md beside this file.
SHORT = (
    "full.volume64",
    "full.image256",
    "full.image1024",
    "full.mesh128",
    "heads.image256",
    "heads.mesh128",
    "heads.first_pass",
    "studio.launch_face",
    "studio.orbit_drag",
    "studio.stop_image",
)


@dataclass(frozen=True)
class Speedup:
    """One row that both paths computed in turns.

    Attributes:
        name: model and row, such as ``full.volume64``.
        title: the row in words.
        reference, engine: milliseconds of the plain path and of the engine, for each repeat.
        psnr: PSNR of the engine's pictures to the plain path's, dB; the worst of all repeats. The
            range is 2, since pictures lie in [−1, 1]. None for meshes.
        max_error: largest difference of a picture's values; for meshes, the Hausdorff distance of
            the vertices in voxels.
        min_speedup, min_psnr: targets, None for none.
        note: remark in the table.
    """

    name: str
    title: str
    reference: tuple[float, ...]
    engine: tuple[float, ...]
    psnr: float | None
    max_error: float
    min_speedup: float | None = None
    min_psnr: float | None = None
    note: str = ""

    @property
    def factor(self) -> float:
        """How many times faster the engine is, by the medians."""
        return median(self.reference) / median(self.engine)

    @property
    def reached(self) -> bool | None:
        """Whether every target is reached; None without targets."""
        targets = (self.factor, self.min_speedup), (self.psnr or -math.inf, self.min_psnr)
        reached = [value >= low for value, low in targets if low is not None]
        return all(reached) if reached else None

    @property
    def target_text(self) -> str:
        """The targets, or nothing."""
        targets = (self.min_speedup, "×"), (self.min_psnr, " dB")
        return ", ".join(f"≥ {low:g}{unit}" for low, unit in targets if low is not None)

    def times(self) -> tuple[str, str, str]:
        """Cells of both tables: either path's time, and how many times faster the engine is."""
        return time_text(self.reference), time_text(self.engine), f"{_digits(self.factor)}×"

    def cells(self) -> tuple[str, ...]:
        """The row of the full table."""
        psnr = "" if self.psnr is None else f"{self.psnr:.1f} dB"
        target = self.target_text, yes_or_no(self.reached), self.note
        return (self.name, *self.times(), psnr, f"{self.max_error:.2g}", *target)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; times in milliseconds."""
        return {
            "name": self.name,
            "reference_ms": median(self.reference),
            "engine_ms": median(self.engine),
            "speedup": self.factor,
            "psnr_db": self.psnr,
            "max_error": self.max_error,
            "reference_ms_repeats": list(self.reference),
            "engine_ms_repeats": list(self.engine),
            "min_speedup": self.min_speedup,
            "min_psnr_db": self.min_psnr,
            "reached": self.reached,
            "note": self.note,
        }


@dataclass(frozen=True)
class SpeedReport(Report):
    """All rows of one run of the bench.

    Attributes:
        machine: where the bench ran.
        speedups: rows that both paths computed.
        figures: single figures, of the engine or of the window; a figure's key is its row's name.
        notes: remarks on the whole run, a sentence each.
    """

    machine: Machine
    speedups: tuple[Speedup, ...]
    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = ()

    def sections(self, draw: Callable[[Table], str]) -> list[str]:
        """Machine, a table of both paths, a table of single figures, notes and targets."""
        sections = [f"Measured on {self.machine}."]
        if self.speedups:
            columns = ("plain path", "engine", "faster", "PSNR", "max error", "target", "reached")
            sections.append(draw([("", *columns, ""), *(row.cells() for row in self.speedups)]))
        if self.figures:
            cells = [(figure.key, *figure.cells()) for figure in self.figures]
            sections.append(draw([("", "", "measured", "target", "reached", ""), *cells]))
        reached = [row.reached for row in self.speedups]
        reached += [figure.reached for figure in self.figures]
        return [*sections, *self.notes, *targets_reached(reached)]

    def short_markdown(self) -> str:
        """Machine and the rows named in ``SHORT``, in words."""
        head = ("", "plain path", "measured", "faster", "target")
        rows = [
            (f"{row.title} (`{row.name}`)", *row.times(), row.target_text)
            for row in self.speedups
            if row.name in SHORT
        ]
        rows += [
            (f"{figure.title} (`{figure.key}`)", "", figure.value_text, "", figure.target_text)
            for figure in self.figures
            if figure.key in SHORT
        ]
        return f"Measured on {self.machine}.\n\n{markdown_table([head, *rows])}"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values: rows of both paths, then figures with ``value`` and ``unit``."""
        results = [row.to_json() for row in self.speedups]
        for figure in self.figures:
            target = None if figure.reached is None else figure.target_text
            results.append({"name": figure.key, **figure.to_json(), "target": target})
        machine = {**asdict(self.machine), "busy": self.machine.busy}
        return {"machine": machine, "results": results, "notes": list(self.notes)}


def time_text(milliseconds: Sequence[float]) -> str:
    """Median, shortest and longest, such as ``12.3 ms (11.9–14.0)``."""
    low, high = _digits(min(milliseconds)), _digits(max(milliseconds))
    spread = f"{low}–{high}" if len(milliseconds) > 1 else "once"
    return f"{_digits(median(milliseconds))} ms ({spread})"


def _digits(value: float) -> str:
    """Three significant digits, never in scientific notation."""
    if value == 0.0 or not math.isfinite(value):
        return f"{value:g}"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{decimals}f}"
