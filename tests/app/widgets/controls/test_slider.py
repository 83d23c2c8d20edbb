"""The number of a slider, as it is shown and as it is typed."""

from __future__ import annotations

import pytest

from app.widgets.controls.slider import SliderRow, SliderSpec


@pytest.mark.parametrize(
    ("value", "digits", "shown", "typed"),
    [
        (1024.0, 0, "1,024", "1024"),
        (12345.5, 2, "12,345.50", "12345.50"),
        (-0.5, 1, "−0.5", "−0.5"),
    ],
)
def test_thousands_are_separated_in_a_shown_value_but_not_in_a_typed_one(
    value: float, digits: int, shown: str, typed: str
) -> None:
    """In the field, a comma is a decimal point."""
    slider = SliderRow.__new__(SliderRow)  # without a window
    slider.spec = SliderSpec("size", "", -1.0, 1e6, 1.0, digits=digits)
    slider._value = value
    assert slider._text() == shown
    assert slider._number() == typed
