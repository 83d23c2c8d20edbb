"""Settings of the stages that train from images (``train sphere-init, renderer, decoder, joint``).

A stage's settings are one nested dataclass. The command's flags, the window's form and a run
folder's config.json are made from it, and the stage's phases read it. The string under a field is
the field's help. Defaults are the paper's numbers for FFHQ; presets.py changes some of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeAlias

import tyro

from stylesdf_core.errors import InputError, check_range
from stylesdf_core.model.config import DecoderKind, GeneratorConfig
from stylesdf_core.training.adversarial.config.augmentation import AugmentConfig
from stylesdf_core.training.adversarial.config.images import ImagesConfig
from stylesdf_core.training.adversarial.config.losses import ImageLosses, VolumeLosses
from stylesdf_core.training.adversarial.config.patches import PatchConfig
from stylesdf_core.training.adversarial.config.poses import PosesConfig
from stylesdf_core.training.run_config import RunConfig

PresetName = Literal["ffhq", "afhq", "heads", "tiny"]


@dataclass(frozen=True)
class SphereConfig:
    """First phase: the field becomes a sphere before anything else."""

    steps: int = 10_000
    """Optimizer steps."""

    batch: int = 24
    """Cameras per step."""

    rays: int = 128
    """Random rays of each camera. Rays and rate are this project's choice: a small field ends
    nearer to the sphere than with the published 2e-5 and 4,096 rays of each of 3 cameras, in the
    same time (figures in training/TRAINING.md)."""

    learning_rate: float = 1e-4
    """Adam's learning rate."""

    beta: float = 0.1
    """β (Eq. 3) while the sphere is learned and when the next phase begins, world units, above 0:
    how soft the surface is."""

    def __post_init__(self) -> None:
        least = {"batch": 1, "rays": 1, "beta": 1e-6}
        for name, value in vars(self).items():
            check_range(f"The sphere's {name}", value, least.get(name, 0))


def _chunk_size(batch: int, most: int, group: int) -> int:
    sizes = [size for size in range(group, most + 1, group) if batch % size == 0]
    return max(sizes, default=batch)


