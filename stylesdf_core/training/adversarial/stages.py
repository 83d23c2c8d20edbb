"""The stages that train from images, assembled from a run folder's config.json."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from stylesdf_core.dataclass_json import from_json
from stylesdf_core.errors import CheckpointError, InputError, TrainingError
from stylesdf_core.model import model_zoo
from stylesdf_core.model.checkpoints import load_checkpoint, load_discriminator
from stylesdf_core.model.config import FieldKind, GeneratorConfig
from stylesdf_core.model.networks.discriminators import VolumeDiscriminator
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.progress import Operation
from stylesdf_core.training.adversarial.config import (
    STAGES,
    DecoderStageConfig,
    JointConfig,
    RendererConfig,
    RunConfig,
    SphereInitConfig,
    StageConfig,
)
from stylesdf_core.training.adversarial.decoder_phase import DecoderPhase
from stylesdf_core.training.adversarial.joint_phase import JointPhase
from stylesdf_core.training.adversarial.real_images import RealImages, open_real_images
from stylesdf_core.training.adversarial.snapshots import Snapshots
from stylesdf_core.training.adversarial.surroundings import Surroundings
from stylesdf_core.training.adversarial.volume_phase import SpherePhase, VolumePhase
from stylesdf_core.training.loop import Cadence, Models, Phase, PhasePlan, TrainingResult, train
from stylesdf_core.training.precision import allow_tf32
from stylesdf_core.training.run_dir import RunDir
from stylesdf_core.training.seeds import seeded_weights
from stylesdf_core.training.world import World, joined_world


def run_stage(run: RunDir) -> Operation[TrainingResult]:
    """Train in the folder by its config.json, whatever its stage, from its newest checkpoint on.

    Under torchrun every process calls this.

    Raises:
        InputError: the config, the images or the initial weights are wrong.
        TrainingError: see :func:`~stylesdf_core.training.loop.train`.
    """
    data = run.read_config()
    stage = str(data.get("stage"))
    if stage not in STAGES:
        raise InputError(f"{run.path} asks for an unknown stage {stage!r}.")
    config = from_json(STAGES[stage], data, str(run.path / "config.json"))
    if config.run.threads:
        torch.set_num_threads(config.run.threads)
    allow_tf32(config.run.precision)
    with joined_world(config.run.device) as world:
        if not world.is_main:
            return (yield from _train(run, config, data, world))
        with run.owned():
            return (yield from _train(run, config, data, world))


def _train(run: RunDir, config: StageConfig, data: Any, world: World) -> Operation[TrainingResult]:
    images: RealImages | None = None
    metadata = {"title": f"{config.preset} {config.stage}", "stage": config.stage}
    if not isinstance(config, SphereInitConfig):
        _check_world(config.batch, world)
        only_images = isinstance(config, DecoderStageConfig)
        images, found = yield from open_real_images(
            config.images,
            config.generator.output_size,
            None if only_images else config.generator.thumb_size,
            config.batch,
            seed=config.run.seed,
            share=world.share,
        )
        if world.is_main and not run.read_stats():
            run.append_stats({"step": 0, "event": found})
    try:
        fresh = run.latest() is None  # else the checkpoint has all that init would give
        models = Models.of(_first_generator(config, fresh).to(world.device))
        around = Surroundings(
            world, config.run, config.poses, Snapshots(config.poses, config.run.seed)
        )
        torch.manual_seed(config.run.seed)  # steps have generators of their own; for what has not
        plans = _plans(config, around, images, fresh)
        cadence = _cadence(config.run)
        return (yield from train(run, models, plans, cadence, metadata, config=data, world=world))
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            f"{run.path} needs more memory than {world.device} has; run the same command again "
            "with a smaller --chunk, which changes no result."
        ) from error
    finally:
        if images is not None:
            images.close()


def _plans(
    config: StageConfig, around: Surroundings, images: RealImages | None, fresh: bool
) -> list[PhasePlan]:
    if isinstance(config, SphereInitConfig):
        return [PhasePlan("sphere", config.sphere.steps, _BeginSphere(around, config))]
    assert images is not None
    plans = [PhasePlan(config.stage, config.steps, _Begin(around, config, images, fresh))]
    if isinstance(config, RendererConfig):
        plans.insert(0, PhasePlan("sphere", config.sphere_steps, _BeginSphere(around, config)))
    return plans


@dataclass(frozen=True)
class _BeginSphere:
    around: Surroundings
    config: SphereInitConfig | RendererConfig

    def __call__(self, models: Models) -> SpherePhase:
        return SpherePhase(models, self.around, self.config.sphere)


@dataclass(frozen=True)
class _Begin:
    """Makes the adversarial phase, its discriminators from ``init`` where that has any."""

    around: Surroundings
    config: RendererConfig | DecoderStageConfig | JointConfig
    images: RealImages
    fresh: bool

    def __call__(self, models: Models) -> Phase:
        config, around, images = self.config, self.around, self.images
        phase: Phase
        if isinstance(config, RendererConfig):
            phase = VolumePhase(models, around, config, images)
        elif isinstance(config, DecoderStageConfig):
            phase = DecoderPhase(models, around, config, images)
        else:
            phase = JointPhase(models, around, config, images)
        if self.fresh and config.init is not None:
            inherit(config.init, phase.networks)
        return phase


def inherit(init: str, networks: dict[str, nn.Module]) -> None:
    """Give discriminators the weights that ``init``, a run or a published file, has for them.

    What it has of another shape or not at all stays as it is.
    """
    entry = model_zoo.resolve(init)
    found: dict[str, dict[str, torch.Tensor]] = {}
    if entry.kind is model_zoo.ModelKind.RUN:
        saved = RunDir(Path(init)).load_checkpoint()
        found = dict(saved["networks"]) if saved else {}
    elif entry.path.suffix == ".pt":
        try:
            published = load_discriminator(entry.path)
        except CheckpointError:  # a file of the generator alone
            return
        is_volume = isinstance(published, VolumeDiscriminator)
        found = {"volume_discriminator" if is_volume else "discriminator": published.state_dict()}
    for name, network in networks.items():
        state = found.get(name, {})
        ours = network.state_dict()
        if {k: v.shape for k, v in state.items()} == {k: v.shape for k, v in ours.items()}:
            network.load_state_dict(state)


def _first_generator(config: StageConfig, fresh: bool) -> Generator:
    """Fresh weights of the run's seed and, in a fresh run, what ``init`` holds instead."""
    with seeded_weights(config.run.seed):
        generator = Generator(config.generator)
    init = None if isinstance(config, SphereInitConfig) else config.init
    if init is None or not fresh:
        return generator
    given = load_checkpoint(model_zoo.resolve(init).path, field=config.generator.field).generator
    wanted = replace(config.generator, output_size=given.config.output_size)
    if given.config.has_decoder:
        same_decoder = given.config.output_size == config.generator.output_size
    else:
        same_decoder = not isinstance(config, JointConfig)
        wanted = replace(wanted, channel_multiplier=given.config.channel_multiplier)
    if given.config != wanted or not same_decoder:
        raise InputError(
            f"{init} holds another architecture ({given.config}) than the run's config asks for "
            f"({config.generator})."
        )
    missing, unknown = generator.load_state_dict(given.state_dict(), strict=False)
    assert not unknown
    assert all(key.startswith("decoder.") for key in missing)
    return generator


def _check_world(batch: int, world: World) -> None:
    if batch % world.size:
        raise InputError(f"batch {batch} must be a multiple of the {world.size} processes.")


def _cadence(run: RunConfig) -> Cadence:
    return Cadence(run.record_every, run.evaluate_every, run.checkpoint_every, run.keep, run.ema)


def generator_of(init: Path | str, field: FieldKind = "sdf") -> GeneratorConfig:
    """Architecture of the weights that a stage would start from."""
    return load_checkpoint(model_zoo.resolve(init).path, field=field).generator.config
