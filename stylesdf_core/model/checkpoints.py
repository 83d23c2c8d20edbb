"""Weights files, read as tensors only and written in two forms.

The two forms are the published ``.pt`` (full model or renderer only; key names in
:mod:`.published`, hyperparameters inferred from shapes) and our own ``.safetensors`` (config in the
metadata). A pickle that holds more than tensors is refused; its code is never executed.
"""

from __future__ import annotations

import json
import pickle
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.overrides import TorchFunctionMode

from stylesdf_core.dataclass_json import from_json, to_json
from stylesdf_core.errors import CheckpointError, InputError
from stylesdf_core.files import atomic_output
from stylesdf_core.model.config import FieldKind, GeneratorConfig
from stylesdf_core.model.networks.decoder import decoder_channels
from stylesdf_core.model.networks.discriminators import StyleDiscriminator, VolumeDiscriminator
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.model.published import discriminator_names, from_published, to_published

FORMAT = "stylesdf-studio-1"
_SHOWN = 4


@dataclass(frozen=True)
class LoadedModel:
    """A generator read from a file.

    Attributes:
        generator: on the CPU, float32, in evaluation mode.
        path: the file.
        metadata: texts that our own files carry (title, training, …); empty for published files.
    """

    generator: Generator
    path: Path
    metadata: Mapping[str, str]


def load_checkpoint(path: Path | str, *, field: FieldKind | None = None) -> LoadedModel:
    """Read a model from a published ``.pt`` or our ``.safetensors``.

    Args:
        field: meaning of the scalar in a published file, which does not state it; None for SDF.

    Raises:
        CheckpointError: the file is missing, damaged, hostile, or holds another model; names
            the file, a few keys, and the expected and found shapes.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"There is no file {path}; give the path of a .pt or .safetensors.")
    if path.suffix.lower() == ".safetensors":
        return _load_safetensors(path)
    if path.suffix.lower() in (".pt", ".pth"):
        return _load_published(path, field or "sdf")
    raise CheckpointError(f"{path}: weights are .safetensors or .pt files, not {path.suffix!r}.")


def read_architecture(path: Path | str, *, field: FieldKind | None = None) -> GeneratorConfig:
    """The architecture of the generator in a weights file; the weights are not looked at.

    Our own files state it in their header. A published file has to be read for its shapes; it is
    read once, as long as it does not change.

    Args:
        field: as in :func:`load_checkpoint`.

    Raises:
        CheckpointError: the file is missing or damaged, or holds another model.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"There is no file {path}; give the path of a .pt or .safetensors.")
    if path.suffix != ".safetensors":
        return _published_architecture(path, path.stat().st_mtime_ns, field or "sdf")
    try:
        with safe_open(path, framework="pt") as file:
            return _stated_config(dict(file.metadata() or {}), list(file.keys()), path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is not a whole safetensors file: {error}.") from error


@lru_cache(maxsize=4)
def _published_architecture(path: Path, changed: int, field: FieldKind) -> GeneratorConfig:
    """``changed``, when the file was written last, makes the cache forget what stood there."""
    return _infer_config(_published_state(_read_pickle(path), path), path, field)


def save_safetensors(
    generator: Generator,
    path: Path | str,
    *,
    dtype: torch.dtype = torch.float32,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a ``.safetensors``: tensors in ``dtype``, the config as JSON in the metadata."""
    tensors = {
        key: value.detach().to("cpu", dtype).contiguous()
        for key, value in generator.state_dict().items()
    }
    header = dict(metadata or {})
    header["format"] = FORMAT
    header["config"] = json.dumps(to_json(generator.config))
    with atomic_output(path) as temporary, _disk_errors():
        save_file(tensors, temporary, header)


def save_published(generator: Generator, path: Path | str) -> None:
    """Write ``{"g_ema": …}`` in the published layout, which the published code loads."""
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
    if not path.is_file():
        raise CheckpointError(f"There is no file {path}; give the path of a published .pt.")
    data = _read_pickle(path)
    state = data.get("d") if isinstance(data, Mapping) else None
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise CheckpointError(f"{path} holds no discriminator under 'd'.")
    return discriminator_from_published({str(k): v.float() for k, v in state.items()}, path)


# --- our own files -----------------------------------------------------------------------------


def _load_safetensors(path: Path) -> LoadedModel:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata() or {})
            state = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is not a whole safetensors file: {error}.") from error
    generator = _build(_stated_config(metadata, list(state), path), state, path)
    return LoadedModel(generator, path, {k: v for k, v in metadata.items() if k != "config"})


def _stated_config(metadata: Mapping[str, str], keys: Sequence[str], path: Path) -> GeneratorConfig:
    """The architecture that the header of one of our own files states."""
    if metadata.get("format") != FORMAT or "config" not in metadata:
        raise CheckpointError(
            f"{path} was not written by this program (no {FORMAT!r} in its metadata); its first "
            f"keys are {_first(keys)}."
        )
    try:
        return from_json(GeneratorConfig, json.loads(metadata["config"]), "config")
    except (InputError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path}: its config cannot be read: {error}") from error


class _NothingDrawn(TorchFunctionMode):
    """A context in which new modules leave their weights uninitialised: a file's come next.

    The meta device would do the same, but its operations import torch's compiler: a second more.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func in (Tensor.normal_, Tensor.uniform_):
            return args[0]
        if func is torch.randn:
            func = torch.empty
        return func(*args, **(kwargs or {}))


def _build(config: GeneratorConfig, state: Mapping[str, Tensor], path: Path) -> Generator:
    """A generator of ``config`` with exactly the tensors of ``state``."""
    with _NothingDrawn():
        generator = Generator(config)
    expected = generator.state_dict()
    _compare(
        {key: tuple(value.shape) for key, value in expected.items()},
        {key: tuple(value.shape) for key, value in state.items()},
        path,
    )
    for key, value in state.items():
        if not torch.isfinite(value).all():
            raise CheckpointError(f"{path}: {key} holds NaN or infinite values; the file is bad.")
    generator.load_state_dict(dict(state), assign=True)
    return generator.eval().requires_grad_(False)


def _compare(
    expected: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]], path: Path
) -> None:
    problems = [f"{key} is missing" for key in expected if key not in found]
    problems += [f"{key} is unknown" for key in found if key not in expected]
    problems += [
        f"{key} should be {shape} and is {found[key]}"
        for key, shape in expected.items()
        if key in found and found[key] != shape
    ]
    if problems:
        more = f" (and {len(problems) - _SHOWN} more)" if len(problems) > _SHOWN else ""
        raise CheckpointError(
            f"{path} does not hold this model: {'; '.join(problems[:_SHOWN])}{more}."
        )


