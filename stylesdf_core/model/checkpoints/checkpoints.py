"""Weights files in two formats, read as tensors only.

The published ``.pt`` holds a full model or a renderer; :mod:`.published` has its key names, and its
hyperparameters are inferred from keys and shapes. Our own ``.safetensors`` has its config and a
digest (:mod:`.digests`) in the metadata. Code in a pickle is never executed
(:mod:`.tensor_pickles`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from stylesdf_core.data.frame_presets import FRAME_PRESET, FramePreset, known_preset
from stylesdf_core.dataclass_json import from_json, to_json
from stylesdf_core.errors import CheckpointError, InputError
from stylesdf_core.files import atomic_output
from stylesdf_core.foreign import parse_json, reading
from stylesdf_core.model.checkpoints.blank_networks import (
    blank,
    check_shapes,
    filled,
    first_keys,
)
from stylesdf_core.model.checkpoints.digests import BASE, BESIDE_DIGEST, DIGEST, content_digest
from stylesdf_core.model.checkpoints.published import (
    SDF_ONLY,
    check_publishable,
    discriminator_from_published,
    from_published,
    to_published,
)
from stylesdf_core.model.checkpoints.tensor_pickles import StandIn, load_tensors
from stylesdf_core.model.config import FieldKind, GeneratorConfig
from stylesdf_core.model.latents.mean_latents import (
    MEANS,
    MeanLatents,
    mean_latents,
    stored_means,
)
from stylesdf_core.model.networks.decoder import decoder_channels
from stylesdf_core.model.networks.discriminators import StyleDiscriminator, VolumeDiscriminator
from stylesdf_core.model.networks.generator import SURFACE_LEVEL, Generator
from stylesdf_core.model.poses import POSES, Poses

FORMAT = "stylesdf-studio-1"
T = TypeVar("T")


@dataclass(frozen=True)
class LoadedModel:
    """A generator read from a file.

    Attributes:
        generator: on the CPU, float32, in evaluation mode.
        path: the file.
        metadata: texts that our own files carry (title, poses, …); empty for published files.
        means: the mean latents, where our own file holds them.
    """

    generator: Generator
    path: Path
    metadata: Mapping[str, str]
    means: MeanLatents | None = None

    @property
    def poses(self) -> Poses | None:
        """The cameras of its training; None where the file does not state them.

        Raises:
            CheckpointError: the file states them in a form that cannot be read.
        """
        return _stated_poses(self.metadata, self.path)


def load_checkpoint(path: Path | str) -> LoadedModel:
    """Read a model from a published ``.pt`` or our ``.safetensors``.

    Raises:
        CheckpointError: the file is missing, damaged, hostile, or holds another model; names
            the file, a few keys, and the expected and found shapes.
    """
    path = Path(path)
    if is_pickle(path):
        return _load_published(path)
    return _load_safetensors(path)


def is_pickle(path: Path) -> bool:
    """Whether a weights file is in PyTorch's own format, by its suffix; else safetensors.

    Raises:
        CheckpointError: its suffix is that of neither.
    """
    if path.suffix.lower() not in (".pt", ".pth", ".safetensors"):
        raise CheckpointError(
            f"{path}: weights are .safetensors or .pt files, not {path.suffix!r}."
        )
    return path.suffix.lower() != ".safetensors"


def read_architecture(path: Path | str) -> GeneratorConfig:
    """The architecture of the generator in a weights file; the weights are not looked at.

    Our own files state it in their header. A published file has to be read for its shapes; it is
    read once, as long as it does not change.

    Raises:
        CheckpointError: the file is missing or damaged, or holds another model.
    """
    path = Path(path)
    if is_pickle(path):
        with _reading(path):
            changed = path.stat().st_mtime_ns
        return _published_architecture(path, changed)
    return _stated_config(*_header(path), path)


def read_poses(path: Path | str) -> Poses | None:
    """The cameras that the model in a weights file was trained with; None if it is not stated.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    path = Path(path)
    return None if is_pickle(path) else _stated_poses(_header(path)[0], path)


