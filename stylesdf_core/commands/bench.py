"""The command ``bench``: times the engine against the plain path."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from stylesdf_core.commands.scenes.options.rendering import Device
from stylesdf_core.errors import InputError, check_range
from stylesdf_core.progress import Operation, Progress

if TYPE_CHECKING:
    from stylesdf_core.evaluation.bench.speed_report import SpeedReport


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Time the engine against the plain path: volume renders, images, meshes, memory, training.

    The plain path is the network's own modules. Both take turns, on the published architecture and
    on the shipped model. The first run fits a field of the published size, in some two minutes, and
    keeps it in the cache.
    """

    json: Path | None = None
    """JSON file for all figures; it is written anew after every row."""

    only: tuple[str, ...] = ()
    """Measure only rows whose names begin with one of these words, such as full, heads,
    full.volume64 or training. Default: all rows; on a CPU without training's."""

    repeats: int = 5
    """Repeats of either path, 1 to 100; a slow plain path is repeated less often."""

    quick: bool = False
    """Measure everything once; a single time is not reliable."""

    threads: int | None = None
    """CPU threads of both paths, 1 to 256. Default: torch's own choice."""

    card: tuple[Path, ...] = ()
    """Markdown files in which to replace the figures of bench between two marker lines, `begin`
    and `end`. A file with the marker `begin short` gets ten rows instead of all."""

    profile: Path | None = None
    """Text file for the engine's most expensive torch operations, for each row."""

    device: Device = "auto"
    """Where to compute. Targets are stated for a CPU with two cores."""

    def run(self) -> Operation[SpeedReport]:
        """Measure; the result prints as a table with targets.

        Raises:
            InputError: a number is out of range, `only` chooses nothing, or a card has no
                measured section.
            OutputError: the cache or a file cannot be written.
        """
        from stylesdf_core.evaluation.reports.report import check_card, update_card
        from stylesdf_core.files import check_destination

        check_range("--repeats", self.repeats, 1, 100)
        if self.threads is not None:
            check_range("--threads", self.threads, 1, 256)
        names = self.row_names()
        for start in self.only:
            if not any(name.startswith(start) for name in names):
                known = ", ".join(names)
                raise InputError(f"--only {start} matches no row; the rows are {known}.")
        for file in filter(None, (self.json, self.profile)):
            check_destination(file)
        for card in self.card:
            check_card(card, "bench")
        yield Progress(0, 1, "loading the models")
        report = yield from self._measure()
        self._keep(report)
        for card in self.card:
            update_card(card, "bench", report.markdown(), report.short_markdown())
        return report

    def row_names(self) -> tuple[str, ...]:
        """Names of all rows; `only` chooses among them."""
        from stylesdf_core.evaluation.bench.rows import ROWS
        from stylesdf_core.training.adversarial.speed import ROWS as TRAINING

        return (*(row.name for row in ROWS), *TRAINING)

    def _keep(self, report: SpeedReport) -> None:
        """Write the JSON file, if one is asked for."""
        from stylesdf_core.files import write_json

        if self.json is not None:
            write_json(self.json, report.to_json())

    def _measure(self) -> Operation[SpeedReport]:
        """Measure the engine's rows, and profile them if asked for."""
        import torch

        from stylesdf_core.evaluation.bench.rows import chosen_rows, profile_bench, run_bench
        from stylesdf_core.evaluation.bench.timing import BenchSettings
        from stylesdf_core.files import write_text
        from stylesdf_core.model.model import select_device
        from stylesdf_core.training.adversarial.speed import chosen_rows as training_rows
        from stylesdf_core.training.adversarial.speed import measure_training

        if self.profile is not None and not chosen_rows(self.only):
            raise InputError(
                "--profile needs rows of the engine, but --only chooses none; leave out one flag."
            )
        settings = BenchSettings(1, 0.0) if self.quick else BenchSettings(self.repeats)
        threads = torch.get_num_threads()
        torch.set_num_threads(self.threads or threads)
        try:
            report = yield from run_bench(self.only, settings, self.device, self._keep)
            # On a CPU they take minutes: only where they are asked for.
            takes_all = not self.only and select_device(self.device).type == "cpu"
            rows = () if takes_all else training_rows(self.only)
            for row in rows:
                figures = yield from measure_training((row,), self.device, quick=self.quick)
                report = replace(report, figures=report.figures + figures)
                self._keep(report)
            if self.profile is not None:
                text = yield from profile_bench(self.only, self.device)
                write_text(self.profile, text)
        finally:
            torch.set_num_threads(threads)
        return report
