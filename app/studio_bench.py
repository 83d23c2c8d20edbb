"""How fast the real window is under a hand: opens the studio, drives it, and times what it shows.

    python -m app.studio_bench

The studio runs in a process of its own with settings of its own. Its hand moves as a mouse does:
125 times a second, whether the window keeps up or not; a frame takes the newest position. Every
position has a time, so a delay is counted from when the hand was there to the end of the frame
that shows the head as seen from there or from a later place.
"""

from __future__ import annotations

import importlib
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from stylesdf_core.errors import GraphicsError, StyleSDFError
from stylesdf_core.progress import Operation, Progress, drain

if TYPE_CHECKING:
    from app.mesh_worker import ShownMesh
    from app.picture_worker import ShownPicture
    from app.pointer import Target
    from app.studio import Studio
    from stylesdf_core.camera import OrbitCamera

_MOUSE_HZ = 125
_ORBIT_SECONDS = 5.0
_TURN_SECONDS = 3.0  # of the hand's ellipse
_REACH = (190.0, 70.0)  # half axes of the ellipse, pixels
_STOPS = 7
_SLIDE_SECONDS = 5.0
_PATIENCE = 60.0  # seconds that anything may take
_LIVE_EDGE = 64  # pictures of this resolution and above count as shown in volume quality


