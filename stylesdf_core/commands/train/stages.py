"""Commands of the stages that train from images, and the table of all training commands.

Importing this module registers all stages with :mod:`stylesdf_core.training.runs.stages`.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, get_type_hints

import tyro

from stylesdf_core.commands.train.base import TrainStage, absolute_init, absolute_path
from stylesdf_core.commands.train.fit import FIT, TrainFit
from stylesdf_core.errors import check_range
from stylesdf_core.progress import Operation
from stylesdf_core.training.adversarial.config.presets import preset
from stylesdf_core.training.adversarial.config.stages import (
    ADJUSTABLE,
    DecoderStageConfig,
    JointConfig,
    PresetName,
    RendererConfig,
    SphereInitConfig,
    StageConfig,
)
from stylesdf_core.training.runs.run_dir import RunDir
from stylesdf_core.training.runs.stages import Stage, register

if TYPE_CHECKING:
    from stylesdf_core.training.phase import Loop


@dataclass(frozen=True, kw_only=True)
class TrainAdversarially(TrainStage):
    """The stages of the paper, on one or several GPUs."""

    config: Any

    gpus: int = 1
    """Processes to train with, one a GPU (or CPU); several machines need your own torchrun."""

    @property
    def processes(self) -> int:
        """Processes to train with."""
        return self.gpus

    def checked(self) -> StageConfig:
        """See :class:`TrainStage`; reads the header of the weights to start from."""
        from stylesdf_core.training.adversarial.stages import architecture, trained_poses

        config: StageConfig = self.config
        check_range("--gpus", self.gpus, 1)
        if not isinstance(config, SphereInitConfig):
            config.check_shares(self.gpus)
            init = absolute_init(config.init)
            config = replace(config, data=absolute_path(config.data), init=init)  # type: ignore[arg-type]
        architecture(config, RunDir(self.run_dir))
        trained_poses(config, RunDir(self.run_dir))
        return config

    def check_data(self, config: StageConfig, run: RunDir) -> None:
        """See :class:`TrainStage`."""
        from stylesdf_core.data.images import open_images
        from stylesdf_core.training.adversarial.stages import architecture
        from stylesdf_core.training.runs import run_data

        if isinstance(config, SphereInitConfig):
            return
        size = architecture(config, run).output_size
        with closing(open_images(Path(config.data), size)) as source:
            run_data.check_data(run, config.data, run_data.pictures(source))

    def measured(self) -> StageConfig:
        """See :class:`TrainStage`."""
        config = self.checked()
        if isinstance(config, SphereInitConfig):
            return config
        return replace(config, batch=config.batch // self.gpus)


@dataclass(frozen=True, kw_only=True)
class TrainSphereInit(TrainAdversarially):
    """Make the field a sphere, to start several renderers from.

    Without --init, `train renderer` begins with this phase.
    """

    config: Annotated[SphereInitConfig, tyro.conf.arg(name="")]


@dataclass(frozen=True, kw_only=True)
class TrainRenderer(TrainAdversarially):
    """Train the volume renderer against its discriminator (the paper's stage 1).

    A file named `stop` in the folder stops the run. The same command resumes a run.
    """

    config: Annotated[RendererConfig, tyro.conf.arg(name="")]


@dataclass(frozen=True, kw_only=True)
class TrainDecoder(TrainAdversarially):
    """Train the decoder on a frozen volume renderer (the paper's stage 2).

    A file named `stop` in the folder stops the run. The same command resumes a run.
    """

    config: Annotated[DecoderStageConfig, tyro.conf.arg(name="")]


@dataclass(frozen=True, kw_only=True)
class TrainJoint(TrainAdversarially):
    """Fine-tune renderer and decoder together, end to end, under both discriminators.

    A file named `stop` in the folder stops the run. The same command resumes a run.
    """

    config: Annotated[JointConfig, tyro.conf.arg(name="")]


TrainRequest: TypeAlias = TrainSphereInit | TrainRenderer | TrainDecoder | TrainJoint | TrainFit

#: The training commands by their stages.
TRAIN_COMMANDS: dict[str, type[TrainRequest]] = {
    "sphere-init": TrainSphereInit,
    "renderer": TrainRenderer,
    "decoder": TrainDecoder,
    "joint": TrainJoint,
    "fit": TrainFit,
}


def config_type(command: type[TrainRequest]) -> type[Any]:
    """The dataclass of a command's settings."""
    kind: type[Any] = get_type_hints(command)["config"]
    return kind


def default_config(
    command: type[TrainRequest], name: PresetName = "ffhq", *, missing: Any = "", **given: Any
) -> Any:
    """A command's settings without flags.

    Args:
        name: name of a preset, for commands that have presets.
        missing: value of settings without a default.
        given: settings of the top level.
    """
    kind = config_type(command)
    required = {
        field.name: missing
        for field in fields(kind)
        if field.default is MISSING and field.default_factory is MISSING
    }
    given = {**required, **given}
    has_presets = any(field.name == "preset" for field in fields(kind))
    return preset(kind, name, **given) if has_presets else kind(**given)


def _train_from_images(run: RunDir, config: StageConfig, loop: Loop) -> Operation[Any]:
    from stylesdf_core.training.adversarial.stages import train_from_images

    return (yield from train_from_images(run, config, loop))


for _command in (TrainSphereInit, TrainRenderer, TrainDecoder, TrainJoint):
    _kind = config_type(_command)
    register(Stage(_kind.stage, _kind, ADJUSTABLE, _train_from_images))
register(FIT)
