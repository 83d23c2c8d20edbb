"""Drives a real studio with a scripted mouse and prints the times for app.bench.studio_bench.

The mouse moves 125 times a second, as a real one does, whether the window keeps up or not; a frame
takes the newest position. A delay is counted either from the mouse's motion or from the drag event
that the motion led to; the delay ends with the frame that shows the head from the camera of that
motion, or from a later camera.
"""

from __future__ import annotations

import importlib
import json
import math
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import psutil

from app.bench.studio_bench import DriveRequest
from app.workers.concurrency.process import postpone_collector
from stylesdf_core.errors import GraphicsError
from stylesdf_core.system.memory import keep_memory

if TYPE_CHECKING:
    from app.studio import Studio
    from app.widgets.controls.pointer import MouseTarget
    from app.workers.mesh_worker import MeshPass
    from app.workers.picture_worker import PicturePass
    from stylesdf_core.rendering.camera import OrbitCamera

#: Moments, in seconds, by the camera that the mouse led to; cameras in the order of the drag.
Moments: TypeAlias = "dict[OrbitCamera, list[float]]"

_MOUSE_HZ = 125
_TURN_SECONDS = 3.0  # for one turn of the mouse's ellipse
_REACH = (190.0, 70.0)  # half axes of the ellipse, pixels
_PATIENCE = 60.0  # seconds until a wait times out
_LIVE_EDGE = 64  # pictures of this resolution and above count as volume quality


class _ScriptedMouse:
    """A mouse that follows a path in time; a frame sees the position at the frame's start."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._path: Callable[[float], tuple[float, float]] = lambda _: (0.0, 0.0)
        self._start = 0.0
        self._seen = 0  # motions up to the last frame
        self._down = False
        #: When the pointer last asked for the position, right before it passes the drag on.
        self.asked_at = 0.0

    def press(self, target: MouseTarget, path: Callable[[float], tuple[float, float]]) -> None:
        """Press on a target at the path's beginning; ``path``: seconds -> pixels in the window."""
        self._path, self._start = path, self._studio.polled_at
        self._seen, self._down = 0, True
        self._studio.pointer.mouse = self
        self._studio.pointer.press(target, 0)

    def release(self) -> None:
        """Release the button, with the next frame."""
        self._down = False

    def position(self) -> tuple[float, float]:
        """The position after the last motion before the frame read the mouse."""
        self.asked_at = time.perf_counter()
        return self._path(self._motions() / _MOUSE_HZ)

    def is_down(self, button: int) -> bool:
        """Whether the button is held; there is only the left one."""
        return self._down and button == 0

    def new_motions(self) -> list[float]:
        """Moments of the motions since the previous call."""
        seen, self._seen = self._seen, self._motions()
        return [self._start + i / _MOUSE_HZ for i in range(seen + 1, self._seen + 1)]

    def _motions(self) -> int:
        return max(0, int((self._studio.polled_at - self._start) * _MOUSE_HZ))


