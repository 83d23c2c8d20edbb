"""Settings of the stages that train from images; one of them is a run folder's config.json.

Defaults are the paper's numbers (StyleSDF, Sec. 4 and supplement) for FFHQ; presets change them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from stylesdf_core.errors import InputError
from stylesdf_core.model.config import STDDEV_GROUP, GeneratorConfig, check_seed
from stylesdf_core.rendering.camera import AZIMUTH_STD, ELEVATION_STD

StageName = Literal["sphere-init", "renderer", "decoder", "joint"]
PresetName = Literal["ffhq", "afhq", "heads", "tiny"]
Precision = Literal["float32", "tf32", "bfloat16", "float16"]


@dataclass(frozen=True)
class ImagesConfig:
    """What to train on.

    Attributes:
        path: folder of images, data set of heads, or lmdb.
        flip: mirror half of them, at random.
        held_out: share kept from training, 0 to below 0.9.
        split_seed: which ones those are.
        upscale: use images smaller than half the training size.
        cache_gb: memory for decoded images, gigabytes; kept there if all of them fit.
        workers: reading threads.
    """

    path: str
    flip: bool = True
    held_out: float = 0.0
    split_seed: int = 0
    upscale: bool = False
    cache_gb: float = 16.0
    workers: int = 4

    def __post_init__(self) -> None:
        if not 0.0 <= self.held_out < 0.9:
            raise InputError(f"held_out must lie in [0, 0.9), not {self.held_out}.")


@dataclass(frozen=True)
class PosesConfig:
    """Cameras of the fakes; they should be those of the images.

    Attributes:
        azimuth_std, elevation_std: radians.
        distribution: normal, or uniform with the same standard deviations.
        static_viewdirs: view directions are the camera's own, as they are when pictures are made,
            so that colours do not know where the camera is. The paper trains with the world's.
            Then a small network tells the discriminator its pose by colour (pale from the right,
            dark from the left) instead of turning its heads.
    """

    azimuth_std: float = AZIMUTH_STD
    elevation_std: float = ELEVATION_STD
    distribution: Literal["normal", "uniform"] = "normal"
    static_viewdirs: bool = False


@dataclass(frozen=True)
class RunConfig:
    """How a stage runs, whatever it trains.

    Attributes:
        seed: of weights, latents, cameras and the images' order.
        device: auto, cpu, cuda or mps.
        precision: of matrix products; float32 and tf32 everywhere, bfloat16 and float16 only in
            decoder and discriminators, the field staying in tf32: a phase of tens of radians has
            no room for eight bits.
        threads: CPU threads; 0 for torch's choice.
        record_every, evaluate_every, checkpoint_every: steps.
        keep: newest checkpoints kept, besides the best.
        ema: decay of the averaged weights, a step.
        max_gradient_norm: beyond it a step counts as diverged.
    """

    seed: int = 0
    device: str = "auto"
    precision: Precision = "tf32"
    threads: int = 0
    record_every: int = 50
    evaluate_every: int = 2_000
    checkpoint_every: int = 2_000
    keep: int = 3
    ema: float = 0.5 ** (32.0 / 10_000.0)
    max_gradient_norm: float = 1e6

    def __post_init__(self) -> None:
        for name in ("record_every", "evaluate_every", "checkpoint_every", "keep"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, not {getattr(self, name)}.")
        check_seed(self.seed)
        if not 0.0 <= self.ema < 1.0:
            raise InputError(f"ema must lie in [0, 1), not {self.ema}.")


@dataclass(frozen=True)
class SphereConfig:
    """The field becomes a sphere before anything else.

    Attributes:
        steps: optimizer steps.
        batch: cameras a step.
        rays: random rays of each; all would cost more and teach the same.
        learning_rate: Adam's.
        beta: β (Eq. 3) to go on with, world units: how soft the sphere is.
    """

    steps: int = 10_000
    batch: int = 24
    rays: int = 128
    learning_rate: float = 1e-4
    beta: float = 0.1


@dataclass(frozen=True)
class VolumeLosses:
    """What the volume renders are trained by (paper, Eq. 4–9).

    Attributes:
        pose, eikonal, minimal_surface: weights; the last two mean nothing for a density field.
        geometry_rays: rays of each image, at random, that the last two are computed on; 0 for all.
        anchor: weight of the sphere's own loss at the first step, falling to 0 within
            ``anchor_steps``, on the geometry's rays. Not the paper's: it holds a small network's
            surface, which otherwise drifts away before there are colours to hold it.
        r1: γ of γ/2·‖∇D‖², every ``r1_every`` steps.
        generator_rate, discriminator_rate: Adam's, betas (0, 0.9).
        discriminator_channels: of its first convolution; the others in proportion.
    """

    pose: float = 15.0
    eikonal: float = 0.1
    minimal_surface: float = 0.05
    geometry_rays: int = 0
    anchor: float = 0.0
    anchor_steps: int = 1
    r1: float = 10.0
    r1_every: int = 1
    generator_rate: float = 2e-5
    discriminator_rate: float = 2e-4
    discriminator_channels: int = 128

    def __post_init__(self) -> None:
        _check_losses(self)
        if self.anchor > 0 and self.geometry_rays < 1:
            raise InputError("An anchor needs geometry_rays of at least 1.")

    def anchor_at(self, index: int) -> float:
        """The anchor's weight at a step of the stage."""
        return self.anchor * max(0.0, 1.0 - index / self.anchor_steps)


