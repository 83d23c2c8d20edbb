"""Measures the window's speed: opens the studio, lets a script move the mouse, reports rows.

The studio runs in a process of its own, with fresh settings, on the shipped model and its first
picture. :mod:`app.bench.studio_driver` runs in that process, moves the mouse and times pictures
and frames; the lines of JSON that the driver prints become Progress and figures here.
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

from app.workers.pass_planner import WhileMoving
from stylesdf_core.errors import GraphicsError
from stylesdf_core.evaluation.reports.report import Figure
from stylesdf_core.progress import Operation, Progress

_NOT_YET = math.nan

#: Every row with its target, not yet measured, in the order of the table.
ROWS = (
    # From the start of the process to the end of the first frame, and of the first with a face.
    Figure("studio.launch_window", "launch to window", _NOT_YET, "s", high=1.5),
    Figure("studio.launch_face", "launch to face", _NOT_YET, "s", high=4.0),
    # From the drag event as the viewport gets it to the end of the frame that shows a picture of
    # that camera or of a later one.
    Figure("studio.orbit_drag", "drag event to pixels, p95", _NOT_YET, "ms", 1, high=80.0),
    Figure("studio.orbit_drag_median", "drag event to pixels, median", _NOT_YET, "ms", 1),
    # The same from the mouse's motion, so with the wait until a frame reads the mouse. Without a
    # target: a mouse moves 125 times a second, and most of its positions never become an event.
    Figure("studio.orbit_hand", "motion of the mouse to pixels, p95", _NOT_YET, "ms", 1),
    Figure("studio.orbit_hand_median", "motion of the mouse to pixels, median", _NOT_YET, "ms", 1),
    # New pictures of at least the volume render's resolution.
    Figure(
        "studio.orbit_pictures", "pictures of 64² or more while orbiting", _NOT_YET, "/s", 1, 30
    ),
    # Median over the drag, and the fewest within any one second.
    Figure("studio.orbit_fps", "the window's frames while orbiting", _NOT_YET, "fps", 1, 30),
    Figure("studio.orbit_fps_worst", "the same, worst second", _NOT_YET, "fps", 0, 30),
    # The engine's own time for a picture of the drag.
    Figure("studio.orbit_pass", "computing a picture while orbiting", _NOT_YET, "ms", 1),
    # New pictures that are decoded, at half or at full size, if this machine were 1, 2 or 4 times
    # as fast: a picture may then take 1, 2 or 4 times as long.
    Figure("studio.orbit_decoded", "decoded pictures while orbiting", _NOT_YET, "%", 0),
    Figure("studio.orbit_decoded_x2", "the same, budget of twice the speed", _NOT_YET, "%", 0),
    Figure(
        "studio.orbit_decoded_x4", "the same, budget of four times the speed", _NOT_YET, "%", 0, 90
    ),
    # From the mouse's last motion, the button still down, to the decoded picture of that camera.
    Figure("studio.stop_image", "stop to decoded 256²", _NOT_YET, "ms", 0, high=120.0),
    # New meshes under a moving slider; from its last motion to the mesh of a 128³ grid.
    Figure("studio.slide_meshes", "meshes under a moving slider", _NOT_YET, "/s", 1, 8),
    Figure("studio.slide_rest", "slider's rest to 128³ mesh", _NOT_YET, "s", high=1.0),
    # Resident memory of the studio's process at the end.
    Figure("studio.memory", "memory of the studio", _NOT_YET, "MiB", 0),
)


@dataclass(frozen=True)
class DriveRequest:
    """The measurements wanted, passed to the driver's process as JSON.

    Attributes:
        rows: keys of the rows to report.
        quick: measure everything once, briefly.
        device: auto, cpu, cuda or mps.
        folder: for the studio's settings.
        started: ``time.time()`` at the start of the process.
        while_moving: the setting View › While moving.
    """

    rows: Sequence[str]
    quick: bool
    device: str
    folder: str
    started: float
    while_moving: WhileMoving = "balanced"


def chosen_names(only: Sequence[str] = ()) -> tuple[str, ...]:
    """Keys of the rows that begin with an entry of ``only``; all keys where it is empty."""
    return tuple(row.key for row in ROWS if not only or row.key.startswith(tuple(only)))


def studio_figures(
    rows: Sequence[str],
    *,
    quick: bool = False,
    device: str = "auto",
    while_moving: WhileMoving = "balanced",
) -> Operation[tuple[Figure, ...]]:
    """Open the window on the shipped model, drive it and report.

    Args:
        rows: keys of the rows to report.
        quick: measure everything once, briefly.
        device: auto, cpu, cuda or mps.
        while_moving: the setting View › While moving.

    Raises:
        GraphicsError: the window could not be opened, or died.
    """
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as complaints:
        request = DriveRequest(rows, quick, device, folder, time.time(), while_moving)
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
    """Progress and figures from the driver's lines; lines that libraries print are left out."""
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
