"""Key names and shapes of the checkpoints published with the paper.

:mod:`.checkpoints` reads and writes generators of published files with these tables; beside them it
names a few keys, by which it recognises a file and infers sizes. Discriminators are read here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from stylesdf_core.errors import CheckpointError, InputError
from stylesdf_core.model.checkpoints.blank_networks import blank, check_shapes, first_keys
from stylesdf_core.model.config import GeneratorConfig
from stylesdf_core.model.networks.discriminators import StyleDiscriminator, VolumeDiscriminator
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.model.networks.ops import blur_kernel

#: Key that files of models with a signed distance have, and files of densities (the published
#: code's ``--no_sdf``) have not: a published file says no more of its field.
SDF_ONLY = "renderer.sigmoid_beta"


def generator_names(config: GeneratorConfig) -> dict[str, str]:
    """Maps each key of a generator's state dict to its key in published files."""
    names: dict[str, str] = {}
    if config.field == "sdf":
        names["field.sigmoid_beta"] = SDF_ONLY

    def add(ours: str, theirs: str, parts: tuple[str, ...] = ("weight", "bias")) -> None:
        for part in parts:
            names[f"{ours}.{part}"] = f"{theirs}.{part}"

    def add_film(ours: str, theirs: str) -> None:
        add(f"{ours}.linear", theirs)
        add(f"{ours}.gamma", f"{theirs}.gamma")
        add(f"{ours}.beta", f"{theirs}.beta")

    for index in range(3):
        add(f"mapping.layers.{index}", f"style.{index}")
    network = "renderer.network"
    for index in range(config.depth):
        add_film(f"field.trunk.{index}", f"{network}.pts_linears.{index}")
    add_film("field.view_layer", f"{network}.views_linears")
    add("field.rgb_head", f"{network}.rgb_linear")
    add("field.scalar_head", f"{network}.sigma_linear")
    if not config.has_decoder:
        return names
    for index in range(5):
        add(f"decoder.mapping.{index}", f"decoder.style.{index + 1}")  # style.0 is the pixel norm
    for index in range(2 * config.upsamplings + 1):
        theirs = "decoder.conv1" if index == 0 else f"decoder.convs.{index - 1}"
        ours = f"decoder.convs.{index}"
        names[f"{ours}.conv.weight"] = f"{theirs}.conv.weight"
        add(f"{ours}.conv.modulation", f"{theirs}.conv.modulation")
        names[f"{ours}.noise_strength"] = f"{theirs}.noise.weight"
        names[f"{ours}.bias"] = f"{theirs}.activate.bias"
        names[f"decoder.noise_{index}"] = f"decoder.noises.noise_{index}"
        if index % 2 == 1:
            names[f"{ours}.conv.blur"] = f"{theirs}.conv.blur.kernel"
    for level in range(config.upsamplings + 1):
        theirs = "decoder.to_rgb1" if level == 0 else f"decoder.to_rgbs.{level - 1}"
        ours = f"decoder.to_rgbs.{level}"
        names[f"{ours}.conv.weight"] = f"{theirs}.conv.weight"
        add(f"{ours}.conv.modulation", f"{theirs}.conv.modulation")
        names[f"{ours}.bias"] = f"{theirs}.bias"
        if level > 0:
            names[f"{ours}.blur"] = f"{theirs}.upsample.kernel"
    return names


def check_publishable(config: GeneratorConfig) -> None:
    """Refuse a model that has parts which the published layout does not know.

    Raises:
        InputError: the decoder is not StyleGAN2's, or there is a background field.
    """
    if config.has_decoder and config.decoder != "stylegan2":
        raise InputError(
            "The published layout holds only StyleGAN2's decoder, and this model's decoder is "
            f"{config.decoder}; write a .safetensors file instead."
        )
    if config.has_background:
        raise InputError(
            "The published layout holds no field behind the volume, and this model has one "
            f"(background: {config.background}); write a .safetensors file instead."
        )


def to_published(generator: Generator) -> dict[str, Tensor]:
    """The generator's tensors under the published names and in the published shapes."""
    state = generator.state_dict()
    result: dict[str, Tensor] = {}
    for ours, theirs in generator_names(generator.config).items():
        value = state[ours].detach()
        if theirs.endswith("conv.weight"):
            value = value[None]  # (1, out, in, k, k)
        elif re.fullmatch(r"decoder\.to_rgb(1|s\.\d+)\.bias", theirs):
            value = value.view(1, 3, 1, 1)
        elif theirs.endswith(".activate.bias"):
            # The published StyledConv carries a second bias that nothing ever reads.
            dead = theirs.removesuffix(".activate.bias") + ".bias"
            result[dead] = torch.zeros_like(value).view(1, -1, 1, 1)
        result[theirs] = value
    return result


