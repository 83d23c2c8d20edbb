"""Settings of the supervised fit to synthetic heads (``train fit``).

One dataclass is the command's flags, the window's form and a run folder's config.json; its
defaults are what the shipped model is trained with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Literal

import tyro

from stylesdf_core.errors import InputError
from stylesdf_core.heads.latent import LATENT_DIM
from stylesdf_core.model.config import GeneratorConfig


@dataclass(frozen=True)
class HeadsConfig:
    """Heads that are rendered before the first phase, as far as the data folder lacks them."""

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
    """Heads a step, to be multiplied by the batch factor."""


@dataclass(frozen=True)
class PointsConfig(PhaseConfig):
    """First phase: points of the heads' meshes supervise the field; nothing is rendered.

    A step takes few points of many heads, because heads are what a field has seen least of.
    """

    steps: int = 30_000
    heads: int = 128

    near: int = 80
    """Points of a head and step near its surface."""

    space: int = 24
    """Points of a head and step in the rest of the volume."""

    learning_rate: float = 3e-4
    """Adam's learning rate at its height; mapping and modulation take half of it. With deep
    supervision, losses doubled within a few steps at 3.5e-4 and took minutes to recover."""

    deep_supervision: float = 1.0
    """Weight of the losses on hidden layers, in this phase and wherever later phases hold points.
    With any, colours count more on eyes and mouth."""


@dataclass(frozen=True)
class RenderConfig(PhaseConfig):
    """Second phase: volume renders against rendered truth calibrate β and the sampled field."""

    steps: int = 5_000
    heads: int = 24

    rays: int = 96
    """Rays of each head's view and step."""

    interest: float = 0.5
    """Share of the rays, 0 to 1, that are drawn where the truth is rich in detail; the others
    are drawn anywhere."""

    learning_rate: float = 2e-4
    """Adam's learning rate at its height; mapping and modulation take half of it."""


@dataclass(frozen=True)
class DecoderConfig(PhaseConfig):
    """Third phase: geometry frozen, decoder and shading learn the full-size image."""

    steps: int = 4_000
    crop: int = 32
    """Edge of the training crops, pixels of the feature map."""

    learning_rate: float = 2e-3
    """Adam's learning rate of the decoder; the field's shading takes a tenth of it."""


@dataclass(frozen=True)
class AdversarialConfig(PhaseConfig):
    """Settings of the phases that train StyleGAN2's discriminator beside the decoder."""

    crop: int = 16
    """Edge of the windows that are compared and judged, pixels of the feature map; a power of
    two from 4 on; the thumb size takes whole images. A window is rendered with a margin."""

    sharpness: float = 2.0
    """Weight of the local sharpness term."""

    ringing: float = 3.0
    """Weight of the term that forbids seams along outlines."""

    adversarial: float = 0.1
    """Weight of the non-saturating adversarial term; 0 for no discriminator."""

    discriminator_rate: float = 1e-3
    """Adam's learning rate of the discriminator, before the correction for lazy R1."""

    widest: int = 64
    """Most channels of a layer of the discriminator."""


@dataclass(frozen=True)
class EndToEndConfig(AdversarialConfig):
    """Fourth phase, left out by default: mapping, field and decoder together, for a GPU.

    On a GPU 16 whole images a step made a good field better at this rate. On a CPU eight windows
    of 16² made it worse, at a sixth of the rate too.
    """

    crop: int = 32
    discriminator_rate: float = 2e-3
    widest: int = 128

    learning_rate: float = 3e-4
    """Adam's learning rate of the field at its height; mapping and modulation take half of it."""

    decoder_rate: float = 2e-3
    """Adam's learning rate of the decoder."""


@dataclass(frozen=True)
class RefineConfig(AdversarialConfig):
    """Last phase: renderer frozen, the decoder alone, against truth and discriminator.

    The decoder's noise is switched off: noise sticks to the screen while the head turns.
    """

    steps: int = 10_000
    learning_rate: float = 2e-3
    """Adam's learning rate of the decoder."""

    eyes: float = 0.25
    """Weight of eyeballs: of plain differences there, and of catchlights and pupils."""

    cache_gb: float = 8.0
    """Most memory for feature maps, gigabytes, and never more than half of what is free; a map
    that does not fit is rendered again whenever it is needed."""


