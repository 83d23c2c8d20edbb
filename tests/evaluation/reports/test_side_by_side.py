"""Figures of several models in one table: what is remarked on all, and on one alone."""

from __future__ import annotations

import math

from stylesdf_core.evaluation.reports.report import Figure
from stylesdf_core.evaluation.reports.side_by_side import SideBySide, training_figures


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


def test_the_sphere_before_the_renderer_counts_as_no_images() -> None:
    records = [
        {"step": 200, "phase": "sphere", "images": 1600, "images_per_second": 270.0},
        {"step": 200, "phase": "sphere", "mesh_triangles": 6116.0},
        {"step": 202, "phase": "renderer", "images": 16, "images_per_second": 3.0},
        {"step": 204, "phase": "renderer", "images": 32, "images_per_second": 5.0},
    ]
    images, speed = training_figures(records)
    assert (images.value, speed.value) == (32, 4.0)
    assert math.isnan(training_figures([])[0].value)
