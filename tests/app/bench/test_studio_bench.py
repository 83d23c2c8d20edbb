"""The window's bench: its rows, and the measurement of a delay."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from app.bench.studio_bench import ROWS, _follow, chosen_names
from app.bench.studio_driver import _delays
from stylesdf_core.evaluation.reports.report import Figure
from stylesdf_core.progress import Progress
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Scene


def picture(camera: OrbitCamera) -> Any:
    return SimpleNamespace(request=SimpleNamespace(scene=replace(Scene(), camera=camera)))


def test_a_motion_waits_for_its_own_picture_or_a_later_one() -> None:
    first, skipped, last = (OrbitCamera(azimuth=a) for a in (0.1, 0.2, 0.3))
    times = {first: [0.0, 1.0], skipped: [2.0], last: [3.0]}
    shown = [(0.5, picture(OrbitCamera())), (1.5, picture(first)), (4.0, picture(last))]
    assert _delays(times, shown) == pytest.approx([1.5, 0.5, 2.0, 1.0])


def test_a_motion_without_a_picture_has_no_delay() -> None:
    seen, unseen = OrbitCamera(azimuth=0.1), OrbitCamera(azimuth=0.2)
    assert _delays({seen: [0.0], unseen: [1.0]}, [(2.0, picture(seen))]) == [2.0]


def test_every_row_has_a_name_of_its_own() -> None:
    keys = [row.key for row in ROWS]
    assert len(set(keys)) == len(keys)
    assert all(key.startswith("studio.") for key in keys)


def test_rows_are_chosen_by_their_beginning() -> None:
    assert chosen_names(()) == tuple(row.key for row in ROWS)
    assert chosen_names(("studio.slide", "full")) == ("studio.slide_meshes", "studio.slide_rest")
    assert chosen_names(("full",)) == ()


def test_the_drivers_lines_become_progress_and_figures() -> None:
    lines = [
        '{"step": 1, "steps": 4, "message": "studio.orbit"}\n',
        "libGL: something\n",
        '{"key": "studio.orbit_drag", "value": 81.0, "detail": "9 of them"}\n',
    ]
    figures: list[Figure] = []
    assert list(_follow(lines, figures)) == [Progress(1, 4, "studio.orbit")]
    (figure,) = figures
    assert (figure.target_text, figure.detail) == ("≤ 80 ms", "9 of them")
    assert figure.reached is False
    assert replace(figure, value=80.0).reached is True
