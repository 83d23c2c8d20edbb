"""Two reports side by side: which figures are better, and by how much."""

from __future__ import annotations

import math

from stylesdf_core.evaluation.reports.comparison import ModelComparison, change, verdict
from stylesdf_core.evaluation.reports.report import Figure, QualityReport


def report(model: str, psnr: float, ratio: float, angle: float, flicker: float) -> QualityReport:
    figures = (
        Figure("psnr", "PSNR", psnr, "dB", low=26.0),
        Figure("ratio", "ratio", ratio, low=0.7, high=1.3),
        Figure("angle", "angle", angle, "°", high=15.0),
        Figure("flicker", "flicker", flicker, "grey levels", better="lower"),
        Figure("size", "size", 7.0, "MB"),
    )
    return QualityReport(model, "3 heads.", figures, {})


def test_better_follows_from_the_target_or_from_the_figure() -> None:
    both = ModelComparison(report("new", 25.0, 1.1, 3.0, 2.0), report("old", 26.0, 0.8, 4.0, 2.5))
    assert both.to_json()["against"]["changes"] == {
        "psnr": "worse",
        "ratio": "better",
        "angle": "better",
        "flicker": "better",
        "size": "",
    }
    assert str(both).splitlines()[-1] == "3 figures are better than old's, 1 worse, 0 equal."
    lines = str(both).splitlines()
    assert lines[2].split() == ["new", "old", "change"]
    assert lines[3].split()[-4:] == ["-1.00", "(-3.8", "%)", "worse"]
    assert "| PSNR | 25.00 dB | 26.00 dB | -1.00 (-3.8 %) | worse |" in both.markdown()


def test_a_value_not_measured_is_worse_and_has_no_change() -> None:
    lost, found = (Figure("x", "x", value, better="higher") for value in (math.nan, 1.0))
    assert (verdict(lost, found), verdict(found, lost)) == ("worse", "better")
    assert verdict(lost, lost) == "equal"
    assert change(lost, found) == "–"


def test_figures_with_equal_texts_are_equal() -> None:
    one, other = (Figure("x", "x", value, better="higher") for value in (1.001, 1.002))
    assert verdict(one, other) == "equal"
    zero = Figure("x", "x", 0.0)
    assert change(one, zero) == "+1.00"


def test_models_of_one_name_are_distinguished() -> None:
    both = ModelComparison(report("heads", 1, 1, 1, 1), report("heads", 1, 1, 1, 1))
    assert both.other_name == "the other heads"
