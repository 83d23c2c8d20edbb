"""Measured figures beside their targets: as a table, as JSON, and inside a model card."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stylesdf_core.errors import InputError
from stylesdf_core.files import write_text

BEGIN = "<!-- measured by `stylesdf-studio measure`: begin -->"
END = "<!-- measured by `stylesdf-studio measure`: end -->"


@dataclass(frozen=True)
class Figure:
    """One measured quantity.

    Attributes:
        key: how the JSON report calls it.
        title: how the table calls it.
        value: NaN or infinite where it could not be measured.
        unit: written behind value and target.
        digits: decimals shown.
        low, high: target, bounds included; None for none.
        detail: what else to know: controls, spread, worst seed.
    """

    key: str
    title: str
    value: float
    unit: str = ""
    digits: int = 2
    low: float | None = None
    high: float | None = None
    detail: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the value lies within the target; None without a target."""
        if self.low is None and self.high is None:
            return None
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        return low <= self.value <= high

    @property
    def value_text(self) -> str:
        """The value with its unit."""
        if not math.isfinite(self.value):
            return "not measured"
        return self._with_unit(f"{self.value:.{self.digits}f}")

    @property
    def target_text(self) -> str:
        """The target with its unit, or a dash."""
        if self.low is not None and self.high is not None:
            return self._with_unit(f"{self.low:g} to {self.high:g}")
        if self.low is not None:
            return self._with_unit(f"≥ {self.low:g}")
        if self.high is not None:
            return self._with_unit(f"≤ {self.high:g}")
        return "–"

    @property
    def reached_text(self) -> str:
        """Yes, no, or nothing."""
        return {None: "", True: "yes", False: "no"}[self.reached]

    def _with_unit(self, text: str) -> str:
        return f"{text} {self.unit}".rstrip()


@dataclass(frozen=True)
class QualityReport:
    """All figures of one model; ``str()`` is a table for a terminal.

    Attributes:
        model: its name.
        protocol: what was looked at, one sentence.
        figures: in the order of the table.
        scores: the single measurements behind the figures, by kind; plain JSON values.
    """

    model: str
    protocol: str
    figures: tuple[Figure, ...]
    scores: dict[str, list[dict[str, Any]]]

    def __str__(self) -> str:
        rows = [("", "measured", "target", "reached", "")]
        rows += [
            (f.title, f.value_text, f.target_text, f.reached_text, f.detail) for f in self.figures
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = [f"Model {self.model}: {self.protocol}", ""]
        for row in rows:
            cells = [text.ljust(width) for text, width in zip(row, widths, strict=False)]
            lines.append("  ".join([*cells, row[4]]).rstrip())
        targets = [f.reached for f in self.figures if f.reached is not None]
        lines += ["", f"{sum(targets)} of {len(targets)} targets are reached."]
        return "\n".join(lines)

    def markdown(self) -> str:
        """The table for a model card."""
        lines = [self.protocol, "", "| | measured | target | reached | |", "|---|---|---|---|---|"]
        for f in self.figures:
            cells = (f.title, f.value_text, f.target_text, f.reached_text, f.detail)
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; what could not be measured is null."""
        return {
            "model": self.model,
            "protocol": self.protocol,
            "figures": [
                {
                    "key": f.key,
                    "title": f.title,
                    "value": _finite(f.value),
                    "unit": f.unit,
                    "low": f.low,
                    "high": f.high,
                    "reached": f.reached,
                    "detail": f.detail,
                }
                for f in self.figures
            ],
            "scores": {
                kind: [{name: _finite(value) for name, value in score.items()} for score in scores]
                for kind, scores in self.scores.items()
            },
        }


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def check_card(path: Path) -> str:
    """Text of a model card that has a place for figures.

    Raises:
        InputError: no such file, or it lacks the two markers.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Cannot read the model card {path}: {error}.") from error
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise InputError(
            f"{path} has no place for measured figures; add the two lines {BEGIN} and {END}."
        )
    return text


def update_card(path: Path, report: QualityReport) -> None:
    """Replace what stands between the markers of a model card by the report's table.

    Raises:
        InputError: see :func:`check_card`.
    """
    text = check_card(path)
    before, after = text[: text.index(BEGIN)], text[text.index(END) :]
    write_text(path, f"{before}{BEGIN}\n{report.markdown()}\n{after}")