@dataclass(frozen=True)
class ImageLosses:
    """What the decoded images are trained by (StyleGAN2).

    Attributes:
        r1: γ of γ/2·‖∇D‖², every ``r1_every`` steps, weighted by as many.
        path_length: weight of that term, every ``path_every`` steps, weighted by as many, on
            half a batch.
        mixing: probability that a second code takes over the decoder's later layers.
        rate: Adam's for both networks, before the correction for lazy regularisation
            (Karras et al. 2020, App. B): times n/(n+1), betas (0, 0.99^(n/(n+1))).
        widest: most channels of a discriminator's layer.
    """

    r1: float = 10.0
    r1_every: int = 16
    path_length: float = 2.0
    path_every: int = 4
    mixing: float = 0.9
    rate: float = 2e-3
    widest: int = 512

    def __post_init__(self) -> None:
        _check_losses(self)


@dataclass(frozen=True)
class SphereInitConfig:
    """``train sphere-init``: only the first phase, to start several runs from."""

    stage: Literal["sphere-init"] = "sphere-init"
    preset: PresetName = "ffhq"
    generator: GeneratorConfig = field(default_factory=lambda: GeneratorConfig(output_size=64))
    poses: PosesConfig = field(default_factory=PosesConfig)
    sphere: SphereConfig = field(default_factory=SphereConfig)
    run: RunConfig = field(default_factory=RunConfig)


@dataclass(frozen=True)
class RendererConfig:
    """``train renderer``: the volume renderer against its discriminator (paper's stage 1).

    Attributes:
        init: weights or run to continue from; None for a sphere made here.
        steps: optimizer steps after the sphere's.
        batch: images a step, over all processes.
        chunk: images at a time; gradients are the same for any.
    """

    images: ImagesConfig
    stage: Literal["renderer"] = "renderer"
    preset: PresetName = "ffhq"
    generator: GeneratorConfig = field(default_factory=lambda: GeneratorConfig(output_size=64))
    poses: PosesConfig = field(default_factory=PosesConfig)
    sphere: SphereConfig = field(default_factory=SphereConfig)
    volume: VolumeLosses = field(default_factory=VolumeLosses)
    run: RunConfig = field(default_factory=RunConfig)
    init: str | None = None
    steps: int = 200_000
    batch: int = 24
    chunk: int = 4

    def __post_init__(self) -> None:
        _check_batch(self.batch, self.chunk)
        if self.generator.has_decoder:
            raise InputError("The renderer stage trains no decoder: output_size = thumb_size.")

    @property
    def sphere_steps(self) -> int:
        """Steps before the adversarial ones: none with ``init``, nor for a density field."""
        return self.sphere.steps if self.init is None and self.generator.field == "sdf" else 0


@dataclass(frozen=True)
class DecoderStageConfig:
    """``train decoder``: the decoder on a frozen renderer (paper's stage 2).

    Attributes:
        init: the renderer's weights or run.
        steps, batch, chunk: as in :class:`RendererConfig`; chunks are whole groups of the
            discriminator's minibatch deviation.
    """

    images: ImagesConfig
    init: str
    stage: Literal["decoder"] = "decoder"
    preset: PresetName = "ffhq"
    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    poses: PosesConfig = field(default_factory=PosesConfig)
    image: ImageLosses = field(default_factory=ImageLosses)
    run: RunConfig = field(default_factory=RunConfig)
    steps: int = 300_000
    batch: int = 32
    chunk: int = 8

    def __post_init__(self) -> None:
        _check_batch(self.batch, self.chunk, STDDEV_GROUP)
        if not self.generator.has_decoder:
            raise InputError("The decoder stage needs an output_size above thumb_size.")


