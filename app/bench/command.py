"""``bench`` on the command line: the engine's rows and, where there is a display, the window's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from app.workers.pass_planner import WhileMoving
from stylesdf_core.commands.bench import Bench
from stylesdf_core.errors import GraphicsError
from stylesdf_core.progress import Operation
from stylesdf_core.system.opengl import has_display

if TYPE_CHECKING:
    from stylesdf_core.evaluation.bench.speed_report import SpeedReport

_NO_DISPLAY = "No display: the window's rows are left out; run bench under xvfb-run or a desktop."


@dataclass(frozen=True, kw_only=True)
class ProgramBench(Bench):
    """Time the engine against the plain path, and the studio's window under a moving mouse.

    Volume renders, images, meshes and memory are measured through both paths, in turns in one
    run, on the published architecture and on the shipped model. The first run fits the full-size
    field, in some two minutes, and keeps it in the cache. Where there is a display, a window then
    opens for half a minute and is dragged about.
    """

    only: tuple[str, ...] = ()
    """Measure only rows whose names begin so: full, heads, training, studio, full.volume64,
    heads.mesh, studio.orbit … Default: all; on a CPU without training's."""

    while_moving: WhileMoving = "balanced"
    """Pictures of the window's motions: fluid (more of them), balanced or sharp (finer ones), as
    View > While moving."""

    def row_names(self) -> tuple[str, ...]:
        """Names of the engine's rows and of the window's."""
        from app.bench.studio_bench import chosen_names

        return (*super().row_names(), *chosen_names())

    def _measure(self) -> Operation[SpeedReport]:
        """The engine's rows, then the window's rows or a note that says why they are missing.

        Raises:
            GraphicsError: only the window's rows were chosen, and they cannot be measured.
        """
        from app.bench.studio_bench import chosen_names, studio_figures

        report = yield from super()._measure()
        names = chosen_names(self.only)
        if not names:
            return report
        try:
            if not has_display():
                raise GraphicsError(_NO_DISPLAY)
            figures = yield from studio_figures(
                names,
                quick=self.quick,
                device=self.device,
                while_moving=self.while_moving,
            )
        except GraphicsError as error:
            if not report.speedups and not report.figures:
                raise
            return replace(report, notes=(*report.notes, str(error)))  # keeps the engine's rows
        return replace(report, figures=report.figures + figures)
