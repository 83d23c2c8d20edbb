"""Latent codes as NumPy arrays: from seeds and files, edited by name, interpolated.

A scene gives an identity as a seed or a z; ``engine/styles.py`` maps z to w and the decoder's w.
A :class:`LatentDirection` is an axis of one of these three spaces.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from stylesdf_core.dataclass_json import from_json
from stylesdf_core.errors import InputError, check_range
from stylesdf_core.foreign import read_json, reading
from stylesdf_core.model.config import check_seed

FloatArray = npt.NDArray[np.float32]

# Share of a direction's trained range that scenes may go beyond it, on either side.
_BEYOND = 0.2


def seed_to_z(seed: int, z_dim: int = 256) -> FloatArray:
    """z of a seed, (z_dim,): standard normal, the same on every machine.

    Raises:
        InputError: the seed is negative or above 2³² − 1.
    """
    check_seed(seed)
    return np.random.default_rng(seed).standard_normal(z_dim).astype(np.float32)


def load_z(path: Path | str) -> FloatArray:
    """z from a ``.npy`` file of shape (z_dim,) or (1, z_dim); returned as (z_dim,) float32.

    The engine checks z_dim against its model.

    Raises:
        InputError: no such file, not an array of numbers, wrong shape, or not finite.
    """
    with reading(path, "a latent"):
        # Mapping compares the array that the header claims with the file's size before all else.
        z = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(z, np.ndarray) or z.dtype.kind not in "iuf":
        raise InputError(f"{path} does not hold an array of numbers.")
    if z.ndim not in (1, 2) or z.size != z.shape[-1] or z.size == 0:
        raise InputError(
            f"{path} has shape {z.shape}; a latent must have shape (z_dim,) or (1, z_dim), with "
            "the model's z_dim."
        )
    with np.errstate(over="ignore"):
        z = z.reshape(-1).astype(np.float32)
    if not np.isfinite(z).all():
        raise InputError(f"{path} holds NaN or infinite values.")
    return z


def lerp(a: FloatArray, b: FloatArray, t: float) -> FloatArray:
    """(1 − t)·a + t·b; the way to interpolate in w."""
    return ((1.0 - t) * a + t * b).astype(np.float32)


def slerp(a: FloatArray, b: FloatArray, t: float) -> FloatArray:
    """Interpolate along the great circle, and the lengths linearly; the way to interpolate in z.

    Falls back to :func:`lerp` where a and b are parallel or opposite, or one of them is zero.
    """
    length_a, length_b = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    if min(length_a, length_b) < 1e-8:
        return lerp(a, b, t)
    cosine = float(np.dot(a / length_a, b / length_b))
    if abs(cosine) > 1.0 - 1e-6:
        return lerp(a, b, t)
    angle = math.acos(cosine)
    weight_a = math.sin((1.0 - t) * angle) / math.sin(angle)
    weight_b = math.sin(t * angle) / math.sin(angle)
    direction = weight_a * a / length_a + weight_b * b / length_b
    return (((1.0 - t) * length_a + t * length_b) * direction).astype(np.float32)


Space = Literal["z", "w", "decoder"]


@dataclass(frozen=True)
class LatentDirection:
    """A named axis of z, w or the decoder's w, shown as a slider.

    Attributes:
        name: the direction's name in commands and sessions (``--set smile=1.2``).
        label: the direction's name in the window; commands know it too, as :attr:`slug`.
        group: heading in the window under which the direction stands.
        dimension: of a direction of z, the coordinate that it sets, from 0 on.
        minimum, maximum: trained range, in standard deviations.
        description: one line for the slider's tooltip.
        unnamed_until: last of the coordinates without a name that follow and belong to the same
            group; None where there are none.
        space: whose axis the direction is.
        axis: of a direction of w or the decoder's w, a unit vector; its value is the coordinate
            along this vector, from the mean latent.
        deviation: standard deviation of that coordinate.
    """

    name: str
    label: str
    group: str
    dimension: int = 0
    minimum: float = -2.5
    maximum: float = 2.5
    description: str = ""
    unnamed_until: int | None = None
    space: Space = "z"
    axis: tuple[float, ...] = ()
    deviation: float = 1.0

    def __post_init__(self) -> None:
        if not self.name or "=" in self.name or self.name != self.name.strip():
            raise InputError(f"A direction cannot be named {self.name!r}.")
        check_range(f"The coordinate of the direction {self.name}", self.dimension, 0)
        if self.space != "z" and not (self.axis and self.deviation > 0.0):
            raise InputError(f"The direction {self.name} needs an axis and a deviation above 0.")

    @cached_property
    def slug(self) -> str:
        """The label as one word in small letters, such as ``hair_length``."""
        return re.sub(r"\W+", "_", self.label.lower()).strip("_")

    @property
    def dimensions(self) -> range:
        """Coordinates of z that mixing takes over with this direction's group."""
        return range(self.dimension, 1 + (self.unnamed_until or self.dimension))

    @property
    def lowest(self) -> float:
        """The least value that a scene may set: a fifth of the range below the trained range."""
        return self.minimum - _BEYOND * (self.maximum - self.minimum)

    @property
    def highest(self) -> float:
        """The greatest value that a scene may set: a fifth of the range above it."""
        return self.maximum + _BEYOND * (self.maximum - self.minimum)

    def clip(self, value: float) -> float:
        """The value from ``lowest`` to ``highest`` that is nearest to ``value``."""
        return min(max(value, self.lowest), self.highest)


