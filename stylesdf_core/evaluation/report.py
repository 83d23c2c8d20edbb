"""Measured figures beside their targets: as a table, as JSON, and inside a model card."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from stylesdf_core.errors import InputError
from stylesdf_core.files import write_text


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
        better: which values are, where no target says it.
    """

    key: str
    title: str
    value: float
    unit: str = ""
    digits: int = 2
    low: float | None = None
    high: float | None = None
    detail: str = ""
    better: Literal["", "higher", "lower"] = ""

    @property
    def badness(self) -> float | None:
        """Less of it is better; None where no value is better than another.

        Between two bounds it is the distance from their middle.
        """
        if self.low is not None and self.high is not None:
            return abs(self.value - 0.5 * (self.low + self.high))
        if self.low is not None or self.better == "higher":
            return -self.value
        if self.high is not None or self.better == "lower":
            return self.value
        return None

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
        if targets:
            lines += ["", f"{sum(targets)} of {len(targets)} targets are reached."]
        return "\n".join(lines)

    def markdown(self) -> str:
        """The table for a model card."""
        rows = [
            (f.title, f.value_text, f.target_text, f.reached_text, f.detail) for f in self.figures
        ]
        table = markdown_table([("", "measured", "target", "reached", ""), *rows])
        return f"{self.protocol}\n\n{table}"

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


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """A table for a card; the first row is its head."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    lines = [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def card_marks(command: str) -> tuple[str, str]:
    """The two lines between which a command's figures stand in a card, e.g. ``measure``'s."""
    mark = f"<!-- measured by `stylesdf-studio {command}`: "
    return f"{mark}begin -->", f"{mark}end -->"


def check_card(path: Path, command: str) -> str:
    """Text of a card (Markdown) that has a place for a command's figures.

    Raises:
        InputError: no such file, or it lacks the two markers.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Cannot read the card {path}: {error}.") from error
    begin, end = card_marks(command)
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise InputError(
            f"{path} has no place for measured figures; add the two lines {begin} and {end}."
        )
    return text


def update_card(path: Path, command: str, figures: str) -> None:
    """Replace what stands between a command's marks in a card by its figures, as Markdown.

    Raises:
        InputError: see :func:`check_card`.
    """
    text = check_card(path, command)
    begin, end = card_marks(command)
    before, after = text[: text.index(begin)], text[text.index(end) :]
    write_text(path, f"{before}{begin}\n{figures}\n{after}")
