"""Runs the stages that train from images, in a run folder and from its newest checkpoint on.

:func:`train_from_images` opens the images, makes the models (fresh weights, ``init``'s, or a
checkpoint's) and hands the stage's phases to the loop (training/loop.py).
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from stylesdf_core.data.frame_presets import FRAME_PRESET, FramePreset, read_frame_preset
from stylesdf_core.dataclass_json import to_json
from stylesdf_core.errors import CheckpointError, InputError, TrainingError, is_out_of_memory
from stylesdf_core.model import model_zoo
from stylesdf_core.model.checkpoints.checkpoints import (
    is_pickle,
    load_checkpoint,
    load_discriminator,
    read_architecture,
)
from stylesdf_core.model.config import GeneratorConfig
from stylesdf_core.model.networks.discriminators import (
    SMALLEST_IMAGE,
    SMALLEST_RENDER,
    VolumeDiscriminator,
    halvings,
)
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.model.poses import POSES, Poses
from stylesdf_core.progress import Operation
from stylesdf_core.seeds import seeded_weights
from stylesdf_core.training.adversarial.batches.real_images import RealImages, open_real_images
from stylesdf_core.training.adversarial.config.stages import (
    DecoderStageConfig,
    ImageStageConfig,
    JointConfig,
    RendererConfig,
    SphereInitConfig,
    StageConfig,
)
from stylesdf_core.training.adversarial.phases.gan_phase import GanPhase
from stylesdf_core.training.adversarial.phases.phase import PhaseContext
from stylesdf_core.training.adversarial.phases.snapshots import Snapshots
from stylesdf_core.training.adversarial.phases.sphere_phase import SpherePhase
from stylesdf_core.training.loop import train
from stylesdf_core.training.phase import Loop, Models, Phase, PhasePlan, PreparedRun
from stylesdf_core.training.precision import allow_tf32
from stylesdf_core.training.runs.run_dir import RunDir
from stylesdf_core.training.settings import by_path, differences
from stylesdf_core.training.world import World, joined_world

#: Networks that a stage hands on to the stages after it.
HANDED_ON = (
    "volume_discriminator", "discriminator", "path_mean",
    "volume_discriminator_augmentation", "discriminator_augmentation",
)  # fmt: skip


def train_from_images(run: RunDir, config: StageConfig, loop: Loop = train) -> Operation[Any]:
    """Train in a run's folder by its settings, from its newest checkpoint on.

    Args:
        loop: runs the phases; its result is returned.

    Under torchrun every process calls this.

    Raises:
        InputError: the images or the initial weights are wrong.
        TrainingError: see :func:`~stylesdf_core.training.loop.train`.
    """
    if config.run.threads:
        torch.set_num_threads(config.run.threads)
    allow_tf32(config.run.precision)
    with joined_world(config.run.device) as world:
        if not world.is_main:
            return (yield from _train(run, config, world, loop))
        with run.owned():
            return (yield from _train(run, config, world, loop))


def architecture(config: StageConfig, run: RunDir) -> GeneratorConfig:
    """The architecture that a run trains: its checkpoint's, else by ``config`` and ``init``.

    Only the headers of weights files are read.

    Raises:
        InputError: ``init`` is missing, the stage cannot start from its weights, or its
            discriminators cannot judge pictures of that size.
    """
    saved = run.latest("ema")
    if saved is not None:
        return read_architecture(saved)
    wanted = _wanted(config)
    if isinstance(config, RendererConfig | JointConfig):
        halvings(wanted.thumb_size, SMALLEST_RENDER)
    if isinstance(config, DecoderStageConfig | JointConfig):
        halvings(wanted.output_size, SMALLEST_IMAGE)
    return wanted


def _wanted(config: StageConfig) -> GeneratorConfig:
    if isinstance(config, SphereInitConfig):
        return config.generator
    if config.init is None:
        return config.architecture
    given = read_architecture(model_zoo.resolve(config.init).path)
    if isinstance(config, RendererConfig):
        wanted = config.architecture
        # Without a decoder, its kind, the multiplier of its channels and the image have no meaning.
        same = {"channel_multiplier": wanted.channel_multiplier, "decoder": wanted.decoder}
        if not given.has_decoder:
            same["output_size"] = wanted.output_size
        fits = replace(given, **same) == wanted  # type: ignore[arg-type]
    elif isinstance(config, DecoderStageConfig):
        wanted = replace(
            given,
            output_size=config.output_size,
            channel_multiplier=config.channel_multiplier,
            decoder=config.decoder_kind,
        )
        fits = wanted.has_decoder and (given == wanted or not given.has_decoder)
    else:
        wanted, fits = given, given.has_decoder
    if not fits:
        different = differences(by_path(given), by_path(wanted)) or "it has no decoder"
        raise InputError(
            f"{config.init} does not fit the {config.stage} stage's architecture: {different}."
        )
    return wanted


def trained_poses(config: StageConfig, run: RunDir) -> Poses:
    """The cameras that a run trains with: its checkpoint's, else what config and ``init`` say.

    Raises:
        InputError: ``init`` is missing, or was trained with other poses than the config asks for.
    """
    saved = run.latest("ema")
    init = None if isinstance(config, SphereInitConfig) else config.init
    source = init if saved is None else str(saved)
    return config.poses.of(model_zoo.trained_poses(source) if source else None, source)


def _frame_preset(
    config: RendererConfig | DecoderStageConfig | JointConfig, run: RunDir
) -> FramePreset | None:
    """How the pictures frame a face: as they say, else as the weights say that are trained on."""
    source = run.latest("ema") or config.init
    known = model_zoo.trained_frame_preset(source) if source is not None else None
    return read_frame_preset(Path(config.data)) or known


def _train(run: RunDir, config: StageConfig, world: World, loop: Loop) -> Operation[Any]:
    generator = architecture(config, run)
    images: RealImages | None = None
    poses = trained_poses(config, run)
    metadata = {
        "title": f"{config.preset} {config.stage}",
        "stage": config.stage,
        POSES: json.dumps(to_json(poses)),
    }
    if isinstance(config, ImageStageConfig):
        config.check_shares(world.size)
        only_images = isinstance(config, DecoderStageConfig)
        images, found = yield from open_real_images(
            Path(config.data),
            config.images,
            generator.output_size,
            None if only_images else generator.thumb_size,
            config.batch,
            seed=config.run.seed,
            share=world.share,
            run=run,
        )
        if (preset := _frame_preset(config, run)) is not None:
            metadata[FRAME_PRESET] = preset
        if world.is_main and not run.read_stats():
            run.append_stats({"step": 0, "event": found})
            if config.init is not None:
                start = f"starts from the averaged weights of {config.init}, with new optimizers"
                run.append_stats({"step": 0, "event": start})
    try:
        fresh = run.latest() is None  # else the checkpoint replaces the weights of init
        models = Models.of(_first_generator(config, generator, fresh).to(world.device))
        context = PhaseContext(world, config.run, poses, Snapshots(poses, config.run.seed))
        plans = _plans(run, config, context, images, fresh)
        prepared = PreparedRun(run, models, plans, config.run, metadata, to_json(config), world)
        return (yield from loop(prepared))
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise TrainingError(
            f"{run.path} needs more memory than {world.device} has; run the same command again "
            "with a smaller --chunk, which changes no result."
        ) from error
    finally:
        if images is not None:
            images.close()


def _plans(
    run: RunDir, config: StageConfig, context: PhaseContext, images: RealImages | None, fresh: bool
) -> list[PhasePlan]:
    """The stage's phases; the adversarial one takes over the networks of ``init``, if any."""
    if isinstance(config, SphereInitConfig):
        begin_sphere = partial(SpherePhase, context=context, settings=config.sphere)
        return [PhasePlan("sphere", config.sphere.steps, begin_sphere)]

    def begin(models: Models) -> Phase:
        assert images is not None
        phase = GanPhase(models, context, config, images)
        if fresh and config.init is not None:
            missing = take_over(config.init, phase)
            judges = [name.replace("_", " ") for name in missing if name.endswith("discriminator")]
            if judges and isinstance(config, JointConfig) and context.world.is_main:
                event = f"{config.init} has no fitting {' nor '.join(judges)}: it starts untrained"
                run.append_stats({"step": 0, "event": event})
        return phase

    plans = [PhasePlan(config.stage, config.steps, begin)]
    if isinstance(config, RendererConfig):
        begin_sphere = partial(SpherePhase, context=context, settings=config.sphere)
        plans.insert(0, PhasePlan("sphere", config.sphere_steps, begin_sphere))
    return plans