@dataclass(frozen=True)
class StudioFigure:
    """One measured figure.

    Attributes:
        target: what it should be, in words such as "≤ 80"; empty for a figure without one.
        note: what was measured how.
    """

    name: str
    value: float
    unit: str
    target: str = ""
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None without one."""
        if not self.target:
            return None
        relation, bound = self.target.split()
        return self.value <= float(bound) if relation == "≤" else self.value >= float(bound)


def studio_figures() -> Operation[list[StudioFigure]]:
    """Open the window on the shipped model, drive it and report; yields Progress.

    Raises:
        GraphicsError: the window could not be opened, or died.
    """
    figures: list[StudioFigure] = []
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "app.studio_bench", "--drive", folder, str(time.time())]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                yield from _follow(process, figures)
                complaint = process.stderr.read() if process.stderr is not None else ""
            finally:
                process.kill()
    if process.returncode != 0:
        last = complaint.strip().splitlines()[-1:] or ["no message"]
        raise GraphicsError(f"The studio could not be measured: {last[0]}")
    return figures


def _follow(process: subprocess.Popen[str], figures: list[StudioFigure]) -> Iterator[Progress]:
    assert process.stdout is not None
    for line in process.stdout:
        if not line.startswith("{"):
            continue
        row = json.loads(line)
        if "step" in row:
            yield Progress(row["step"], row["steps"], row["message"])
        else:
            figures.append(StudioFigure(**row))
    process.wait()


class _Hand:
    """A mouse that follows a path in time; a frame sees where it was when the frame looked."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._path: Callable[[float], tuple[float, float]] = lambda _: (0.0, 0.0)
        self._start = 0.0
        self._seen = 0  # motions of the mouse up to the last frame
        self._down = False

    def begin(self, target: Target, path: Callable[[float], tuple[float, float]]) -> None:
        """Press on a target at the path's beginning; ``path``: seconds -> pixels in the window."""
        self._path, self._start = path, self._studio.polled_at
        self._seen, self._down = 0, True
        self._studio.pointer.hand = self
        self._studio.pointer.press(target, 0)

    def end(self) -> None:
        """Let go, with the next frame."""
        self._down = False

    def position(self) -> tuple[float, float]:
        """Where the last motion before the frame's look at the mouse has led."""
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
    """A studio with a scripted hand; every ``measure_…`` prints its figures."""

    def __init__(self, studio: Studio, started: float) -> None:
        self.studio = studio
        self.hand = _Hand(studio)
        self.started = started
        #: (time, picture) of each picture as it came onto the screen; times of all frames.
        self.shown: list[tuple[float, ShownPicture]] = []
        self.meshes: list[tuple[float, ShownMesh]] = []
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

    def forget(self) -> None:
        """Begin a new measurement."""
        del self.shown[:-1], self.meshes[:-1], self.frames[:-1]

    # --- figures --------------------------------------------------------------------------------

    def measure_launch(self) -> None:
        """From the parent's start of the process to the window and to the face."""
        self.step()
        opened = time.time() - self.started
        self.wait(lambda: bool(self.shown), "the first face")
        face = time.time() - self.started
        self.settle()
        say(StudioFigure("launch to window", opened, "s", "≤ 1.5", "first frame drawn"))
        say(StudioFigure("launch to face", face, "s", "≤ 4", "first pass of the picture drawn"))

    def orbit(self, seconds: float) -> dict[OrbitCamera, list[float]]:
        """Drag around without a rest; when the hand was where each camera came from."""
        x0, y0 = place(self.studio.viewport.item)

        def ellipse(t: float) -> tuple[float, float]:
            angle = 2.0 * math.pi * min(t, seconds) / _TURN_SECONDS
            return x0 + _REACH[0] * math.cos(angle), y0 + _REACH[1] * math.sin(angle)

        self.hand.begin(self.studio.viewport, ellipse)
        end = self.studio.polled_at + seconds
        times: dict[OrbitCamera, list[float]] = {}
        while self.studio.polled_at < end + 1.0 / _MOUSE_HZ:  # the last motion is in it
            before = self.studio.bench.scene.camera
            self.step()
            camera, motions = self.studio.bench.scene.camera, self.hand.new_motions()
            if camera != before:
                times.setdefault(camera, []).extend(min(t, end) for t in motions)
        return times

    def measure_orbit(self) -> None:
        """Delays, pictures and frames of a long drag."""
        self.settle()
        self.orbit(1.0)
        self.forget()
        start = time.perf_counter()
        times = self.orbit(_ORBIT_SECONDS)
        end = time.perf_counter()
        shown = [(t, p) for t, p in self.shown if start <= t <= end]
        frames = [t for t in self.frames if start <= t <= end]
        self.hand.end()
        delays = _delays(times, shown)
        note = f"{len(delays)} positions of the hand, {len(shown)} pictures"
        say(StudioFigure("drag to pixels, median", 1e3 * statistics.median(delays), "ms", "", note))
        p95 = statistics.quantiles(delays, n=20)[-1]
        say(StudioFigure("drag to pixels, p95", 1e3 * p95, "ms", "≤ 80", note))
        good = [p for _, p in shown if p.resolution >= _LIVE_EDGE]
        rate = len(good) / (end - start)
        edges = sorted({p.resolution for _, p in shown})
        said = f"pictures of at least {_LIVE_EDGE}²; edges shown: {edges}"
        say(StudioFigure("orbit, pictures", rate, "/s", "≥ 30", said))
        rates = [1.0 / (b - a) for a, b in pairwise(frames)]
        worst = min(
            sum(1 for t in frames if s <= t < s + 1.0) for s in frames if s <= frames[-1] - 1.0
        )
        say(StudioFigure("orbit, window", statistics.median(rates), "fps", "≥ 30"))
        say(StudioFigure("orbit, window, worst second", worst, "fps", "≥ 30"))
        seconds = statistics.median(p.seconds for _, p in shown)
        say(StudioFigure("orbit, computing a picture", 1e3 * seconds, "ms"))

    def measure_stops(self) -> None:
        """From the last motion, the button still down, to the decoded picture of that camera."""
        waits = []
        for _ in range(_STOPS):
            self.forget()
            times = self.orbit(0.7)
            self.wait(self._is_decoded, "the decoded picture")
            waits.append(self.shown[-1][0] - times[self.studio.bench.scene.camera][-1])
            self.settle()
            self.hand.end()
        note = f"{_STOPS} stops, longest {1e3 * max(waits):.0f} ms"
        value = 1e3 * statistics.median(waits)
        say(StudioFigure("stop to decoded 256²", value, "ms", "≤ 120", note))

    def _is_decoded(self) -> bool:
        _, picture = self.shown[-1]
        camera = self.studio.bench.scene.camera
        return picture.kind == "image" and picture.request.scene.camera == camera

    def measure_mesh(self) -> None:
        """The mesh under a moving latent slider, and the fine one after it has stopped."""
        bench = self.studio.bench
        bench.set_view("mesh")
        bench.set_mesh(resolution=128)
        self.settle()
        row = next(iter(self.studio.identity.rows.values()))
        x0, y0 = place(row.item)
        width, height = size(row.item)

        def sway(t: float) -> tuple[float, float]:
            x = 0.6 + 0.12 * math.sin(2.0 * math.pi * min(t, _SLIDE_SECONDS) / 2.5)
            return x0 + round(x * width), y0 + 0.5 * height  # a mouse moves by whole pixels

        self.forget()
        self.hand.begin(row, sway)
        start = self.studio.polled_at
        last_motion = start
        while self.studio.polled_at < start + _SLIDE_SECONDS + 1.0 / _MOUSE_HZ:
            before = bench.scene
            self.step()
            motions = self.hand.new_motions()
            if bench.scene is not before:
                last_motion = motions[-1]
        faces: dict[object, int] = {}
        for _, mesh in self.meshes:
            if mesh.request.scene.identity.edits:
                faces.setdefault(mesh.request.scene.identity, mesh.resolution)
        span = time.perf_counter() - start
        coarse = sorted(set(faces.values()))
        note = f"one slider, grids of {coarse} points an edge"
        say(StudioFigure("mesh under a slider", len(faces) / span, "/s", "≥ 8", note))
        identity = bench.scene.identity

        def fine() -> bool:
            _, mesh = self.meshes[-1]
            return mesh.resolution == 128 and mesh.request.scene.identity == identity

        self.wait(fine, "the fine mesh")
        say(StudioFigure("rest to 128³ mesh", self.meshes[-1][0] - last_motion, "s", "≤ 1"))
        self.hand.end()
        bench.set_view("image")
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
    times: dict[OrbitCamera, list[float]], shown: list[tuple[float, ShownPicture]]
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


