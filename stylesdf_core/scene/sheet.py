"""Contact sheets: which scene stands in which cell of an endless page of faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from stylesdf_core.dataclass_json import check_finite
from stylesdf_core.errors import InputError, check_range
from stylesdf_core.model.config import MAX_SEED
from stylesdf_core.model.latents.latents import LatentDirection
from stylesdf_core.scene.scene import Identity, Morph, Scene

SheetKind = Literal["seeds", "edits", "range", "morph"]


@dataclass(frozen=True)
class Sheet:
    """A page of faces in rows, endless downwards, that begins with one scene."""

    of: SheetKind = "seeds"
    """Faces of the sheet: seeds that follow the scene's; random edits of the scene's face; the
    range of one named direction from left to right, a seed a row; or the morph towards another
    seed from left to right, another seed each row."""

    columns: int = 6
    """Faces in a row, 1 to 40."""

    direction: str = ""
    """Of --of range: the named direction; without it, the model's first."""

    spread: float = 0.6
    """Of --of edits: how far edits go, 0 to 2 standard deviations."""

    def __post_init__(self) -> None:
        check_finite(self)
        check_range("columns", self.columns, 1, 40)
        check_range("spread", self.spread, 0, 2)

    def scene(
        self,
        first: Scene,
        index: int,
        directions: Sequence[LatentDirection],
        values: Mapping[str, float],
    ) -> Scene:
        """The scene in a cell.

        Args:
            first: the scene from which the page is made; gives camera, ψ and all else.
            index: number of the cell, from 0, row by row.
            directions: of the model.
            values: where the face of ``first`` lies on each direction.

        Raises:
            InputError: the model has no such direction, or no direction at all.
        """
        row, column = divmod(index, self.columns)
        if self.of == "seeds":
            return replace(first, identity=_next(first.identity, index))
        if self.of == "edits":
            return replace(first, identity=self._edited(first.identity, index, directions, values))
        if self.of == "range":
            direction = self.chosen(directions)
            value = direction.minimum + self._share(column) * (
                direction.maximum - direction.minimum
            )
            identity = first.identity if row == 0 else _next(first.identity, row)
            return replace(first, identity=identity.edited(direction.name, round(value, 4)))
        other = first.morph.seed if first.morph.seed is not None else first.mixing.seed
        other = first.identity.seed + 1 if other is None else other
        amount = round(self._share(column), 4)
        morph = Morph(_seed(other + row), amount, first.morph.space)
        return replace(first, morph=morph if amount else Morph())

    def label(self, scene: Scene, index: int, directions: Sequence[LatentDirection]) -> str:
        """What distinguishes a cell's ``scene``, in a word or two."""
        seed, morph = scene.identity.seed, scene.morph
        if self.of == "seeds":
            return str(seed)
        if self.of == "edits":
            return f"edit {index}" if index else f"seed {seed}"
        if self.of == "range":
            chosen = self.chosen(directions)
            value = dict(scene.identity.edits).get(chosen.name, 0.0)
            return f"{seed}   {chosen.label} {value:+.1f}"
        if morph.seed is None or morph.amount == 1.0:
            return str(seed if morph.seed is None else morph.seed)
        return f"{morph.amount:.0%} of {morph.seed}"

    def chosen(self, directions: Sequence[LatentDirection]) -> LatentDirection:
        """The direction of a range.

        Raises:
            InputError: there is no such direction.
        """
        if not directions:
            raise InputError("This model has no directions along which its faces could be edited.")
        for direction in directions:
            if self.direction in ("", direction.name, direction.slug):
                return direction
        known = ", ".join(direction.slug for direction in directions)
        raise InputError(f"There is no latent direction {self.direction!r}; known: {known}.")

    def _share(self, column: int) -> float:
        """How far a column is on the way from left to right, 0 to 1; a single column is the end."""
        return column / (self.columns - 1) if self.columns > 1 else 1.0

    def _edited(
        self,
        identity: Identity,
        index: int,
        directions: Sequence[LatentDirection],
        values: Mapping[str, float],
    ) -> Identity:
        """The identity moved along all directions by random steps; itself for the first cell."""
        self.chosen(directions)
        if index > 0:
            random = np.random.default_rng((identity.seed, index))
            for direction in directions:
                step = self.spread * float(random.standard_normal())
                value = direction.clip(values[direction.name] + step)
                identity = identity.edited(direction.name, round(value, 3))
        return identity


def _next(identity: Identity, step: int) -> Identity:
    """The identity of a later seed; the identity itself for a step of 0."""
    return identity if step == 0 else Identity(_seed(identity.seed + step))


def _seed(seed: int) -> int:
    return seed % (MAX_SEED + 1)
