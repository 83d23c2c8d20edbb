"""Two models by the same figures, side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stylesdf_core.evaluation.report import Figure, QualityReport, markdown_table


@dataclass(frozen=True)
class Comparison:
    """Reports of two models by one protocol; ``str()`` is a table for a terminal.

    Attributes:
        report: of the model in question.
        other: of the one that it is compared with.
    """

    report: QualityReport
    other: QualityReport

    def __str__(self) -> str:
        rows = self._rows()
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = [self.report.protocol, ""]
        for row in rows:
            cells = [text.ljust(width) for text, width in zip(row, widths, strict=True)]
            lines.append("  ".join(cells).rstrip())
        return "\n".join([*lines, "", self.summary])

    @property
    def summary(self) -> str:
        """How many figures are better, how many worse; one sentence."""
        verdicts = [verdict(one, other) for one, other in self._pairs()]
        return (
            f"{verdicts.count('better')} figures are better than {self.other_name}'s, "
            f"{verdicts.count('worse')} worse, {verdicts.count('equal')} equal."
        )

    def markdown(self) -> str:
        """The table for a model card."""
        return f"{markdown_table(self._rows())}\n\n{self.summary}"

    def to_json(self) -> dict[str, Any]:
        """The model's own report, the other's figures and what became of each."""
        changes = {one.key: verdict(one, other) for one, other in self._pairs()}
        against = {"report": self.other.to_json(), "changes": changes}
        return {**self.report.to_json(), "against": against}

    @property
    def other_name(self) -> str:
        """The other model's, told apart from its namesake."""
        same = self.other.model == self.report.model
        return f"the other {self.other.model}" if same else self.other.model

    def _pairs(self) -> list[tuple[Figure, Figure]]:
        others = {figure.key: figure for figure in self.other.figures}
        return [(f, others[f.key]) for f in self.report.figures if f.key in others]

    def _rows(self) -> Sequence[Sequence[str]]:
        head = ("", self.report.model, self.other_name, "change", "")
        return [
            head,
            *(
                (one.title, one.value_text, other.value_text, change(one, other), said)
                for one, other in self._pairs()
                for said in (verdict(one, other),)
            ),
        ]


def verdict(one: Figure, other: Figure) -> str:
    """Whether the first figure is better or worse than the second, as far as both are shown.

    Nothing where no value is better than another; what could not be measured is worse.
    """
    mine, its = one.badness, other.badness
    if mine is None or its is None:
        return ""
    if not (math.isfinite(mine) and math.isfinite(its)):
        if math.isfinite(mine) == math.isfinite(its):
            return "equal"
        return "better" if math.isfinite(mine) else "worse"
    if one.value_text == other.value_text:
        return "equal"
    return "better" if mine < its else "worse"


def change(one: Figure, other: Figure) -> str:
    """Signed difference with its unit and, where the other is not 0, in percent of it."""
    if not (math.isfinite(one.value) and math.isfinite(other.value)):
        return "–"
    difference = one.value - other.value
    text = f"{difference:+.{one.digits}f}"
    return f"{text} ({100.0 * difference / abs(other.value):+.1f} %)" if other.value else text