@dataclass(frozen=True)
class FitConfig:
    """A supervised fit of a generator to synthetic heads."""

    stage: Annotated[Literal["fit"], tyro.conf.Suppress] = "fit"

    data: str | None = None
    """Folder of prepared heads, filled up when a face model is given; without it, the folder
    `heads` of the run."""

    heads: HeadsConfig = field(default_factory=HeadsConfig)

    init: str | None = None
    """Weights, model name or run to continue from; all steps below then start from these."""

    batch_factor: int = 1
    """How many times more heads a step than a CPU can afford; 8 on a GPU."""

    points: PointsConfig = field(default_factory=PointsConfig)

    render: RenderConfig = field(default_factory=RenderConfig)

    decoder: DecoderConfig = field(default_factory=DecoderConfig)

    end_to_end: EndToEndConfig = field(default_factory=EndToEndConfig)

    refine: RefineConfig = field(default_factory=RefineConfig)

    generator: GeneratorConfig = field(
        # A ray shows the colour of its first sample inside the head, up to a whole spacing behind
        # the surface: 14 mm with the paper's 24 samples, which is more than an iris.
        default_factory=lambda: GeneratorConfig(
            width=128, depth=6, output_size=256, channel_multiplier=1, samples=48
        )
    )

    precision: Literal["float32", "bfloat16"] = "bfloat16"
    """Of matrix products and convolutions in training."""

    compiled: bool = False
    """Fuse the field's pointwise operations with torch.compile; needs a C++ compiler."""

    ema: float = 0.999
    """Decay of the averaged weights, a step."""

    seed: int = 0
    """Of heads, initial weights and batches."""

    threads: int = 2
    """CPU threads."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; auto takes CUDA where there is any."""

    checkpoint_every: int = 2_000
    """Steps between checkpoints."""

    evaluate_every: int = 2_000
    """Steps between measurements and sample grids of held-out heads."""

    record_every: int = 50
    """Steps between records of the losses."""

    keep: int = 3
    """Newest checkpoints kept."""

    def __post_init__(self) -> None:
        counts = ("batch_factor", "threads", "checkpoint_every", "evaluate_every", "record_every")
        for name in (*counts, "keep"):
            _check(name, getattr(self, name), 1)
        heads, generator = self.heads, self.generator
        _check("heads.surfaces", heads.surfaces, 1)
        _check("heads.views", heads.views, 1)
        _check("heads.jobs", 1 if heads.jobs is None else heads.jobs, 1)
        _check("points.deep_supervision", self.points.deep_supervision, 0)
        _check("render.interest", self.render.interest, 0, 1)
        _check("decoder.crop", self.decoder.crop, 4, generator.thumb_size)
        for name, phase in (("end_to_end", self.end_to_end), ("refine", self.refine)):
            if phase.steps:
                _check(f"{name}.crop", phase.crop, 4, generator.thumb_size)
                if phase.crop & (phase.crop - 1):
                    raise InputError(f"{name}.crop must be a power of two, not {phase.crop}.")
        _check("refine.eyes", self.refine.eyes, 0)
        _check("generator.samples", generator.samples, 8, 128)
        _check("generator.z_dim", generator.z_dim, LATENT_DIM, LATENT_DIM)
        _check("ema", self.ema, 0, 0.999999)
        if generator.field != "sdf":
            raise InputError("generator.field must be sdf: the heads have signed distances.")
        if sum(self.phase_steps().values()) < 1:
            raise InputError("All phases have 0 steps; there is nothing to train.")

    def phase_steps(self) -> dict[str, int]:
        """Steps of every phase by its name, in order; 0 for phases that are left out.

        Density is searched (one step) after the field was trained for renders, or for the
        end-to-end phase.
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


def _check(name: str, value: float, low: float, high: float = math.inf) -> None:
    """Refuse a setting outside [low, high]."""
    if not low <= value <= high:
        within = f"lie in [{low}, {high}]" if high < math.inf else f"be at least {low}"
        raise InputError(f"{name} must {within}, not {value}.")
