"""The command ``measure drag``: points of heads are dragged; do they arrive, and the rest stay?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stylesdf_core.errors import check_range
from stylesdf_core.progress import Operation, Progress

if TYPE_CHECKING:
    from stylesdf_core.evaluation.reports.report import QualityReport


@dataclass(frozen=True, kw_only=True)
class MeasureDrag:
    """Measure `drag`: nose tip, chin, mouth corner and brow of heads are moved by some millimetres.

    Needs no face model: the shipped model itself tells where a point lies on the neutral head.
    """

    model: str = "heads"
    """A name of `models list`, a weights file, or a run folder."""

    count: int = 40
    """Heads, 1 to 1000, with four drags each."""

    seed_start: int = 1
    """Seed of the first head."""

    distance: float = 5.0
    """Length of the drags, 0.1 to 50 mm; a head of the shipped model is as large as a real one."""

    out: Path | None = None
    """JSON file for all figures and the single scores behind them."""

    def run(self) -> Operation[QualityReport]:
        """Measure; the result prints as a table with targets.

        Raises:
            InputError: a number is out of range, there is no such model, or it shows no face.
        """
        check_range("--count", self.count, 1, 1000)
        check_range("--seed-start", self.seed_start, 0)
        check_range("--distance", self.distance, 0.1, 50.0, "millimetres")
        from stylesdf_core.errors import InputError
        from stylesdf_core.files import check_destination, write_json

        if self.out is not None:
            check_destination(self.out, (".json",))
        yield Progress(0, 1, "loading the model")
        from stylesdf_core.heads.measure.drags import DragMeasurement
        from stylesdf_core.model.model import load_model

        seeds = range(self.seed_start, self.seed_start + self.count)
        measurement = DragMeasurement(load_model(self.model), seeds, self.distance)
        for share in measurement.run():
            yield Progress(share, 1.0, "dragging points")
        if not measurement.scores:
            raise InputError(
                f"{self.model} shows no face at the places of nose, chin, mouth, brow."
            )
        report = measurement.report()
        if self.out is not None:
            write_json(self.out, report.to_json())
        return report
