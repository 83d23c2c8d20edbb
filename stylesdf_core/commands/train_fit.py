"""Training, from the command line or the window; a run folder owns all progress."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from stylesdf_core.commands.train_stage import absolute_init
from stylesdf_core.dataclass_json import to_json
from stylesdf_core.errors import InputError
from stylesdf_core.progress import Operation

if TYPE_CHECKING:
    from stylesdf_core.heads.fit.config import FitConfig
    from stylesdf_core.training.loop import TrainingResult
    from stylesdf_core.training.run_dir import RunDir

#: What may change when a fit is resumed: where it computes and what it finds, not what it does.
_ADJUSTABLE = (
    "threads", "device", "heads.facekit", "heads.surfaces", "heads.views", "heads.jobs",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TrainFit:
    """Fit a generator to the synthetic heads: field first, then sampled renders, then decoder.

    Killed, stopped (a file named `stop` in the folder) or finished: the same command resumes.
    """

    #: Processes to train with: a fit has one.
    gpus: ClassVar[int] = 1

    run_dir: Path
    """Folder of the run; made, or resumed when it has the same settings."""

    facekit: Path | None = None
    """Face model to prepare the heads from: a clone of ICT-FaceKit, or an .npz of it."""

    data: Path | None = None
    """Folder of prepared heads, filled up when --facekit is given; default RUN_DIR/heads."""

    heads: int = 12_000
    """Heads to prepare surfaces of, rounded up to hundreds."""

    views: int = 8_000
    """Heads to render a view of, rounded up to hundreds."""

    points_steps: int = 30_000
    """Steps of the first phase: coloured points of the meshes."""

    render_steps: int = 5_000
    """Steps of the second phase: volume renders."""

    decoder_steps: int = 4_000
    """Steps of the third phase: the decoder and the field's shading."""

    end_to_end_steps: int = 0
    """Steps of a fourth phase: mapping, field and decoder together, against the truth and a
    discriminator. For a GPU, with --batch-factor 8: small batches make it worse."""

    refine_steps: int = 10_000
    """Steps of the last phase: the decoder alone, at last against StyleGAN2's discriminator."""

    adversarial: float = 0.1
    """Weight of StyleGAN2's discriminator in the last phase; 0 for none."""

    batch_factor: int = 1
    """How many times more heads a step than a CPU can afford; 8 on a GPU."""

    width: int = 128
    """Channels of the field and of the feature map."""

    depth: int = 6
    """Layers of the field."""

    output_size: int = 256
    """Edge of the decoded image, pixels: 64 (no decoder), 128, 256, 512 or 1024."""

    samples: int = 48
    """Points per ray; the paper's 24, 14 mm of head apart, leave irises vague."""

    init: str | None = None
    """Weights, model name or run to continue from; the steps above then start from them."""

    seed: int = 0
    """Of initial weights and batches."""

    threads: int = 2
    """CPU threads."""

    jobs: int | None = None
    """Processes that prepare the heads; without it, one for each processor core."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; auto takes CUDA where there is any."""

    compiled: bool = False
    """Let torch.compile speed up the field; needs a C++ compiler."""

    checkpoint_every: int = 2_000
    """Steps between checkpoints and between looks at held-out heads."""

    def run(self) -> Operation[TrainingResult]:
        """Prepare what is missing, then train; yields heads, views and steps done.

        Raises:
            InputError: a setting is out of range, the folder belongs to another run, or there
                are no heads and no --facekit to make them from.
            GraphicsError: heads cannot be rendered on this machine.
            StyleSDFError: a process that renders heads died.
            TrainingError: the folder is in use, or training diverged.
        """
        from stylesdf_core.heads.fit.stage import run_fit

        return (yield from run_fit(self.prepare()))

    def prepare(self) -> RunDir:
        """Make the run's folder, or check that it holds the same run; nothing is done in it yet.

        Raises:
            InputError: a setting is wrong, or the folder belongs to another run.
            TrainingError: the run is being trained and this would change its settings.
        """
        from stylesdf_core.training.run_dir import RunDir

        config = self.checked()
        run = RunDir(self.run_dir)
        data = json.loads(json.dumps(to_json(config)))
        run.write_config(data, _ADJUSTABLE, until_saved=True, kind=type(config))
        return run

    def checked(self) -> FitConfig:
        """:meth:`config`, once there is something to learn from.

        Raises:
            InputError: a setting is wrong.
        """
        if self.facekit is not None and not self.facekit.exists():
            raise InputError(
                f"There is no face model {self.facekit}; give a clone of ICT-FaceKit or its .npz."
            )
        config = self.config()
        if self.facekit is None and not self.folder.is_dir():
            raise InputError(f"{self.folder} holds no heads; give --facekit to prepare them.")
        return config

    def config(self) -> FitConfig:
        """The settings of the run, as its config.json will hold them."""
        from stylesdf_core.heads.fit.config import FitConfig, HeadsConfig

        default = FitConfig()
        facekit = None if self.facekit is None else str(self.facekit.absolute())
        return FitConfig(
            data=str(self.folder.absolute()),
            heads=HeadsConfig(facekit, self.heads, self.views, self.jobs),
            generator=replace(
                default.generator,
                width=self.width,
                depth=self.depth,
                output_size=self.output_size,
                samples=self.samples,
            ),
            init=absolute_init(self.init),
            batch_factor=self.batch_factor,
            points=replace(default.points, steps=self.points_steps),
            render=replace(default.render, steps=self.render_steps),
            decoder=replace(default.decoder, steps=self.decoder_steps),
            end_to_end=replace(default.end_to_end, steps=self.end_to_end_steps),
            refine=replace(default.refine, steps=self.refine_steps, adversarial=self.adversarial),
            compiled=self.compiled,
            seed=self.seed,
            threads=self.threads,
            device=self.device,
            checkpoint_every=self.checkpoint_every,
            evaluate_every=self.checkpoint_every,
        )

    def settings(self) -> dict[str, Any]:
        """All fields by name, with what an empty one stands for."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {**values, "data": self.folder, "jobs": self.jobs or os.cpu_count() or 1}

    @property
    def folder(self) -> Path:
        """Where the prepared heads lie."""
        return self.data or self.run_dir / "heads"