@dataclass(frozen=True, kw_only=True)
class SphereInitConfig:
    """``train sphere-init``: only the phase of the sphere, whose weights several runs can use."""

    stage: Annotated[Literal["sphere-init"], tyro.conf.Suppress] = "sphere-init"

    preset: PresetName = "ffhq"
    """Sizes and rates: the paper's for FFHQ or AFHQ, smaller for synthetic heads, tiny to try."""

    sphere: Annotated[SphereConfig, tyro.conf.arg(name="")] = SphereConfig()
    generator: GeneratorConfig = field(default_factory=lambda: GeneratorConfig(output_size=64))
    poses: PosesConfig = field(default_factory=PosesConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        check_range("The sphere's steps", self.sphere.steps, 1)
        _check_no_decoder(self.generator)
        if self.generator.field != "sdf":
            raise InputError("generator.field must be sdf: a density has no distance to a sphere.")

    @property
    def total_steps(self) -> int:
        """Optimizer steps of all phases."""
        return self.sphere.steps


def _check_no_decoder(generator: GeneratorConfig) -> None:
    if generator.has_image:
        raise InputError(
            "This stage trains no decoder, so generator.output_size "
            f"({generator.output_size}) must equal generator.thumb_size ({generator.thumb_size})."
        )


@dataclass(frozen=True, kw_only=True)
class ImageStageConfig:
    """Settings that all stages with real images have."""

    data: str
    """Folder of images (nested, any size), data set of heads, or lmdb (see `dataset check`). A run
    that is resumed recognises its images at another place by names, sizes and content."""

    preset: PresetName = "ffhq"
    """Sizes and rates: the paper's for FFHQ or AFHQ, smaller for synthetic heads, tiny to try."""

    steps: int
    """Optimizer steps."""

    batch: int
    """Images per step, over all processes."""

    chunk: int
    """Most images computed at a time, to fit into memory; gradients do not depend on it."""

    images: ImagesConfig = field(default_factory=ImagesConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    poses: PosesConfig = field(default_factory=PosesConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "chunk"):
            check_range(name, getattr(self, name), 1)

    def check_shares(self, processes: int) -> None:
        """Refuse a batch that so many processes cannot share as if there were only one.

        Raises:
            InputError: says which batch would do.
        """
        if self.batch % processes:
            raise InputError(
                f"batch {self.batch} must be a multiple of the {processes} processes (gpus)."
            )

    @property
    def total_steps(self) -> int:
        """Optimizer steps of all phases."""
        return self.steps


@dataclass(frozen=True, kw_only=True)
class RendererConfig(ImageStageConfig):
    """``train renderer``: the volume renderer against its discriminator (paper's stage 1)."""

    stage: Annotated[Literal["renderer"], tyro.conf.Suppress] = "renderer"

    init: str | None = None
    """Weights, model name or run to continue from; without it the field starts as a sphere. Of a
    run, the averaged generator and the newest discriminators are taken; optimizers start anew."""

    steps: int = 200_000
    """Optimizer steps after the sphere's."""

    batch: int = 24
    chunk: int = 4
    output: Literal["volume", "direct"] = "volume"
    """volume: small whole images, as in the paper. direct: patches of large images (patch), for a
    model whose image is the field itself, without a decoder."""

    patch: PatchConfig = field(default_factory=PatchConfig)
    volume: VolumeLosses = field(default_factory=VolumeLosses)
    sphere: SphereConfig = SphereConfig()
    generator: GeneratorConfig = field(default_factory=lambda: GeneratorConfig(output_size=64))

    def __post_init__(self) -> None:
        super().__post_init__()
        assert self.architecture  # refuses sizes that do not fit
        _check_no_decoder(self.generator)

    @property
    def architecture(self) -> GeneratorConfig:
        """The generator with the image that the run trains."""
        return self.generator if self.output == "volume" else self.patch.model(self.generator)

    @property
    def sphere_steps(self) -> int:
        """Steps of the sphere's phase: 0 with ``init``, and 0 for a density field."""
        return self.sphere.steps if self.init is None and self.generator.field == "sdf" else 0

    @property
    def total_steps(self) -> int:
        """Optimizer steps of both phases."""
        return self.sphere_steps + self.steps

    @property
    def chunk_size(self) -> int:
        """Images at a time: the largest divisor of the batch that is at most ``chunk``."""
        return _chunk_size(self.batch, self.chunk, 1)


@dataclass(frozen=True, kw_only=True)
class DecodedStageConfig(ImageStageConfig):
    """Settings of the stages that train on decoded images and start from trained weights."""

    init: str
    """Weights, model name or run to start from. Of a run, the averaged generator and the newest
    discriminators are taken; optimizers start anew."""

    batch: int = 32
    chunk: int = 8
    image: ImageLosses = field(default_factory=ImageLosses)

    def __post_init__(self) -> None:
        super().__post_init__()
        group = self.image.stddev_group
        if self.chunk < min(self.batch, group):
            raise InputError(
                f"chunk must be at least {group}, not {self.chunk}: the discriminator compares "
                "that many images with each other (image.stddev_group)."
            )

    def check_shares(self, processes: int) -> None:
        """See :meth:`ImageStageConfig.check_shares`; shares are whole groups of the deviation."""
        super().check_shares(processes)
        share, group = self.batch // processes, self.image.stddev_group
        if processes > 1 and share % group:
            raise InputError(
                f"batch {self.batch} leaves {share} images to each of {processes} processes, no "
                f"multiple of image.stddev_group {group}: choose a batch of "
                f"{max(1, round(share / group)) * group * processes}."
            )
        if self.image.path_length > 0 and self.batch // 2 % processes:
            raise InputError(
                f"half a batch of {self.batch}, for the path length, cannot be shared equally by "
                f"{processes} processes: choose a batch of {2 * processes * group}."
            )

    @property
    def chunk_size(self) -> int:
        """Images at a time, in whole groups of the discriminator's minibatch deviation.

        The largest such divisor of the batch that is at most ``chunk``; else the whole batch.
        """
        return _chunk_size(self.batch, self.chunk, self.image.stddev_group)


@dataclass(frozen=True, kw_only=True)
class DecoderStageConfig(DecodedStageConfig):
    """``train decoder``: the decoder on a frozen renderer (paper's stage 2)."""

    stage: Annotated[Literal["decoder"], tyro.conf.Suppress] = "decoder"

    init: str
    """The renderer: weights, model name or run folder; the model has its architecture. Of a run of
    this stage, the discriminator is taken over as well; optimizers start anew."""

    steps: int = 300_000
    output_size: int = 1024
    """Edge of the decoded image, pixels: 2, 4, 8 … times the renderer's."""

    channel_multiplier: int = 2
    """Scales the decoder's channels; 2 in the published models."""

    decoder_kind: DecoderKind = "stylegan2"
    """stylegan2, as published, or alias_free: low-pass filters around every non-linearity and no
    noise, so that details move with the surface; some four times slower."""


@dataclass(frozen=True, kw_only=True)
class JointConfig(DecodedStageConfig):
    """``train joint``: renderer and decoder together, end to end (the paper's future work).

    The volume discriminator and the geometry's losses keep the shape, and the renderer's learning
    rate is low. The renderer's activations are computed again in the backward pass (gradient
    checkpointing).
    """

    stage: Annotated[Literal["joint"], tyro.conf.Suppress] = "joint"

    init: str
    """The whole model: weights, model name or run folder. Of a run, the averaged generator and the
    newest discriminators are taken; optimizers start anew."""

    steps: int = 50_000
    chunk: int = 4
    renderer_rate: float = 2e-6
    """Adam's learning rate of the renderer, a tenth of stage 1's."""

    volume: VolumeLosses = field(default_factory=lambda: VolumeLosses(geometry_rays=256))

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("renderer_rate", self.renderer_rate, 0)
        if self.volume.geometry_rays < 1:
            raise InputError("The joint stage needs volume.geometry_rays of at least 1.")


StageConfig: TypeAlias = SphereInitConfig | RendererConfig | DecoderStageConfig | JointConfig

#: Settings that a resumed run may change, since the steps already done do not depend on them.
ADJUSTABLE = frozenset({
    "data", "steps", "sphere.steps", "chunk", "images.workers", "images.cache_gb", "run.device",
    "run.threads", "run.record_every", "run.evaluate_every", "run.checkpoint_every", "run.keep",
    "run.keep_every",
})  # fmt: skip
