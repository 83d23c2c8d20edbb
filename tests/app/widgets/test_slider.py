from __future__ import annotations

import pytest

from app.widgets.slider import SliderRow, SliderSpec


@pytest.mark.parametrize(
    ("value", "digits", "shown", "typed"),
    [
        (1024.0, 0, "1,024", "1024"),
        (12345.5, 2, "12,345.50", "12345.50"),
        (-0.5, 1, "−0.5", "−0.5"),
    ],
)
def test_thousands_are_apart_where_they_are_read_and_not_where_they_are_typed(
    value: float, digits: int, shown: str, typed: str
) -> None:
    """A comma is a decimal point to whoever types one."""
    slider = SliderRow.__new__(SliderRow)  # without a window
    slider.spec = SliderSpec("size", "", -1.0, 1e6, 1.0, digits=digits)
    slider._value = value
    assert slider._text() == shown
    assert slider._number() == typed
