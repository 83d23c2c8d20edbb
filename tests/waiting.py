"""Waiting for threads and processes."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(
    condition: Callable[[], object],
    step: Callable[[], object] = lambda: None,
    *,
    seconds: float = 120.0,
    state: Callable[[], object] = lambda: "",
) -> None:
    """Call ``step`` until ``condition`` holds.

    Args:
        seconds: after which the test fails. A shared machine may be ten times slower than usual.
        state: what the failure should tell.
    """
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited too long; {state()}"
        step()
        time.sleep(0.002)
