"""Drives the real window with a real mouse and keyboard (xdotool); run by test_window.py.

    python -m tests.app.driver MODEL FOLDER [STEP …]

It runs the named steps, or all, prints a line for each, and exits with 0 only if all succeed.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from app.state.settings import SettingsStore
from app.widgets.dialogs import dialogs
from app.workers.concurrency.process import end_if_busy
from tests.app.explore_steps import ExploreSteps
from tests.app.file_steps import FileSteps
from tests.app.hands import say
from tests.app.page_steps import PageSteps
from tests.app.storm import Storm


class Driver(ExploreSteps, PageSteps, FileSteps, Storm):
    """All steps on one studio."""


def main() -> None:
    """All steps, in order."""
    weights, folder = (Path(word).resolve() for word in sys.argv[1:3])
    os.chdir(folder)  # a folder that the random events type is made here
    driver = Driver(weights, folder)
    steps: tuple[Callable[[], None], ...] = (
        driver.first_picture,
        driver.gestures,
        driver.drag_points,
        driver.identity,
        driver.directions,
        driver.mixing,
        driver.views,
        driver.filmstrip,
        driver.timeline,
        driver.batch,
        driver.sheet,
        driver.compare,
        driver.narrow,
        driver.keyboard,
        driver.file_dialog,
        driver.photo,
        driver.exports,
        driver.broken_checkpoint,
        driver.storm,
    )
    chosen = sys.argv[3:]
    for step in steps:
        if chosen and step.__name__ not in chosen:
            continue
        start = time.monotonic()
        step()
        say(f"{step.__name__}: {time.monotonic() - start:.1f} s")
    dialogs.native_command = lambda question: ["sleep", "600"]
    driver.studio.actions.open_session()
    assert driver.studio.dialogs._native is not None
    driver.studio.close()
    assert driver.studio.dialogs._native is None, "the desktop's dialog outlives the window"
    assert SettingsStore(driver.folder / "config").load_autosave() == driver.workbench.scene
    say("all steps succeeded")
    end_if_busy(0)


if __name__ == "__main__":
    main()
