"""Drives the real window with a real mouse and keyboard (xdotool); run by test_window.py.

    python -m tests.app.driver MODEL FOLDER [STEP …]

It runs the named steps, or all, prints a line for each, and exits with 0 only if all succeed.
"""

from __future__ import annotations

import math
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import dearpygui.dearpygui as dpg
import numpy as np
import psutil
from PIL import Image

from app.state import edits
from app.state.exports import EXPORTS
from app.state.problems import drawing_problem, load_problem
from app.state.settings import (
    ExportSettings,
    Settings,
    SettingsStore,
    ViewSettings,
    WindowSettings,
)
from app.studio import Studio
from app.workers.jobs import JobState
from app.workers.process import end_if_busy
from stylesdf_core.commands.rendering import MeshSettings
from stylesdf_core.scene.scene import Scene
from stylesdf_core.scene.session_files import read_scene

WIDTH, HEIGHT = 1280, 800
#: For a long run: STYLESDF_STORM=10000.
RANDOM_EVENTS = int(os.environ.get("STYLESDF_STORM", "500"))
_WARM_UP = 250  # events before memory is looked at: first uses of everything
_GROWTH = 1.10
#: No Ctrl+Q, which quits, and no F11, which needs a window manager.
RANDOM_KEYS = (
    *("Left", "Right", "Up", "Down", "f", "bracketleft", "bracketright", "r", "space", "e", "a"),
    *("1", "2", "3", "4", "5", "7", "minus", "period", "BackSpace", "Return", "Escape", "Tab"),
    *("F1", "F10", "ctrl+s", "ctrl+o", "ctrl+z", "ctrl+shift+z", "ctrl+shift+s"),
)


