"""Measured figures beside their targets: as a table, as JSON, and inside a Markdown file.

The commands ``evaluate``, ``measure`` and ``bench`` each end with a :class:`Report`. A report is
drawn with :func:`text_table` on a terminal and with :func:`markdown_table` in a model card, where
it stands between two marker lines that :func:`card_marks` names.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from stylesdf_core.errors import InputError
from stylesdf_core.files import write_text

#: Rows of cells, all rows equally long; the first row is the head.
Table: TypeAlias = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Figure:
    """One measured quantity.

    Attributes:
        key: name in the JSON report.
        title: name in the table.
        value: NaN or infinite where the quantity could not be measured.
        unit: written behind value and target.
        digits: decimals in the table.
        low, high: bounds of the target, themselves included; None for no bound.
        detail: remark in the table, such as the spread or the worst seed.
        better: which values are better, for a figure without a target.
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
    def cost(self) -> float | None:
        """A number that is lower for a better value, infinite for a value not measured.

        For a target with two bounds, the cost is the distance from their middle. None where no
        value is better than another.
        """
        if self.low is not None and self.high is not None:
            cost = abs(self.value - 0.5 * (self.low + self.high))
        elif self.low is not None or self.better == "higher":
            cost = -self.value
        elif self.high is not None or self.better == "lower":
            cost = self.value
        else:
            return None
        return cost if math.isfinite(cost) else math.inf

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
        return f"{self.value:.{self.digits}f} {self.unit}".rstrip()

    @property
    def target_text(self) -> str:
        """The target with its unit, or a dash."""
        if self.low is not None and self.high is not None:
            target = f"{self.low:g} to {self.high:g}"
        elif self.low is not None:
            target = f"≥ {self.low:g}"
        elif self.high is not None:
            target = f"≤ {self.high:g}"
        else:
            return "–"
        return f"{target} {self.unit}".rstrip()

    def cells(self) -> tuple[str, str, str, str, str]:
        """Title, value, target, whether it is reached, and detail: a row of a table."""
        reached = yes_or_no(self.reached)
        return (self.title, self.value_text, self.target_text, reached, self.detail)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self), "reached": self.reached}


class Report(ABC):
    """The result of a measuring command: paragraphs and tables, and the same as JSON."""

    @abstractmethod
    def sections(self, draw: Callable[[Table], str]) -> list[str]:
        """Paragraphs and tables in order; ``draw`` makes text of a table."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Plain values; :func:`~stylesdf_core.files.write_json` makes null of NaN and infinity."""

    def __str__(self) -> str:
        return "\n\n".join(self.sections(text_table))

    def markdown(self) -> str:
        """The report for a model card."""
        return "\n\n".join(self.sections(markdown_table))


@dataclass(frozen=True)
class QualityReport(Report):
    """All figures of one model.

    Attributes:
        model: the model's name.
        protocol: which pictures and shapes were measured, one sentence.
        figures: in the order of the table.
        scores: the single measurements behind the figures, by kind; plain JSON values.
        warnings: sentences on what makes figures incomparable.
    """

    model: str
    protocol: str
    figures: tuple[Figure, ...]
    scores: dict[str, list[dict[str, Any]]]
    warnings: tuple[str, ...] = ()

    def sections(self, draw: Callable[[Table], str]) -> list[str]:
        """Protocol, table, and how many targets are reached."""
        head = ("", "measured", "target", "reached", "")
        table = draw([head, *(figure.cells() for figure in self.figures)])
        heading = f"Model {self.model}: {self.protocol}"
        reached = targets_reached(figure.reached for figure in self.figures)
        return [heading, table, *reached, *self.warnings]

    def to_json(self) -> dict[str, Any]:
        """Model, protocol, figures and scores."""
        figures = [figure.to_json() for figure in self.figures]
        report = {"model": self.model, "protocol": self.protocol, "figures": figures}
        return {**report, "scores": self.scores, "warnings": list(self.warnings)}


def yes_or_no(reached: bool | None) -> str:
    """Cell that says whether a target is reached; empty without a target."""
    return {None: "", True: "yes", False: "no"}[reached]


def targets_reached(reached: Iterable[bool | None]) -> list[str]:
    """One sentence that counts the targets reached; no sentence where there are no targets."""
    targets = [each for each in reached if each is not None]
    return [f"{sum(targets)} of {len(targets)} targets are reached."] if targets else []


def text_table(rows: Table) -> str:
    """A table for a terminal: columns aligned left, two spaces between them."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def markdown_table(rows: Table) -> str:
    """A table for a Markdown file."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    lines = [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


# --- figures inside a Markdown file ---------------------------------------------------------------


def card_marks(command: str, *, short: bool = False) -> tuple[str, str]:
    """The two lines between which a command's figures stand in a Markdown file.

    Args:
        short: for a file that gets the command's short table, such as the README.
    """
    mark = f"<!-- measured by `stylesdf-studio {command}`: "
    return f"{mark}begin{' short' * short} -->", f"{mark}end -->"


def check_card(path: Path, command: str) -> str:
    """Text of a Markdown file that has a place for a command's figures.

    Raises:
        InputError: there is no such file, or the file lacks the two markers.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Cannot read the card {path}: {error}.") from error
    if len(_measured_section(command).findall(text)) != 1:
        begin, end = card_marks(command)
        raise InputError(
            f"{path} has no place for measured figures; add the two lines {begin} and {end}."
        )
    return text


def update_card(path: Path, command: str, figures: str, short: str | None = None) -> None:
    """Replace the text between a command's markers in a Markdown file.

    Args:
        figures: the new text, Markdown.
        short: the new text for a file whose first marker says ``begin short``.

    Raises:
        InputError: see :func:`check_card`.
    """

    def section(found: re.Match[str]) -> str:
        wants_short = found["begin"] == card_marks(command, short=True)[0]
        return f"{found['begin']}\n{short if wants_short and short else figures}\n{found['end']}"

    write_text(path, _measured_section(command).sub(section, check_card(path, command)))


def _measured_section(command: str) -> re.Pattern[str]:
    (begin, end), (begin_short, _) = card_marks(command), card_marks(command, short=True)
    begins = f"{re.escape(begin)}|{re.escape(begin_short)}"
    return re.compile(f"(?P<begin>{begins})\n.*?(?P<end>{re.escape(end)})", re.DOTALL)
