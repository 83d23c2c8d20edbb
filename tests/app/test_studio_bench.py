"""The bench's own arithmetic: what counts as a delay, and when a target is met."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from app.studio_bench import StudioFigure, _delays
from stylesdf_core.camera import OrbitCamera
from stylesdf_core.scene import Scene


def picture(camera: OrbitCamera) -> Any:
    return SimpleNamespace(request=SimpleNamespace(scene=replace(Scene(), camera=camera)))


def test_a_motion_waits_for_its_own_picture_or_a_later_one() -> None:
    first, skipped, last = (OrbitCamera(azimuth=a) for a in (0.1, 0.2, 0.3))
    times = {first: [0.0, 1.0], skipped: [2.0], last: [3.0]}
    shown = [(0.5, picture(OrbitCamera())), (1.5, picture(first)), (4.0, picture(last))]
    assert _delays(times, shown) == pytest.approx([1.5, 0.5, 2.0, 1.0])


def test_a_motion_never_shown_has_no_delay() -> None:
    seen, unseen = OrbitCamera(azimuth=0.1), OrbitCamera(azimuth=0.2)
    assert _delays({seen: [0.0], unseen: [1.0]}, [(2.0, picture(seen))]) == [2.0]


@pytest.mark.parametrize(
    ("value", "target", "met"),
    [(80.0, "≤ 80", True), (80.1, "≤ 80", False), (30.0, "≥ 30", True), (29.0, "≥ 30", False)],
)
def test_targets(value: float, target: str, met: bool) -> None:
    assert StudioFigure("figure", value, "ms", target).met is met


def test_a_figure_without_a_target_is_neither() -> None:
    assert StudioFigure("figure", 1.0, "MB").met is None
