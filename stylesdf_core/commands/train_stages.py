"""Adversarial training from images: sphere-init, renderer, decoder, joint."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from stylesdf_core.commands.train_fit import TrainFit
from stylesdf_core.commands.train_stage import TrainFromImages, TrainStage, absolute_init
from stylesdf_core.heads.fit.config import FitConfig
from stylesdf_core.model.config import STDDEV_GROUP
from stylesdf_core.progress import Operation
from stylesdf_core.training.adversarial.config import STAGES as FROM_IMAGES
from stylesdf_core.training.adversarial.config import total_steps
from stylesdf_core.training.run_dir import RunDir
from stylesdf_core.training.stages import Stage, register

if TYPE_CHECKING:
    from stylesdf_core.training.adversarial.config import Preset, StageConfig
    from stylesdf_core.training.loop import TrainingResult

_LENGTHS = ("steps", "batch", "chunk")
_VOLUME = ("r1", "eikonal", "minimal_surface", "generator_rate", "discriminator_rate")


@dataclass(frozen=True, kw_only=True)
class TrainSphereInit(TrainStage):
    """Make the field a sphere, to start several renderers from.

    `train renderer` does this by itself when it is not given any weights.
    """

    def config(self) -> StageConfig:
        """See :class:`TrainStage`."""
        from stylesdf_core.training.adversarial.config import SphereInitConfig, renderer_of

        preset = self._preset()
        return SphereInitConfig(
            preset=self.preset,
            generator=renderer_of(preset.generator),
            poses=preset.poses,
            sphere=replace(preset.sphere, steps=self.settings()["steps"]),
            run=self._run_config(),
        )

    def _of_preset(self, preset: Preset) -> dict[str, Any]:
        return {**super()._of_preset(preset), "steps": preset.sphere.steps}


@dataclass(frozen=True, kw_only=True)
class TrainRenderer(TrainFromImages):
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

    def image_size(self) -> int:
        """See :class:`TrainFromImages`: that of the volume renders."""
        return self._preset().generator.thumb_size

    def config(self) -> StageConfig:
        """See :class:`TrainStage`."""
        from stylesdf_core.training.adversarial.config import RendererConfig, renderer_of

        preset, settings = self._preset(), self.settings()
        return RendererConfig(
            images=self._images(),
            preset=self.preset,
            generator=replace(renderer_of(preset.generator), field=self.field),
            poses=preset.poses,
            sphere=preset.sphere,
            volume=replace(preset.volume, **{name: settings[name] for name in _VOLUME}),
            run=self._run_config(),
            init=absolute_init(self.init),
            **{name: settings[name] for name in _LENGTHS},
        )

    def _of_preset(self, preset: Preset) -> dict[str, Any]:
        losses = {name: getattr(preset.volume, name) for name in _VOLUME}
        return {**super()._of_preset(preset), **losses, **self._batches(preset, 0, 4)}


@dataclass(frozen=True, kw_only=True)
class TrainDecoder(TrainFromImages):
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
        """See :class:`TrainStage`."""
        from stylesdf_core.training.adversarial.config import DecoderStageConfig
        from stylesdf_core.training.adversarial.stages import generator_of

        preset, settings = self._preset(), self.settings()
        init = str(absolute_init(self.init))
        # The renderer's own architecture, whatever preset it was trained with.
        generator = replace(
            generator_of(init),
            output_size=preset.generator.output_size,
            channel_multiplier=preset.generator.channel_multiplier,
        )
        return DecoderStageConfig(
            images=self._images(),
            init=init,
            preset=self.preset,
            generator=generator,
            poses=preset.poses,
            image=replace(preset.image, r1=settings["r1"], rate=settings["rate"]),
            run=self._run_config(),
            **{name: settings[name] for name in _LENGTHS},
        )

    def _of_preset(self, preset: Preset) -> dict[str, Any]:
        losses = {"r1": preset.image.r1, "rate": preset.image.rate}
        batches = self._batches(preset, 1, 8, STDDEV_GROUP)
        return {**super()._of_preset(preset), **losses, **batches}


@dataclass(frozen=True, kw_only=True)
class TrainJoint(TrainFromImages):
    """Fine-tune renderer and decoder together, end to end, under both discriminators.

    Killed, stopped (a file named `stop` in the folder) or finished: the same command resumes.
    """

    init: str
    """The whole model: weights, model name or run folder."""

    renderer_rate: float = 2e-6
    """Learning rate of the renderer, a tenth of stage 1's."""

    def config(self) -> StageConfig:
        """See :class:`TrainStage`."""
        from stylesdf_core.training.adversarial.config import JointConfig
        from stylesdf_core.training.adversarial.stages import generator_of

        preset, settings = self._preset(), self.settings()
        init = str(absolute_init(self.init))
        rays = preset.volume.geometry_rays or 256
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
            **{name: settings[name] for name in _LENGTHS},
        )

    def _of_preset(self, preset: Preset) -> dict[str, Any]:
        return {**super()._of_preset(preset), **self._batches(preset, 2, 4, STDDEV_GROUP)}


def _train_from_images(run: RunDir) -> Operation[TrainingResult]:
    from stylesdf_core.training.adversarial.stages import run_stage

    return (yield from run_stage(run))


def _fit(run: RunDir) -> Operation[TrainingResult]:
    from stylesdf_core.heads.fit.stage import run_fit

    return (yield from run_fit(run))


def _fit_steps(config: FitConfig) -> int:
    return sum(config.phase_steps().values())


#: All stages that a run folder may ask for; training looks them up by name.
STAGES = (
    *(Stage(name, config, total_steps, _train_from_images) for name, config in FROM_IMAGES.items()),
    Stage("fit", FitConfig, _fit_steps, _fit),
)
register(*STAGES)

TrainRequest: TypeAlias = TrainSphereInit | TrainRenderer | TrainDecoder | TrainJoint | TrainFit
