"""Figures of several models in one table: what is remarked on all, and on one alone."""

from __future__ import annotations

from stylesdf_core.evaluation.reports.report import Figure
from stylesdf_core.evaluation.reports.side_by_side import SideBySide


def test_a_remark_on_one_model_stays_with_its_figure() -> None:
    one = Figure("matching", "matching distance", 0.72, "bins", detail="other heads: 0.24")
    other = Figure(
        "matching", "matching distance", 1.8, "bins", detail="other heads: 0.24; 1 without surface"
    )
    alone = Figure("speed", "images a second", 15.0)
    table = SideBySide("a protocol", (("a", [one, alone]), ("b", [other]))).markdown()
    assert (
        "| matching distance | 0.72 bins | 1.80 bins (1 without surface) | other heads: 0.24 |"
        in table
    )
    assert "| images a second | 15.00 | – |  |" in table
