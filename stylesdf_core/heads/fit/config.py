"""Settings of the supervised fit to synthetic heads (``train fit``).

The command's flags, the window's form and a run folder's config.json are made from one dataclass.
Its defaults are those of ``recipe heads``; the shipped weights grew over several sessions with
other numbers (pretrained/heads.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

import tyro

from stylesdf_core.errors import InputError, check_range
from stylesdf_core.heads.person.latent import LATENT_DIM
from stylesdf_core.model.config import GeneratorConfig
from stylesdf_core.training.run_config import Cadence, check_threads

#: Least values of the phases' settings whose least value is not 0. Slopes are measured at a quarter
#: of the near points.
_LEAST = {"heads": 1, "near": 4, "space": 1, "rays": 1, "widest": 1}


@dataclass(frozen=True)
class HeadsConfig:
    """Heads that are rendered before the first phase if the data folder lacks them."""

    facekit: str | None = None
    """Face model to make heads from: a clone of ICT-FaceKit, or an .npz of it. Without a face
    model nothing is rendered: all heads must be in the data folder."""

    surfaces: int = 12_000
    """Heads whose surfaces are sampled, rounded up to hundreds."""

    views: int = 8_000
    """Heads of which a picture is rendered, rounded up to hundreds."""

    jobs: int | None = None
    """Processes that render heads; without it, one for each processor core."""


@dataclass(frozen=True)
class PhaseConfig:
    """Settings that all phases have."""

    steps: int = 0
    """Optimizer steps; 0 leaves the phase out."""

    heads: int = 8
    """Heads per step, multiplied by the batch factor."""

    learning_rate: float = 2e-3
    """Adam's highest learning rate."""


@dataclass(frozen=True)
class PointsConfig(PhaseConfig):
    """First phase: points of the heads' meshes supervise the field; nothing is rendered.

    A step takes few points of many heads, since more heads teach a field more than more points do.
    """

    steps: int = 30_000
    heads: int = 128

    near: int = 80
    """Points of a head and step near its surface."""

    space: int = 24
    """Points of a head and step in the rest of the volume."""

    learning_rate: float = 3e-4
    """Adam's highest learning rate; mapping and modulation take half of it. With deep supervision,
    losses doubled within a few steps at 3.5e-4 and took minutes to recover."""

    deep_supervision: float = 1.0
    """Weight of the losses on hidden layers, in this phase and in later phases with losses on
    points. Above 0, colours count more on eyes and mouth."""


@dataclass(frozen=True)
class RenderConfig(PhaseConfig):
    """Second phase: volume renders are compared with rendered truth, which trains β as well.

    With generator.decoder direct, the surface's own colours are compared with the whole image.
    """

    steps: int = 5_000
    heads: int = 24

    rays: int = 96
    """Rays of each head's view per step, at most one for each of its pixels."""

    interest: float = 0.5
    """Share of the rays, 0 to 1, that are drawn where the truth is rich in detail; the others
    are drawn anywhere."""

    learning_rate: float = 2e-4
    """Adam's highest learning rate; mapping and modulation take half of it."""


@dataclass(frozen=True)
class ImageConfig(PhaseConfig):
    """Settings of the phases that decode images."""

    crop: int = 16
    """Edge of the windows that are compared with the truth, pixels of the feature map, from 4 on;
    the thumb size for whole images. Where windows are given to a discriminator, a power of two."""

    sharpness: float = 2.0
    """Weight of the local sharpness term."""

    ringing: float = 3.0
    """Weight of the term that forbids seams along outlines."""


@dataclass(frozen=True)
class DecoderConfig(ImageConfig):
    """Third phase: decoder and shading learn the full-size image; the geometry is frozen."""

    steps: int = 4_000
    crop: int = 32
    sharpness: float = 1.0
    ringing: float = 0.0

    learning_rate: float = 2e-3
    """Adam's learning rate of the decoder; the field's shading takes a tenth of it."""


@dataclass(frozen=True)
class AdversarialConfig(ImageConfig):
    """Settings of the phases that train StyleGAN2's discriminator beside the decoder."""

    adversarial: float = 0.1
    """Weight of the non-saturating adversarial term; 0 for no discriminator."""

    discriminator_rate: float = 1e-3
    """Adam's learning rate of the discriminator, before the correction for lazy R1."""

    widest: int = 64
    """Most channels of a layer of the discriminator."""


@dataclass(frozen=True)
class EndToEndConfig(AdversarialConfig):
    """Fourth phase, left out by default: mapping, field and decoder together, for a GPU.

    With 16 whole images per step on a GPU, a good field became better. With eight windows of 16² on
    a CPU it became worse, even at a sixth of this learning rate.
    """

    crop: int = 32
    discriminator_rate: float = 2e-3
    widest: int = 128

    learning_rate: float = 3e-4
    """Adam's highest learning rate of the field; mapping and modulation take half of it."""

    decoder_rate: float = 2e-3
    """Adam's learning rate of the decoder."""


