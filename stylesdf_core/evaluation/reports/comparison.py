"""Two models measured by one protocol, side by side: which figures are better, and by how much."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stylesdf_core.evaluation.reports.report import Figure, QualityReport, Report, Table


@dataclass(frozen=True)
class ModelComparison(Report):
    """Reports of two models by one protocol.

    Attributes:
        report: of the model in question.
        other: of the model it is compared with.
    """

    report: QualityReport
    other: QualityReport

    def sections(self, draw: Callable[[Table], str]) -> list[str]:
        """Protocol, table, and how many figures are better or worse."""
        head = ("", self.report.model, self.other_name, "change", "")
        rows = [
            (one.title, one.value_text, other.value_text, change(one, other), verdict(one, other))
            for one, other in self._pairs()
        ]
        verdicts = [row[-1] for row in rows]
        summary = (
            f"{verdicts.count('better')} figures are better than {self.other_name}'s, "
            f"{verdicts.count('worse')} worse, {verdicts.count('equal')} equal."
        )
        return [self.report.protocol, draw([head, *rows]), summary]

    def to_json(self) -> dict[str, Any]:
        """The model's own report, the other model's report, and a verdict for every figure."""
        changes = {one.key: verdict(one, other) for one, other in self._pairs()}
        against = {"report": self.other.to_json(), "changes": changes}
        return {**self.report.to_json(), "against": against}

    @property
    def other_name(self) -> str:
        """The other model's name, changed where both models have one name."""
        same = self.other.model == self.report.model
        return f"the other {self.other.model}" if same else self.other.model

    def _pairs(self) -> list[tuple[Figure, Figure]]:
        others = {figure.key: figure for figure in self.other.figures}
        return [(f, others[f.key]) for f in self.report.figures if f.key in others]


def verdict(figure: Figure, other: Figure) -> str:
    """``better``, ``worse`` or ``equal``: the first figure beside the second, as tables show them.

    Empty where no value is better than another. A value that could not be measured is worse than
    any value that could.
    """
    cost, other_cost = figure.cost, other.cost
    if cost is None or other_cost is None:
        return ""
    if figure.value_text == other.value_text or cost == other_cost:
        return "equal"
    return "better" if cost < other_cost else "worse"


def change(figure: Figure, other: Figure) -> str:
    """Signed difference and, where the other value is not 0, the difference in percent of it."""
    if not (math.isfinite(figure.value) and math.isfinite(other.value)):
        return "–"
    difference = figure.value - other.value
    text = f"{difference:+.{figure.digits}f}"
    return f"{text} ({100.0 * difference / abs(other.value):+.1f} %)" if other.value else text