def say(figure: StudioFigure) -> None:
    """A figure for the parent."""
    print(json.dumps(asdict(figure)), flush=True)


def _drive(folder: Path, started: float) -> None:
    importlib.import_module("app.__main__")  # what the program's own start imports
    from app.settings import SettingsStore
    from app.studio import Studio
    from stylesdf_core.scene import Scene

    studio = Studio(SettingsStore(folder / "config"), Scene())
    studio.open()
    try:
        run = _Run(studio, started)
        steps: tuple[tuple[str, Callable[[], None]], ...] = (
            ("starting the studio", run.measure_launch),
            ("orbiting", run.measure_orbit),
            ("stopping", run.measure_stops),
            ("sliding", run.measure_mesh),
        )
        for index, (message, step) in enumerate(steps):
            row = {"step": index, "steps": len(steps), "message": message}
            print(json.dumps(row), flush=True)
            step()
        say(StudioFigure("memory", _megabytes(), "MB"))
    finally:
        studio.close()


def _megabytes() -> float:
    import psutil

    return float(psutil.Process().memory_info().rss) / 2**20


def main() -> int:
    """The table, or (``--drive``) the studio that it is about."""
    if sys.argv[1:2] == ["--drive"]:
        _drive(Path(sys.argv[2]), float(sys.argv[3]))
        return 0
    try:
        figures = drain(studio_figures())
    except StyleSDFError as error:
        print(error, file=sys.stderr)
        return 1
    marks = {None: " ", True: "✓", False: "✗"}
    for figure in figures:
        number = f"{figure.value:9.2f}" if figure.value < 10 else f"{figure.value:9.1f}"
        target = f"{figure.target} {figure.unit}" if figure.target else ""
        mark = marks[figure.met]
        print(f"{mark} {figure.name:28} {number} {figure.unit:4} {target:10} {figure.note}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
