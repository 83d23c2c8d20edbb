"""The status line: which columns are shown where the window is narrow."""

from __future__ import annotations

from app.explore.panels.status import fitting
from app.widgets.drawing import fonts

LEFTS, TEXTS, SIZE = (0.0, 100.0, 200.0), ("256² image", "", "618 MB"), 12.0


def test_columns_end_left_of_the_scene_in_words() -> None:
    end = 200.0 + fonts.text_width("618 MB", SIZE)
    assert fitting(LEFTS, TEXTS, SIZE, end) == list(zip(LEFTS, TEXTS, strict=True))
    assert fitting(LEFTS, TEXTS, SIZE, end - 1.0) == [(0.0, "256² image"), (100.0, "")]
    assert fitting(LEFTS, TEXTS, SIZE, 10.0) == []
