"""The command ``measure invert``: fits to pictures of unseen heads, compared with the heads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stylesdf_core.commands.scenes.options.rendering import Device
from stylesdf_core.errors import check_range
from stylesdf_core.progress import Operation, Progress

if TYPE_CHECKING:
    from stylesdf_core.evaluation.reports.report import QualityReport


@dataclass(frozen=True, kw_only=True)
class MeasureInvert:
    """Measure `invert` on pictures of unseen heads: pose, pictures, novel views, depth, time."""

    facekit: Path | None = None
    """Face model of the true heads: a clone of ICT-FaceKit, or an .npz of it. Without it the
    pictures are the model's own, of seeds: heads that it can make."""

    model: str = "heads"
    """A name of `models list`, a weights file, or a run folder."""

    count: int = 40
    """Heads to fit, 1 to 1000."""

    seed_start: int = 1
    """Seed of the first head."""

    seconds: float | None = None
    """Limit of time for each fit, 1 to 3600. Default: no limit."""

    out: Path | None = None
    """JSON file for all figures and the single scores behind them."""

    grid: Path | None = None
    """PNG with a row for each head: true and fitted, as given and turned to both sides."""

    device: Device = "auto"
    """Where to compute."""

    def run(self) -> Operation[QualityReport]:
        """Measure; the result prints as a table with targets.

        Raises:
            InputError: a number is out of range, or there is no such face model or model.
            GraphicsError: no OpenGL context can be made for the true heads.
        """
        check_range("--count", self.count, 1, 1000)
        check_range("--seed-start", self.seed_start, 0)
        if self.seconds is not None:
            check_range("--seconds", self.seconds, 1, 3600)
        from stylesdf_core.files import check_destination, write_json

        if self.out is not None:
            check_destination(self.out, (".json",))
        if self.grid is not None:
            check_destination(self.grid, (".png",))
        yield Progress(0, 1, "loading the model")
        from stylesdf_core.engine.engine import Engine
        from stylesdf_core.evaluation.reports.grids import write_grid
        from stylesdf_core.heads.measure.inversions import (
            InversionMeasurement,
            OwnHeads,
            TrueHeads,
        )
        from stylesdf_core.heads.measure.truth import HeadTruth
        from stylesdf_core.model.model import load_model

        engine = Engine(load_model(self.model), self.device, exact=True)
        truth = HeadTruth(self.facekit) if self.facekit is not None else None
        heads = OwnHeads(engine) if truth is None else TrueHeads(truth)
        seeds = range(self.seed_start, self.seed_start + self.count)
        measurement = InversionMeasurement(engine, heads, seeds, self.seconds)
        try:
            for share in measurement.run():
                yield Progress(share, 1.0, "fitting heads")
        finally:
            if truth is not None:
                truth.close()
        report = measurement.report()
        if self.out is not None:
            write_json(self.out, report.to_json())
        if self.grid is not None:
            write_grid(self.grid, measurement.rows)
        return report
