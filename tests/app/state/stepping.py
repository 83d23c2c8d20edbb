"""Runs a workbench's main loop without a window."""

from __future__ import annotations

import time
from collections.abc import Callable

from app.state.workbench import Workbench

SECONDS = 120.0


def run_until(workbench: Workbench, condition: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "waited too long"
        workbench.tick()
        time.sleep(0.002)


def poll_until(workbench: Workbench, condition: Callable[[], bool]) -> None:
    """Take results in, but let no frame pass that could be taken for a rest."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "waited too long"
        workbench.screen.poll()
        time.sleep(0.002)


def settle(workbench: Workbench) -> None:
    """Until everything asked for has been shown."""
    workbench.tick()
    run_until(workbench, lambda: not workbench.busy and not workbench.jobs.active)
    workbench.tick()