class Driver:
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
        self.workbench = self.studio.workbench
        self.studio.open()
        self.frames(3)
        dpg.set_viewport_pos([0, 0])
        self.frames(3)

    def frames(self, count: int) -> None:
        """Run the main loop for ``count`` frames."""
        for _ in range(count):
            self.workbench.screen.news.set()  # no sleep until the user does something
            assert self.studio.step(), "the window has closed"

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = 240.0) -> None:
        """Run the main loop until the condition holds."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"waited too long: {what}"
            self.frames(1)

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

    # --- the steps ------------------------------------------------------------------------------

    def first_picture(self) -> None:
        """The face appears without any input, and a screenshot shows it."""
        self.wait(lambda: self.workbench.screen.picture is not None, "the first picture")
        self.settle()
        assert not self.workbench.has_problem
        shot = self.folder / "window.png"
        subprocess.run(["xdotool", "mousemove", "640", "790"], check=True)
        self.frames(5)
        dpg.output_frame_buffer(str(shot))
        self.wait(lambda: shot.exists() and shot.stat().st_size > 0, "the screenshot")
        self.frames(5)
        screen = np.asarray(Image.open(shot).convert("RGB"), dtype=np.float32) / 255.0
        x, y = dpg.get_item_rect_min(self.studio.explore.viewport.item)
        pane, picture = self.studio.explore.viewport.picture_pane, self.workbench.screen.picture
        assert pane is not None
        assert picture is not None
        size = picture.pixels.shape[0]
        for u, v in ((0.3, 0.3), (0.5, 0.5), (0.7, 0.4)):
            shown = screen[int(y + pane.y + v * pane.edge), int(x + pane.x + u * pane.edge)]
            expected = picture.pixels[int(v * size), int(u * size)]
            assert np.abs(shown - expected).max() < 0.06, (shown, expected)

    def gestures(self) -> None:
        """Mouse and arrow keys move the camera; each gesture is one undo step."""
        workbench, document = self.workbench, self.workbench.document
        start = workbench.scene.camera
        steps = " ".join(f"mousemove_relative -- -8 {3 * (i % 2)} sleep 0.01" for i in range(12))
        self.hands(self.viewport(0.6, 0.5), "mousedown 1", steps, "mouseup 1")
        camera = workbench.scene.camera
        edge = self.studio.explore.viewport.picture_pane.edge  # type: ignore[union-attr]
        expected = 96 / (camera.focal(1) * edge * 0.1 / 0.9)
        assert math.isclose(camera.azimuth, expected, rel_tol=0.1), (camera.azimuth, expected)
        document.undo()
        assert workbench.scene.camera == start
        document.redo()
        self.hands(self.viewport(0.5, 0.5), "mousedown 3", "mousemove_relative 30 20", "mouseup 3")
        assert workbench.scene.camera.pan_x < 0 < workbench.scene.camera.pan_y
        fov = workbench.scene.camera.fov
        self.hands(self.viewport(0.5, 0.5), "click 4 click 4")
        assert workbench.scene.camera.fov < fov
        for _ in range(10):  # on a busy machine two clicks may fall too far apart
            self.hands("click --repeat 2 --delay 20 1")
            if workbench.scene.camera == Scene().camera:
                break
        else:
            workbench.reset_camera()
            say("  the machine is too busy for a double click")
        self.hands("key Right key Up")
        assert workbench.scene.camera.azimuth > 0 < workbench.scene.camera.elevation
        self.hands("key f")
        assert workbench.scene.camera == Scene().camera
        self.settle()
        assert workbench.settings.view.hint_seen

    def identity(self) -> None:
        """Seeds by key and by typing, a slider by drag, right click and lock."""
        workbench = self.workbench
        self.hands("key bracketright key bracketright key bracketleft")
        assert workbench.scene.identity.seed == 1
        self.click(self.studio.explore.identity.seed.field)
        self.hands("key ctrl+a type 742")
        self.hands("key Return")
        assert workbench.scene.identity.seed == 742
        row = self.studio.explore.identity.rows["head_size"]
        self.click(row.item, at=(0.6, 0.5))
        assert dict(workbench.scene.identity.edits)["head_size"] != 0.0
        self.click(row.item, 3)
        assert workbench.scene.identity.edits == ()
        self.click(row.item, at=(0.36, 0.5))
        assert workbench.settings.locked == ("head_size",), workbench.settings.locked
        # Not at once: a slow frame would see Ctrl pressed and let go again.
        self.hands("keydown ctrl sleep 0.3 key z sleep 0.3 keyup ctrl")
        self.settle()
        assert dict(workbench.scene.identity.edits).keys() == {"head_size"}, (
            workbench.scene.identity
        )
        self.click(row.item, at=(0.97, 0.5))
        self.hands("type 1.5")
        self.hands("key Return")
        assert dict(workbench.scene.identity.edits)["head_size"] == 1.5
        self.hands("key r")
        assert dict(workbench.scene.identity.edits)["head_size"] == 1.5
        self.settle()

    def mixing(self) -> None:
        """A second face by typing, its hair by a slider, a field layer by its bar; 1:1 by a key."""
        workbench, panel = self.workbench, self.studio.explore.mixing
        self.click(panel.seed.field)
        self.hands("type 9")
        self.hands("key Return")
        assert workbench.scene.mixing.seed == 9
        self.settle()
        assert list(panel.groups) == ["shape", "face", "eyes", "skin", "hair", "light"]
        self.click(panel.groups["hair"].item, at=(0.6, 0.5))
        ((name, weight),) = workbench.scene.mixing.groups
        assert name == "hair"
        assert 0.2 < weight < 0.8
        assert panel.bars is not None
        self.click(panel.bars.item, at=(0.03, 0.5))
        first, *others = workbench.scene.mixing.field_strengths
        assert first > 0.2
        assert not any(others)
        self.click(panel.bars.item, 3, at=(0.03, 0.5))
        assert workbench.scene.mixing.field_strengths == ()
        self.wait(lambda: workbench.mixing.effects is not None, "the effects of mixing")
        self.hands(self.viewport(0.5, 0.9), "click 1")
        self.press("Escape", "p")
        self.settle()
        pane, picture = self.studio.explore.viewport.picture_pane, workbench.screen.picture
        assert pane is not None
        assert picture is not None
        assert pane.edge == len(picture.pixels) == 64
        self.press("p")
        self.settle()
        workbench.edit(edits.with_second_seed, None)
        self.settle()

    def views(self) -> None:
        """Every view mode, split, panels hidden, scaled."""
        workbench = self.workbench
        for key, view in enumerate(("image", "volume", "depth", "normals"), start=1):
            self.hands(f"key {key}")
            self.settle()
            assert workbench.screen.picture is not None
            assert workbench.screen.picture.kind == view
        self.hands("key 1 key space")
        assert workbench.settings.view.split
        self.settle()
        self.hands("key F10")
        assert not workbench.settings.window.panels_shown
        self.hands("key F10 key space key F1")
        self.hands("key Escape")
        self.studio.show_shortcuts()
        self.studio.set_scale(1.5)
        self.frames(10)
        self.studio.set_scale(1.0)
        self.frames(10)
        workbench.change_settings("mesh", level=5.0)
        workbench.change_settings("view", view="mesh")
        self.settle()
        assert drawing_problem(workbench, workbench.screen.mesh_error) is not None
        workbench.change_settings("mesh", level=0.0)
        workbench.change_settings("view", view="image")
        self.settle()
        assert not workbench.has_problem

    def filmstrip(self) -> None:
        """Visited faces appear; a click returns, S gives a star, a drag makes a second face."""
        workbench, gallery = self.workbench, self.studio.explore.filmstrip.gallery
        for seed in (31, 32):
            workbench.set_seed(seed)
            self.settle()
            self.wait(lambda: workbench.album.find(workbench.scene) is not None, "the face")
        self.settle()
        edge = min(dpg.get_item_rect_size(gallery.item)) + self.studio.explore._ui.px(6)
        second = (1.5 * edge / dpg.get_item_rect_size(gallery.item)[0], 0.5)
        self.click(gallery.item, at=second)
        assert workbench.scene.identity.seed == 31
        self.hands(self.viewport(0.5, 0.9), "click 1")
        self.settle()
        self.press("s")
        face = workbench.album.find(workbench.scene)
        assert face is not None
        assert face.is_favourite
        x, y = dpg.get_item_rect_min(gallery.item)
        mixing = self.studio.explore.mixing.seed.field
        left, top = dpg.get_item_rect_min(mixing)
        self.hands(
            f"mousemove {int(x + edge / 2)} {int(y + edge / 2)} sleep 0.1 mousedown 1 sleep 0.2",
            f"mousemove {int(left) + 9} {int(top)} sleep 0.2",
            f"mousemove {int(left) + 9} {int(top) + 9} sleep 0.2 mouseup 1",
        )
        assert workbench.scene.mixing.seed == 32
        workbench.edit(edits.with_second_seed, None)
        self.press("F9")
        assert not workbench.settings.window.strip_shown
        self.press("F9")
        self.settle()

    def timeline(self) -> None:
        """Keyframes are added, dragged, scrubbed, played and exported; undo takes them back."""
        workbench, panel = self.workbench, self.studio.explore.timeline
        timeline, axis = workbench.timeline, panel.axis
        self.click(self.button("Timeline"))
        for seed in (41, 42):
            workbench.set_seed(seed)
            self.settle()
            self.click(panel.plus.item)
        times = [keyframe.time for keyframe in timeline.keyframes]
        assert times == [0.0, 2.0]
        x, y = dpg.get_item_rect_min(axis.item)
        left, right = (int(x + axis.place(time)) for time in times)
        middle, height = (left + right) // 2, int(y) + 9
        self.hands(f"mousemove {middle} {height} sleep 0.1 mousedown 1 sleep 0.1 mouseup 1")
        assert timeline.is_shown
        assert 0.8 < timeline.time < 1.2
        self.settle()
        assert workbench.screen.picture is not None
        assert workbench.screen.picture.request.scene == timeline.shown
        self.hands(f"mousemove {right} {height} sleep 0.1 mousedown 1 sleep 0.1")
        self.hands(f"mousemove {middle} {height} sleep 0.2 mouseup 1")
        assert 0.8 < timeline.keyframes[1].time < 1.2
        workbench.document.undo()
        assert [keyframe.time for keyframe in timeline.keyframes] == times
        self.hands(f"mousemove {left} {height} click 1")
        assert workbench.scene.identity.seed == 41
        self.click(panel.play.item)
        self.wait(lambda: timeline.time > 0.3, "the playhead")
        self.click(panel.play.item)
        assert not timeline.is_playing
        self.click(panel.export)
        self.click(self.row("GIF"))
        self.wait(lambda: not workbench.jobs.active, "the film")
        job = workbench.jobs.jobs[-1]
        assert job.state is JobState.DONE, job.error
        assert job.out is not None
        assert read_scene(job.out) == timeline.keyframes[0].scene
        workbench.jobs.forget(job)
        timeline.clear()
        self.click(self.button("Filmstrip"))
        self.settle()

    def press(self, *keys: str) -> None:
        """Press keys long enough for a busy machine to see them."""
        for key in keys:
            self.hands(f"keydown {key} sleep 0.2 keyup {key} sleep 0.1")

    def keyboard(self) -> None:
        """Tab reaches fields and sliders, keys act there; Escape gives the keys back."""
        workbench, identity = self.workbench, self.studio.explore.identity
        self.hands(self.viewport(0.5, 0.9), "click 1")
        self.press("Escape", "Tab")
        assert dpg.is_item_active(identity.seed.field)
        for _ in range(12):
            self.press("Tab")
            if dpg.is_item_focused(identity.rows["head_size"].item):
                break
        else:
            raise AssertionError("Tab does not reach the slider")
        before = workbench.scene
        self.press("plus", "plus", "minus")
        edits = dict(workbench.scene.identity.edits)
        assert workbench.scene.camera == before.camera
        assert edits.keys() == {"head_size"}, edits
        self.press("Delete")
        assert workbench.scene.identity.edits == ()
        self.press("Return")
        self.hands("type 0.5")
        self.press("Return")
        assert dict(workbench.scene.identity.edits) == {"head_size": 0.5}
        self.press("Escape", "Right")
        assert workbench.scene.camera.azimuth > before.camera.azimuth
        self.press("F1")
        assert self.studio.dialogs.is_open
        self.press("F1")
        assert not self.studio.dialogs.is_open
        self.press("F11", "F11", "f")
        self.settle()

    def file_dialog(self) -> None:
        """A typed absolute path is taken on Enter; Escape closes; a double click opens."""
        workbench = self.workbench
        folder = self.folder / "Größe und Ähre"
        folder.mkdir()
        session = folder / ("s" * 190 + ".json")
        session.write_text(workbench.scene.to_json())
        workbench.random_seed()
        self.studio.actions.open_session()
        self.frames(5)
        assert self.studio.dialogs.is_open
        self.press("Escape")
        assert not self.studio.dialogs.is_open
        self.studio.actions.open_session()
        self.frames(5)
        self.hands(f"type --delay 30 {folder.parent}")
        self.press("Return")
        assert self.studio.dialogs.is_open
        self.click(self.row(folder.name))
        for _ in range(10):  # on a busy machine two clicks may fall too far apart
            self.hands("click --repeat 2 --delay 20 1")
            if self.row("sss", missing_ok=True):
                break
        for _ in range(10):
            self.click(self.row("sss"))
            self.press("Return")
            if not self.studio.dialogs.is_open:
                break
        assert workbench.document.path == session
        saved = session.rename(folder / "saved.json")
        workbench.random_seed()
        for answer in ("Escape", "Return"):  # a file is replaced only after a question
            self.studio.actions.save_session_as()
            self.frames(5)
            self.hands(f"key ctrl+a sleep 0.2 type --delay 60 {saved.stem}")
            self.press("Return")
            assert self.studio.dialogs.is_open
            assert read_scene(saved) != workbench.scene
            self.press(answer)
            assert not self.studio.dialogs.is_open
        assert read_scene(saved) == workbench.scene
        assert str(folder) in workbench.settings.recent_folders
        self.settle()

    def exports(self) -> None:
        """Every export button writes a complete file, and a session where the format allows."""
        workbench = self.workbench
        workbench.change_settings("window", folded=("Camera", "Mesh"))  # makes room for all
        self.frames(4)
        for kind in EXPORTS:
            self.click(self.button(kind.name))
        self.wait(lambda: not workbench.jobs.active, "the exports")
        jobs = workbench.jobs.jobs
        assert len(jobs) == len(EXPORTS), [job.label for job in jobs]
        for job in jobs:
            assert job.state is JobState.DONE, (job.label, job.error)
            assert job.out is not None
            assert job.out.stat().st_size > 0
            assert not job.out.name.endswith("-2.png"), "each kind has a name of its own"
            if job.out.suffix in (".png", ".gif", ".glb", ".obj", ".ply"):
                assert read_scene(job.out) == workbench.scene, job.out
        self.click(self.button("GLB"), 3)
        assert "stylesdf-studio mesh" in dpg.get_clipboard_text()
        self.hands("key r")
        workbench.open_session(
            next(j.out for j in jobs if j.out is not None and j.label.endswith("png"))
        )
        self.settle()

    def broken_checkpoint(self) -> None:
        """A broken file shows a card with remedies; the picture stays."""
        workbench = self.workbench
        broken = self.folder / "broken.pt"
        broken.write_bytes(b"PK\x03\x04 not a checkpoint")
        scene = workbench.scene
        workbench.open_model(str(broken))
        self.wait(lambda: workbench.models.loading is None, "the failure")
        self.frames(5)
        assert load_problem(workbench) is not None
        self.click(self.button("Stay with tiny"))
        assert load_problem(workbench) is None
        workbench.open_model(str(broken))
        self.wait(lambda: workbench.models.failed is not None, "the failure")
        self.frames(5)
        self.press("Return")  # the first remedy
        assert load_problem(workbench) is None
        workbench.toast("wrong", is_error=True)
        self.press("Escape")
        assert "wrong" not in [toast.text for toast in workbench.messages.toasts]
        assert workbench.scene == scene

    def storm(self) -> None:
        """The window survives random events, and its memory does not grow."""
        source = random.Random(0)
        self._random_events(source, _WARM_UP)
        before = self._memory_at_rest()
        self._random_events(source, RANDOM_EVENTS - _WARM_UP)
        after = self._memory_at_rest()
        say(f"  {RANDOM_EVENTS} events: {before:.0f} MB before, {after:.0f} MB after")
        assert after < _GROWTH * before, (before, after)
        assert not self.studio.failures, self.studio.failures

    def _random_events(self, source: random.Random, count: int) -> None:
        for start in range(0, count, 25):
            self.hands(*(self._random_event(source) for _ in range(min(25, count - start))))
            for job in self.workbench.jobs.active:
                self.workbench.jobs.cancel(job)
        self.hands("mouseup 1 mouseup 2 mouseup 3")

    def _memory_at_rest(self) -> float:
        """Resident MB with the same face on the screen and no work under way."""
        workbench = self.workbench
        self.frames(30)  # on a busy machine the last events are still on their way
        self.settle()
        self.studio.dialogs.cancel()
        self.studio.show_page("explore")  # the hidden viewport would compute nothing
        workbench.models.dismiss()
        workbench.change_settings("view", view="image", split=False)
        workbench.change_settings("mesh", resolution=32)
        self.wait(lambda: not workbench.jobs.active, "the jobs")
        for _ in range(5):  # until the last of the late events has come
            workbench.set_seed(123456)
            self.settle()
            assert workbench.screen.picture is not None
            if workbench.screen.picture.request.scene.identity.seed == 123456:
                break
        shown = workbench.screen.picture.request.scene.identity.seed
        assert shown == 123456, (shown, workbench.scene, workbench.screen.picture_error)
        end = time.monotonic() + 3.0  # at rest for so long the studio gives memory back
        while time.monotonic() < end:
            self.frames(1)
        return float(psutil.Process().memory_info().rss) / 2**20

    def _random_event(self, source: random.Random) -> str:
        x, y = source.randrange(WIDTH), source.randrange(HEIGHT)
        choice = source.random()
        if choice < 0.35:
            return f"mousemove {x} {y} click {source.choice((1, 1, 1, 2, 3))}"
        if choice < 0.55:
            to = f"mousemove {source.randrange(WIDTH)} {source.randrange(HEIGHT)}"
            button = source.choice((1, 3))
            return f"mousemove {x} {y} mousedown {button} {to} mouseup {button}"
        if choice < 0.65:
            return f"mousemove {x} {y} click {source.choice((4, 5))}"
        return f"key {source.choice(RANDOM_KEYS)}"


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """All steps, in order."""
    driver = Driver(Path(sys.argv[1]), Path(sys.argv[2]))
    steps: tuple[Callable[[], None], ...] = (
        driver.first_picture,
        driver.gestures,
        driver.identity,
        driver.mixing,
        driver.views,
        driver.filmstrip,
        driver.timeline,
        driver.keyboard,
        driver.file_dialog,
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
    driver.studio.close()
    assert SettingsStore(driver.folder / "config").load_autosave() == driver.workbench.scene
    say("all steps succeeded")
    end_if_busy(0)


if __name__ == "__main__":
    main()