def from_published(state: Mapping[str, Tensor], config: GeneratorConfig) -> dict[str, Tensor]:
    """Published tensors under our names; the biases that nothing reads are dropped.

    Raises:
        CheckpointError: a blur kernel is not the [1, 3, 3, 1] that the decoder uses.
    """
    result: dict[str, Tensor] = {}
    for ours, theirs in generator_names(config).items():
        value = state[theirs]
        if theirs.endswith("conv.weight"):
            value = value[0]
        elif ours.endswith("blur"):
            if not torch.allclose(value, blur_kernel(gain=4.0), atol=1e-5):
                raise CheckpointError(f"{theirs} is not the [1, 3, 3, 1] kernel of StyleGAN2.")
        elif re.fullmatch(r"decoder\.to_rgbs\.\d+\.bias", ours):
            value = value.reshape(3)
        result[ours] = value
    if config.field == "density":
        result["field.sigmoid_beta"] = torch.full((1,), 0.1)  # no density depends on it
    return result


def discriminator_names(discriminator: VolumeDiscriminator | StyleDiscriminator) -> dict[str, str]:
    """Maps each key of a discriminator's state dict to its key in published files."""
    if isinstance(discriminator, VolumeDiscriminator):
        rules = [
            (r"first\.weight", "convs.0.conv.weight"),
            (r"first\.bias", "convs.0.activation.bias"),
            (r"blocks\.(\d+)\.(conv\d)\.conv\.weight", "convs.{0}.{1}.conv.conv.weight"),
            (r"blocks\.(\d+)\.(conv\d)\.conv\.bias", "convs.{0}.{1}.activation.bias"),
            (r"blocks\.(\d+)\.skip\.(weight|bias)", "convs.{0}.skip.conv.{1}"),
            (r"last\.(weight|bias)", "final_conv.conv.{0}"),
        ]
    else:
        rules = [
            (r"first\.weight", "convs.0.0.weight"),
            (r"first\.bias", "convs.0.1.bias"),
            (r"blocks\.(\d+)\.conv1\.weight", "convs.{0}.conv1.0.weight"),
            (r"blocks\.(\d+)\.conv1\.bias", "convs.{0}.conv1.1.bias"),
            (r"blocks\.(\d+)\.(conv2|skip)\.blur", "convs.{0}.{1}.0.kernel"),
            (r"blocks\.(\d+)\.(conv2|skip)\.weight", "convs.{0}.{1}.1.weight"),
            (r"blocks\.(\d+)\.conv2\.bias", "convs.{0}.conv2.2.bias"),
            (r"last_conv\.weight", "final_conv.0.weight"),
            (r"last_conv\.bias", "final_conv.1.bias"),
            (r"hidden\.(weight|bias)", "final_linear.0.{0}"),
            (r"last\.(weight|bias)", "final_linear.1.{0}"),
        ]
    names = {}
    for key in discriminator.state_dict():
        for pattern, theirs in rules:
            match = re.fullmatch(pattern, key)
            if match:
                # The published blocks are numbered after the first convolution, which is 0.
                parts = [str(int(p) + 1) if p.isdigit() else p for p in match.groups()]
                names[key] = theirs.format(*parts)
    return names


def discriminator_from_published(
    state: Mapping[str, Tensor], path: Path
) -> VolumeDiscriminator | StyleDiscriminator:
    """The published discriminator that ``state`` holds; ``path`` is for messages.

    Raises:
        CheckpointError: ``state`` is no published discriminator, or a tensor has another shape.
    """
    blocks = len({key.split(".")[1] for key in state if key.startswith("convs.")}) - 1
    discriminator: VolumeDiscriminator | StyleDiscriminator
    first = state.get("convs.0.conv.weight", state.get("convs.0.0.weight"))
    if first is None or first.ndim != 4 or not 1 <= blocks <= 10:
        raise CheckpointError(f"{path} holds no discriminator of StyleSDF: {first_keys(state)}.")
    if "convs.0.conv.weight" in state:
        width = len(first)
        discriminator = blank(lambda: VolumeDiscriminator(2 << blocks, width), state, path)
    else:
        size = 4 << blocks
        multiplier = max(1, len(first) * max(size, 32) // 16384)
        discriminator = blank(lambda: StyleDiscriminator(size, multiplier), state, path)
    ours = discriminator.state_dict()
    names = discriminator_names(discriminator)
    check_shapes(
        {theirs: tuple(ours[key].shape) for key, theirs in names.items()},
        {key: tuple(value.shape) for key, value in state.items()},
        path,
    )
    discriminator.load_state_dict({key: state[theirs] for key, theirs in names.items()})
    return discriminator
