"""Figures of speed beside their targets: the plain path against the engine, and single figures."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from stylesdf_core.evaluation.bench.machine import Machine
from stylesdf_core.evaluation.report import Figure, markdown_table


@dataclass(frozen=True)
class Timing:
    """Seconds that the goes of one path took.

    Attributes:
        seconds: one a go, at least one.
    """

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Milliseconds."""
        return 1e3 * statistics.median(self.seconds)

    @property
    def lowest(self) -> float:
        """Milliseconds."""
        return 1e3 * min(self.seconds)

    @property
    def highest(self) -> float:
        """Milliseconds."""
        return 1e3 * max(self.seconds)

    def __str__(self) -> str:
        """Median and spread, such as ``12.3 ms (11.9–14.0)``."""
        median, lowest, highest = map(_digits, (self.median, self.lowest, self.highest))
        spread = f" ({lowest}–{highest})" if len(self.seconds) > 1 else " (one go)"
        return f"{median} ms{spread}"


@dataclass(frozen=True)
class Agreement:
    """How far the engine's results are from the plain path's; the worst of all goes.

    Attributes:
        psnr: dB for a range of 2, the pictures' [−1, 1]; None where nothing is a picture.
        max_error: largest difference of a picture's values; of meshes, their Hausdorff distance in
            voxels.
    """

    psnr: float | None
    max_error: float


@dataclass(frozen=True)
class Comparison:
    """One case through both paths, in turns.

    Attributes:
        name: model and case, such as ``full.volume64``.
        reference, engine: what each took.
        agreement: of their results; None where there is nothing to compare.
        min_speedup, min_psnr: targets, None for none.
        note: what else to know, a few words.
    """

    name: str
    reference: Timing
    engine: Timing
    agreement: Agreement | None = None
    min_speedup: float | None = None
    min_psnr: float | None = None
    note: str = ""

    @property
    def speedup(self) -> float:
        """Of the medians."""
        return self.reference.median / self.engine.median

    @property
    def psnr(self) -> float | None:
        """See :class:`Agreement`."""
        return None if self.agreement is None else self.agreement.psnr

    @property
    def reached(self) -> bool | None:
        """Whether every target is; None without targets. What was not measured is not reached."""
        verdicts = []
        if self.min_speedup is not None:
            verdicts.append(self.speedup >= self.min_speedup)
        if self.min_psnr is not None:
            verdicts.append(self.psnr is not None and self.psnr >= self.min_psnr)
        return all(verdicts) if verdicts else None

    @property
    def target_text(self) -> str:
        """The targets, or nothing."""
        parts = []
        if self.min_speedup is not None:
            parts.append(f"≥ {self.min_speedup:g}×")
        if self.min_psnr is not None:
            parts.append(f"≥ {self.min_psnr:g} dB")
        return ", ".join(parts)


@dataclass(frozen=True)
class BenchReport:
    """All figures of one run; ``str()`` is for a terminal.

    Attributes:
        machine: where it ran.
        comparisons: both paths side by side.
        figures: single figures, of the engine or of anything else; their ``key`` is their name.
        notes: what else to know of the whole, a sentence each.
    """

    machine: Machine
    comparisons: tuple[Comparison, ...]
    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n\n".join([str(self.machine), *map(_table, self._tables()), *self._closing()])

    def markdown(self) -> str:
        """The same for a card or a README."""
        tables = map(markdown_table, self._tables())
        return "\n\n".join([f"Measured on {self.machine}.", *tables, *self._closing()])

    def _tables(self) -> list[list[tuple[str, ...]]]:
        tables = []
        if self.comparisons:
            heads = ("", "plain path", "engine", "faster", "PSNR", "max error", "target", "reached")
            tables.append([(*heads, ""), *map(_comparison_cells, self.comparisons)])
        if self.figures:
            figures = [
                (f.key, f.title, f.value_text, f.target_text, f.reached_text, f.detail)
                for f in self.figures
            ]
            tables.append([("", "", "measured", "target", "reached", ""), *figures])
        return tables

    def _closing(self) -> list[str]:
        verdicts = [row.reached for row in self.comparisons]
        verdicts += [figure.reached for figure in self.figures]
        judged = [verdict for verdict in verdicts if verdict is not None]
        if not judged:
            return list(self.notes)
        return [*self.notes, f"{sum(judged)} of {len(judged)} rows with a target reach it."]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values: comparisons, then figures with ``value`` and ``unit``."""
        results = [_comparison_json(row) for row in self.comparisons]
        results += [_figure_json(figure) for figure in self.figures]
        machine = {**asdict(self.machine), "busy": self.machine.busy}
        return {"machine": machine, "results": results, "notes": list(self.notes)}


def _comparison_cells(row: Comparison) -> tuple[str, ...]:
    agreement = row.agreement
    psnr = "" if row.psnr is None else f"{row.psnr:.1f} dB"
    error = "" if agreement is None else f"{agreement.max_error:.2g}"
    times = str(row.reference), str(row.engine), f"{_digits(row.speedup)}×"
    return (row.name, *times, psnr, error, row.target_text, _verdict(row.reached), row.note)


def _comparison_json(row: Comparison) -> dict[str, Any]:
    agreement = row.agreement
    return {
        "name": row.name,
        "reference_ms": row.reference.median,
        "engine_ms": row.engine.median,
        "speedup": row.speedup,
        "psnr_db": row.psnr,
        "max_error": None if agreement is None else agreement.max_error,
        "reference_ms_spread": [row.reference.lowest, row.reference.highest],
        "engine_ms_spread": [row.engine.lowest, row.engine.highest],
        "goes": [len(row.reference.seconds), len(row.engine.seconds)],
        "min_speedup": row.min_speedup,
        "min_psnr_db": row.min_psnr,
        "reached": row.reached,
        "note": row.note,
    }


def _figure_json(figure: Figure) -> dict[str, Any]:
    return {
        "name": figure.key,
        "title": figure.title,
        "value": figure.value if math.isfinite(figure.value) else None,
        "unit": figure.unit,
        "target": None if figure.reached is None else figure.target_text,
        "low": figure.low,
        "high": figure.high,
        "reached": figure.reached,
        "note": figure.detail,
    }


def _verdict(reached: bool | None) -> str:
    return {None: "", True: "yes", False: "no"}[reached]


def _digits(value: float) -> str:
    """Three significant digits, never in scientific notation."""
    if value == 0.0 or not math.isfinite(value):
        return f"{value:g}"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{decimals}f}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Columns aligned left; the last, which holds notes, is as wide as it likes."""
    last = len(rows[0]) - 1
    widths = [max(len(row[column]) for row in rows) for column in range(last)]
    lines = []
    for row in rows:
        cells = [text.ljust(width) for text, width in zip(row, widths, strict=False)]
        lines.append("  ".join([*cells, row[last]]).rstrip())
    return "\n".join(lines)
