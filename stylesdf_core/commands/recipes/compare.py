"""The paper's comparison, repeated on one's own images: a signed distance against a density.

Both fields have the same network, images, discriminator and number of images. The density field
without the SDF's losses stands for π-GAN; with a decoder on top, for StyleNeRF (StyleSDF, table 1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from stylesdf_core.commands.evaluation.evaluate import Evaluate
from stylesdf_core.commands.recipes.steps import Request, run_steps
from stylesdf_core.commands.train.stages import TrainDecoder, TrainRenderer, default_config
from stylesdf_core.errors import check_range
from stylesdf_core.progress import Operation, Progress, part
from stylesdf_core.training.adversarial.config.stages import PresetName
from stylesdf_core.training.runs.run_dir import RunDir
from stylesdf_core.training.settings import with_values

if TYPE_CHECKING:
    from stylesdf_core.evaluation.reports.side_by_side import SideBySide

#: The models that are compared, by the names of their runs, and their headings.
HEADINGS = {
    "sdf": "signed distance",
    "density": "density (as π-GAN)",
    "sdf-decoder": "signed distance, decoder",
    "density-decoder": "density, decoder (as StyleNeRF)",
}
#: Name of the command in a card's markers.
COMMAND = "recipe compare"
_METRICS = "frechet,depth-consistency,flicker"
#: Share of the progress in which the runs are trained and measured; then the table is made.
_RUNS = 0.95


@dataclass(frozen=True)
class Comparison:
    """Paths of a comparison's results; as text, the table and the picture's path."""

    table: str
    picture: Path | None

    def __str__(self) -> str:
        return self.table if self.picture is None else f"{self.table}\n\n{self.picture}"


@dataclass(frozen=True, kw_only=True)
class RecipeCompare:
    """Train a signed distance and a density on the same images, and compare them.

    Set distance, turning, surfaces and speed go into one table (comparison.md, comparison.json);
    with true depth maps, the surfaces' and normals' distance from true heads, too.
    comparison.png shows one face of each model from five sides: image, normals, mesh, depth error.
    After a kill, a failure or a stop, run the same command again to go on.
    """

    data: Path
    """Folder of images, data set of synthetic heads, or lmdb. Whether heads turn with the camera is
    measured only with synthetic heads."""

    shapes: Path | None = None
    """Data set of `heads --depth --azimuth-std 0 --elevation-std 0`, with whose surfaces the
    models' are compared. Default: the images' data set, if it has such depth maps."""

    out: Path
    """Folder of the comparison; new, empty, or the folder of an interrupted comparison."""

    preset: PresetName = "tiny"
    """Sizes and rates of all runs."""

    steps: int | None = None
    """Steps of the renderers, the same for both fields. Default: the preset's."""

    decoder_steps: int = 0
    """Steps of a decoder on each field, 0 for no decoders."""

    count: int = 2000
    """Generated pictures of each model that are compared with true pictures, 16 to 100000."""

    identities: int = 100
    """Heads whose depths are compared between views and whose surfaces with true ones, 1 to 100000;
    the paper uses 1000."""

    seed: int = 0
    """Seed of all runs."""

    threads: int = 0
    """CPU threads of the training; 0 for torch's choice."""

    card: Path | None = None
    """Markdown file with the markers of this command, between which the table is to be written."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to train and to measure."""

    def run(self) -> Operation[Comparison]:
        """Run the steps that are not finished, then write table and picture.

        Raises:
            InputError: a value is out of range, the folder holds another recipe, or the data set of
                shapes has too few depth maps from the front.
            TrainingError: see ``train renderer`` and ``train decoder``.
        """
        check_range("--decoder-steps", self.decoder_steps, 0)
        check_range("--count", self.count, 16, 100_000)
        check_range("--identities", self.identities, 1, 100_000)
        yield Progress(0, 1, "looking at the machine")
        from stylesdf_core.evaluation.bench.machine import describe_machine
        from stylesdf_core.evaluation.measures.true_depths import enough_depths
        from stylesdf_core.evaluation.reports.report import check_card, update_card
        from stylesdf_core.files import write_json, write_text
        from stylesdf_core.model.model import select_device

        if self.card is not None:
            check_card(self.card, COMMAND)
        if self.shapes is not None:
            enough_depths(self.shapes)
        machine = str(replace(describe_machine(select_device(self.device)), load=0.0))
        records = yield from part(run_steps(self.out, self.requests(), machine), 0.0, _RUNS)
        if not all(record.finished for record in records):
            return Comparison(f"stopped; run the same command again to go on in {self.out}", None)
        trained_on = dict.fromkeys(record.machine for record in records[: len(self._names)])
        result = yield from part(self._table(", ".join(trained_on)), _RUNS, 1.0)
        write_json(self.out / "comparison.json", result.to_json())
        write_text(self.out / "comparison.md", result.markdown() + "\n")
        if self.card is not None:
            update_card(self.card, COMMAND, result.markdown())
        return Comparison(str(result), self.out / "comparison.png")

    def requests(self) -> dict[str, Request]:
        """The requests by their names, in order: training, then evaluation of every model."""
        names, shapes = self._names, self._true_shapes
        requests: dict[str, Request] = {name: self._training(name) for name in names}
        requests |= {f"evaluate {name}": self._evaluation(name) for name in names}
        if shapes is not None:
            requests |= {f"shapes of {name}": self._comparison(name, shapes) for name in names}
        return requests

    @property
    def _names(self) -> list[str]:
        """The models, those under a decoder last."""
        return [name for name in HEADINGS if self.decoder_steps or "decoder" not in name]

    @property
    def _true_shapes(self) -> Path | None:
        """The data set with whose surfaces the models' are compared; None without one."""
        from stylesdf_core.evaluation.measures.true_depths import has_depths

        return self.shapes or (self.data if has_depths(self.data) else None)

    def _training(self, name: str) -> TrainRenderer | TrainDecoder:
        """The run of one model."""
        field, _, decoder = name.partition("-")
        common = {"data": str(self.data.absolute())}
        changes: dict[str, Any] = {
            "run.seed": self.seed, "run.device": self.device, "run.threads": self.threads,
        }  # fmt: skip
        if decoder:
            common["init"] = str(self.out / field)
            config = default_config(TrainDecoder, self.preset, **common)
            config = with_values(config, {**changes, "steps": self.decoder_steps})
            return TrainDecoder(run_dir=self.out / name, config=config)
        if self.steps is not None:
            changes["steps"] = self.steps
        config = default_config(TrainRenderer, self.preset, **common)
        config = with_values(config, {**changes, "generator.field": field})
        return TrainRenderer(run_dir=self.out / name, config=config)

    def _evaluation(self, name: str) -> Evaluate:
        """The evaluation of one model; its JSON file has the model's name."""
        return Evaluate(
            model=str(self.out / name), data=self.data, metrics=_METRICS, count=self.count,
            identities=self.identities,
            json=self.out / f"{name}.json", device=self.device,
        )  # fmt: skip

    def _comparison(self, name: str, shapes: Path) -> Evaluate:
        """The comparison of one model's surfaces with true ones, apart from its evaluation.

        A finished comparison of pictures can thus be given true surfaces later.
        """
        return Evaluate(
            model=str(self.out / name), data=shapes, metrics="shapes", identities=self.identities,
            json=self.out / f"{name}-shapes.json", device=self.device,
        )  # fmt: skip

    def _table(self, machine: str) -> Operation[SideBySide]:
        """The table of all models, trained on a machine; draws their faces on the way."""
        from stylesdf_core.engine.engine import Engine
        from stylesdf_core.evaluation.reports import side_by_side
        from stylesdf_core.evaluation.reports.gallery import gallery
        from stylesdf_core.evaluation.reports.grids import write_grid
        from stylesdf_core.foreign import read_json
        from stylesdf_core.model.model import load_model

        names, columns, shapes = self._names, [], self._true_shapes
        rows: list[Any] = []
        for index, name in enumerate(names):
            engine = Engine(load_model(str(self.out / name)), self.device, exact=True)
            measuring = side_by_side.surface_figures(engine, range(4))
            surfaces = yield from part(measuring, index, index + 0.5, len(names), f"{name}: ")
            files = [f"{name}.json"] + [f"{name}-shapes.json"] * (shapes is not None)
            reports = [read_json(self.out / file) for file in files]
            evaluated = [f for report in reports for f in side_by_side.read_figures(report)]
            trained = side_by_side.training_figures(RunDir(self.out / name).read_stats())
            columns.append((HEADINGS[name], [*trained, *evaluated, *surfaces]))
            drawn = yield from part(
                gallery(engine, [self.seed]), index + 0.5, index + 1, len(names)
            )
            rows += [row for grid in drawn.values() for row in grid]
        write_grid(self.out / "comparison.png", rows)
        protocol = (
            f"{self.data.name}: the same network, images and discriminator, preset {self.preset}, "
            f"seed {self.seed}. Machine: {machine}."
        )
        if shapes is not None:
            protocol += f" {reports[-1]['protocol']}"
        return side_by_side.SideBySide(protocol, tuple(columns))