class _Drive:
    """A studio with a scripted mouse; each ``measure_…`` prints its rows."""

    def __init__(self, studio: Studio, request: DriveRequest) -> None:
        self._studio, self._viewport, self._workbench = (
            studio,
            studio.explore.viewport,
            studio.workbench,
        )
        self._mouse = _ScriptedMouse(studio)
        self._request = request
        self._seconds, self._stops = (2.0, 2) if request.quick else (5.0, 7)
        #: Each picture and mesh with the time at which it came onto the screen; times of frames.
        self._pictures: list[tuple[float, PicturePass]] = []
        self._meshes: list[tuple[float, MeshPass]] = []
        self._frames: list[float] = []

    def run(self) -> None:
        """Measure the rows asked for; every row needs the launch."""
        measures = {
            "studio.launch": self.measure_launch,
            "studio.orbit": self.measure_orbit,
            "studio.stop": self.measure_stops,
            "studio.slide": self.measure_mesh,
        }
        wanted = [
            name
            for name in measures
            if name == "studio.launch" or any(key.startswith(name) for key in self._request.rows)
        ]
        for index, name in enumerate(wanted):
            _print(step=index, steps=len(wanted), message=name)
            measures[name]()
        self._row("studio.memory", psutil.Process().memory_info().rss / 2**20)

    def _row(self, key: str, value: float, detail: str = "") -> None:
        if key in self._request.rows:
            _print(key=key, value=value, detail=detail)

    # --- the main loop ----------------------------------------------------------------------------

    def _step(self) -> None:
        """One turn of the main loop; notes new pictures and meshes on the screen."""
        if not self._studio.step():
            raise GraphicsError("the window has closed")
        now = self._studio.drawn_at
        self._frames.append(now)
        picture, mesh = self._viewport.shown_picture, self._viewport.shown_mesh
        if picture is not None and (not self._pictures or self._pictures[-1][1] is not picture):
            self._pictures.append((now, picture))
        if mesh is not None and (not self._meshes or self._meshes[-1][1] is not mesh):
            self._meshes.append((now, mesh))

    def _wait(self, condition: Callable[[], bool], purpose: str) -> None:
        end = time.perf_counter() + _PATIENCE
        while not condition():
            if time.perf_counter() > end:
                raise GraphicsError(f"timed out waiting for {purpose}")
            self._step()

    def _settle(self) -> None:
        """Step until the studio has nothing to do, and 0.3 s longer."""
        for _ in range(5):
            self._step()
        self._wait(lambda: not self._workbench.busy, "the end of all work")
        end = time.perf_counter() + 0.3
        while time.perf_counter() < end:
            self._step()

    def _forget(self) -> None:
        """Drop all noted pictures, meshes and frames but the newest of each."""
        del self._pictures[:-1], self._meshes[:-1], self._frames[:-1]

    # --- the rows ---------------------------------------------------------------------------------

    def measure_launch(self) -> None:
        """From the start of the process to the window and to the face."""
        self._step()
        opened = time.time() - self._request.started
        self._wait(lambda: bool(self._pictures), "the first face")
        face = time.time() - self._request.started
        self._settle()
        self._row("studio.launch_window", opened, "first frame drawn")
        self._row("studio.launch_face", face, "first pass of the picture drawn")

    def _orbit(self, seconds: float) -> tuple[Moments, Moments]:
        """Drag around without a rest; moments of the motions, and of the drag events."""
        x, y, _, _ = _rectangle(self._viewport.item)

        def ellipse(t: float) -> tuple[float, float]:
            angle = 2.0 * math.pi * min(t, seconds) / _TURN_SECONDS
            return x + _REACH[0] * math.cos(angle), y + _REACH[1] * math.sin(angle)

        self._mouse.press(self._viewport, ellipse)
        end = self._studio.polled_at + seconds
        motions: Moments = {}
        events: Moments = {}
        while self._studio.polled_at < end + 1.0 / _MOUSE_HZ:  # the last motion is in it
            before = self._workbench.scene.camera
            self._step()
            camera, moments = self._workbench.scene.camera, self._mouse.new_motions()
            if camera != before:
                motions.setdefault(camera, []).extend(min(t, end) for t in moments)
                events.setdefault(camera, []).append(self._mouse.asked_at)
        return motions, events

    def measure_orbit(self) -> None:
        """Delays, pictures and frames of a long drag."""
        self._settle()
        self._orbit(1.0)
        self._forget()
        start = time.perf_counter()
        motions, events = self._orbit(self._seconds)
        end = time.perf_counter()
        self._wait(self._is_current, "the picture of the last camera")
        for key, moments in (("studio.orbit_drag", events), ("studio.orbit_hand", motions)):
            delays = [1e3 * delay for delay in _delays(moments, self._pictures)]
            detail = f"{len(delays)} delays, longest {max(delays):.0f} ms"
            self._row(key, statistics.quantiles(delays, n=20)[-1], detail)
            self._row(f"{key}_median", statistics.median(delays))
        pictures = [picture for t, picture in self._pictures if start <= t <= end]
        frames = [t for t in self._frames if start <= t <= end]
        self._mouse.release()
        edges = sorted({picture.resolution for picture in pictures})
        live = sum(picture.resolution >= _LIVE_EDGE for picture in pictures)
        detail = f"{live} of {len(pictures)} pictures; edges shown: {edges}"
        self._row("studio.orbit_pictures", live / (end - start), detail)
        gaps = [b - a for a, b in pairwise(frames)]
        detail = f"slowest frame {1e3 * max(gaps):.0f} ms"
        self._row("studio.orbit_fps", 1.0 / statistics.median(gaps), detail)
        seconds = [s for s in frames if s <= frames[-1] - 1.0]  # beginnings of whole seconds
        worst = min(sum(s <= t < s + 1.0 for t in frames) for s in seconds)
        self._row("studio.orbit_fps_worst", worst)
        self._decoded_row("studio.orbit_decoded", pictures)
        passes = [1e3 * picture.seconds for picture in pictures]
        detail = f"{min(passes):.1f}–{max(passes):.1f}"
        self._row("studio.orbit_pass", statistics.median(passes), detail)

        for speed in (2, 4):
            key = f"studio.orbit_decoded_x{speed}"
            if key in self._request.rows:
                self._decoded_row(key, self._orbit_at(speed))

    def _orbit_at(self, speed: int) -> list[PicturePass]:
        """The pictures of a drag on a machine that is taken to be so many times as fast."""
        budget = self._workbench.screen.moving_budget
        budget.speed = float(speed)
        self._settle()
        self._orbit(1.0)
        self._forget()
        self._orbit(self._seconds)
        self._mouse.release()
        budget.speed = 1.0
        return [picture for _, picture in self._pictures[1:]]

    def _decoded_row(self, key: str, pictures: list[PicturePass]) -> None:
        """The share of decoded pictures, and how many of which level there were."""
        counts = Counter(f"{picture.resolution}² {picture.kind}" for picture in pictures)
        decoded = sum(picture.kind == "image" for picture in pictures)
        detail = ", ".join(f"{count} × {level}" for level, count in sorted(counts.items()))
        self._row(key, 100.0 * decoded / max(1, len(pictures)), detail)

    def _is_current(self) -> bool:
        return self._pictures[-1][1].request.scene.camera == self._workbench.scene.camera

    def _is_decoded(self) -> bool:
        """Whether the newest picture is the decoded image at its full size."""
        picture = self._pictures[-1][1]
        whole = picture.request.model.generator.config.output_size
        return picture.kind == "image" and picture.resolution == whole

    def measure_stops(self) -> None:
        """From the last motion, the button still down, to the decoded picture of that camera."""
        waits = []
        for _ in range(self._stops):
            self._forget()
            motions, _ = self._orbit(0.7)
            self._wait(
                lambda: self._is_decoded() and self._is_current(),
                "the decoded picture",
            )
            last_motion = motions[self._workbench.scene.camera][-1]
            waits.append(1e3 * (self._pictures[-1][0] - last_motion))
            self._settle()
            self._mouse.release()
        detail = f"{len(waits)} stops, {min(waits):.0f}–{max(waits):.0f}"
        self._row("studio.stop_image", statistics.median(waits), detail)

    def measure_mesh(self) -> None:
        """The mesh under a moving latent slider, and the fine mesh after it has stopped."""
        workbench = self._workbench
        workbench.change_settings("view", view="mesh")
        workbench.change_settings("mesh", resolution=128)
        self._settle()
        slider = next(iter(self._studio.explore.identity.rows.values()))
        x, y, width, height = _rectangle(slider.item)

        def sway(t: float) -> tuple[float, float]:
            share = 0.6 + 0.12 * math.sin(2.0 * math.pi * min(t, self._seconds) / 2.5)
            return x + round(share * width), y + 0.5 * height  # a mouse moves by whole pixels

        self._forget()
        self._mouse.press(slider, sway)
        start = last_motion = self._studio.polled_at
        while self._studio.polled_at < start + self._seconds + 1.0 / _MOUSE_HZ:
            before = workbench.scene
            self._step()
            motions = self._mouse.new_motions()
            if workbench.scene is not before:
                last_motion = motions[-1]
        span = time.perf_counter() - start
        # The mouse passes the same positions again: a mesh counts as new if its face is not that
        # of the mesh before.
        meshes = [mesh for _, mesh in self._meshes if mesh.request.scene.identity.edits]
        by_face = groupby(meshes, lambda mesh: mesh.request.scene.identity)
        edges = [next(same).resolution for _, same in by_face]
        detail = f"one slider, grids of {sorted(set(edges))} points an edge"
        self._row("studio.slide_meshes", len(edges) / span, detail)
        identity = workbench.scene.identity

        def is_fine() -> bool:
            _, mesh = self._meshes[-1]
            return mesh.resolution == 128 and mesh.request.scene.identity == identity

        self._wait(is_fine, "the fine mesh")
        self._row("studio.slide_rest", self._meshes[-1][0] - last_motion)
        self._mouse.release()
        workbench.change_settings("view", view="image")
        self._settle()


