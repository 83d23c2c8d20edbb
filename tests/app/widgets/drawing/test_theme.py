"""Texts can be read: contrast by WCAG 2.1, on every ground that they stand on."""

from __future__ import annotations

import pytest

from app.widgets.drawing import theme
from app.widgets.drawing.theme import Rgba

GROUNDS = (theme.BACKGROUND, theme.PANEL, theme.RAISED)


def luminance(color: Rgba) -> float:
    channels = [value / 255.0 for value in color[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(text: Rgba, ground: Rgba) -> float:
    light, dark = sorted((luminance(text), luminance(ground)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("text", ["TEXT", "MUTED", "ACCENT", "WARNING", "ERROR"])
def test_texts_stand_out_from_every_ground(text: str, ground: Rgba) -> None:
    assert contrast(getattr(theme, text), ground) >= 4.5


@pytest.mark.parametrize("ground", GROUNDS)
def test_hints_stand_out_from_every_ground(ground: Rgba) -> None:
    assert contrast(theme.FAINT, ground) >= 3.0


def test_the_selected_button_s_text_stands_out() -> None:
    assert contrast(theme.TEXT, theme.ACCENT_DIM) >= 4.5
