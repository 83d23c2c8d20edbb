"""What the commands of adversarial training have in common."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from stylesdf_core.dataclass_json import to_json
from stylesdf_core.errors import InputError
from stylesdf_core.progress import Operation, Progress

if TYPE_CHECKING:
    from stylesdf_core.training.adversarial.config import (
        ImagesConfig,
        Preset,
        RunConfig,
        StageConfig,
    )
    from stylesdf_core.training.loop import TrainingResult
    from stylesdf_core.training.run_dir import RunDir

_POLL_SECONDS = 0.5
#: What may change when a run is resumed: nothing that its results so far depend on.
ADJUSTABLE = (
    "steps",
    "sphere.steps",
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
class TrainStage(ABC):
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
        from stylesdf_core.training.adversarial.stages import run_stage

        run = self.prepare()
        if self.gpus > 1:
            return (yield from _run_processes(run, self.gpus))
        return (yield from run_stage(run))

    def prepare(self) -> RunDir:
        """Make the run's folder, or check that it holds the same run; nothing is trained yet.

        Raises:
            InputError: a setting is wrong, or the folder belongs to another run.
            TrainingError: the run is being trained and this would change its settings.
        """
        from stylesdf_core.training.run_dir import RunDir

        config = self.checked()
        run = RunDir(self.run_dir)
        data = json.loads(json.dumps(to_json(config)))
        run.write_config(data, ADJUSTABLE, until_saved=True, kind=type(config))
        return run

    def checked(self) -> StageConfig:
        """:meth:`config`, once everything that can be checked without the images has been.

        Raises:
            InputError: a setting is wrong.
        """
        for name in ("gpus", "steps", "batch", "chunk"):
            value = getattr(self, name, None)
            if value is not None and value < 1:
                raise InputError(f"--{name} must be at least 1, not {value}.")
        config = self.config()
        batch = getattr(config, "batch", 0)
        if batch % self.gpus:
            raise InputError(f"--batch {batch} must be a multiple of --gpus {self.gpus}.")
        return config

    @abstractmethod
    def config(self) -> StageConfig:
        """The settings of the run, as its config.json will hold them."""

    def settings(self) -> dict[str, Any]:
        """All fields by name; those left to the preset have its values."""
        given = {item.name: getattr(self, item.name) for item in fields(self)}
        unset = self._of_preset(self._preset())
        return {name: unset.get(name) if value is None else value for name, value in given.items()}

    def _of_preset(self, preset: Preset) -> dict[str, Any]:
        """What fields that are None stand for."""
        run = preset.run
        names = ("precision", "checkpoint_every", "evaluate_every", "ema")
        return {name: getattr(run, name) for name in names}

    def _preset(self) -> Preset:
        from stylesdf_core.training.adversarial.config import PRESETS

        return PRESETS[self.preset]

    def _run_config(self) -> RunConfig:
        settings = self.settings()
        names = (
            "seed", "device", "threads", "keep", "ema", "precision", "checkpoint_every",
            "evaluate_every",
        )  # fmt: skip
        return replace(self._preset().run, **{name: settings[name] for name in names})


@dataclass(frozen=True, kw_only=True)
class TrainFromImages(TrainStage):
    """Stages that learn from pictures."""

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

    def _batches(self, preset: Preset, stage: int, most: int, group: int = 1) -> dict[str, Any]:
        """Steps, batch and chunk of the renderer (0), the decoder (1) or both (2)."""
        batch = self.batch or preset.batches[stage]
        return {
            "steps": preset.steps[stage], "batch": batch, "chunk": _chunk(batch, most, group)
        }  # fmt: skip

    def image_size(self) -> int:
        """Edge that the images are cropped and resized to, pixels."""
        return self._preset().generator.output_size

    def _images(self) -> ImagesConfig:
        from stylesdf_core.training.adversarial.config import ImagesConfig

        return ImagesConfig(
            path=str(self.data.absolute()),
            flip=self.flip,
            held_out=self.held_out,
            split_seed=self.split_seed,
            upscale=self._preset().upscale,
            cache_gb=self.cache_gb,
            workers=self.workers,
        )


def absolute_init(init: str | None) -> str | None:
    """A path that means the same from everywhere; names of models as they are."""
    if init is None:
        return None
    path = Path(init).expanduser()
    return str(path.absolute()) if path.exists() else init


def _chunk(batch: int, most: int, group: int = 1) -> int:
    """The largest part of a batch, in whole groups, that divides it; where none does, all of it."""
    sizes = [n for n in range(group, most + 1, group) if batch % n == 0]
    return max(sizes, default=batch)


def _run_processes(run: RunDir, count: int) -> Operation[TrainingResult]:
    """Train with torchrun's processes on this machine, following what they record."""
    from stylesdf_core.training import processes
    from stylesdf_core.training.loop import TrainingResult
    from stylesdf_core.training.run_summary import summary

    total = summary(run).total
    process = processes.start(run, count)
    try:
        while process.poll() is None:
            time.sleep(_POLL_SECONDS)
            last = run.last_stats() or {"step": 0}
            yield Progress(last["step"], total, str(last.get("phase", "starting")))
    finally:  # when this operation is closed they shall save and end
        processes.wait(process, run, _POLL_SECONDS)
    weights = run.latest("ema")
    if process.returncode or weights is None:
        words = processes.last_words(run) or processes.LastWords("A process of the run failed")
        raise words.error(run.log_file)
    step = run.saved_step()
    return TrainingResult(step, step >= total, weights)
