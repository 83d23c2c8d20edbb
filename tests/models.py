"""Small models with something to see in them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from stylesdf_core.dataclass_json import to_json
from stylesdf_core.model.checkpoints.checkpoints import save_safetensors
from stylesdf_core.model.config import GeneratorConfig
from stylesdf_core.model.latents.mean_latents import MeanLatents, mean_latents
from stylesdf_core.model.model import Model
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.model.poses import POSES, Poses

TINY = GeneratorConfig(width=24, depth=2, thumb_size=16, output_size=64, channel_multiplier=1)


def tiny_generator(**changes: Any) -> Generator:
    """A random generator whose field is a surface somewhere inside the volume."""
    torch.manual_seed(7)
    config = GeneratorConfig(**{**TINY.__dict__, **changes})
    generator = Generator(config)
    field = generator.field
    # Without these biases the field's zero level lies inside the volume.
    for name, parameter in generator.named_parameters():
        is_drawn = name.startswith(("mapping.", "field.")) and not name.endswith("linear.bias")
        if is_drawn and name.endswith("bias"):
            parameter.data.zero_()
    first, head = field.trunk[0].linear, field.scalar_head
    first.weight.data.mul_(0.1)  # type: ignore[union-attr, operator]
    head.weight.data.mul_(0.3)
    generator.field.sigmoid_beta.data.fill_(0.01)
    return generator.eval().requires_grad_(False)


@cache
def _means(**changes: Any) -> MeanLatents:
    """The mean latents, which take ten times as long as the generator."""
    return mean_latents(tiny_generator(**changes))


def tiny_model(**changes: Any) -> Model:
    generator = tiny_generator(**changes)
    return Model("tiny", Path("tiny.safetensors"), generator, _means(**changes), ())


@cache
def _file(poses: Poses | None, **changes: Any) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tiny.safetensors"
        metadata = {"directions": "heads"}
        if poses is not None:
            metadata[POSES] = json.dumps(to_json(poses))
        save_safetensors(tiny_generator(**changes), path, metadata=metadata, means=True)
        return path.read_bytes()


def save_tiny(path: Path, poses: Poses | None = None, **changes: Any) -> Path:
    """Write a tiny model that has the shipped model's named directions."""
    path.write_bytes(_file(poses, **changes))
    return path
