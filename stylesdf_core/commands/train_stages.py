"""Adversarial training from images: sphere-init, renderer, decoder, joint."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from stylesdf_core.config import to_json
from stylesdf_core.errors import InputError, TrainingError
from stylesdf_core.progress import Operation, Progress

if TYPE_CHECKING:
    from stylesdf_core.training.loop import TrainingResult
    from stylesdf_core.training.run_dir import RunDir
    from stylesdf_core.training.stage_config import (
        ImagesConfig,
        Preset,
        RunConfig,
        StageConfig,
    )

_POLL_SECONDS = 0.5
#: What may change when a run is resumed: nothing that its results so far depend on.
ADJUSTABLE = (
    "steps",
    "chunk",
    "images.workers",
    "images.cache_gb",
    "run.device",
    "run.threads",
    "run.record_every",
    "run.evaluate_every",
    "run.checkpoint_every",
    "run.keep",
)


@dataclass(frozen=True, kw_only=True)
class _TrainStage:
    """What all stages have in common; a folder's first command decides, later ones resume.

    A later one may change how long, where and how often, but not what is trained.
    """

    run_dir: Path
    """Folder of the run; made, or resumed when it has the same settings."""

    preset: Literal["ffhq", "afhq", "heads", "tiny"] = "ffhq"
    """Sizes and rates: the paper's for FFHQ or AFHQ, smaller for synthetic heads, tiny to try."""

    steps: int | None = None
    """Optimizer steps; without it the preset's."""

    seed: int = 0
    """Of weights, latents, cameras and the images' order."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to compute."""

    precision: Literal["float32", "tf32", "bfloat16", "float16"] | None = None
    """Of matrix products; the last two only in decoder and discriminators. Default tf32."""

    threads: int = 0
    """CPU threads; 0 for torch's choice."""

    checkpoint_every: int | None = None
    """Steps between checkpoints; without it the preset's."""

    evaluate_every: int | None = None
    """Steps between sample grids, meshes and distances; without it the preset's."""

    keep: int = 3
    """Newest checkpoints kept; the best is kept besides."""

    ema: float | None = None
    """Decay of the averaged weights, a step; long runs want it nearer to 1 than `tiny` has it."""

    gpus: int = 1
    """Processes to train with, one a GPU (or CPU); several machines need your own torchrun."""

    def run(self) -> Operation[TrainingResult]:
        """Train from the folder's newest checkpoint on; yields steps done.

        Raises:
            InputError: a setting, the images or the initial weights are wrong, or the folder
                belongs to another run.
            TrainingError: the folder is in use, training diverged twice, or the disk is full.
        """
        from stylesdf_core.training.run_dir import RunDir
        from stylesdf_core.training.stage_config import total_steps
        from stylesdf_core.training.stages import run_stage

        if self.gpus < 1:
            raise InputError(f"--gpus must be at least 1, not {self.gpus}.")
        for name in ("steps", "batch", "chunk"):
            value = getattr(self, name, None)
            if value is not None and value < 1:
                raise InputError(f"--{name} must be at least 1, not {value}.")
        run = RunDir(self.run_dir)
        config = self.config()
        run.write_config(json.loads(json.dumps(to_json(config))), ADJUSTABLE, until_saved=True)
        if self.gpus > 1:
            return (yield from _run_processes(run, self.gpus, total_steps(config)))
        return (yield from run_stage(run))

    def config(self) -> StageConfig:
        """The settings of the run, as its config.json will hold them."""
        raise NotImplementedError

    def _preset(self) -> Preset:
        from stylesdf_core.training.stage_config import PRESETS

        return PRESETS[self.preset]

    def _run_config(self) -> RunConfig:
        changes: dict[str, Any] = {
            "seed": self.seed,
            "device": self.device,
            "threads": self.threads,
            "keep": self.keep,
            "precision": self.precision,
            "checkpoint_every": self.checkpoint_every,
            "evaluate_every": self.evaluate_every,
            "ema": self.ema,
        }
        given = {name: value for name, value in changes.items() if value is not None}
        return replace(self._preset().run, **given)


