"""Training, from the command line or the window; a run folder owns all progress."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from stylesdf_core.config import to_json
from stylesdf_core.errors import InputError
from stylesdf_core.progress import Operation

if TYPE_CHECKING:
    from stylesdf_core.training.fit_config import FitConfig
    from stylesdf_core.training.loop import TrainingResult
    from stylesdf_core.training.run_summary import RunSummary

#: What may change when a fit is resumed: where it computes, not what.
_ADJUSTABLE = ("threads", "device")


@dataclass(frozen=True, kw_only=True)
class TrainFit:
    """Fit a generator to the synthetic heads: field first, then sampled renders, then decoder.

    Killed, stopped (a file named `stop` in the folder) or finished: the same command resumes.
    """

    run_dir: Path
    """Folder of the run; made, or resumed when it has the same settings."""

    facekit: Path | None = None
    """Face model to prepare the heads from: a clone of ICT-FaceKit, or an .npz of it."""

    data: Path | None = None
    """Folder of prepared heads, filled up when --facekit is given; default RUN_DIR/heads."""

    heads: int = 8000
    """Heads to prepare surfaces of, rounded up to hundreds."""

    views: int = 4000
    """Heads to render a view of, rounded up to hundreds."""

    points_steps: int = 40_000
    """Steps of the first phase: coloured points of the meshes."""

    render_steps: int = 5_000
    """Steps of the second phase: volume renders."""

    decoder_steps: int = 4_000
    """Steps of the third phase: the decoder and the field's shading."""

    refine_steps: int = 10_000
    """Steps of the last phase: the decoder alone, at last against StyleGAN2's discriminator."""

    adversarial: float = 0.02
    """Weight of that discriminator's verdict; 0 for none."""

    width: int = 128
    """Channels of the field and of the feature map."""

    depth: int = 6
    """Layers of the field."""

    output_size: int = 256
    """Edge of the decoded image, pixels: 64 (no decoder), 128, 256, 512 or 1024."""

    init: Path | None = None
    """Weights to continue from; the steps above then start from them."""

    seed: int = 0
    """Of initial weights and batches."""

    threads: int = 2
    """CPU threads."""

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
            TrainingError: the folder is in use, or training diverged.
        """
        from stylesdf_core.training.fit import run_fit
        from stylesdf_core.training.run_dir import RunDir

        config = self._config()
        run = RunDir(self.run_dir)
        run.write_config(to_json(config), _ADJUSTABLE, kind=type(config))
        if self.facekit is not None:
            yield from self._prepare(Path(config.data), self.facekit)
        elif not Path(config.data).is_dir():
            raise InputError(f"{config.data} holds no heads; give --facekit to prepare them.")
        return (yield from run_fit(run))

    def _config(self) -> FitConfig:
        from stylesdf_core.training.fit_config import (
            DecoderConfig,
            FitConfig,
            PointsConfig,
            RefineConfig,
            RenderConfig,
        )

        for name in ("heads", "views"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name} must be at least 1, not {getattr(self, name)}.")
        return FitConfig(
            data=str((self.data or self.run_dir / "heads").absolute()),
            width=self.width,
            depth=self.depth,
            output_size=self.output_size,
            init=None if self.init is None else str(self.init.absolute()),
            points=PointsConfig(steps=self.points_steps),
            render=RenderConfig(steps=self.render_steps),
            decoder=DecoderConfig(steps=self.decoder_steps),
            refine=RefineConfig(steps=self.refine_steps, adversarial=self.adversarial),
            compiled=self.compiled,
            seed=self.seed,
            threads=self.threads,
            device=self.device,
            checkpoint_every=self.checkpoint_every,
            evaluate_every=self.checkpoint_every,
        )

    def _prepare(self, folder: Path, facekit: Path) -> Operation[None]:
        from stylesdf_core.heads.supervision import build_cache
        from stylesdf_core.training.view_cache import build_views

        yield from build_cache(facekit, folder / "surface", count=self.heads, seed=self.seed)
        yield from build_views(
            facekit, folder / "views", count=self.views, seed=self.seed, size=self.output_size
        )


@dataclass(frozen=True)
class RunTable:
    """What runs there are; as text, one a line."""

    rows: tuple[RunSummary, ...]

    def __str__(self) -> str:
        return "\n".join(map(str, self.rows)) or "no runs here"


@dataclass(frozen=True, kw_only=True)
class TrainList:
    """List the training runs in a folder."""

    folder: Path = Path("runs")
    """Folder whose subfolders are runs."""

    def run(self) -> Operation[RunTable]:
        """Look into every run folder.

        Raises:
            InputError: there is no such folder, or a run's config cannot be read.
        """
        from stylesdf_core.training.run_dir import RunDir
        from stylesdf_core.training.run_summary import summary

        yield from ()
        if not self.folder.is_dir():
            raise InputError(f"There is no folder {self.folder}; give --folder.")
        configs = sorted(self.folder.glob("*/config.json"))
        return RunTable(tuple(summary(RunDir(config.parent)) for config in configs))
