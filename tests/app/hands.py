"""A studio under scripted mouse and keyboard (xdotool): the window test's steps are built on it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dearpygui.dearpygui as dpg

from app.state.settings import (
    ExportSettings,
    Settings,
    SettingsStore,
    ViewSettings,
    WindowSettings,
)
from app.studio import Studio
from app.workers.concurrency.schedule import FramePacer
from stylesdf_core.commands.scenes.options.rendering import MeshSettings
from stylesdf_core.scene.scene import Scene

WIDTH, HEIGHT = 1280, 800


class Hands:
    """The studio with scripted mouse and keyboard."""

    def __init__(self, model: Path, folder: Path) -> None:
        self.folder = folder
        store = SettingsStore(folder / "config")
        store.save(
            Settings(
                window=WindowSettings(width=WIDTH, height=HEIGHT),
                view=ViewSettings(),
                mesh=MeshSettings(resolution=32),
                export=ExportSettings(folder=str(folder / "out"), frames=4, fps=8, size=64),
                device="cpu",
            )
        )
        self.studio = Studio(store, Scene(model=str(model)))
        self.studio._pacer = _AwakePacer()
        self.workbench = self.studio.workbench
        self.studio.open()
        self.frames(3)
        dpg.set_viewport_pos([0, 0])
        self.frames(3)

    def frames(self, count: int) -> None:
        """Run the main loop for ``count`` frames."""
        for _ in range(count):
            assert self.studio.step(), "the window has closed"

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = 600.0) -> None:
        """Run the main loop until the condition holds."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"waited too long: {what}; {self._state}"
            self.frames(1)

    @property
    def _state(self) -> str:
        """What may keep the studio busy."""
        workbench = self.workbench
        parts = (workbench.models.loading, workbench.screen.busy, workbench.comparison.busy)
        return f"page {self.studio.page}, busy {parts}, {workbench.settings.mesh}"

    def settle(self) -> None:
        """Wait until every requested picture and mesh is on the screen."""
        self.frames(3)
        self.wait(lambda: not self.workbench.busy, "rendering")
        self.frames(2)

    def hands(self, *commands: str) -> None:
        """Run xdotool commands while the main loop runs."""
        with subprocess.Popen(["xdotool", *" ".join(commands).split()]) as process:
            while process.poll() is None:
                self.frames(1)
        assert process.returncode == 0, commands
        self.frames(4)

    def click(self, item: int | str, button: int = 1, at: tuple[float, float] = (0.5, 0.5)) -> None:
        """Click somewhere in an item."""
        x, y = dpg.get_item_rect_min(item)
        width, height = dpg.get_item_rect_size(item)
        px, py = int(x + width * at[0]), int(y + height * at[1])
        self.hands(f"mousemove {px} {py} sleep 0.05 click {button}")

    def button(self, label: str) -> int | str:
        """The visible button that says ``label``."""
        for item in dpg.get_all_items():
            if (
                dpg.get_item_type(item) == "mvAppItemType::mvButton"
                and dpg.get_item_label(item) == label
                and dpg.is_item_visible(item)
            ):
                return int(item)
        raise AssertionError(f"there is no button {label!r} on the screen")

    def row(self, start: str, *, missing_ok: bool = False) -> int | str:
        """The row of the file dialog whose name begins so; 0 if it may be missing and is."""
        for item in dpg.get_all_items():
            label = str(dpg.get_item_label(item) or "")
            if dpg.get_item_type(item) == "mvAppItemType::mvSelectable" and label.startswith(start):
                return int(item)
        assert missing_ok, f"there is no row {start!r} in the dialog"
        return 0

    def viewport(self, u: float, v: float) -> str:
        """A point of the viewport as xdotool's mousemove."""
        x, y = dpg.get_item_rect_min(self.studio.explore.viewport.item)
        width, height = dpg.get_item_rect_size(self.studio.explore.viewport.item)
        return f"mousemove {int(x + u * width)} {int(y + v * height)}"

    def press(self, *keys: str) -> None:
        """Press keys long enough for a busy machine to see them."""
        for key in keys:
            self.hands(f"keydown {key} sleep 0.2 keyup {key} sleep 0.1")


class _AwakePacer(FramePacer):
    """Draws at full pace: an idle window sleeps for up to a second after each frame."""

    def wait(self, *arguments: Any, **state: Any) -> None:
        """As without a pause of the user."""
        super().wait(*arguments, **{**state, "active": True})


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
