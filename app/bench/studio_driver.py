"""Drives a real studio with a scripted hand and prints the times for app.bench.studio_bench.

The hand moves as a mouse does: 125 times a second, whether the window keeps up or not; a frame
takes the newest position. Every position has a time, so a delay can be counted from when the hand
was there, or from when the event of it came, to the end of the frame that shows the head as seen
from there or from a later place.
"""

from __future__ import annotations

import importlib
import json
import math
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from app.bench.studio_bench import DriveRequest
from stylesdf_core.errors import GraphicsError

if TYPE_CHECKING:
    from app.studio import Studio
    from app.widgets.pointer import Target
    from app.workers.mesh_worker import MeshPass
    from app.workers.picture_worker import PicturePass
    from stylesdf_core.rendering.camera import OrbitCamera

_MOUSE_HZ = 125
_TURN_SECONDS = 3.0  # of the hand's ellipse
_REACH = (190.0, 70.0)  # half axes of the ellipse, pixels
_PATIENCE = 60.0  # seconds that anything may take
_LIVE_EDGE = 64  # pictures of this resolution and above count as shown in volume quality


@dataclass(frozen=True)
class _Pace:
    """How long each measurement takes; seconds, and a number of stops."""

    orbit: float = 5.0
    stops: int = 7
    slide: float = 5.0


_QUICK = _Pace(2.0, 2, 2.0)


@dataclass(frozen=True)
class _Motions:
    """Of a drag: for each camera in order, when the hand was where it came from.

    Attributes:
        hand: moments of the hand.
        events: when the event reached the viewport.
    """

    hand: dict[OrbitCamera, list[float]]
    events: dict[OrbitCamera, list[float]]


class _Hand:
    """A mouse that follows a path in time; a frame sees where it was when the frame looked."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._path: Callable[[float], tuple[float, float]] = lambda _: (0.0, 0.0)
        self._start = 0.0
        self._seen = 0  # motions of the mouse up to the last frame
        self._down = False
        #: When the pointer last asked where the hand is, right before it passes the drag on.
        self.asked_at = 0.0

    def begin(self, target: Target, path: Callable[[float], tuple[float, float]]) -> None:
        """Press on a target at the path's beginning; ``path``: seconds -> pixels in the window."""
        self._path, self._start = path, self._studio.polled_at
        self._seen, self._down = 0, True
        self._studio.pointer.mouse = self
        self._studio.pointer.press(target, 0)

    def end(self) -> None:
        """Let go, with the next frame."""
        self._down = False

    def position(self) -> tuple[float, float]:
        """Where the last motion before the frame's look at the mouse has led."""
        self.asked_at = time.perf_counter()
        return self._path(self._motions() / _MOUSE_HZ)

    def is_down(self, button: int) -> bool:
        """Whether the button is held; there is but one."""
        return self._down and button == 0

    def new_motions(self) -> list[float]:
        """When the motions were that the last frame took in and none before it."""
        seen, self._seen = self._seen, self._motions()
        return [self._start + i / _MOUSE_HZ for i in range(seen + 1, self._seen + 1)]

    def _motions(self) -> int:
        return max(0, int((self._studio.polled_at - self._start) * _MOUSE_HZ))


