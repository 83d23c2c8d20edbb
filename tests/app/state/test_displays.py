"""The window's place on the displays: wholly visible, remembered, in a scale that fits."""

from __future__ import annotations

import pytest

from app.state.displays import Display, Placement, least_size, placed, suitable_scale

LAPTOP = Display(0, 0, 1024, 600)
LARGE = Display(1024, 0, 2560, 1400)
SCREENS = [Display(0, 0, *size) for size in ((1024, 600), (1280, 800), (1366, 768), (3840, 2160))]


def is_within(window: Placement, area: Display) -> bool:
    assert window.x is not None
    assert window.y is not None
    return (
        area.x <= window.x
        and area.y < window.y  # the title bar stands above
        and window.x + window.width <= area.x + area.width
        and window.y + window.height <= area.y + area.height
    )


@pytest.mark.parametrize("area", SCREENS)
@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_the_first_window_lies_within_the_work_area(area: Display, scale: float) -> None:
    assert is_within(placed(None, scale, [area]), area)


@pytest.mark.parametrize("area", SCREENS)
@pytest.mark.parametrize("x", [-5000, -200, 700, 5000])
def test_a_remembered_window_is_brought_onto_the_display(area: Display, x: int) -> None:
    assert is_within(placed(Placement(1440, 900, x, x), 1.0, [area]), area)


def test_a_window_that_fits_keeps_its_place_and_size() -> None:
    window = Placement(900, 500, 50, 60)
    assert placed(window, 1.0, [LAPTOP]) == window


def test_a_window_stays_on_the_display_that_it_covers_most() -> None:
    window = placed(Placement(1440, 900, 900, 100), 1.0, [LAPTOP, LARGE])
    assert is_within(window, LARGE)
    assert (window.width, window.height) == (1440, 900)


def test_a_window_on_a_display_that_is_gone_comes_to_the_primary_display() -> None:
    assert is_within(placed(Placement(1440, 900, 9000, 100), 1.0, [LAPTOP, LARGE]), LAPTOP)


def test_without_knowledge_of_the_displays_the_remembered_place_is_kept() -> None:
    assert placed(Placement(900, 500, 50, 60), 1.0, []) == Placement(900, 500, 50, 60)


@pytest.mark.parametrize(
    ("wanted", "size", "scale"),
    [
        (1.0, (1280, 800), 1.0),
        (2.0, (3840, 2160), 2.0),
        (1.5, (1920, 1080), 1.5),
        (2.0, (1280, 800), 1.35),
        (0.5, (1280, 800), 0.75),
        (9.0, (7680, 4320), 3.0),
    ],
)
def test_the_scale_is_the_desktop_s_as_far_as_all_panels_fit(
    wanted: float, size: tuple[int, int], scale: float
) -> None:
    assert suitable_scale(wanted, *size) == pytest.approx(scale)


def test_the_least_size_fits_the_smallest_display() -> None:
    assert least_size(2.0, [LAPTOP, LARGE]) == (1024, 568)
    assert least_size(1.0, [LARGE]) == (960, 540)
