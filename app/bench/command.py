"""``bench`` as the program has it: the engine's rows and, given a display, the window's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from stylesdf_core.commands.bench import Bench
from stylesdf_core.commands.models import has_display
from stylesdf_core.errors import GraphicsError, InputError
from stylesdf_core.progress import Operation, Progress

if TYPE_CHECKING:
    from stylesdf_core.evaluation.bench.report import BenchReport

_NO_DISPLAY = "No display: the window's rows are left out; run it under xvfb-run or on a desktop."


@dataclass(frozen=True, kw_only=True)
class ProgramBench(Bench):
    """Time the engine against the plain path, and the studio's window under a moving hand.

    Volume renders, images, meshes and memory are measured through both paths, in turns in one
    run, on the published architecture and on the shipped model. The first run fits the full-size
    field, in some two minutes, and keeps it in the cache. Where there is a display, a window then
    opens for half a minute and is dragged about.
    """

    only: tuple[str, ...] = ()
    """Measure only what begins so: full, heads, studio, full.volume64, heads.mesh, studio.orbit …
    Default: all."""

    def run(self) -> Operation[BenchReport]:
        """Measure; the result prints as a table with targets.

        Raises:
            InputError: see :meth:`Bench.run`.
            GraphicsError: only the window's rows were asked for, and it cannot be measured.
            OutputError: the cache or a file cannot be written.
        """
        self._check()
        yield Progress(0, 1, "loading the models")
        engine, window = self._choice()
        if engine or not self.only:
            report = yield from self._measured(engine)
        else:
            report = _empty_report(self.device)
        if window or not self.only:
            report = yield from self._with_window(report, window)
        self._write(report)
        return report

    def _choice(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """``only`` for the engine's rows and for the window's.

        Raises:
            InputError: something in ``only`` chooses nothing, or a profile is asked for of nothing.
        """
        from app.bench.studio_bench import chosen_rows
        from stylesdf_core.evaluation.bench.bench import figure_names

        names = figure_names()
        engine = tuple(p for p in self.only if any(name.startswith(p) for name in names))
        window = tuple(p for p in self.only if chosen_rows((p,)))
        for prefix in self.only:
            if prefix not in engine + window:
                known = ", ".join(names + chosen_rows(()))
                raise InputError(f"Nothing measured is called {prefix}…; there are {known}.")
        if self.profile is not None and self.only and not engine:
            raise InputError("--profile is about the engine's rows, and --only chooses none.")
        return engine, window

    def _with_window(self, report: BenchReport, only: tuple[str, ...]) -> Operation[BenchReport]:
        """With the window's rows, or a note that says why there are none."""
        from app.bench.studio_bench import studio_figures

        try:
            if not has_display():
                raise GraphicsError(_NO_DISPLAY)
            figures = yield from studio_figures(only, quick=self.quick, device=self.device)
        except GraphicsError as error:
            if not report.comparisons and not report.figures:
                raise
            return replace(report, notes=(*report.notes, str(error)))  # minutes are not lost
        return replace(report, figures=report.figures + figures)


def _empty_report(device: str) -> BenchReport:
    from stylesdf_core.evaluation.bench.machine import describe_machine
    from stylesdf_core.evaluation.bench.report import BenchReport
    from stylesdf_core.model.model import select_device

    return BenchReport(describe_machine(select_device(device)), (), ())
