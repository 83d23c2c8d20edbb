"""The line at the bottom: picture, pass, time, frames a second, device, memory; the scene."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

import psutil

from app.state.workbench import Workbench
from app.widgets.controls.ui import Ui
from app.widgets.drawing import fonts, theme
from app.widgets.drawing.canvas import Canvas
from app.workers.mesh_worker import MeshPass
from app.workers.picture_worker import PicturePass
from stylesdf_core.scene.scene import Scene

HEIGHT = 28
#: Left edges of the columns at scale 1, fixed so that no text moves when a number changes.
_COLUMNS = (0, 150, 240, 310, 380, 430)
_NOTE = _COLUMNS[-1] + 90


class StatusPanel:
    """One line of facts in fixed columns."""

    def __init__(self, ui: Ui, workbench: Workbench) -> None:
        self._ui, self._workbench, self._width = ui, workbench, 1
        self._canvas = Canvas(1, ui.px(HEIGHT))
        self._process = psutil.Process()
        self._memory, self._memory_at = "", 0.0
        self._frames: deque[float] = deque(maxlen=120)
        self._newest: PicturePass | MeshPass | None = None

    def resize(self, width: int) -> None:
        """Fit the window."""
        self._width = width
        self._canvas.resize(width, self._ui.px(HEIGHT))

    def sync(self, scene: Scene) -> None:
        """Show the newest picture's facts, and the scene in words."""
        view, screen = self._workbench.settings.view, self._workbench.screen
        picture = screen.picture if view.shows_picture else None
        newest = picture or (screen.mesh if view.shows_mesh else None)
        columns = self._facts(newest)
        note = picture.note if picture is not None else ""
        right = _scene_in_words(scene)
        if not self._canvas.wants(columns, note, right, self._width):
            return
        px, size = self._ui.px, self._ui.px(fonts.SMALL)
        y = (px(HEIGHT) - size) / 2
        x = self._width - px(12) - fonts.text_width(right, size)
        lefts = [px(12) + px(column) for column in _COLUMNS]
        for left, text in fitting(lefts, columns, size, x - px(12)):
            self._canvas.text(left, y, text, size, theme.MUTED)
        if note:
            start = px(12) + px(_NOTE)
            fitted = fonts.fitted(note, size, x - start - px(24))
            self._canvas.text(start, y, fitted, size, theme.WARNING)
        self._canvas.text(x, y, right, size, theme.MUTED)

    def _facts(self, newest: PicturePass | MeshPass | None) -> tuple[str, ...]:
        """The text of each column."""
        now = time.monotonic()
        if now - self._memory_at > 1.0:
            self._memory = f"{self._process.memory_info().rss / 2**20:,.0f} MB"
            self._memory_at = now
        if newest is not self._newest:
            self._newest = newest
            self._frames.append(now)
        while self._frames and now - self._frames[0] > 1.0:
            self._frames.popleft()
        if newest is None:
            return "", "", "", "", "", self._memory
        fps = f"{len(self._frames)} fps" if self._workbench.busy and len(self._frames) > 1 else ""
        milliseconds = f"{newest.seconds * 1000:,.0f} ms"
        if isinstance(newest, PicturePass):
            what = f"{newest.resolution}² {newest.kind}"
            step, device = f"pass {newest.index + 1}/{newest.passes}", newest.device
        else:
            what = f"{newest.resolution}³ mesh"
            step, device = "final" if newest.report is not None else "draft", ""
        return what, step, milliseconds, fps, device, self._memory


def fitting(
    lefts: Sequence[float], texts: Sequence[str], size: float, end: float
) -> list[tuple[float, str]]:
    """The first columns, as many as end left of ``end``; pixels, ``size`` is the font's."""
    columns = list(zip(lefts, texts, strict=True))
    for index, (left, text) in enumerate(columns):
        if text and left + fonts.text_width(text, size) > end:
            return columns[:index]
    return columns


def _scene_in_words(scene: Scene) -> str:
    who = "custom face" if scene.identity.z is not None else f"seed {scene.identity.seed}"
    mixed = f" × {scene.mixing.seed}" if scene.mixing.seed is not None else ""
    morphed = f" · morph {scene.morph.amount:.2f}" if scene.morph.seed is not None else ""
    count = len(scene.identity.edits)
    edited = f" · {count} edit{'s' if count > 1 else ''}" if count else ""
    return f"{who}{mixed}{morphed}{edited} · ψ {scene.truncation_psi:.2f}"
