"""Tiny phases of the adversarial stages, and the gradients of one of their steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from stylesdf_core.dataclass_json import to_json
from stylesdf_core.model.checkpoints.checkpoints import save_safetensors
from stylesdf_core.model.config import GeneratorConfig
from stylesdf_core.model.networks import decoder
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.model.poses import Poses
from stylesdf_core.progress import drain
from stylesdf_core.training.adversarial.batches.real_images import RealImages, open_real_images
from stylesdf_core.training.adversarial.config.images import ImagesConfig
from stylesdf_core.training.adversarial.config.losses import ImageLosses, VolumeLosses
from stylesdf_core.training.adversarial.config.stages import (
    DecoderStageConfig,
    JointConfig,
    RendererConfig,
    SphereConfig,
    SphereInitConfig,
)
from stylesdf_core.training.adversarial.phases.gan_phase import GanPhase
from stylesdf_core.training.adversarial.phases.phase import PhaseContext
from stylesdf_core.training.adversarial.phases.snapshots import Snapshots
from stylesdf_core.training.phase import Models
from stylesdf_core.training.run_config import RunConfig
from stylesdf_core.training.runs.run_dir import RunDir
from stylesdf_core.training.world import Share, World

WHOLE = GeneratorConfig(
    z_dim=8, width=8, depth=1, thumb_size=8, output_size=16, channel_multiplier=1, samples=4
)
THUMB = replace(WHOLE, output_size=8)
RUN = RunConfig(
    device="cpu",
    precision="float32",
    record_every=1,
    evaluate_every=4,
    checkpoint_every=2,
    keep=2,
    ema=0.9,
)
VOLUME = VolumeLosses(discriminator_channels=8, r1_every=2)
KINDS = ("renderer", "decoder", "joint")
Config: TypeAlias = RendererConfig | DecoderStageConfig | JointConfig


@contextmanager
def small_decoders() -> Iterator[None]:
    """Decoders made here have eight channels at every size, not the published 256, 128 …"""
    with patch.object(decoder, "_CHANNELS", (8,)):
        yield


def write_images(folder: Path, edge: int = 18) -> None:
    """Twenty pictures of noise; by default a little larger than the whole model's."""
    folder.mkdir(exist_ok=True)
    source = np.random.default_rng(0)
    for index in range(20):
        pixels = source.integers(0, 256, (edge, edge + 2, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")


def write_weights(path: Path, config: GeneratorConfig = WHOLE) -> None:
    """A model for a stage to start from; by default a whole one."""
    torch.manual_seed(3)
    save_safetensors(Generator(config), path)


def stage_config(name: str, folder: Path) -> Config:
    """A stage on the images and the weights that lie in ``folder``."""
    data, images = str(folder / "images"), ImagesConfig(workers=1, held_out=0.0, compare=8)
    init = str(folder / "whole.safetensors")
    image = ImageLosses(widest=8, r1_every=2, path_every=2)
    configs: dict[str, Callable[[], Config]] = {
        "renderer": lambda: RendererConfig(
            data=data,
            images=images,
            generator=THUMB,
            sphere=SphereConfig(steps=2, batch=2, rays=4),
            volume=VOLUME,
            run=RUN,
            steps=4,
            batch=4,
            chunk=2,
        ),
        "decoder": lambda: DecoderStageConfig(
            data=data,
            images=images,
            init=init,
            output_size=WHOLE.output_size,
            channel_multiplier=WHOLE.channel_multiplier,
            image=image,
            run=RUN,
            steps=4,
            batch=8,
            chunk=4,
        ),
        "joint": lambda: JointConfig(
            data=data,
            images=images,
            init=init,
            volume=replace(VOLUME, geometry_rays=5),
            image=image,
            run=RUN,
            steps=4,
            batch=8,
            chunk=4,
        ),
    }
    return configs[name]()


def generator_config(config: Config) -> GeneratorConfig:
    """The architecture that a stage of these tests trains."""
    return config.architecture if isinstance(config, RendererConfig) else WHOLE


def images_of(config: Config, share: Share | None = None) -> RealImages:
    images, _ = drain(
        open_real_images(
            Path(config.data),
            config.images,
            generator_config(config).output_size,
            8,
            config.batch,
            seed=0,
            share=share or Share(),
        )
    )
    return images


def phase_of(config: Config, world: World | None = None, seed: int = 5) -> GanPhase:
    """A phase in float64, so that only a wrong sum can differ."""
    torch.manual_seed(seed)
    generator = Generator(generator_config(config)).double()
    for key, value in generator.named_parameters():
        if key.endswith("noise_strength"):
            value.data.fill_(0.3)  # starts at 0, where wrong noise would not show
    models = Models.of(generator)
    world = world or World(0, 1, torch.device("cpu"))
    poses = Poses()
    context = PhaseContext(world, config.run, poses, Snapshots(poses, 0))
    images = images_of(config, world.share)
    phase = GanPhase(models, context, config, images)
    for network in phase.networks.values():
        network.double()
    return phase


def gradients(phase: GanPhase, index: int) -> dict[str, Tensor]:
    phase.accumulate_discriminators(index)
    found = _gradients(phase.networks)
    for network in phase.networks.values():
        network.zero_grad()
    phase.accumulate_generator(index)
    found |= _gradients({"generator": phase.models.live})
    if phase.image is not None:
        phase.models.live.zero_grad()
        phase.accumulate_path(index)
        found |= _gradients({"path": phase.models.live})
    return found


def _gradients(networks: dict[str, nn.Module]) -> dict[str, Tensor]:
    return {
        f"{name}.{key}": value.grad.clone()
        for name, network in networks.items()
        for key, value in network.named_parameters()
        if value.grad is not None
    }


@contextmanager
def double_precision() -> Iterator[None]:
    """Everything in float64, so that only a wrong sum can differ."""
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with patch.object(torch.Tensor, "float", torch.Tensor.double):
            yield
    finally:
        torch.set_default_dtype(default)


def assert_same_gradients(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    assert {key.split(".")[0] for key in expected} > {"generator"}
    for key, value in expected.items():
        scale = float(value.abs().max())
        torch.testing.assert_close(found[key], value, rtol=1e-6, atol=1e-9 + 1e-7 * scale)


def start(folder: Path, config: Config | SphereInitConfig) -> RunDir:
    run = RunDir(folder)
    run.write_config(to_json(config))
    return run


def state(run: RunDir) -> dict[str, Any]:
    saved = run.load_checkpoint()
    assert saved is not None
    return saved
