"""Makes a model from the face model in one command.

Runs the data, training, export and measuring commands in order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from stylesdf_core.commands.evaluation.evaluate import Evaluate
from stylesdf_core.commands.heads.make import MakeHeads
from stylesdf_core.commands.heads.measure import Measure
from stylesdf_core.commands.recipes.steps import Record, Request, run_steps
from stylesdf_core.commands.train.fit import TrainFit
from stylesdf_core.commands.train.stages import TrainJoint
from stylesdf_core.errors import check_range
from stylesdf_core.heads.fit.config import EndToEndConfig, FitConfig, HeadsConfig
from stylesdf_core.progress import Operation, Progress, duration
from stylesdf_core.resources import shipped
from stylesdf_core.training.adversarial.config.presets import preset
from stylesdf_core.training.adversarial.config.stages import JointConfig
from stylesdf_core.training.run_config import RunConfig
from stylesdf_core.training.settings import with_values

#: Settings of each step, by dotted path, that differ from the commands' own defaults.
Changes = Mapping[str, Mapping[str, Any]]
#: Settings of ``--quick``: a small model in little time, whose heads are blurred.
QUICK: Changes = {
    "pictures": {"count": 600, "size": 128},
    "fit": {
        "config.heads.surfaces": 200,
        "config.heads.views": 200,
        "config.points.steps": 800,
        "config.render.steps": 150,
        "config.decoder.steps": 100,
        "config.refine.steps": 100,
        "config.generator.width": 64,
        "config.generator.depth": 4,
        "config.generator.output_size": 128,
        "config.checkpoint_every": 200,
        "config.evaluate_every": 200,
    },
    "evaluation": {"count": 250},
    "measurement": {"count": 12, "meshes": 2},
}
#: Nested settings that the card lists; it lists all numbers that are not nested.
_IN_CARD = (".steps", "heads.surfaces", "heads.views", "generator.width", "generator.depth")
#: Name of the command in the card's markers of the table of steps.
COMMAND = "recipe heads"


@dataclass(frozen=True)
class RecipeResult:
    """Paths of a recipe's model and card; as text, both paths."""

    weights: Path
    card: Path
    finished: bool

    def __str__(self) -> str:
        if not self.finished:
            return f"stopped; run the same command again to go on in {self.weights.parent}"
        return f"{self.weights}\n{self.card}"


@dataclass(frozen=True, kw_only=True)
class RecipeHeads:
    """Make a model of synthetic heads: data, supervised fit, weights, card, figures.

    Every step has its own folder in --out; recipe.json lists the steps' settings, durations and
    machines. After a kill, a failure or a stop, run the same command again to go on.
    """

    facekit: Path
    """A clone of github.com/ICT-VGL/ICT-FaceKit, or the .npz written from one."""

    out: Path
    """Folder of the recipe; new, empty, or the folder of an interrupted recipe."""

    quick: bool = False
    """Make a small model from few heads, to try all steps of the recipe."""

    end_to_end_steps: int = 0
    """Steps of the fit's phase in which mapping, field and decoder learn together, 0 for none; for
    a GPU, with --batch-factor 8."""

    joint_steps: int = 0
    """Steps of end-to-end fine-tuning under both discriminators after the fit (`train joint`):
    hours on a GPU, days on a CPU; 0 for none."""

    seed: int = 0
    """Seed of the fit's heads, weights and batches, 0 or more; the data set takes the next seed."""

    batch_factor: int = 1
    """Factor of the fit's heads per step: 1 on a CPU, 8 on a GPU."""

    jobs: int | None = None
    """Processes that render heads; without it, one for each processor core."""

    threads: int = 2
    """CPU threads of the fit."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to train and to measure; the supervised fit takes the CPU instead of MPS."""

    def run(self, changes: Changes | None = None) -> Operation[RecipeResult]:
        """Run the steps that are not finished; yields Progress in steps.

        Args:
            changes: see :meth:`steps`.

        Raises:
            InputError: a value is out of range, the folder holds another recipe, or OpenCV, which
                the last step needs, is missing.
            GraphicsError: heads cannot be rendered on this machine.
            TrainingError: see ``train fit`` and ``train joint``.
        """
        for flag in ("end_to_end_steps", "joint_steps", "seed"):
            check_range(f"--{flag.replace('_', '-')}", getattr(self, flag), 0)
        steps = self.steps(changes)
        yield Progress(0, 1, "looking at the machine")
        from stylesdf_core.evaluation.bench.machine import describe_machine
        from stylesdf_core.evaluation.reports.report import update_card
        from stylesdf_core.heads.measure.eyes import EyeDetector
        from stylesdf_core.model.model import select_device

        EyeDetector()  # fails now, not hours later, if OpenCV is missing
        # The load at the start says nothing about the hours that follow, so it is left out.
        machine = str(replace(describe_machine(select_device(self.device)), load=0.0))
        records = yield from run_steps(self.out, steps, machine)
        result = RecipeResult(
            self.out / "model.safetensors", self.out / "card.md", records[-1].finished
        )
        if result.finished:
            update_card(result.card, COMMAND, steps_table(records))
        return result

    def steps(self, changes: Changes | None = None) -> dict[str, Request]:
        """The requests by their names, in order.

        Args:
            changes: settings that differ from the defaults; without them ``quick`` decides.
        """
        out, device, pictures = self.out, self.device, self.out / "pictures"
        weights, card = out / "model.safetensors", out / "card.md"
        fit = FitConfig(
            data=str(out / "supervision"),
            heads=HeadsConfig(facekit=str(self.facekit), jobs=self.jobs),
            batch_factor=self.batch_factor,
            end_to_end=EndToEndConfig(steps=self.end_to_end_steps),
            seed=self.seed,
            threads=self.threads,
            device="cpu" if device == "mps" else device,
        )
        steps: dict[str, Request] = {
            "pictures": MakeHeads(
                facekit=self.facekit, out=pictures, count=6000, seed=self.seed + 1, jobs=self.jobs
            ),
            "fit": TrainFit(run_dir=out / "fit", config=fit),
        }
        if self.joint_steps:
            joint = preset(
                JointConfig,
                "heads",
                data=str(pictures),
                init=str(out / "fit"),
                steps=self.joint_steps,
                run=RunConfig(seed=self.seed, device=device),
            )
            steps["joint"] = TrainJoint(run_dir=out / "joint", config=joint)
        steps["model"] = WriteHeadsModel(run_dir=out / list(steps)[-1], weights=weights, card=card)
        steps["evaluation"] = Evaluate(
            model=str(weights), data=pictures, json=out / "evaluation.json", card=card,
            device=device,
        )  # fmt: skip
        steps["measurement"] = Measure(
            facekit=self.facekit, model=str(weights), seed_start=1, out=out / "quality.json",
            card=card, grids=out / "grids", device=device,
        )  # fmt: skip
        if changes is None:
            changes = QUICK if self.quick else {}
        return {name: with_values(step, changes.get(name, {})) for name, step in steps.items()}


