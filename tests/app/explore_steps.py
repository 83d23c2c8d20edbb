"""Steps of the window test in the Explore tab: gestures, panels, views, filmstrip, keyboard."""

from __future__ import annotations

import math
import subprocess
from dataclasses import replace

import dearpygui.dearpygui as dpg
import numpy as np
from PIL import Image

from app.state.document import edits
from app.state.problems import drawing_problem
from app.workers.concurrency.jobs import JobState
from stylesdf_core.model.checkpoints.checkpoints import save_safetensors
from stylesdf_core.scene.scene import Scene
from stylesdf_core.scene.session_files import read_scene
from tests.app.hands import Hands, say
from tests.models import tiny_generator


class ExploreSteps(Hands):
    """The Explore tab under mouse and keyboard."""

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

    def drag_points(self) -> None:
        """D begins the mode; a point is put and dragged, pinned, removed; Escape ends it."""
        dragging, document = self.workbench.dragging, self.workbench.document
        self.press("d")
        assert dragging.is_on
        before = self.workbench.scene
        x, y = self._face_in_viewport()
        self.hands(f"mousemove {x} {y}", "mousedown 1")
        assert len(dragging.points) == 1, dragging.problem
        self.hands(*(3 * ["mousemove_relative 3 0 sleep 0.05"]), "mouseup 1")
        self.wait(lambda: not dragging.is_working, "the drag")
        assert self.workbench.scene.identity.offsets.field, dragging.problem
        document.undo()
        self.settle()
        assert self.workbench.scene == before
        assert len(dragging.points) == 1
        self.hands(f"mousemove {x} {y}", "click 3")
        assert not dragging.points
        self.hands("keydown shift sleep 0.2 click 1 sleep 0.2 keyup shift")
        assert [point.is_pin for point in dragging.points] == [True]
        self.press("Delete")
        assert not dragging.points
        camera = self.workbench.scene.camera
        self.hands("keydown ctrl sleep 0.2 mousedown 1", "mousemove_relative 20 0", "mouseup 1")
        self.hands("keyup ctrl")
        assert self.workbench.scene.camera != camera
        document.undo()
        self.press("Escape")
        assert not dragging.is_on

    def _face_in_viewport(self) -> tuple[int, int]:
        """A pixel of the window at which the picture shows the face."""
        left, top = dpg.get_item_rect_min(self.studio.explore.viewport.item)
        pane, dragging = self.studio.explore.viewport.picture_pane, self.workbench.dragging
        assert pane is not None
        places = [((u + 0.5) / 17, (v + 0.5) / 17) for u in range(17) for v in range(17)]
        for u, v in sorted(places, key=lambda place: abs(place[0] - 0.5) + abs(place[1] - 0.5)):
            if dragging.put(self.workbench.scene.camera, u, v, is_pin=False):
                dragging.remove()
                return int(left + pane.x + u * pane.edge), int(top + pane.y + v * pane.edge)
        raise AssertionError("the tiny model shows no face")

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

    def directions(self) -> None:
        """Of a model that names none: found, moved by a slider, renamed beside the model."""
        workbench, before = self.workbench, self.workbench.scene
        path = self.folder / "nameless.safetensors"
        save_safetensors(tiny_generator(), path)
        workbench.open_model(str(path))
        self.wait(lambda: workbench.scene.model == str(path), "the model without names")
        self.settle()
        row = self.studio.explore.identity.rows["w1"]
        drawn = dpg.get_item_children(row.item)
        row.spec = replace(row.spec, trained=(-0.1, 0.1))
        row.show(row._value)
        assert dpg.get_item_children(row.item) != drawn, "another range is drawn at once"
        self.click(row.item, at=(0.6, 0.5))
        assert list(dict(workbench.scene.identity.edits)) == ["w1"]
        self.studio.actions.rename_directions()
        self.frames(5)
        fields = self.studio._ui.text_fields
        self.click(fields[-len(workbench.directions)])
        self.hands("key ctrl+a type age")
        self.hands("key Return")
        self.wait(path.with_suffix(".directions.json").exists, "the saved names")
        assert workbench.directions[0].label == "age"
        assert self.studio.explore.identity.rows["w1"].spec.label == "age"
        workbench.open_model(before.model)
        self.wait(lambda: workbench.scene.model == before.model, "the model of before")
        workbench.document.apply(before)
        self.settle()

    def mixing(self) -> None:
        """A second face by typing, its hair by a slider, a field layer by its bar; 1:1 by a key."""
        workbench, panel = self.workbench, self.studio.explore.mixing
        assert panel._morph._dimmed
        room = dpg.get_item_rect_size(panel._note)[1]
        self.click(panel.seed.field)
        self.hands("type 9")
        self.hands("key Return")
        assert workbench.scene.mixing.seed == 9
        self.settle()
        assert not panel._morph._dimmed
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
        self.frames(3)
        assert dpg.get_item_rect_size(panel._note)[1] == room, "the panel must not jump"
        view = self.studio.explore.viewport
        self.wait(lambda: view._second is not None, "the picture of the second face")
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
        counts = []
        for scale in (1.5, 1.0, 1.5, 1.0):
            self.studio.set_scale(scale)
            self.frames(10)
            kinds = [dpg.get_item_type(root) for root in dpg.get_windows()]
            counts.append(sum("Font" not in str(kind) for kind in kinds))
        assert counts[1] == counts[3], "widgets made anew leave nothing behind"
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
        count = len(workbench.album.faces)
        self.click(self.button("clear"))
        assert len(workbench.album.faces) == count, "faces are deleted only when asked for"
        self.click(self.button("Forget"))
        assert all(face.is_favourite for face in workbench.album.faces)
        self.frames(2)
        gallery.key(dpg.mvKey_Return)  # the face that had the cursor may be gone

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

    def _tab_to(self, item: int | str) -> None:
        """Press Tab until it has reached a control."""
        for _ in range(20):
            self.press("Tab")
            if dpg.is_item_focused(item):
                return
        raise AssertionError(f"Tab does not reach {item}")

    def keyboard(self) -> None:
        """Tab reaches messages, fields and sliders, keys act there; Escape gives the keys back."""
        workbench, identity = self.workbench, self.studio.explore.identity
        self.hands(self.viewport(0.5, 0.9), "click 1")
        self.press("Escape")
        self._tab_to(identity.seed.field)  # behind the buttons of messages
        assert dpg.is_item_active(identity.seed.field)
        self._tab_to(identity.rows["head_size"].item)
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
        self.hands("key ctrl+n")  # quickly: Ctrl is up again before the window has looked
        self.frames(5)
        assert self.studio.dialogs.is_open
        self.press("Escape")
        workbench.toast("Written", self.folder / "face.png")
        self.frames(3)
        self.press("Tab")
        assert dpg.is_item_focused(self.button("Show file"))
        self.press("Tab")
        assert dpg.is_item_focused(self.button("Dismiss"))
        self.press("Return")
        assert "Written" not in [toast.text for toast in workbench.messages.toasts]
        self.press("Escape", "F11", "F11", "f")
        self.settle()
