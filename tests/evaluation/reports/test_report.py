"""Reports as table, JSON and part of a model card."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from stylesdf_core.errors import InputError
from stylesdf_core.evaluation.reports.grids import beside, grid, write_grid
from stylesdf_core.evaluation.reports.report import Figure, QualityReport, card_marks, update_card
from stylesdf_core.files import write_json

BEGIN, END = card_marks("measure")
REPORT = QualityReport(
    "tiny",
    "2 heads.",
    (
        Figure("psnr", "PSNR", 27.123, "dB", low=26.0),
        Figure("ratio", "ratio", 1.4, low=0.7, high=1.3, detail="a | b"),
        Figure("seconds", "time", 0.5, "s"),
        Figure("lost", "lost", math.inf, high=1.0),
    ),
    {"views": [{"seed": 1, "psnr": math.inf, "rgb": (0.5, math.nan)}]},
)


def test_figures_know_whether_they_are_reached() -> None:
    assert [figure.reached for figure in REPORT.figures] == [True, False, None, False]
    assert Figure("x", "x", math.nan, low=0.0).reached is False
    texts = [figure.target_text for figure in REPORT.figures]
    assert texts == ["≥ 26 dB", "0.7 to 1.3", "–", "≤ 1"]


def test_the_table_names_values_targets_and_how_many_are_reached() -> None:
    lines = str(REPORT).splitlines()
    assert lines[0] == "Model tiny: 2 heads."
    assert lines[3].split() == ["PSNR", "27.12", "dB", "≥", "26", "dB", "yes"]
    assert lines[6].split() == ["lost", "not", "measured", "≤", "1", "no"]
    assert lines[-1] == "1 of 3 targets are reached."


def test_json_has_no_infinities(tmp_path: Path) -> None:
    write_json(tmp_path / "report.json", REPORT.to_json())
    text = (tmp_path / "report.json").read_text(encoding="utf-8")
    assert "Infinity" not in text
    assert "NaN" not in text
    assert json.loads(text)["scores"]["views"][0] == {"seed": 1, "psnr": None, "rgb": [0.5, None]}
    assert json.loads(text)["figures"][0]["value"] == 27.123


def test_a_card_keeps_everything_but_its_measured_section(tmp_path: Path) -> None:
    card = tmp_path / "tiny.md"
    card.write_text(f"# Tiny\n\n{BEGIN}\nold\n{END}\n\nLimits.\n", encoding="utf-8")
    update_card(card, "measure", REPORT.markdown())
    text = card.read_text(encoding="utf-8")
    assert text.startswith(f"# Tiny\n\n{BEGIN}\nModel tiny: 2 heads.")
    assert text.endswith(f"{END}\n\nLimits.\n")
    assert "| ratio | 1.40 | 0.7 to 1.3 | no | a \\| b |" in text
    assert "old" not in text
    update_card(card, "measure", REPORT.markdown())
    assert card.read_text(encoding="utf-8") == text


def test_a_card_with_a_short_place_gets_the_short_text(tmp_path: Path) -> None:
    card, (begin, end) = tmp_path / "README.md", card_marks("bench", short=True)
    card.write_text(f"Speed\n{begin}\nold\n{end}\nMore\n", encoding="utf-8")
    update_card(card, "bench", "full", "short")
    assert card.read_text(encoding="utf-8") == f"Speed\n{begin}\nshort\n{end}\nMore\n"
    card.write_text("{}\nold\n{}\n".format(*card_marks("bench")), encoding="utf-8")
    update_card(card, "bench", "full", "short")
    assert card.read_text(encoding="utf-8").splitlines()[1] == "full"


@pytest.mark.parametrize(
    "text", ["# No markers\n", f"{END}\n{BEGIN}\n", f"{BEGIN}\n{END}\n" * 2, None]
)
def test_a_card_without_its_place_is_refused(tmp_path: Path, text: str | None) -> None:
    card = tmp_path / "card.md"
    if text is not None:
        card.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"card\.md"):
        update_card(card, "measure", REPORT.markdown())


def test_grids_lay_short_rows_beside_each_other(tmp_path: Path) -> None:
    black, white = np.zeros((4, 4, 3), np.float32), np.ones((4, 4, 3), np.float32)
    pixels = grid(beside([[black, white]] * 3, 2))
    assert pixels.shape == (8, 16, 3)
    assert pixels[0, 4:8].min() == 255
    assert pixels[4:, 8:].min() == 255, "a short row ends white"
    write_grid(tmp_path / "pairs.png", [[black, white]])
    assert (tmp_path / "pairs.png").is_file()
