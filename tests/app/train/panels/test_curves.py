"""Curves of a run as lines of a plot."""

from __future__ import annotations

import numpy as np

from app.train.panels.curves import dashed


def test_a_single_record_is_a_dash_at_its_step() -> None:
    assert dashed(np.array([210.0]), np.array([0.5]), 1000.0) == [[200.0, 210.0], [0.5, 0.5]]
    two = np.array([1.0, 2.0])
    assert dashed(two, two, 1000.0) == [[1.0, 2.0], [1.0, 2.0]]
    assert dashed(two[:0], two[:0], 1000.0) == [[], []]