def read_frame_preset(path: Path | str) -> FramePreset | None:
    """How the training pictures of the model in a weights file frame a face; None if not stated.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    path = Path(path)
    return None if is_pickle(path) else known_preset(_header(path)[0].get(FRAME_PRESET))


def _header(path: Path) -> tuple[dict[str, str], list[str]]:
    """The metadata and the keys in the header of a safetensors file."""
    with _reading(path), safe_open(path, framework="pt") as file:
        return dict(file.metadata() or {}), list(file.keys())


@lru_cache(maxsize=4)
def _published_architecture(path: Path, changed: int) -> GeneratorConfig:
    """The architecture in a published file; a new time of change makes a new entry of the cache."""
    return _infer_config(_published_state(path), path)


def _reading(path: Path) -> AbstractContextManager[None]:
    kind = "a PyTorch checkpoint" if is_pickle(path) else "a safetensors file"
    advice = "Download or copy it again."
    return reading(path, kind, error=CheckpointError, advice=advice)


def save_safetensors(
    generator: Generator,
    path: Path | str,
    *,
    dtype: torch.dtype = torch.float32,
    metadata: Mapping[str, str] | None = None,
    means: bool = False,
) -> None:
    """Write tensors in ``dtype``, the config as JSON, and the ``means``, for a faster start.

    What is beside the weights has a digest of its own.
    """
    tensors = {
        key: value.detach().to("cpu", dtype).contiguous()
        for key, value in generator.state_dict().items()
    }
    header = dict(metadata or {})
    header["format"] = FORMAT
    header["config"] = json.dumps(to_json(generator.config))
    beside = _taken_beside(tensors)
    header[DIGEST] = content_digest(tensors, header)
    if means:  # of the weights as they will be read
        beside |= mean_latents(filled(generator.config, tensors, Path(path))).tensors()
    if beside:
        header[BESIDE_DIGEST] = content_digest(beside, {})
    with atomic_output(path) as temporary, _disk_errors():
        save_file(tensors | beside, temporary, header)


def _taken_beside(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that are no weights, a level other than 0 and means; ``tensors`` loses them."""
    names = (SURFACE_LEVEL, *MEANS)
    found = {name: tensors.pop(name) for name in names if name in tensors}
    level = found.get(SURFACE_LEVEL)
    if level is not None and level.numel() == 1 and float(level) == 0.0:
        del found[SURFACE_LEVEL]
    return found


def save_published(generator: Generator, path: Path | str) -> None:
    """Write ``{"g_ema": …}`` in the published layout, which the published code loads.

    Raises:
        InputError: the layout does not hold such a model.
        OutputError: the disk is full or cannot be written.
    """
    check_publishable(generator.config)
    save_tensors({"g_ema": to_published(generator)}, path)


def save_tensors(state: Mapping[str, Any], path: Path | str) -> None:
    """Write nested containers of tensors, numbers and strings as a ``.pt``.

    Raises:
        OutputError: the disk is full or cannot be written.
    """
    with atomic_output(path) as temporary, _disk_errors():
        torch.save(dict(state), temporary)


@contextmanager
def _disk_errors() -> Iterator[None]:
    """Turn what torch and safetensors raise when the disk is full into OSError."""
    try:
        yield
    except (RuntimeError, SafetensorError) as error:
        raise OSError(str(error).partition("\n")[0]) from error


def load_discriminator(path: Path | str) -> VolumeDiscriminator | StyleDiscriminator:
    """Read the discriminator ("d") of a published ``.pt``, to go on training against it.

    Raises:
        CheckpointError: as :func:`load_checkpoint`, or the file holds no discriminator.
    """
    path = Path(path)
    with _reading(path):
        data = load_tensors(path)
    state = _tensors(data.get("d") if isinstance(data, Mapping) else None)
    if not state:
        raise CheckpointError(f"{path} holds no discriminator under 'd'.")
    return discriminator_from_published(state, path)


# --- our own files -----------------------------------------------------------------------------


def _load_safetensors(path: Path) -> LoadedModel:
    with _reading(path), safe_open(path, framework="pt") as file:
        metadata = dict(file.metadata() or {})
        config = _stated_config(metadata, list(file.keys()), path)
        # Copied below: while tensors lie in its mapping, Windows does not delete the file.
        state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    beside = _taken_beside(state)
    if whole := [key for key, value in state.items() if not value.is_floating_point()]:
        raise CheckpointError(f"{path} holds whole numbers as weights: {first_keys(whole)}.")
    digests = {DIGEST: content_digest(state, metadata), BESIDE_DIGEST: content_digest(beside, {})}
    if any(metadata.get(name) not in (None, digest) for name, digest in digests.items()):
        raise CheckpointError(
            f"{path} is damaged: its content is not what was written. Download or copy it again."
        )
    texts = {name: text for name, text in metadata.items() if name not in ("config", *digests)}
    if BASE in texts:
        raise CheckpointError(
            f"{path} tunes a model and is none; `models export` makes a whole model of both."
        )
    level = {name: value for name, value in beside.items() if name not in MEANS}
    generator = filled(config, state | level, path)
    return LoadedModel(generator, path, texts, stored_means(beside, generator))