def _rectangle(item: int | str) -> tuple[float, float, float, float]:
    """Upper left corner, width and height of an item, pixels of the window."""
    import dearpygui.dearpygui as dpg

    (x, y), (width, height) = dpg.get_item_rect_min(item), dpg.get_item_rect_size(item)
    return float(x), float(y), float(width), float(height)


def _delays(moments: Moments, pictures: list[tuple[float, PicturePass]]) -> list[float]:
    """Seconds from each moment to the first picture from its camera or from a later one."""
    order = {camera: index for index, camera in enumerate(moments)}
    delays: list[float] = []
    waiting = list(moments.values())
    done = 0
    for drawn, picture in pictures:
        reached = order.get(picture.request.scene.camera, -1) + 1
        for times in waiting[done:reached]:
            delays.extend(drawn - moment for moment in times)
        done = max(done, reached)
    return delays


def _print(**values: object) -> None:
    print(json.dumps(values, allow_nan=False), flush=True)


def drive(request: DriveRequest) -> None:
    """Open a studio and print the rows asked for, each as a line of JSON."""
    postpone_collector()
    keep_memory()
    importlib.import_module("app.program")  # all as ``stylesdf-studio`` does
    from app.state.settings import SettingsStore
    from app.studio import Studio
    from stylesdf_core.scene.scene import Scene

    store = SettingsStore(Path(request.folder) / "config")
    settings = store.load()
    view = replace(settings.view, while_moving=request.while_moving)
    store.save(replace(settings, device=request.device, view=view))
    studio = Studio(store, Scene())
    studio.open()
    try:
        _Drive(studio, request).run()
    finally:
        studio.close()


if __name__ == "__main__":
    drive(DriveRequest(**json.loads(sys.argv[1])))
