"""Drives the Train tab with a real mouse and keyboard; run by test_train_window.py.

    python -m tests.app.train.train_driver MODEL FOLDER [STEP …]

Starts runs that are trained for a few steps; see tests/app/hands.py.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import dearpygui.dearpygui as dpg

from app.state.settings import (
    Settings,
    SettingsStore,
    TrainingSettings,
    WindowSettings,
)
from app.studio import Studio
from app.workers.concurrency.process import end_if_busy
from stylesdf_core.scene.scene import Scene
from stylesdf_core.training.runs.run_dir import RunDir
from tests.app.hands import HEIGHT, WIDTH, Hands, say
from tests.training.adversarial.stage_phases import write_images

#: Training leaves the CPU to everybody else, so a busy machine may starve it, seconds.
_PATIENCE = 900.0
#: A density field needs no sphere first, so weights come soon. The steps never end by themselves:
#: whatever the machine's speed, a run is still running when it is stopped or killed.
ENDLESS = {
    "generator.field": "density", "batch": "2", "steps": "100000", "run.evaluate_every": "40",
    "run.checkpoint_every": "5", "run.threads": "1", "images.compare": "8",
}  # fmt: skip


def change_steps(run: RunDir, steps: int) -> None:
    """Let a run end after ``steps``, the one setting of a begun run that this file changes."""
    file = run.path / "config.json"
    settings = json.loads(file.read_text())
    file.write_text(json.dumps({**settings, "steps": steps}))


class TrainDriver(Hands):
    """The studio at its Train tab."""

    def __init__(self, model: Path, folder: Path) -> None:
        self.folder = folder
        store = SettingsStore(folder / "config")
        store.save(
            Settings(
                window=WindowSettings(width=WIDTH, height=HEIGHT),
                training=TrainingSettings(folder=str(folder / "runs")),
                device="cpu",
            )
        )
        self.studio = Studio(store, Scene(model=str(model)))
        self.workbench = self.studio.workbench
        self.training = self.studio.training
        self.studio.open()
        self.frames(3)
        dpg.set_viewport_pos([0, 0])
        self.frames(3)
        self.wait(lambda: self.workbench.screen.picture is not None, "the first picture")
        self.settle()
        self.switch("train")
        self.wait(lambda: not self.training.is_loading, "the list of runs")

    def switch(self, page: str) -> None:
        """Switch the tab by slow key presses: a busy machine may draw no frame between two."""
        for _ in range(5):
            if self.studio.page != page:
                self.hands("keydown ctrl sleep 0.1 key t sleep 0.1 keyup ctrl")
        assert self.studio.page == page
        self.frames(3)

    def state(self, name: str) -> str:
        """State of a run in the list."""
        return next((run.state for run in self.training.runs if run.name == name), "")

    def wait_for(self, name: str, *states: str) -> None:
        """Wait until a run is in one of the states."""
        self.wait(lambda: self.state(name) in states, f"{name} {states}", _PATIENCE)

    def text_on_screen(self, text: str) -> bool:
        """Whether some visible text begins with ``text``."""
        return any(
            dpg.get_item_type(item) == "mvAppItemType::mvText"
            and str(dpg.get_value(item)).startswith(text)
            and dpg.is_item_visible(item)
            for item in dpg.get_all_items()
        )

    # --- the steps ------------------------------------------------------------------------------

    def empty(self) -> None:
        """An empty tab says what to do; no key reaches the hidden viewport."""
        self.frames(5)
        assert self.text_on_screen("No runs yet")
        assert self.text_on_screen("Choose a folder of images")
        scene, request = self.workbench.scene, self.workbench.screen.picture
        self.hands("key r key Right key 3")
        assert (self.workbench.scene, self.workbench.screen.picture) == (scene, request)
        self.workbench.set_seed(99)
        self.frames(30)
        assert not self.workbench.screen.busy, "the viewport rests"
        self.switch("explore")
        self.settle()
        assert self.workbench.screen.picture is not request
        self.switch("train")

    def locked(self) -> None:
        """Stage 2 needs a stage-1 run before it can start."""
        self.click(self.button("2 decoder"))
        problem = self.training.new.problem
        assert problem is not None
        assert problem.field == "init"
        assert not dpg.is_item_enabled(self.button("Start training"))
        self.click(self.button("fit"))
        assert self.text_on_screen("Give a face model")
        self.click(self.button("1 renderer"))
        self.hands(f"mousemove {WIDTH - 60} {HEIGHT // 2} sleep 0.1 mousemove {WIDTH // 2} 300")
        self.frames(3)
        failures = self.studio.workbench.messages.failures
        assert not failures, failures

    def start(self) -> None:
        """From typing a folder to a run whose curves arrive."""
        write_images(self.folder / "images")
        form = self.studio.train_page.form
        self.click(form.data_field)
        self.hands(f"type {self.folder / 'images'}")
        self.hands("key Return")
        new = self.training.new
        self.wait(lambda: new.preview is not None and new.preview.usable == 20, "the preview")
        for name, text in ENDLESS.items():
            new.set_text(name, text)
        new.set_text("batch", "three")
        self.frames(3)
        assert not dpg.is_item_enabled(self.button("Start training"))
        assert self.text_on_screen("batch takes a whole number")
        new.set_text("batch", "2")
        self.wait(lambda: new.problem is None, "a form without flaws")
        self.frames(3)
        self.click(self.button("Copy as command"))
        assert "stylesdf-studio train renderer --run-dir" in dpg.get_clipboard_text()
        self.click(self.button("Start training"))
        self.wait_for("images-renderer", "running")
        run = self.training.run
        assert run is not None
        assert run.name == "images-renderer"
        self.wait(lambda: "losses" in self.studio.train_page.curves.plots, "curves", _PATIENCE)
        self.wait(
            lambda: bool(self.training.report and self.training.report.averages),
            "weights",
            _PATIENCE,
        )

    def stop_and_resume(self) -> None:
        """A run is stopped, resumed, killed and resumed; the list shows each state."""
        name = "images-renderer"
        run = RunDir(self.folder / "runs" / name)
        self.click(self.button("Stop"))
        self.wait_for(name, "stopping", "stopped")
        self.wait_for(name, "stopped")
        stopped = run.saved_step()
        assert stopped > 0
        self.frames(3)
        self.click(self.button("Resume"))
        self.wait(lambda: run.running_process() is not None, "the process", _PATIENCE)
        owner = run.running_process()
        assert owner is not None
        os.kill(owner, signal.SIGKILL)
        self.wait_for(name, "failed")
        self.frames(5)
        assert self.text_on_screen("Its process was killed")
        last = run.saved_step() + 5
        assert last > stopped
        change_steps(run, last)
        self.click(self.button("Resume"))
        self.wait_for(name, "finished")
        self.wait(lambda: self.training.sample is not None, "samples")
        assert run.saved_step() == last
        failures = self.studio.workbench.messages.failures
        assert not failures, failures

    def open_checkpoint(self) -> None:
        """A run's weights are opened in the viewport."""
        self.frames(5)
        self.click(self.button("Open in studio"))
        assert self.studio.page == "explore"
        run = self.folder / "runs" / "images-renderer"
        self.wait(lambda: self.workbench.scene.model == str(run), "the model")
        self.settle()
        assert not self.workbench.has_problem
        assert self.workbench.screen.picture is not None
        assert self.workbench.screen.picture.request.scene.model == str(run)
        self.switch("train")

    def leave(self) -> None:
        """A run goes on when the studio closes, and the question on quitting says so."""
        new = self.training.new
        new.change(name="second", data=str(self.folder / "images"))
        for name, text in ENDLESS.items():
            new.set_text(name, text)
        self.wait(lambda: new.problem is None and new.preview is not None, "the form")
        self.frames(3)
        self.click(self.button("Start training"))
        self.wait(
            lambda: RunDir(self.folder / "runs" / "second").latest() is not None,
            "weights",
            _PATIENCE,
        )
        self.wait_for("second", "running")  # the list is read once a second
        self.studio.ask_to_quit()
        self.frames(3)
        assert self.text_on_screen("A run goes on training")
        self.click(self.button("Cancel"))

    def attach(self) -> None:
        """The studio, started again, finds the running run and can stop it."""
        self.wait_for("second", "running")
        run = RunDir(self.folder / "runs" / "second")
        self.training.select(run.path)
        self.wait(lambda: "losses" in self.studio.train_page.curves.plots, "curves", _PATIENCE)
        self.frames(3)
        self.click(self.button("Stop"))
        self.wait_for("second", "stopped")
        assert run.running_process() is None
        self.click(self.button("1 renderer"))
        self.training.remove(run.path)
        self.wait(lambda: self.state("second") == "", "the list without it")
        assert run.latest() is not None, "its files stay"
        self.studio.set_scale(1.5)
        self.frames(10)
        (left, _), (width, _) = self.studio.train_page.middle
        ground = self.studio.train_page.ground
        assert left + width <= ground.right, "the form covers the middle"
        for page in ("explore", "train"):
            self.studio.show_page(page)
            self.frames(5)
        assert self.studio._ui.tooltips.edges == (ground.left, ground.right)
        self.studio.set_scale(1.0)
        self.frames(10)
        failures = self.studio.workbench.messages.failures
        assert not failures, failures


def main() -> None:
    """The steps named, in order."""
    driver = TrainDriver(Path(sys.argv[1]), Path(sys.argv[2]))
    steps: tuple[Callable[[], None], ...] = (
        driver.empty,
        driver.locked,
        driver.start,
        driver.stop_and_resume,
        driver.open_checkpoint,
        driver.leave,
        driver.attach,
    )
    for step in steps:
        if step.__name__ in sys.argv[3:]:
            start = time.monotonic()
            step()
            say(f"{step.__name__}: {time.monotonic() - start:.1f} s")
    driver.studio.close()
    say("all steps succeeded")
    end_if_busy(0)


if __name__ == "__main__":
    main()
