"""The line at the bottom: what is shown, how fast, on what, for how much memory."""

from __future__ import annotations

import time
from collections import deque

import dearpygui.dearpygui as dpg
import psutil

from app.state.workbench import Workbench
from app.widgets import fonts, theme
from app.widgets.ui import Ui
from stylesdf_core.scene.scene import Scene

HEIGHT = 28
#: Left edges of the columns at scale 1: nothing moves when a number changes.
_COLUMNS = (0, 150, 240, 310, 380, 430)


class StatusPanel:
    """One line of facts in fixed columns."""

    def __init__(self, ui: Ui, bench: Workbench) -> None:
        self._ui, self._bench = ui, bench
        self._canvas: int | str = 0
        self._width = 0
        self._drawn: tuple[object, ...] = ()
        self._process = psutil.Process()
        self._memory, self._memory_at = 0.0, 0.0
        self._frames: deque[float] = deque(maxlen=120)
        self._last_picture: object = None

    def build(self, width: int) -> None:
        """Create the canvas."""
        self._canvas = dpg.add_drawlist(width, self._ui.px(HEIGHT))

    def resize(self, width: int) -> None:
        """Fit the window."""
        self._width = width
        dpg.configure_item(self._canvas, width=width)

    def sync(self, scene: Scene) -> None:
        """Show the newest facts."""
        parts, right = self._facts(), self._right(scene)
        key = (*parts, right, self._width)
        if key == self._drawn:
            return
        self._drawn = key
        dpg.delete_item(self._canvas, children_only=True)
        px = self._ui.px
        size, y = px(fonts.SMALL), (px(HEIGHT) - px(fonts.SMALL)) / 2
        for column, text in zip(_COLUMNS, parts, strict=True):
            self._text(px(12) + px(column), y, text, theme.MUTED, size)
        note = self._note()
        x = self._width - px(12) - fonts.text_width(right, size)
        if note:
            start = px(12) + px(_COLUMNS[-1] + 90)
            self._text(start, y, fonts.fitted(note, size, x - start - px(24)), theme.WARNING, size)
        self._text(x, y, right, theme.MUTED, size)

    def _text(self, x: float, y: float, text: str, color: theme.Color, size: int) -> None:
        dpg.draw_text((x, y), text, size=size, color=color, parent=self._canvas)

    def _facts(self) -> tuple[str, ...]:
        bench = self._bench
        now = time.monotonic()
        if now - self._memory_at > 1.0:
            self._memory, self._memory_at = self._process.memory_info().rss / 2**20, now
        view = bench.settings.view
        shown = bench.screen.picture if view.shows_picture else None
        newest = shown or (bench.screen.mesh if view.shows_mesh else None)
        if newest is not self._last_picture:
            self._last_picture = newest
            self._frames.append(now)
        while self._frames and now - self._frames[0] > 1.0:
            self._frames.popleft()
        fps = f"{len(self._frames)} fps" if bench.busy and len(self._frames) > 1 else ""
        memory = f"{self._memory:,.0f} MB"
        if shown is not None:
            return (
                f"{shown.resolution}² {shown.kind}",
                f"pass {shown.index + 1}/{shown.passes}",
                f"{shown.seconds * 1000:,.0f} ms",
                fps,
                shown.device,
                memory,
            )
        if newest is not None and bench.screen.mesh is not None:
            mesh = bench.screen.mesh
            milliseconds = f"{mesh.seconds * 1000:,.0f} ms"
            final = "final" if mesh.report is not None else "draft"
            return f"{mesh.resolution}³ mesh", final, milliseconds, fps, "", memory
        return "", "", "", "", "", memory

    def _note(self) -> str:
        picture, view = self._bench.screen.picture, self._bench.settings.view
        return picture.note if picture is not None and view.shows_picture else ""

    def _right(self, scene: Scene) -> str:
        who = "custom z" if scene.identity.z is not None else f"seed {scene.identity.seed}"
        mixed = f" × {scene.mixing.seed}" if scene.mixing.seed is not None else ""
        morphed = f" · morph {scene.morph.amount:.2f}" if scene.morph.seed is not None else ""
        count = len(scene.identity.edits)
        edited = f" · {count} edit{'s' if count > 1 else ''}" if count else ""
        return f"{who}{mixed}{morphed}{edited} · ψ {scene.truncation_psi:.2f}"