@dataclass(frozen=True, kw_only=True)
class WriteHeadsModel:
    """Write a run's averaged generator as a model, and a card into which figures are written."""

    run_dir: Path
    """Folder of the run."""

    weights: Path
    """Model file, .safetensors in 16 bits."""

    card: Path
    """Model card (Markdown); replaced."""

    def run(self) -> Operation[Path]:
        """Read, convert, write; the result is the weights file.

        Raises:
            ModelNotFoundError: the run has no weights yet.
            CheckpointError: the weights cannot be read.
            OutputError: a file cannot be written.
        """
        import torch

        from stylesdf_core.evaluation.reports.report import card_marks
        from stylesdf_core.files import write_text
        from stylesdf_core.heads.fit.stage import METADATA
        from stylesdf_core.model import model_zoo
        from stylesdf_core.model.checkpoints.checkpoints import load_checkpoint, save_safetensors

        yield Progress(0, 1, "writing the weights")
        loaded = load_checkpoint(model_zoo.resolve(self.run_dir).path)
        metadata = {**loaded.metadata, **METADATA}
        save_safetensors(
            loaded.generator, self.weights, dtype=torch.float16, metadata=metadata, means=True
        )
        text = (
            shipped("assets/cards/heads.md")
            .read_text(encoding="utf-8")
            .format(
                config=loaded.generator.config,
                file=self.weights.name,
                steps="\n".join(card_marks(COMMAND)),
                measured="\n".join(card_marks("measure")),
                evaluated="\n".join(card_marks("evaluate")),
            )
        )
        write_text(self.card, text)
        return self.weights


def steps_table(records: Sequence[Record]) -> str:
    """The card's table of steps: command, settings and duration, below the machines."""
    from stylesdf_core.evaluation.reports.report import markdown_table

    begun = [record for record in records if record.machine]
    machines = "; ".join(dict.fromkeys(record.machine for record in begun))
    rows = [("step", "command", "settings", "time")]
    for record in begun:
        numbers = ", ".join(
            f"{path.removeprefix('config.')} {value}"
            for path, value in record.settings.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
            and ("." not in path or path.endswith(_IN_CARD))
        )  # fmt: skip
        rows.append((record.name, record.command, numbers, duration(record.seconds)))
    table = markdown_table(rows)
    return f"Machine: {machines}.\n\n{table}\n\nAll settings are in `recipe.json`."
