"""From the face model to shipped weights in one command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from stylesdf_core.commands.evaluate import Evaluate
from stylesdf_core.commands.heads import MakeHeads
from stylesdf_core.commands.measure import Measure
from stylesdf_core.commands.recipe_model import COMMAND, WriteHeadsModel, steps_table
from stylesdf_core.commands.recipe_steps import Ledger, Step, run_steps
from stylesdf_core.commands.train_fit import TrainFit
from stylesdf_core.commands.train_stages import TrainJoint
from stylesdf_core.errors import InputError
from stylesdf_core.heads.fit.config import EndToEndConfig, FitConfig, HeadsConfig
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.training.adversarial.config import JointConfig
from stylesdf_core.training.adversarial.presets import preset
from stylesdf_core.training.run_config import RunConfig
from stylesdf_core.training.settings import with_values


@dataclass(frozen=True)
class HeadsScale:
    """How much of everything; the defaults make a model like the shipped one.

    Attributes:
        pictures: of the data set that the model is evaluated against, and fine-tuned with.
        fit: settings of the fit, by dotted path, that differ from its defaults.
        generated: pictures that are evaluated.
        measured, meshes: unseen heads that are compared with the truth.
    """

    pictures: int = 6000
    fit: Mapping[str, int] = field(default_factory=dict)
    generated: int = 2000
    measured: int = 200
    meshes: int = 40


FULL = HeadsScale()
#: Something to look at soon: heads, softly.
QUICK = HeadsScale(
    pictures=600,
    fit={
        "heads.surfaces": 200,
        "heads.views": 200,
        "points.steps": 800,
        "render.steps": 150,
        "decoder.steps": 100,
        "refine.steps": 100,
        "generator.width": 64,
        "generator.depth": 4,
        "generator.output_size": 128,
        "checkpoint_every": 200,
        "evaluate_every": 200,
    },
    generated=250,
    measured=12,
    meshes=2,
)


@dataclass(frozen=True)
class RecipeResult:
    """What a recipe has come to; as text, where everything lies."""

    weights: Path
    card: Path
    finished: bool

    def __str__(self) -> str:
        if not self.finished:
            return f"stopped; the same command goes on: {self.weights.parent}"
        return f"{self.weights}\n{self.card}"


@dataclass(frozen=True, kw_only=True)
class RecipeHeads:
    """Make a model of synthetic heads: data, supervised fit, weights, card, figures.

    Every step has a folder of its own in --out; recipe.json there says what was run, for how long
    and on what machine. Killed, failed or stopped: the same command goes on where it was.
    """

    name: Annotated[Literal["heads"], tyro.conf.Positional] = "heads"
    """Which recipe."""

    facekit: Path
    """A clone of github.com/ICT-VGL/ICT-FaceKit, or the .npz written from one."""

    out: Path
    """Folder of the recipe; new, empty, or one to go on with."""

    quick: bool = False
    """A small model from few heads, to see the whole road."""

    end_to_end_steps: int = 0
    """Steps of the fit in which everything learns together: minutes on a GPU, with
    --batch-factor 8; 0 for none."""

    joint_steps: int = 0
    """Steps of end-to-end fine-tuning under both discriminators after the fit (`train joint`):
    hours on a GPU, days without one; 0 for none."""

    seed: int = 0
    """Of the fit's heads, weights and batches, 0 or more; the data set has the next one."""

    batch_factor: int = 1
    """How many times more heads a step of the fit than a CPU can afford; 8 on a GPU."""

    jobs: int | None = None
    """Processes that render heads; without it, one for each processor core."""

    threads: int = 2
    """CPU threads of the fit."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to train and to measure; the supervised fit takes the CPU instead of MPS."""

    def run(self) -> Operation[RecipeResult]:
        """Run what is not done yet; yields Progress in steps.

        Raises:
            InputError: a value is out of range, the folder holds another recipe, or OpenCV, which
                looks for eyes in the end, is missing.
            GraphicsError: heads cannot be rendered on this machine.
            TrainingError: see ``train fit`` and ``train joint``.
        """
        for flag in ("end_to_end_steps", "joint_steps"):
            steps = getattr(self, flag)
            if steps < 0:
                name = flag.replace("_", "-")
                raise InputError(f"--{name} must not be negative, but is {steps}.")
        if self.seed < 0:
            raise InputError(f"--seed must not be negative, but is {self.seed}.")
        if self.batch_factor < 1:
            raise InputError(f"--batch-factor must be at least 1, not {self.batch_factor}.")
        yield Progress(0, 1, "looking at the machine")
        from stylesdf_core.heads.measure.eyes import EyeDetector

        EyeDetector()  # hours later would be too late to hear that it is missing
        return (yield from run_recipe(self.out, self.steps(), self.device))

    def steps(self, scale: HeadsScale | None = None) -> tuple[Step, ...]:
        """The requests in their order, as data.

        Args:
            scale: how much of everything; without it ``quick`` decides.
        """
        scale = scale or (QUICK if self.quick else FULL)
        out, pictures = self.out, self.out / "pictures"
        weights, card = out / "model.safetensors", out / "card.md"
        fit = FitConfig(
            data=str(out / "supervision"),
            heads=HeadsConfig(facekit=str(self.facekit), jobs=self.jobs),
            end_to_end=EndToEndConfig(steps=self.end_to_end_steps),
            batch_factor=self.batch_factor,
            seed=self.seed,
            threads=self.threads,
            device="cpu" if self.device == "mps" else self.device,
        )
        fit = with_values(fit, scale.fit)
        steps = [
            Step(
                "pictures",
                MakeHeads(
                    facekit=self.facekit,
                    out=pictures,
                    count=scale.pictures,
                    size=fit.generator.output_size,
                    seed=self.seed + 1,
                    jobs=self.jobs,
                ),
            ),
            Step(
                "fit",
                TrainFit(run_dir=out / "fit", config=fit),
            ),
        ]
        if self.joint_steps:
            config = preset(
                JointConfig,
                "heads",
                data=str(pictures),
                init=str(out / "fit"),
                steps=self.joint_steps,
                run=RunConfig(seed=self.seed, device=self.device),
            )
            joint = TrainJoint(run_dir=out / "joint", config=config)
            steps.append(Step("joint", joint))
        trained = out / steps[-1].name
        return (
            *steps,
            Step("model", WriteHeadsModel(model=trained, weights=weights, card=card)),
            Step(
                "evaluation",
                Evaluate(
                    model=str(weights),
                    data=pictures,
                    count=scale.generated,
                    json=out / "evaluation.json",
                    card=card,
                    device=self.device,
                ),
            ),
            Step(
                "measurement",
                Measure(
                    facekit=self.facekit,
                    model=str(weights),
                    count=scale.measured,
                    meshes=scale.meshes,
                    seed_start=1,
                    out=out / "quality.json",
                    card=card,
                    grids=out / "grids",
                    device=self.device,
                ),
            ),
        )


def run_recipe(out: Path, steps: tuple[Step, ...], device: str = "auto") -> Operation[RecipeResult]:
    """Run a recipe's steps in its folder and tell the card what they took.

    Raises:
        InputError: see :class:`~stylesdf_core.commands.recipe_steps.Ledger`; and every step's.
    """
    from stylesdf_core.evaluation.bench.machine import describe_machine
    from stylesdf_core.evaluation.report import update_card
    from stylesdf_core.model.model import select_device

    ledger = Ledger(out, steps)
    # Whether it was busy says much about milliseconds and little about hours.
    machine = str(replace(describe_machine(select_device(device)), load=0.0))
    finished = yield from run_steps(ledger, steps, machine)
    card = out / "card.md"
    if finished:
        update_card(card, COMMAND, steps_table(ledger.records))
    return RecipeResult(out / "model.safetensors", card, finished)
