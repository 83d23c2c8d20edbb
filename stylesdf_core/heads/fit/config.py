"""Settings of the supervised fit; they are a run folder's config.json."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from stylesdf_core.errors import InputError
from stylesdf_core.model.config import GeneratorConfig


@dataclass(frozen=True)
class PhaseConfig:
    """What all phases have.

    Attributes:
        steps: optimizer steps; 0 leaves the phase out.
        heads: latents a step.
    """

    steps: int = 0
    heads: int = 8


@dataclass(frozen=True)
class PointsConfig(PhaseConfig):
    """First phase: the mesh itself supervises the field, nothing is rendered.

    Many heads a step and few points of each: what a field has least of is heads.

    Attributes:
        near: points a head and step near its surface.
        space: points a head and step in the rest of the volume.
        learning_rate: Adam's, at its height; mapping and modulation take half of it. With guides,
            losses doubled within a few steps at 3.5e-4 and at 4e-4, and took minutes to recover.
        guide: weight of what hidden layers are asked for on the way, in this phase and wherever
            points are held, see :mod:`stylesdf_core.heads.fit.guides`; with any, colours count
            more on eyes and mouth. None in runs that do not say.
    """

    steps: int = 45_000
    heads: int = 128
    near: int = 80
    space: int = 24
    learning_rate: float = 3e-4
    guide: float = 0.0

    def __post_init__(self) -> None:
        if self.guide < 0.0:
            raise InputError(f"points.guide must be at least 0, not {self.guide}.")


@dataclass(frozen=True)
class RenderConfig(PhaseConfig):
    """Second phase: volume renders against rendered truth calibrate β and the sampled field.

    Attributes:
        rays: rays of each head's view and step.
        interest: share of the rays that go where there is most to see, as end-to-end's windows do;
            none in runs that do not say.
        learning_rate: as in :class:`PointsConfig`.
    """

    steps: int = 6_000
    heads: int = 24
    rays: int = 96
    interest: float = 0.0
    learning_rate: float = 2e-4

    def __post_init__(self) -> None:
        if not 0.0 <= self.interest <= 1.0:
            raise InputError(f"render.interest must lie in [0, 1], not {self.interest}.")


@dataclass(frozen=True)
class DecoderConfig(PhaseConfig):
    """Third phase: geometry frozen, decoder and shading learn the full-size image.

    Attributes:
        crop: edge of the training crops, pixels of the feature map.
        learning_rate: Adam's, of the decoder; the shading takes a tenth.
        sharpness: weight of the local sharpness term.
    """

    steps: int = 4_000
    heads: int = 8
    crop: int = 32
    learning_rate: float = 2e-3
    sharpness: float = 1.0


@dataclass(frozen=True)
class AdversarialConfig(PhaseConfig):
    """What phases with StyleGAN2's discriminator have in common.

    Attributes:
        phase: name in a run's config.
        crop: edge of what the discriminator judges, pixels of the feature map; a power of two.
        detail: how much likelier a window is, or a pixel counts, where the truth is rich in detail.
        sharpness: weight of the local sharpness term.
        ringing: weight of what forbids seams along outlines; none in runs that do not say.
        adversarial: weight of the non-saturating term; 0 for none.
        discriminator_rate: Adam's, of the discriminator, before the correction for lazy R1.
        r1: γ of γ/2·‖∇D‖², every ``r1_every`` steps, weighted by as many.
        widest: most channels of the discriminator.
    """

    phase: ClassVar[str]

    crop: int = 16
    detail: float = 3.0
    sharpness: float = 0.5
    ringing: float = 0.0
    adversarial: float = 0.1
    discriminator_rate: float = 1e-3
    r1: float = 1.0
    r1_every: int = 16
    widest: int = 64

    def __post_init__(self) -> None:
        phase = self.phase
        if self.crop < 4 or self.crop & (self.crop - 1):
            raise InputError(f"{phase}.crop must be a power of two from 4 on, not {self.crop}.")
        if self.r1_every < 1:
            raise InputError(f"{phase}.r1_every must be at least 1, not {self.r1_every}.")


@dataclass(frozen=True)
class EndToEndConfig(AdversarialConfig):
    """Fourth phase: mapping, field and decoder together; wants the batches of a GPU.

    On a GPU 16 whole images a step made a good field better at this rate; on a CPU eight windows of
    16² made it worse, at a sixth of the rate too. Eight times ``heads`` are the former's pixels.

    Attributes:
        steps: none in runs that do not say.
        heads: views a step; points of eight times as many heads come with them.
        crop: edge of what is compared and judged of each image, ``thumb_size`` for all of it; it
            is rendered with a margin.
        learning_rate: Adam's, of the field; mapping and modulation take half of it.
        decoder_rate: Adam's, of the decoder.
        clip: largest norm of the field's gradient.
    """

    phase: ClassVar[str] = "end_to_end"

    crop: int = 32
    widest: int = 128
    sharpness: float = 2.0
    ringing: float = 3.0
    discriminator_rate: float = 2e-3
    learning_rate: float = 3e-4
    decoder_rate: float = 2e-3
    clip: float = 0.5


@dataclass(frozen=True)
class RefineConfig(AdversarialConfig):
    """Last phase: renderer frozen, the decoder alone, against truth and StyleGAN2's discriminator.

    Attributes:
        learning_rate: Adam's, of the decoder.
        compared_at: truth and images are compared this many times smaller: where the field is a
            pixel or two off, what is compared any finer comes out blurred. One that knows the place
            to a pixel (48 samples, guides) is compared at full size.
        detail_weight: weight of plain differences, counted where the truth is rich in detail; none
            in runs that do not say.
        eyes: weight of what is on eyeballs: plain differences, and that there is a catchlight and a
            pupil at all; none in runs that do not say.
        cache_gb: memory for feature maps, gigabytes; what does not fit is rendered again.
        noise: whether the decoder goes on adding noise, as it does in runs that do not say. It is
            an easy way to look sharp, but it sticks to the screen while the head turns: more than
            half of the shipped model's flicker was noise.
    """

    phase: ClassVar[str] = "refine"

    steps: int = 10_000
    noise: bool = True
    learning_rate: float = 1e-3
    compared_at: int = 2
    detail_weight: float = 0.0
    eyes: float = 0.0
    cache_gb: float = 8.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.compared_at < 1:
            raise InputError(f"refine.compared_at must be at least 1, not {self.compared_at}.")
        if self.eyes < 0.0:
            raise InputError(f"refine.eyes must be at least 0, not {self.eyes}.")


@dataclass(frozen=True)
class HeadsConfig:
    """Heads that are prepared before the first phase, as far as the data folder lacks them.

    Attributes:
        facekit: face model to make them from: a clone of ICT-FaceKit, or an .npz of it.
        surfaces, views: how many there shall be of each, rounded up to hundreds.
        jobs: processes that make them; None for one a processor core.
    """

    facekit: str
    surfaces: int = 12_000
    views: int = 8_000
    jobs: int | None = None

    def __post_init__(self) -> None:
        for name in ("surfaces", "views", "jobs"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"heads.{name} must be at least 1, not {value}.")


@dataclass(frozen=True)
class FitConfig:
    """A supervised fit to synthetic heads.

    Attributes:
        data: folder of the heads' supervision (see :mod:`stylesdf_core.heads.supervision`).
        heads: what to prepare there first; None where all of it is there.
        width, depth: of the field.
        thumb_size, output_size, channel_multiplier: see :class:`GeneratorConfig`.
        samples: points per ray, the paper's 24 in runs that do not say. A ray shows the colour of
            its first sample inside the head, up to a whole spacing behind the surface: 14 mm with
            24, which is more than an iris.
        init: weights, model name or run to continue from; None for fresh ones.
        points, render, decoder, end_to_end, refine: the phases, in this order.
        precision: of matrix products and convolutions during training.
        compiled: fuse the field's pointwise operations (torch.compile; needs a C++ compiler).
        ema: decay of the averaged weights, a step.
        seed: of weights and batches.
        threads: CPU threads.
        device: cpu or cuda; auto for CUDA where there is any.
        checkpoint_every, evaluate_every, record_every: steps.
        keep: checkpoints kept.
    """

    data: str
    stage: Literal["fit"] = "fit"
    heads: HeadsConfig | None = None
    width: int = 128
    depth: int = 6
    thumb_size: int = 64
    output_size: int = 256
    channel_multiplier: int = 1
    samples: int = 24
    init: str | None = None
    points: PointsConfig = field(default_factory=PointsConfig)
    render: RenderConfig = field(default_factory=RenderConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    end_to_end: EndToEndConfig = field(default_factory=EndToEndConfig)
    refine: RefineConfig = field(default_factory=RefineConfig)
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    compiled: bool = False
    ema: float = 0.999
    seed: int = 0
    threads: int = 2
    device: Literal["auto", "cpu", "cuda"] = "auto"
    checkpoint_every: int = 2_000
    evaluate_every: int = 2_000
    record_every: int = 50
    keep: int = 3

    def __post_init__(self) -> None:
        for name in ("threads", "checkpoint_every", "evaluate_every", "record_every", "keep"):
            if getattr(self, name) < 1:
                raise InputError(f"Fit config: {name} must be at least 1.")
        phases = (self.points, self.render, self.decoder, self.end_to_end, self.refine)
        if sum(phase.steps for phase in phases) < 1:
            raise InputError("Fit config: all phases have 0 steps; there is nothing to do.")
        if not 8 <= self.samples <= 128:
            raise InputError(f"Fit config: samples must lie between 8 and 128, not {self.samples}.")
        self.generator(z_dim=1)  # refuses impossible sizes before any work is done
        if not 0.0 <= self.ema < 1.0:
            raise InputError(f"Fit config: ema must lie in [0, 1), not {self.ema}.")
        if not 4 <= self.decoder.crop <= self.thumb_size:
            raise InputError("Fit config: decoder.crop must lie between 4 and thumb_size.")
        for name in ("end_to_end", "refine"):
            phase = getattr(self, name)
            if phase.steps and phase.crop > self.thumb_size:
                raise InputError(f"Fit config: {name}.crop must not exceed thumb_size.")

    def generator(self, z_dim: int) -> GeneratorConfig:
        """The architecture to train."""
        return GeneratorConfig(
            z_dim=z_dim,
            width=self.width,
            depth=self.depth,
            thumb_size=self.thumb_size,
            output_size=self.output_size,
            channel_multiplier=self.channel_multiplier,
            samples=self.samples,
        )

    def phase_steps(self) -> dict[str, int]:
        """Steps of every phase by its name, in their order; 0 for those that are left out."""
        decodes = self.output_size > self.thumb_size
        whole = self.end_to_end.steps if decodes else 0
        # What follows a field's training shows renders: density is made to suit them first.
        field = self.render.steps or (self.points.steps if whole else 0)
        return {
            "points": self.points.steps,
            "render": self.render.steps,
            "density": min(1, field),
            "decoder": self.decoder.steps if decodes else 0,
            "end-to-end": whole,
            "refine": self.refine.steps if decodes else 0,
        }
