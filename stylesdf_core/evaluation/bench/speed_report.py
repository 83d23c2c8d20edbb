"""The bench's result: plain path and engine side by side, single figures, and their targets."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from stylesdf_core.evaluation.bench.machine import Machine
from stylesdf_core.evaluation.report import (
    Figure,
    Report,
    Table,
    figure_cells,
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
class Timing:
    """Seconds that one path took for each repeat; at least one."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Milliseconds."""
        return 1e3 * statistics.median(self.seconds)

    @property
    def spread(self) -> tuple[float, float]:
        """Shortest and longest, milliseconds."""
        return 1e3 * min(self.seconds), 1e3 * max(self.seconds)

    def __str__(self) -> str:
        """Median and spread, such as ``12.3 ms (11.9–14.0)``."""
        if len(self.seconds) == 1:
            return f"{_digits(self.median)} ms (once)"
        return f"{_digits(self.median)} ms ({'–'.join(map(_digits, self.spread))})"


@dataclass(frozen=True)
class Agreement:
    """How far the engine's results are from the plain path's; the worst of all repeats.

    Attributes:
        psnr: dB for a range of 2, since pictures lie in [−1, 1]; None for meshes.
        max_error: largest difference of a picture's values; for meshes, the Hausdorff distance of
            their vertices in voxels.
    """

    psnr: float | None
    max_error: float


@dataclass(frozen=True)
class Speedup:
    """One row that both paths computed in turns.

    Attributes:
        name: model and row, such as ``full.volume64``.
        title: the row in words.
        reference, engine: times of the plain path and of the engine.
        agreement: of their results.
        min_speedup, min_psnr: targets, None for none.
        note: remark in the table.
    """

    name: str
    title: str
    reference: Timing
    engine: Timing
    agreement: Agreement
    min_speedup: float | None = None
    min_psnr: float | None = None
    note: str = ""

    @property
    def factor(self) -> float:
        """How many times faster the engine is, by the medians."""
        return self.reference.median / self.engine.median

    @property
    def reached(self) -> bool | None:
        """Whether every target is reached; None without targets."""
        verdicts = []
        if self.min_speedup is not None:
            verdicts.append(self.factor >= self.min_speedup)
        if self.min_psnr is not None:
            psnr = self.agreement.psnr
            verdicts.append(psnr is not None and psnr >= self.min_psnr)
        return all(verdicts) if verdicts else None

    @property
    def target_text(self) -> str:
        """The targets, or nothing."""
        targets = (self.min_speedup, "×"), (self.min_psnr, " dB")
        return ", ".join(f"≥ {low:g}{unit}" for low, unit in targets if low is not None)

    def cells(self) -> tuple[str, ...]:
        """The row of the full table."""
        psnr = "" if self.agreement.psnr is None else f"{self.agreement.psnr:.1f} dB"
        error = f"{self.agreement.max_error:.2g}"
        target, reached = self.target_text, yes_or_no(self.reached)
        return (*self.times(), psnr, error, target, reached, self.note)

    def times(self) -> tuple[str, str, str, str]:
        """Name, both times, and how many times faster the engine is."""
        return (self.name, str(self.reference), str(self.engine), f"{_digits(self.factor)}×")

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; times in milliseconds."""
        return {
            "name": self.name,
            "reference_ms": self.reference.median,
            "engine_ms": self.engine.median,
            "speedup": self.factor,
            "psnr_db": self.agreement.psnr,
            "max_error": self.agreement.max_error,
            "reference_ms_spread": list(self.reference.spread),
            "engine_ms_spread": list(self.engine.spread),
            "repeats": [len(self.reference.seconds), len(self.engine.seconds)],
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
            cells = [(figure.key, *figure_cells(figure)) for figure in self.figures]
            sections.append(draw([("", "", "measured", "target", "reached", ""), *cells]))
        verdicts = [row.reached for row in self.speedups]
        verdicts += [figure.reached for figure in self.figures]
        return [*sections, *self.notes, *targets_reached(verdicts)]

    def short_markdown(self) -> str:
        """Machine and the rows named in ``SHORT``, in words."""
        head = ("", "plain path", "measured", "faster", "target")
        rows = [
            (f"{row.title} (`{row.name}`)", *row.times()[1:], row.target_text)
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
        figures = [
            {
                "name": figure.key,
                "target": None if figure.reached is None else figure.target_text,
                **figure.to_json(),
            }
            for figure in self.figures
        ]
        machine = {**asdict(self.machine), "busy": self.machine.busy}
        results = [*(row.to_json() for row in self.speedups), *figures]
        return {"machine": machine, "results": results, "notes": list(self.notes)}


def _digits(value: float) -> str:
    """Three significant digits, never in scientific notation."""
    if value == 0.0 or not math.isfinite(value):
        return f"{value:g}"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{decimals}f}"