def _stated_config(metadata: Mapping[str, str], keys: Sequence[str], path: Path) -> GeneratorConfig:
    """The architecture that the header of one of our own files states."""
    if metadata.get("format") != FORMAT or "config" not in metadata:
        raise CheckpointError(
            f"{path} was not written by this program (no {FORMAT!r} in its metadata); its first "
            f"keys are {first_keys(keys)}."
        )
    return _stated(GeneratorConfig, metadata, "config", path)


def _stated_poses(metadata: Mapping[str, str], path: Path) -> Poses | None:
    return _stated(Poses, metadata, POSES, path) if POSES in metadata else None


def _stated(kind: type[T], metadata: Mapping[str, str], name: str, path: Path) -> T:
    """The dataclass that an entry of the metadata holds as JSON."""
    try:
        with _reading(path):
            return from_json(kind, parse_json(metadata[name].encode()), name)
    except CheckpointError:
        raise
    except InputError as error:
        raise CheckpointError(f"{path}: its {name} cannot be used: {error}") from error


# --- the published layout ----------------------------------------------------------------------


def _load_published(path: Path) -> LoadedModel:
    state = _published_state(path)
    config = _infer_config(state, path)
    expected = _published_shapes(blank(lambda: Generator(config), state, path))
    check_shapes(expected, {key: tuple(value.shape) for key, value in state.items()}, path)
    ours = from_published({key: value.float() for key, value in state.items()}, config)
    return LoadedModel(filled(config, ours, path), path, {})


def _published_state(path: Path) -> dict[str, Tensor]:
    """The generator's tensors in a published file: its EMA weights, else the live ones."""
    with _reading(path):
        data = load_tensors(path)
    if isinstance(data, Mapping):
        data = next((data[name] for name in ("g_ema", "g") if name in data), data)
    if isinstance(data, StandIn):
        raise CheckpointError(
            f"{path} holds code in place of tensors ({type(data).__name__}), which was not "
            "executed; use a file that holds state dicts, from a source you trust."
        )
    if not isinstance(data, Mapping) or not data:
        raise CheckpointError(f"{path} holds no state dict under 'g_ema' or 'g'.")
    state = _tensors(data)
    if not any(key.startswith("renderer.") for key in state):
        raise CheckpointError(
            f"{path} is not a StyleSDF generator: it has no tensor 'renderer.…'; "
            f"its first keys are {first_keys(data)}."
        )
    return state


def _tensors(state: Any) -> dict[str, Tensor]:
    """The tensors of floating-point numbers in a state dict; all else is left out.

    The prefixes that wrappers of PyTorch put into names, for training on several GPUs and for
    compiled modules, are taken away.
    """
    if not isinstance(state, Mapping):
        return {}
    return {
        re.sub(r"(?:^|(?<=\.))(?:module|_orig_mod)\.", "", str(key)): value
        for key, value in state.items()
        if isinstance(value, Tensor) and value.is_floating_point()
    }


def _infer_config(state: Mapping[str, Tensor], path: Path) -> GeneratorConfig:
    """Hyperparameters from keys and shapes, since a published file does not state them."""

    def shape(key: str, rank: int) -> tuple[int, ...]:
        if key not in state:
            raise CheckpointError(f"{path}: {key} is missing; first keys: {first_keys(state)}.")
        found = tuple(state[key].shape)
        if len(found) != rank or 0 in found:
            raise CheckpointError(f"{path}: {key} should have {rank} axes and is {found}.")
        return found

    layers = [re.fullmatch(r"renderer\.network\.pts_linears\.(\d+)\.weight", k) for k in state]
    depth = sum(match is not None for match in layers)
    width = shape("renderer.network.pts_linears.0.weight", 2)[0]
    z_dim = shape("style.0.weight", 2)[0]
    size, multiplier, thumb = 64, 1, 64
    if "decoder.conv1.conv.weight" in state:
        multiplier = max(1, shape("decoder.conv1.conv.weight", 5)[1] // decoder_channels(0, 1))
        convs = [re.fullmatch(r"decoder\.noises\.noise_(\d+)", key) for key in state]
        thumb = shape("decoder.noises.noise_0", 4)[-1]
        size = thumb << ((sum(match is not None for match in convs) - 1) // 2)
    field: FieldKind = "sdf" if SDF_ONLY in state else "density"
    try:
        return GeneratorConfig(z_dim, width, depth, thumb, size, multiplier, field)
    except InputError as error:
        raise CheckpointError(f"{path}: {error}") from error


def _published_shapes(generator: Generator) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in to_published(generator).items()}