@dataclass(frozen=True, kw_only=True)
class TrainSphereInit(_TrainStage):
    """Make the field a sphere, to start several renderers from.

    `train renderer` does this by itself when it is not given any weights.
    """

    def config(self) -> StageConfig:
        """See :class:`_TrainStage`."""
        from stylesdf_core.training.stage_config import SphereInitConfig, renderer_of

        preset = self._preset()
        return SphereInitConfig(
            preset=self.preset,
            generator=renderer_of(preset.generator),
            poses=preset.poses,
            sphere=replace(preset.sphere, steps=self.steps or preset.sphere.steps),
            run=self._run_config(),
        )


@dataclass(frozen=True, kw_only=True)
class _TrainFromImages(_TrainStage):
    data: Path
    """Folder of images (nested, any size), data set of heads, or lmdb (see `dataset check`)."""

    batch: int | None = None
    """Images a step, over all processes; without it the preset's."""

    chunk: int | None = None
    """Images at a time, as memory allows: gradients are the same for any."""

    flip: bool = True
    """Mirror half of the images at random."""

    held_out: float = 0.0
    """Share of the images kept from training, 0 to below 0.9."""

    split_seed: int = 0
    """Which images are held out."""

    workers: int = 4
    """Reading threads."""

    cache_gb: float = 16.0
    """Memory for decoded images, gigabytes; kept there if all of them fit."""

    def _images(self) -> ImagesConfig:
        from stylesdf_core.training.stage_config import ImagesConfig

        return ImagesConfig(
            path=str(self.data.absolute()),
            flip=self.flip,
            held_out=self.held_out,
            split_seed=self.split_seed,
            upscale=self._preset().upscale,
            cache_gb=self.cache_gb,
            workers=self.workers,
        )


@dataclass(frozen=True, kw_only=True)
class TrainRenderer(_TrainFromImages):
    """Train the volume renderer against its discriminator (the paper's stage 1).

    Killed, stopped (a file named `stop` in the folder) or finished: the same command resumes.
    """

    init: str | None = None
    """Weights, model name or run to continue from; without it the field starts as a sphere."""

    field: Literal["sdf", "density"] = "sdf"
    """What the field is: a signed distance, or a NeRF-like density without the SDF losses."""

    r1: float | None = None
    """R1 weight γ; raise it where β does not fall."""

    eikonal: float | None = None
    """Weight of the eikonal term; raise it where the field is no distance."""

    minimal_surface: float | None = None
    """Weight of the minimal-surface term; lower it where the surface vanishes."""

    generator_rate: float | None = None
    """Adam's learning rate of mapping and field; without it, as all above, the preset's."""

    discriminator_rate: float | None = None
    """Adam's learning rate of the discriminator."""

    def config(self) -> StageConfig:
        """See :class:`_TrainStage`."""
        from stylesdf_core.training.stage_config import RendererConfig, renderer_of

        preset = self._preset()
        names = ("r1", "eikonal", "minimal_surface", "generator_rate", "discriminator_rate")
        changes: dict[str, Any] = {
            name: getattr(self, name) for name in names if getattr(self, name) is not None
        }
        batch = self.batch or preset.batches[0]
        return RendererConfig(
            images=self._images(),
            preset=self.preset,
            generator=replace(renderer_of(preset.generator), field=self.field),
            poses=preset.poses,
            sphere=preset.sphere,
            volume=replace(preset.volume, **changes),
            run=self._run_config(),
            init=_absolute(self.init),
            steps=self.steps or preset.steps[0],
            batch=batch,
            chunk=self.chunk or _chunk(batch, 4),
        )