@dataclass(frozen=True)
class JointConfig:
    """``train joint``: renderer and decoder together, end to end (the paper's future work).

    The volume discriminator and the geometry's losses stay, so that the shape does not give way
    to the picture; the renderer learns slowly. Its activations are recomputed in the backward
    pass (gradient checkpointing).

    Attributes:
        init: the whole model's weights or run.
        renderer_rate: Adam's of renderer and mapping.
        steps, batch, chunk: as in :class:`DecoderStageConfig`.
    """

    images: ImagesConfig
    init: str
    stage: Literal["joint"] = "joint"
    preset: PresetName = "ffhq"
    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    poses: PosesConfig = field(default_factory=PosesConfig)
    volume: VolumeLosses = field(default_factory=lambda: VolumeLosses(geometry_rays=256))
    image: ImageLosses = field(default_factory=ImageLosses)
    run: RunConfig = field(default_factory=RunConfig)
    renderer_rate: float = 2e-6
    steps: int = 50_000
    batch: int = 32
    chunk: int = 4

    def __post_init__(self) -> None:
        _check_batch(self.batch, self.chunk, STDDEV_GROUP)
        if not self.generator.has_decoder:
            raise InputError("The joint stage needs an output_size above thumb_size.")
        if self.volume.geometry_rays < 1:
            raise InputError("The joint stage needs volume.geometry_rays of at least 1.")


StageConfig: TypeAlias = SphereInitConfig | RendererConfig | DecoderStageConfig | JointConfig
STAGES: dict[str, type[StageConfig]] = {
    "sphere-init": SphereInitConfig,
    "renderer": RendererConfig,
    "decoder": DecoderStageConfig,
    "joint": JointConfig,
}


def total_steps(config: StageConfig) -> int:
    """Optimizer steps in all."""
    if isinstance(config, SphereInitConfig):
        return config.sphere.steps
    return config.steps + (config.sphere_steps if isinstance(config, RendererConfig) else 0)


def _check_losses(losses: VolumeLosses | ImageLosses) -> None:
    """Weights and rates are not negative, intervals and widths at least 1."""
    whole = ("r1_every", "path_every", "anchor_steps", "discriminator_channels", "widest")
    for name, value in vars(losses).items():
        least = 1 if name in whole else 0
        if value < least:
            raise InputError(f"{name} must be at least {least}, not {value}.")


def _check_batch(batch: int, chunk: int, group: int = 1) -> None:
    if batch < 1 or chunk < 1 or batch % chunk:
        raise InputError(f"batch {batch} must be a multiple of chunk {chunk}, both at least 1.")
    if chunk % group and chunk != batch:
        raise InputError(f"chunk {chunk} must be a multiple of {group}, or the whole batch.")


# --- presets -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Preset:
    """What a preset changes.

    Attributes:
        generator: of the whole model.
        poses, sphere, volume, image, run: see there.
        steps: of renderer, decoder and joint.
        batches: of the same.
        upscale: whether small images are used.
    """

    generator: GeneratorConfig
    poses: PosesConfig = PosesConfig()
    sphere: SphereConfig = SphereConfig()
    volume: VolumeLosses = VolumeLosses()
    image: ImageLosses = ImageLosses()
    run: RunConfig = RunConfig()
    steps: tuple[int, int, int] = (200_000, 300_000, 50_000)
    batches: tuple[int, int, int] = (24, 32, 32)
    upscale: bool = False


PRESETS: dict[PresetName, Preset] = {
    "ffhq": Preset(GeneratorConfig(output_size=1024)),
    "afhq": Preset(
        GeneratorConfig(output_size=512),
        poses=PosesConfig(azimuth_std=0.15),
        image=ImageLosses(r1=50.0),
    ),
    # For the synthetic heads, as small as the shipped model.
    "heads": Preset(
        GeneratorConfig(width=128, depth=6, output_size=256, channel_multiplier=1),
        poses=PosesConfig(static_viewdirs=True),
        volume=VolumeLosses(generator_rate=5e-5),
        steps=(60_000, 80_000, 20_000),
    ),
    # To see something in minutes on two CPU cores.
    "tiny": Preset(
        GeneratorConfig(
            width=48, depth=3, thumb_size=32, output_size=64, channel_multiplier=1, samples=8
        ),
        poses=PosesConfig(static_viewdirs=True),
        sphere=SphereConfig(steps=200, batch=8, rays=64, learning_rate=1e-3, beta=0.05),
        volume=VolumeLosses(
            minimal_surface=0.01,
            geometry_rays=32,
            anchor=30.0,
            anchor_steps=500,
            r1_every=4,
            generator_rate=1.2e-4,
            discriminator_rate=1.5e-4,
            discriminator_channels=24,
        ),
        image=ImageLosses(widest=64),
        run=RunConfig(
            record_every=10, evaluate_every=200, checkpoint_every=200, ema=0.98, precision="float32"
        ),
        steps=(1_200, 300, 200),
        batches=(8, 4, 4),
        upscale=True,
    ),
}


def renderer_of(config: GeneratorConfig) -> GeneratorConfig:
    """The renderer-only part of an architecture."""
    return replace(config, output_size=config.thumb_size)
