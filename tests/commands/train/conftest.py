"""Fixtures of the tests of the training commands."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def as_runs_need(one_thread: None, quick_snapshots: None) -> None:
    """Every test of this room sums in one order, and its runs are evaluated quickly."""
