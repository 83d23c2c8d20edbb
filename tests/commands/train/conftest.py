"""Fixtures of the tests of the training commands."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def on_one_thread(one_thread: None) -> None:
    """Every test of this room sums in one order."""
