"""What a model is (:class:`GeneratorConfig`) and how it is rendered (:class:`RenderOptions`)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from stylesdf_core.errors import InputError

FieldKind = Literal["sdf", "density"]
NoiseMode = Literal["fixed", "random", "none"]
T = TypeVar("T")

#: Width of the decoder's own w; fixed by the published layout.
DECODER_W_DIM = 512
#: Images whose features' standard deviation is shown to the StyleGAN2 discriminator together.
STDDEV_GROUP = 4
#: Seeds are 32-bit numbers, as NumPy and torch both take them.
MAX_SEED = 2**32 - 1
# What a damaged or hostile file may ask for at most.
_LARGEST = {
    "z_dim": 4096,
    "width": 4096,
    "depth": 64,
    "thumb_size": 512,
    "output_size": 4096,
    "channel_multiplier": 16,
    "samples": 1024,
}


@dataclass(frozen=True)
class GeneratorConfig:
    """Architecture of a generator; the defaults are the published FFHQ model's.

    Attributes:
        z_dim: length of z and of the renderer's w.
        width: channels of the field's layers and of the feature map.
        depth: FiLM-SIREN layers in the trunk.
        thumb_size: edge of the volume render, pixels.
        output_size: edge of the decoded image, pixels; equal to ``thumb_size`` for a model
            without decoder, else a power of two times it.
        channel_multiplier: scales the decoder's channels (2 in the published models).
        field: what the scalar is: a signed distance or a density (π-GAN style).
        samples: points per ray the model was trained with.
    """

    z_dim: int = 256
    width: int = 256
    depth: int = 8
    thumb_size: int = 64
    output_size: int = 1024
    channel_multiplier: int = 2
    field: FieldKind = "sdf"
    samples: int = 24

    def __post_init__(self) -> None:
        for name, most in _LARGEST.items():
            if not 1 <= getattr(self, name) <= most:
                raise InputError(
                    f"Generator config: {name} must lie between 1 and {most}, "
                    f"not {getattr(self, name)}."
                )
        ratio = self.output_size / self.thumb_size
        if ratio < 1 or not math.log2(ratio).is_integer():
            raise InputError(
                f"Generator config: output_size {self.output_size} must be thumb_size "
                f"({self.thumb_size}) times 1, 2, 4, 8, …"
            )

    @property
    def has_decoder(self) -> bool:
        """Whether the model decodes the volume render's features to a larger image."""
        return self.output_size > self.thumb_size

    @property
    def upsamplings(self) -> int:
        """Number of times the decoder doubles the resolution."""
        return int(math.log2(self.output_size // self.thumb_size))

    @property
    def n_latent(self) -> int:
        """Style inputs of the decoder, 2·log2(output/thumb) + 2; 0 without decoder."""
        return 2 * self.upsamplings + 2 if self.has_decoder else 0


@dataclass(frozen=True)
class RenderOptions:
    """How a picture is rendered; the defaults are the published test-time settings.

    Attributes:
        samples: points per ray, 4 to 128; None for as many as the model was trained with: its
            colours are mixed of that many, and look different with more.
        force_background: the last sample takes all remaining weight.
        static_viewdirs: the view layer sees the camera-frame direction.
        noise: the decoder's noise maps: the checkpoint's, seeded random ones, or none.
        noise_seed: seed of ``noise="random"``.
    """

    samples: int | None = None
    force_background: bool = True
    static_viewdirs: bool = True
    noise: NoiseMode = "fixed"
    noise_seed: int = 0

    def __post_init__(self) -> None:
        if self.samples is not None and not 4 <= self.samples <= 128:
            raise InputError(f"samples must lie between 4 and 128, not {self.samples}.")
        if self.noise not in get_args(NoiseMode):
            raise InputError(f"noise must be fixed, random or none, not {self.noise!r}.")
        check_seed(self.noise_seed, "noise_seed")


def check_seed(seed: int, name: str = "seed") -> None:
    """Refuse seeds that are not 32-bit.

    Raises:
        InputError: names the seed.
    """
    if not 0 <= seed <= MAX_SEED:
        raise InputError(f"{name} {seed} is out of range; seeds run from 0 to {MAX_SEED}.")


def to_json(value: Any) -> Any:
    """A (nested) dataclass as plain JSON values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    return value


def from_json(cls: type[T], data: Any, where: str = "") -> T:
    """Build the frozen dataclass ``cls`` from JSON values, checking every field.

    Missing fields take their defaults; unknown fields and wrong types raise.

    Args:
        where: how messages name the source, for instance a file name.

    Raises:
        InputError: names the offending field.
    """
    where = where or cls.__name__
    if not isinstance(data, Mapping):
        raise InputError(f"{where}: expected an object with fields, found {type(data).__name__}.")
    hints = get_type_hints(cls)
    known = {f.name for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    unknown = sorted(set(data) - known)
    if unknown:
        raise InputError(f"{where}: unknown field {unknown[0]!r}; known: {', '.join(known)}.")
    values = {k: _convert(hints[k], v, f"{where}.{k}") for k, v in data.items()}
    try:
        return cls(**values)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    except TypeError as error:
        raise InputError(f"{where}: a required field is missing ({error}).") from error


def _convert(kind: Any, value: Any, where: str) -> Any:
    """``value`` as ``kind`` (scalars, Literals, Optionals, homogeneous tuples, dataclasses)."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        if value not in args:
            raise InputError(f"{where}: {value!r} is none of {', '.join(map(str, args))}.")
        return value
    if origin is Union or (origin is not None and origin.__name__ == "UnionType"):
        if value is None and type(None) in args:
            return None
        (inner,) = (a for a in args if a is not type(None))
        return _convert(inner, value, where)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise InputError(f"{where}: expected a list, found {value!r}.")
        if len(args) == 2 and args[1] is Ellipsis:
            return tuple(_convert(args[0], v, f"{where}[{i}]") for i, v in enumerate(value))
        if len(args) != len(value):
            raise InputError(f"{where}: expected {len(args)} values, found {len(value)}.")
        return tuple(
            _convert(a, v, f"{where}[{i}]")
            for i, (a, v) in enumerate(zip(args, value, strict=True))
        )
    if dataclasses.is_dataclass(kind):
        return from_json(kind, value, where)  # type: ignore[arg-type]
    return _scalar(kind, value, where)


def _scalar(kind: Any, value: Any, where: str) -> Any:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is float and is_number:
        if not math.isfinite(value):
            raise InputError(f"{where}: {value} is not a finite number.")
        return float(value)
    if kind is int and is_number and float(value).is_integer():
        return int(value)
    if kind in (bool, str) and isinstance(value, kind):
        return value
    raise InputError(f"{where}: expected {getattr(kind, '__name__', kind)}, found {value!r}.")
