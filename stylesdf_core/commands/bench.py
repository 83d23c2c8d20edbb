"""Measure how fast the engine is beside the plain path."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stylesdf_core.commands.pictures import Device
from stylesdf_core.errors import InputError
from stylesdf_core.progress import Operation, Progress

if TYPE_CHECKING:
    from stylesdf_core.evaluation.bench.report import BenchReport


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Time the engine against the plain path: volume renders, images, meshes, memory.

    Both take turns in one run, on the published architecture and on the shipped model. The first
    run fits the full-size field, in some two minutes, and keeps it in the cache.
    """

    json: Path | None = None
    """JSON file for all figures."""

    only: tuple[str, ...] = ()
    """Measure only what begins so: full, heads, full.volume64, heads.mesh … Default: all."""

    repeats: int = 5
    """Goes of either path, 1 to 100; where the plain path is slow it gets fewer."""

    quick: bool = False
    """One go each: a look, not a measurement."""

    threads: int | None = None
    """CPU threads of both paths, 1 to 256; without it, torch's own choice."""

    card: Path | None = None
    """README or model card (Markdown) whose section measured by bench is to be replaced."""

    profile: Path | None = None
    """Text file for where the engine's time goes, operation by operation."""

    device: Device = "auto"
    """Where to compute. Targets are stated for a CPU with two cores."""

    def run(self) -> Operation[BenchReport]:
        """Measure; the result prints as a table with targets.

        Raises:
            InputError: a number is out of range, `only` chooses nothing, or the card has no
                measured section.
            OutputError: the cache or a file cannot be written.
        """
        self._check()
        report = yield from self._measured(self.only)
        self._write(report)
        return report

    def _check(self) -> None:
        from stylesdf_core.evaluation.report import check_card

        if not 1 <= self.repeats <= 100:
            raise InputError(f"--repeats must lie between 1 and 100, not {self.repeats}.")
        if self.threads is not None and not 1 <= self.threads <= 256:
            raise InputError(f"--threads must lie between 1 and 256, not {self.threads}.")
        if self.card is not None:
            check_card(self.card, "bench")

    def _measured(self, only: tuple[str, ...]) -> Operation[BenchReport]:
        """The engine's rows, and where its time goes."""
        yield Progress(0, 1, "loading the models")
        import torch

        from stylesdf_core.evaluation.bench.bench import profile_bench, run_bench
        from stylesdf_core.evaluation.bench.timing import BenchSettings
        from stylesdf_core.files import write_text

        settings = BenchSettings(1, 0.0) if self.quick else BenchSettings(self.repeats)
        threads = torch.get_num_threads()
        torch.set_num_threads(self.threads or threads)
        try:
            report = yield from run_bench(only, settings, self.device)
            if self.profile is not None:
                text = yield from profile_bench(only, self.device)
                write_text(self.profile, text)
        finally:
            torch.set_num_threads(threads)
        return report

    def _write(self, report: BenchReport) -> None:
        from stylesdf_core.evaluation.report import update_card
        from stylesdf_core.files import write_json

        if self.json is not None:
            write_json(self.json, report.to_json())
        if self.card is not None:
            update_card(self.card, "bench", report.markdown())