def take_over(init: str, phase: Phase) -> list[str]:
    """Give a phase's networks the weights that ``init``, a run or a published file, has for them.

    Networks that only a later stage needs are carried along, so that a decoder's run hands on the
    volume discriminator of the renderer it started from.

    Returns:
        The names of networks that ``init`` lacks, or has in another shape: they keep theirs.
    """
    entry = model_zoo.resolve(init)
    found: dict[str, dict[str, torch.Tensor]] = {}
    if entry.kind is model_zoo.ModelKind.RUN:
        saved = RunDir(Path(init)).load_checkpoint()
        found = dict(saved["networks"]) if saved else {}
    elif is_pickle(entry.path):
        with suppress(CheckpointError):  # a file of the generator alone
            published = load_discriminator(entry.path)
            is_volume = isinstance(published, VolumeDiscriminator)
            name = "volume_discriminator" if is_volume else "discriminator"
            found = {name: published.state_dict()}
    missing = []
    for name, network in phase.networks.items():
        state = found.pop(name, {})
        ours = network.state_dict()
        if {k: v.shape for k, v in state.items()} == {k: v.shape for k, v in ours.items()}:
            network.load_state_dict(state)
        else:
            missing.append(name)
    phase.carried = {name: found[name] for name in HANDED_ON if name in found}
    return missing


def _first_generator(config: StageConfig, wanted: GeneratorConfig, fresh: bool) -> Generator:
    """Initial weights of the run's seed; in a fresh run with ``init``, the weights of ``init``."""
    with seeded_weights(config.run.seed):
        generator = Generator(wanted)
    init = None if isinstance(config, SphereInitConfig) else config.init
    if init is not None and fresh:
        given = load_checkpoint(model_zoo.resolve(init).path).generator
        missing, unknown = generator.load_state_dict(given.state_dict(), strict=False)
        assert not unknown
        assert all(key.startswith("decoder.") for key in missing)
    return generator