def load_directions(path: Path) -> tuple[LatentDirection, ...]:
    """Named directions from a JSON list (``assets/directions/*.json``).

    Raises:
        InputError: the file does not hold a list of directions.
    """
    entries = read_json(path)
    if not isinstance(entries, list):
        raise InputError(f"{path}: expected a list of directions.")
    return tuple(
        from_json(LatentDirection, entry, f"{path.name}[{i}]") for i, entry in enumerate(entries)
    )


def group_names(directions: Sequence[LatentDirection]) -> tuple[str, ...]:
    """The groups of a model's directions of z, in their order."""
    return tuple(dict.fromkeys(d.group for d in directions if d.space == "z"))


def mix_groups(
    z: FloatArray,
    other: FloatArray,
    groups: Sequence[tuple[str, float]],
    directions: Sequence[LatentDirection],
) -> FloatArray:
    """A copy of z (z_dim,) with groups of coordinates moved towards those of another z.

    Args:
        groups: (name, weight) pairs; weight 1 takes the other z's coordinates.

    Raises:
        InputError: the model has no group of that name.
    """
    known, z = group_names(directions), z.copy()
    for name, weight in groups:
        if name not in known:
            listed = ", ".join(known) or "none; this model has no named latents"
            raise InputError(f"There is no group of latents {name!r}; known: {listed}.")
        for direction in directions:
            if direction.group == name and direction.space == "z":
                own = list(direction.dimensions)
                z[own] = lerp(z[own], other[own], weight)
    return z


def resolve_edits(
    edits: Sequence[tuple[str, float]], directions: Sequence[LatentDirection]
) -> list[tuple[LatentDirection, float]]:
    """The directions that edits name, by their name or the slug of their label, with the values.

    Raises:
        InputError: the model has no direction of that name, or the value lies outside the
            direction's range.
    """
    by_name = {direction.slug: direction for direction in directions}
    by_name |= {direction.name: direction for direction in directions}
    resolved = []
    for name, value in edits:
        if name not in by_name:
            known = ", ".join(d.name for d in directions) or "none; this model has no directions"
            raise InputError(f"There is no latent direction {name!r}; known: {known}.")
        direction = by_name[name]
        if value != direction.clip(value):
            raise InputError(
                f"The direction {name} runs from {direction.lowest:g} to {direction.highest:g}; "
                f"{value:g} lies outside."
            )
        resolved.append((direction, value))
    return resolved


def apply_edits(
    z: FloatArray,
    edits: Sequence[tuple[str, float]],
    directions: Sequence[LatentDirection],
) -> FloatArray:
    """A copy of z (z_dim,) with the coordinates that edits name set to the edits' values.

    Edits along directions of w and of the decoder's w change no z; they are only checked.

    Raises:
        InputError: as :func:`resolve_edits`.
    """
    z = z.copy()
    for direction, value in resolve_edits(edits, directions):
        if direction.space == "z":
            z[direction.dimension] = value
    return z