def _first(keys: Iterable[str]) -> str:
    return ", ".join(str(key) for key in list(keys)[:_SHOWN]) or "none"


# --- the published layout ----------------------------------------------------------------------


def _load_published(path: Path, field: FieldKind) -> LoadedModel:
    data = _read_pickle(path)
    state = _published_state(data, path)
    config = _infer_config(state, path, field)
    expected = published_layout(config)
    _compare(expected, {key: tuple(value.shape) for key, value in state.items()}, path)
    ours = from_published(state, config)
    return LoadedModel(_build(config, ours, path), path, {})


def _read_pickle(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks on the pickle's age help nobody here
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} holds code or is damaged: it is not made of tensors only, and was not "
            "executed. Use a file that holds state dicts, from a source you trust."
        ) from error
    except Exception as error:  # torch raises a dozen types for damaged files
        raise CheckpointError(
            f"{path} is truncated or not a PyTorch checkpoint; download it again."
        ) from error


def _published_state(data: Any, path: Path) -> dict[str, Tensor]:
    """The generator's tensors in a published file: its EMA weights, else the live ones."""
    if isinstance(data, Mapping):
        for name in ("g_ema", "g"):
            inner = data.get(name)
            if isinstance(inner, Mapping):
                data = inner
                break
    if not isinstance(data, Mapping) or not data:
        raise CheckpointError(f"{path} holds no state dict under 'g_ema' or 'g'.")
    wrong = [key for key, value in data.items() if not isinstance(value, Tensor)]
    if wrong or "renderer.sigmoid_beta" not in data:
        raise CheckpointError(
            f"{path} is not a StyleSDF generator: 'renderer.sigmoid_beta' is missing; "
            f"its first keys are {_first(data)}."
        )
    return {str(key): value.float() for key, value in data.items()}


def _infer_config(state: Mapping[str, Tensor], path: Path, field: FieldKind) -> GeneratorConfig:
    """Hyperparameters from shapes, since a published file does not state them."""

    def shape(key: str, rank: int) -> tuple[int, ...]:
        if key not in state:
            raise CheckpointError(f"{path}: {key} is missing; first keys: {_first(state)}.")
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
    try:
        return GeneratorConfig(
            z_dim=z_dim,
            width=width,
            depth=depth,
            thumb_size=thumb,
            output_size=size,
            channel_multiplier=multiplier,
            field=field,
        )
    except InputError as error:
        raise CheckpointError(f"{path}: {error}") from error


def published_layout(config: GeneratorConfig) -> dict[str, tuple[int, ...]]:
    """Every key and shape of a published generator of ``config``."""
    with _NothingDrawn():
        generator = Generator(config)
    return {key: tuple(value.shape) for key, value in to_published(generator).items()}


# --- the published discriminators --------------------------------------------------------------


def discriminator_from_published(
    state: Mapping[str, Tensor], path: Path
) -> VolumeDiscriminator | StyleDiscriminator:
    """The published discriminator that ``state`` holds; ``path`` is for messages.

    Raises:
        CheckpointError: it holds neither of the two, or a tensor of another shape.
    """
    blocks = len({key.split(".")[1] for key in state if key.startswith("convs.")}) - 1
    discriminator: VolumeDiscriminator | StyleDiscriminator
    first = state.get("convs.0.conv.weight", state.get("convs.0.0.weight"))
    if first is None or first.ndim != 4 or not 1 <= blocks <= 10:
        raise CheckpointError(f"{path} holds no discriminator of StyleSDF: {_first(state)}.")
    if "convs.0.conv.weight" in state:
        discriminator = VolumeDiscriminator(2 << blocks, len(first))
    else:
        size = 4 << blocks
        multiplier = max(1, len(first) * max(size, 32) // 16384)
        discriminator = StyleDiscriminator(size, multiplier)
    ours = discriminator.state_dict()
    names = discriminator_names(discriminator)
    _compare(
        {theirs: tuple(ours[key].shape) for key, theirs in names.items()},
        {key: tuple(value.shape) for key, value in state.items()},
        path,
    )
    discriminator.load_state_dict({key: state[theirs] for key, theirs in names.items()})
    return discriminator
