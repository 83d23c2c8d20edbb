"""Runs a workbench's main loop without a window."""

from __future__ import annotations

from collections.abc import Callable

from app.state.workbench import Workbench
from tests.waiting import wait_until


def run_until(workbench: Workbench, condition: Callable[[], bool]) -> None:
    wait_until(condition, workbench.tick)


def poll_until(workbench: Workbench, condition: Callable[[], bool]) -> None:
    """Take results in, but let no frame pass that could be taken for a rest."""
    wait_until(condition, workbench.screen.poll)


def settle(workbench: Workbench) -> None:
    """Until everything asked for has been shown."""
    workbench.tick()
    run_until(workbench, lambda: not workbench.busy and not workbench.jobs.active)
    workbench.tick()