class _Run:
    """A studio with a scripted hand; every ``measure_…`` prints its rows."""

    def __init__(self, studio: Studio, request: DriveRequest) -> None:
        self.studio = studio
        self.hand = _Hand(studio)
        self._request = request
        self._pace = _QUICK if request.quick else _Pace()
        #: (time, picture) of each picture as it came onto the screen; times of all frames.
        self.shown: list[tuple[float, PicturePass]] = []
        self.meshes: list[tuple[float, MeshPass]] = []
        self.frames: list[float] = []

    def step(self) -> None:
        """One turn of the main loop; notes what has come onto the screen."""
        if not self.studio.step():
            raise GraphicsError("the window has closed")
        now = self.studio.drawn_at
        self.frames.append(now)
        picture, mesh = self.studio.viewport.shown_picture, self.studio.viewport.shown_mesh
        if picture is not None and (not self.shown or self.shown[-1][1] is not picture):
            self.shown.append((now, picture))
        if mesh is not None and (not self.meshes or self.meshes[-1][1] is not mesh):
            self.meshes.append((now, mesh))

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Turn until something holds."""
        end = time.perf_counter() + _PATIENCE
        while not condition():
            if time.perf_counter() > end:
                raise GraphicsError(f"waited in vain for {what}")
            self.step()

    def settle(self) -> None:
        """Turn until all is shown, and a little longer."""
        for _ in range(5):
            self.step()
        self.wait(lambda: not self.studio.bench.busy, "a rest")
        end = time.perf_counter() + 0.3
        while time.perf_counter() < end:
            self.step()

    def say(self, key: str, value: float, detail: str = "") -> None:
        """Tell the parent a row's value, if it wants it."""
        if key in self._request.rows:
            print(json.dumps({"key": key, "value": value, "detail": detail}), flush=True)

    def forget(self) -> None:
        """Begin a new measurement."""
        del self.shown[:-1], self.meshes[:-1], self.frames[:-1]

    # --- figures --------------------------------------------------------------------------------

    def measure_launch(self) -> None:
        """From the parent's start of the process to the window and to the face."""
        self.step()
        opened = time.time() - self._request.started
        self.wait(lambda: bool(self.shown), "the first face")
        face = time.time() - self._request.started
        self.settle()
        self.say("studio.launch_window", opened, "first frame drawn")
        self.say("studio.launch_face", face, "first pass of the picture drawn")

    def orbit(self, seconds: float) -> _Motions:
        """Drag around without a rest."""
        x0, y0 = place(self.studio.viewport.item)

        def ellipse(t: float) -> tuple[float, float]:
            angle = 2.0 * math.pi * min(t, seconds) / _TURN_SECONDS
            return x0 + _REACH[0] * math.cos(angle), y0 + _REACH[1] * math.sin(angle)

        self.hand.begin(self.studio.viewport, ellipse)
        end = self.studio.polled_at + seconds
        motions = _Motions({}, {})
        while self.studio.polled_at < end + 1.0 / _MOUSE_HZ:  # the last motion is in it
            before = self.studio.bench.scene.camera
            self.step()
            camera, moments = self.studio.bench.scene.camera, self.hand.new_motions()
            if camera != before:
                motions.hand.setdefault(camera, []).extend(min(t, end) for t in moments)
                motions.events.setdefault(camera, []).append(self.hand.asked_at)
        return motions

    def measure_orbit(self) -> None:
        """Delays, pictures and frames of a long drag."""
        self.settle()
        self.orbit(1.0)
        self.forget()
        start = time.perf_counter()
        motions = self.orbit(self._pace.orbit)
        end = time.perf_counter()
        self.wait(self._is_current, "the picture of the last camera")
        for kind, moments in (("drag", motions.events), ("hand", motions.hand)):
            self._say_delays(f"studio.orbit_{kind}", _delays(moments, self.shown))
        shown = [(t, p) for t, p in self.shown if start <= t <= end]
        frames = [t for t in self.frames if start <= t <= end]
        self.hand.end()
        edges = sorted({p.resolution for _, p in shown})
        good = sum(1 for _, p in shown if p.resolution >= _LIVE_EDGE)
        said = f"{good} of {len(shown)} pictures; edges shown: {edges}"
        self.say("studio.orbit_pictures", good / (end - start), said)
        gaps = [b - a for a, b in pairwise(frames)]
        slowest = f"slowest frame {1e3 * max(gaps):.0f} ms"
        self.say("studio.orbit_fps", 1.0 / statistics.median(gaps), slowest)
        worst = min(
            sum(1 for t in frames if s <= t < s + 1.0) for s in frames if s <= frames[-1] - 1.0
        )
        self.say("studio.orbit_fps_worst", worst)
        seconds = [p.seconds for _, p in shown]
        said = f"{1e3 * min(seconds):.1f}–{1e3 * max(seconds):.1f}"
        self.say("studio.orbit_pass", 1e3 * statistics.median(seconds), said)

    def _say_delays(self, key: str, delays: list[float]) -> None:
        detail = f"{len(delays)} of them, longest {1e3 * max(delays):.0f} ms"
        self.say(key, 1e3 * statistics.quantiles(delays, n=20)[-1], detail)
        self.say(f"{key}_median", 1e3 * statistics.median(delays))

    def _is_current(self) -> bool:
        return self.shown[-1][1].request.scene.camera == self.studio.bench.scene.camera

    def measure_stops(self) -> None:
        """From the last motion, the button still down, to the decoded picture of that camera."""
        waits = []
        for _ in range(self._pace.stops):
            self.forget()
            hand = self.orbit(0.7).hand
            self.wait(self._is_decoded, "the decoded picture")
            waits.append(self.shown[-1][0] - hand[self.studio.bench.scene.camera][-1])
            self.settle()
            self.hand.end()
        detail = f"{len(waits)} stops, {1e3 * min(waits):.0f}–{1e3 * max(waits):.0f}"
        self.say("studio.stop_image", 1e3 * statistics.median(waits), detail)

    def _is_decoded(self) -> bool:
        return self.shown[-1][1].kind == "image" and self._is_current()

    def measure_mesh(self) -> None:
        """The mesh under a moving latent slider, and the fine one after it has stopped."""
        bench = self.studio.bench
        bench.change_settings("view", view="mesh")
        bench.change_settings("mesh", resolution=128)
        self.settle()
        row = next(iter(self.studio.identity.rows.values()))
        x0, y0 = place(row.item)
        width, height = size(row.item)
        seconds = self._pace.slide

        def sway(t: float) -> tuple[float, float]:
            x = 0.6 + 0.12 * math.sin(2.0 * math.pi * min(t, seconds) / 2.5)
            return x0 + round(x * width), y0 + 0.5 * height  # a mouse moves by whole pixels

        self.forget()
        self.hand.begin(row, sway)
        start = self.studio.polled_at
        last_motion = start
        while self.studio.polled_at < start + seconds + 1.0 / _MOUSE_HZ:
            before = bench.scene
            self.step()
            motions = self.hand.new_motions()
            if bench.scene is not before:
                last_motion = motions[-1]
        span = time.perf_counter() - start
        # The hand comes by the same places again: a mesh is new when it is another face's than the
        # one on the screen before it.
        meshes = [mesh for _, mesh in self.meshes if mesh.request.scene.identity.edits]
        faces = [
            next(same).resolution for _, same in groupby(meshes, lambda m: m.request.scene.identity)
        ]
        note = f"one slider, grids of {sorted(set(faces))} points an edge"
        self.say("studio.slide_meshes", len(faces) / span, note)
        identity = bench.scene.identity

        def fine() -> bool:
            _, mesh = self.meshes[-1]
            return mesh.resolution == 128 and mesh.request.scene.identity == identity

        self.wait(fine, "the fine mesh")
        self.say("studio.slide_rest", self.meshes[-1][0] - last_motion)
        self.hand.end()
        bench.change_settings("view", view="image")
        self.settle()