@dataclass(frozen=True)
class RefineConfig(AdversarialConfig):
    """Last phase: the decoder alone learns, from truth and discriminator; the renderer is frozen.

    The decoder's noise is switched off, since noise sticks to the screen while the head turns.
    """

    steps: int = 10_000
    learning_rate: float = 2e-3
    """Adam's learning rate of the decoder."""

    eyes: float = 0.25
    """Weight of two losses on eyeballs: absolute differences, and catchlights and pupils."""

    cache_gb: float = 8.0
    """Most memory for feature maps, gigabytes, and at most half of the free memory; a map that does
    not fit is rendered again whenever it is needed."""


@dataclass(frozen=True, kw_only=True)
class FitConfig(Cadence):
    """A supervised fit of a generator to synthetic heads."""

    stage: Annotated[Literal["fit"], tyro.conf.Suppress] = "fit"

    data: str | None = None
    """Folder of prepared heads; with a face model, missing heads are added. Without this setting,
    the folder `heads` of the run."""

    heads: HeadsConfig = field(default_factory=HeadsConfig)

    init: str | None = None
    """Weights, model name or run from which the first phase starts."""

    batch_factor: int = 1
    """Factor of all phases' heads per step: 1 on a CPU, 8 on a GPU."""

    points: PointsConfig = field(default_factory=PointsConfig)

    render: RenderConfig = field(default_factory=RenderConfig)

    decoder: DecoderConfig = field(default_factory=DecoderConfig)

    end_to_end: EndToEndConfig = field(default_factory=EndToEndConfig)

    refine: RefineConfig = field(default_factory=RefineConfig)

    generator: GeneratorConfig = field(
        # A ray shows the colour of its first sample inside the head, up to one spacing behind the
        # surface: 14 mm with the paper's 24 samples, more than an iris.
        default_factory=lambda: GeneratorConfig(
            width=128, depth=6, output_size=256, channel_multiplier=1, samples=48
        )
    )

    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Precision of matrix products and convolutions in training; auto takes bfloat16 where the
    processor or GPU is faster in it."""

    compiled: bool = False
    """Fuse the field's pointwise operations with torch.compile; needs a C++ compiler."""

    ema: float = 0.999

    seed: int = 0
    """Seed of heads, initial weights and batches."""

    threads: int = 2
    """CPU threads."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; auto takes CUDA where there is any."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("batch_factor", self.batch_factor, 1)
        check_threads(self.threads, 1)
        heads, generator = self.heads, self.generator
        check_range("heads.surfaces", heads.surfaces, 1)
        check_range("heads.views", heads.views, 1)
        check_range("heads.jobs", 1 if heads.jobs is None else heads.jobs, 1)
        for name in ("points", "render", "decoder", "end_to_end", "refine"):
            for setting, value in vars(getattr(self, name)).items():
                check_range(f"{name}.{setting}", value, _LEAST.get(setting, 0))
        check_range("render.interest", self.render.interest, 0, 1)
        if self.render.steps:
            edge = generator.output_size if generator.is_direct else generator.thumb_size
            check_range("render.rays", self.render.rays, 1, edge**2)
        check_range("decoder.crop", self.decoder.crop, 4, generator.thumb_size)
        for name, phase in (("end_to_end", self.end_to_end), ("refine", self.refine)):
            if phase.steps:
                check_range(f"{name}.crop", phase.crop, 4, generator.thumb_size)
                if phase.crop & (phase.crop - 1):
                    raise InputError(f"{name}.crop must be a power of two, not {phase.crop}.")
        check_range("generator.samples", generator.samples, 8, 128)
        check_range("generator.z_dim", generator.z_dim, LATENT_DIM, LATENT_DIM)
        if generator.field != "sdf":
            raise InputError("generator.field must be sdf: the heads have signed distances.")
        if generator.has_background:
            raise InputError(
                "generator.background must be none: the fit's heads are rendered before one "
                "colour. Train a background field with `train renderer`."
            )
        if self.total_steps < 1:
            raise InputError("All phases have 0 steps; there is nothing to train.")

    @property
    def total_steps(self) -> int:
        """Optimizer steps of all phases together."""
        return sum(self.phase_steps().values())

    def phase_steps(self) -> dict[str, int]:
        """Steps of every phase by its name, in order; 0 for phases that are left out.

        The density search is one step. It follows the phase of renders, or the phase of points if
        the end-to-end phase follows.
        """
        decodes = self.generator.has_decoder
        end_to_end = self.end_to_end.steps if decodes else 0
        field_steps = self.render.steps or (self.points.steps if end_to_end else 0)
        return {
            "points": self.points.steps,
            "render": self.render.steps,
            "density": min(1, field_steps),
            "decoder": self.decoder.steps if decodes else 0,
            "end-to-end": end_to_end,
            "refine": self.refine.steps if decodes else 0,
        }
