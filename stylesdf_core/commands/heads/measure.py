"""The command ``measure``: compares a model's heads with the true heads of the same seeds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stylesdf_core.commands.scenes.options.rendering import Device
from stylesdf_core.errors import check_range
from stylesdf_core.progress import Operation, Progress, part

if TYPE_CHECKING:
    from stylesdf_core.evaluation.reports.comparison import ModelComparison
    from stylesdf_core.evaluation.reports.report import QualityReport

#: Most heads that are rendered from the front, orbited, and kept as pictures.
_FRONTAL, _ORBITS, _PICTURED = 40, 8, 8
#: Short rows of pictures that stand beside each other in a grid.
_BESIDE = 4


@dataclass(frozen=True, kw_only=True)
class Measure:
    """Compare a model of the synthetic heads with the truth, on heads that no data set holds."""

    facekit: Path
    """Face model of the true heads: a clone of ICT-FaceKit, or an .npz of it."""

    model: str = "heads"
    """A name of `models list`, a weights file, or a run folder."""

    against: str | None = None
    """Another model to measure as well, such as an earlier version; the result shows both models
    side by side."""

    count: int = 200
    """Heads whose pictures are compared, 1 to 10000; up to 40 of them are searched for eyes."""

    meshes: int = 40
    """Heads whose meshes are compared, 0 to 1000."""

    seed_start: int = 0
    """Seed of the first head. No data set holds the head of a plain seed."""

    out: Path | None = None
    """JSON file for all figures and the single scores behind them."""

    card: Path | None = None
    """Model card (Markdown) whose measured section is to be replaced."""

    grids: Path | None = None
    """Folder for pictures of the model beside the truth."""

    device: Device = "auto"
    """Where to compute."""

    def run(self) -> Operation[QualityReport | ModelComparison]:
        """Measure; the result prints as a table with targets or, for two models, side by side.

        Raises:
            InputError: a number is out of range, the model does not make synthetic heads, there is
                no face model, OpenCV is missing, or the card has no measured section.
            GraphicsError: no OpenGL context can be made for the truth.
        """
        check_range("--count", self.count, 1, 10_000)
        check_range("--meshes", self.meshes, 0, 1000)
        check_range("--seed-start", self.seed_start, 0)
        from stylesdf_core.evaluation.reports.report import check_card, update_card
        from stylesdf_core.files import check_destination, write_json

        if self.out is not None:
            check_destination(self.out)
        if self.card is not None:
            check_card(self.card, "measure")
        yield Progress(0, 1, "loading the model")
        from stylesdf_core.engine.engine import Engine
        from stylesdf_core.evaluation.reports.comparison import ModelComparison
        from stylesdf_core.evaluation.reports.grids import beside, write_grid
        from stylesdf_core.evaluation.reports.report import markdown_table
        from stylesdf_core.heads.measure.figures import summarise
        from stylesdf_core.heads.measure.measuring import HeadsMeasurement, HeadsProtocol
        from stylesdf_core.heads.measure.truth import HeadTruth
        from stylesdf_core.model.model import load_model

        models = [self.model] if self.against is None else [self.model, self.against]
        engines = [Engine(load_model(model), self.device, exact=True) for model in models]
        protocol = HeadsProtocol(
            seed_start=self.seed_start,
            views=self.count,
            frontal=min(_FRONTAL, self.count),
            orbits=min(_ORBITS, self.count),
            meshes=self.meshes,
            pictured=_PICTURED if self.grids is not None else 0,
        )
        truth = HeadTruth(self.facekit)
        try:
            measured = [HeadsMeasurement(engine, truth, protocol) for engine in engines]
            for index, measurement in enumerate(measured):
                yield from part(measurement.run(), index, index + 1, len(measured))
        finally:
            truth.close()
        reports = [summarise(measurement) for measurement in measured]
        result = reports[0] if self.against is None else ModelComparison(*reports)
        if self.out is not None:
            write_json(self.out, result.to_json())
        if self.grids is not None:
            for name, rows in measured[0].grids.items():
                columns = _BESIDE if len(rows[0]) <= _BESIDE else 1
                write_grid(self.grids / f"{name}.png", beside(rows, columns))
        if self.card is not None:
            text = reports[0].markdown()
            if isinstance(result, ModelComparison):  # its first section repeats the protocol
                text = "\n\n".join([text, *result.sections(markdown_table)[1:]])
            update_card(self.card, "measure", text)
        return result