def place(item: int | str) -> tuple[float, float]:
    """Upper left corner of an item, pixels of the window."""
    import dearpygui.dearpygui as dpg

    x, y = dpg.get_item_rect_min(item)
    return float(x), float(y)


def size(item: int | str) -> tuple[float, float]:
    """Width and height of an item, pixels."""
    import dearpygui.dearpygui as dpg

    width, height = dpg.get_item_rect_size(item)
    return float(width), float(height)


def _delays(
    times: dict[OrbitCamera, list[float]], shown: list[tuple[float, PicturePass]]
) -> list[float]:
    """Seconds from each moment of the hand to the first picture from there or from later."""
    order = {camera: index for index, camera in enumerate(times)}
    delays: list[float] = []
    waiting = 0
    moments = list(times.values())
    for drawn, picture in shown:
        index = order.get(picture.request.scene.camera, -1)
        while waiting <= index:
            delays.extend(drawn - moment for moment in moments[waiting])
            waiting += 1
    return delays


def drive(request: DriveRequest) -> None:
    """Open a studio and print the rows asked for, each as a line of JSON."""
    importlib.import_module("app.__main__")  # what the program's own start imports
    from app.state.settings import SettingsStore
    from app.studio import Studio
    from stylesdf_core.scene.scene import Scene

    store = SettingsStore(Path(request.folder) / "config")
    store.save(replace(store.load(), device=request.device))
    studio = Studio(store, Scene())
    studio.open()
    try:
        run = _Run(studio, request)
        measures: dict[str, Callable[[], None]] = {
            "studio.launch": run.measure_launch,
            "studio.orbit": run.measure_orbit,
            "studio.stop": run.measure_stops,
            "studio.slide": run.measure_mesh,
        }
        steps = [
            (name, measure)
            for name, measure in measures.items()  # whatever is measured, it has to be launched
            if name == "studio.launch" or any(key.startswith(name) for key in request.rows)
        ]
        for index, (name, measure) in enumerate(steps):
            row = {"step": index, "steps": len(steps), "message": name}
            print(json.dumps(row), flush=True)
            measure()
        run.say("studio.memory", _megabytes())
    finally:
        studio.close()


def _megabytes() -> float:
    import psutil

    return float(psutil.Process().memory_info().rss) / 2**20


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    drive(DriveRequest(**{**asked, "rows": tuple(asked["rows"])}))
