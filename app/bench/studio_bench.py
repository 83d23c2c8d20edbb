"""How fast the real window is under a hand: opens the studio, has it driven, and reports.

The studio runs in a process and with settings of its own, on the shipped model and the picture it
opens with; :mod:`app.bench.studio_driver` is what drives and times it. The rows, all named in
``ROWS``:

``studio.launch_window``, ``studio.launch_face``
    From the start of the process to the end of the first frame, and of the first with a face.
``studio.orbit_drag``, ``studio.orbit_drag_median``
    Drag to new pixels on the screen: from the drag event as the viewport gets it to the end of the
    frame that shows a picture of that camera or of a later one; 95th percentile, median.
``studio.orbit_hand``, ``studio.orbit_hand_median``
    The same from when the hand was there, so with the wait until a frame looks at the mouse. No
    target: a mouse moves 125 times a second, and most of its places never become an event.
``studio.orbit_pictures``
    New pictures a second of at least 64², the resolution of the volume render.
``studio.orbit_fps``, ``studio.orbit_fps_worst``
    The window's frames a second: median, and the fewest within any one second.
``studio.orbit_pass``
    What the engine takes for a picture of the orbit.
``studio.stop_image``
    From the hand's last motion, the button still down, to the decoded picture of that camera.
``studio.slide_meshes``, ``studio.slide_rest``
    New meshes a second under a moving slider; from its last motion to the mesh of a 128³ grid.
``studio.memory``
    Resident memory of the studio's process at the end.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

from stylesdf_core.errors import GraphicsError
from stylesdf_core.evaluation.report import Figure
from stylesdf_core.progress import Operation, Progress

_UNKNOWN = math.nan  # until it is measured

#: Every row with its target, not yet measured, in the order of the table.
ROWS = (
    Figure("studio.launch_window", "launch to window", _UNKNOWN, "s", high=1.5),
    Figure("studio.launch_face", "launch to face", _UNKNOWN, "s", high=4.0),
    Figure("studio.orbit_drag", "drag event to pixels, p95", _UNKNOWN, "ms", 1, high=80.0),
    Figure("studio.orbit_drag_median", "drag event to pixels, median", _UNKNOWN, "ms", 1),
    Figure("studio.orbit_hand", "motion of the hand to pixels, p95", _UNKNOWN, "ms", 1),
    Figure("studio.orbit_hand_median", "motion of the hand to pixels, median", _UNKNOWN, "ms", 1),
    Figure(
        "studio.orbit_pictures", "pictures of 64² or more while orbiting", _UNKNOWN, "/s", 1, 30
    ),
    Figure("studio.orbit_fps", "the window's frames while orbiting", _UNKNOWN, "fps", 1, 30),
    Figure("studio.orbit_fps_worst", "the same, worst second", _UNKNOWN, "fps", 0, 30),
    Figure("studio.orbit_pass", "computing a picture while orbiting", _UNKNOWN, "ms", 1),
    Figure("studio.stop_image", "stop to decoded 256²", _UNKNOWN, "ms", 0, high=120.0),
    Figure("studio.slide_meshes", "meshes under a moving slider", _UNKNOWN, "/s", 1, 8),
    Figure("studio.slide_rest", "slider's rest to 128³ mesh", _UNKNOWN, "s", high=1.0),
    Figure("studio.memory", "memory of the studio", _UNKNOWN, "MiB", 0),
)


@dataclass(frozen=True)
class DriveRequest:
    """What the driving process is to do; it gets this as JSON.

    Attributes:
        rows: keys of the rows to report.
        quick: one short go of everything.
        device: auto, cpu, cuda or mps.
        folder: for the studio's settings.
        started: ``time.time()`` of the launch.
    """

    rows: tuple[str, ...]
    quick: bool
    device: str
    folder: str
    started: float


def chosen_rows(only: Sequence[str]) -> tuple[str, ...]:
    """Keys of the rows that begin so; all without a choice."""
    return tuple(row.key for row in ROWS if not only or row.key.startswith(tuple(only)))


def studio_figures(
    only: Sequence[str] = (), *, quick: bool = False, device: str = "auto"
) -> Operation[tuple[Figure, ...]]:
    """Open the window on the shipped model, drive it and report.

    Args:
        only: beginnings of rows' keys; empty for all.
        quick: a look, not a measurement.
        device: auto, cpu, cuda or mps.

    Raises:
        GraphicsError: the window could not be opened, or died.
    """
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as complaints:
        request = DriveRequest(chosen_rows(only), quick, device, folder, time.time())
        command = [sys.executable, "-m", "app.bench.studio_driver", json.dumps(asdict(request))]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=complaints, text=True
        ) as process:
            try:
                assert process.stdout is not None
                yield from _follow(process.stdout, figures)
                process.wait()
            finally:
                process.kill()
        complaints.seek(0)
        last = complaints.read().strip().splitlines()[-1:] or ["no message"]
    if process.returncode != 0:
        raise GraphicsError(f"The studio could not be measured: {last[0]}")
    return tuple(figures)


def _follow(lines: Iterable[str], figures: list[Figure]) -> Iterator[Progress]:
    """What the driver prints: steps become Progress, rows figures; all else is not for us."""
    rows = {row.key: row for row in ROWS}
    for line in lines:
        if not line.startswith("{"):
            continue
        data = json.loads(line)
        if "step" in data:
            yield Progress(data["step"], data["steps"], data["message"])
        else:
            row = rows[data["key"]]
            figures.append(replace(row, value=data["value"], detail=data["detail"]))