@dataclass(frozen=True, kw_only=True)
class TrainDecoder(_TrainFromImages):
    """Train the decoder on a frozen volume renderer (the paper's stage 2).

    Killed, stopped (a file named `stop` in the folder) or finished: the same command resumes.
    """

    init: str
    """The renderer: weights, model name or run folder."""

    r1: float | None = None
    """R1 weight γ; without it the preset's."""

    rate: float | None = None
    """Adam's learning rate of decoder and discriminator; without it the preset's."""

    def config(self) -> StageConfig:
        """See :class:`_TrainStage`."""
        from stylesdf_core.networks.discriminators import STDDEV_GROUP
        from stylesdf_core.training.stage_config import DecoderStageConfig
        from stylesdf_core.training.stages import generator_of

        preset, init = self._preset(), str(_absolute(self.init))
        given = {"r1": self.r1, "rate": self.rate}
        changes: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
        # The renderer's own architecture, whatever preset it was trained with.
        generator = replace(
            generator_of(init),
            output_size=preset.generator.output_size,
            channel_multiplier=preset.generator.channel_multiplier,
        )
        batch = self.batch or preset.batches[1]
        return DecoderStageConfig(
            images=self._images(),
            init=init,
            preset=self.preset,
            generator=generator,
            poses=preset.poses,
            image=replace(preset.image, **changes),
            run=self._run_config(),
            steps=self.steps or preset.steps[1],
            batch=batch,
            chunk=self.chunk or _chunk(batch, 8, group=STDDEV_GROUP),
        )


@dataclass(frozen=True, kw_only=True)
class TrainJoint(_TrainFromImages):
    """Fine-tune renderer and decoder together, end to end, under both discriminators.

    Killed, stopped (a file named `stop` in the folder) or finished: the same command resumes.
    """

    init: str
    """The whole model: weights, model name or run folder."""

    renderer_rate: float = 2e-6
    """Learning rate of the renderer, a tenth of stage 1's."""

    def config(self) -> StageConfig:
        """See :class:`_TrainStage`."""
        from stylesdf_core.networks.discriminators import STDDEV_GROUP
        from stylesdf_core.training.stage_config import JointConfig
        from stylesdf_core.training.stages import generator_of

        preset, init = self._preset(), str(_absolute(self.init))
        rays = preset.volume.geometry_rays or 256
        batch = self.batch or preset.batches[2]
        return JointConfig(
            images=self._images(),
            init=init,
            preset=self.preset,
            generator=generator_of(init),
            poses=preset.poses,
            volume=replace(preset.volume, geometry_rays=rays),
            image=preset.image,
            run=self._run_config(),
            renderer_rate=self.renderer_rate,
            steps=self.steps or preset.steps[2],
            batch=batch,
            chunk=self.chunk or _chunk(batch, 4, group=STDDEV_GROUP),
        )


def _chunk(batch: int, most: int, group: int = 1) -> int:
    """The largest part of a batch, in whole groups, that divides it; where none does, all of it."""
    sizes = [n for n in range(group, most + 1, group) if batch % n == 0]
    return max(sizes, default=batch)


def _absolute(init: str | None) -> str | None:
    """A path that means the same from everywhere; names of models as they are."""
    if init is None:
        return None
    path = Path(init).expanduser()
    return str(path.absolute()) if path.exists() else init


def _run_processes(run: RunDir, count: int, total: int) -> Operation[TrainingResult]:
    """Train with torchrun's processes on this machine, following what they record."""
    from stylesdf_core.training.loop import TrainingResult

    log = run.path / "processes.log"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", str(count), "-m", "stylesdf_core.training", str(run.path)]
    with open(log, "a", encoding="utf-8") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None:
                time.sleep(_POLL_SECONDS)
                last = run.last_stats() or {"step": 0}
                yield Progress(last["step"], total, str(last.get("phase", "starting")))
        finally:
            # When this operation is closed they shall save and end. Asked only once, a process
            # that is still starting would forget it as the request of an earlier day.
            while process.poll() is None:
                run.request_stop()
                time.sleep(_POLL_SECONDS)
    weights = run.latest("ema")
    if process.returncode or weights is None:
        raise TrainingError(f"A process of the run failed: {_last_words(log)} (see {log}).")
    step = int(json.loads((run.checkpoints / "latest.json").read_text(encoding="utf-8"))["step"])
    return TrainingResult(step, step >= total, weights)


def _last_words(log: Path) -> str:
    """The last sentence of ours in the processes' output, else its last line."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8").splitlines() if line.strip()]
    said = [line for line in lines if line.startswith("training: ")]
    return (said or lines or ["no output"])[-1].removeprefix("training: ").rstrip(".")
