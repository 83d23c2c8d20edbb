"""Offsets of styles, layer by layer: what a fit to photographs adds to the styles that z gives.

The shapes that z can express are a small part of what the networks' style inputs can. A fit finds
the z that comes nearest and adds an offset to each layer's style. Thousands of numbers would make a
session unreadable and slow to compare, so a session holds them as text: 16-bit floats in base64.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stylesdf_core.errors import InputError

FloatArray = npt.NDArray[np.float32]
#: Most numbers that an offset may hold: 65 layers of 4096.
_MOST = 65 * 4096
_STORED = np.dtype("<f2")


@dataclass(frozen=True)
class StyleOffsets:
    """Offsets of the styles of all layers, at truncation ψ 1; empty texts mean no offset.

    Attributes:
        field: film_layers · z_dim numbers, added to the w of each FiLM layer of the field.
        decoder: n_latent · 512 numbers, added to the decoder's style of each layer.
    """

    field: str = ""
    decoder: str = ""

    def __post_init__(self) -> None:
        for name in ("field", "decoder"):
            numbers = _decoded(getattr(self, name), f"offsets.{name}")
            if not np.isfinite(numbers).all():
                raise InputError(f"offsets.{name} holds numbers that are not finite.")

    def of_field(self, layers: int, width: int) -> FloatArray | None:
        """(layers, width), or None for no offset.

        Raises:
            InputError: the offsets are those of a model with another number of layers or latents.
        """
        return self._shaped("field", layers, width)

    def of_decoder(self, layers: int, width: int) -> FloatArray | None:
        """(layers, width), or None for no offset; raises as :meth:`of_field`."""
        return self._shaped("decoder", layers, width)

    def fits(self, field: int, decoder: int) -> bool:
        """Whether the offsets are those of a model with this many numbers of field and decoder."""
        pairs = ((self.field, field), (self.decoder, decoder))
        return all(not text or len(_decoded(text, "")) == count for text, count in pairs)

    def _shaped(self, name: str, layers: int, width: int) -> FloatArray | None:
        text: str = getattr(self, name)
        if not text:
            return None
        numbers = _decoded(text, name)
        if len(numbers) != layers * width:
            raise InputError(
                f"The scene was fitted with another model: its {name} offsets are {len(numbers)} "
                f"numbers, this model takes {layers} layers of {width}."
            )
        return numbers.reshape(layers, width)


def encoded(offsets: FloatArray) -> str:
    """Offsets of any shape as text, which keeps 3 digits of each number; empty for no offset."""
    if not offsets.any():
        return ""
    return base64.b64encode(np.ascontiguousarray(offsets, _STORED).tobytes()).decode("ascii")


def _decoded(text: str, name: str) -> FloatArray:
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError(f"{name} is no text in base64.") from error
    if len(content) % _STORED.itemsize or len(content) > _MOST * _STORED.itemsize:
        raise InputError(f"{name} is no list of 16-bit floats, or too long.")
    return np.frombuffer(content, _STORED).astype(np.float32)
