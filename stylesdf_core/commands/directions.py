"""`stylesdf-studio models directions`: a model's directions, and names for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

import tyro

from stylesdf_core.commands.named_values import named_texts
from stylesdf_core.model.latents.latents import LatentDirection
from stylesdf_core.progress import Operation, Progress

_Names: TypeAlias = Annotated[
    tuple[str, ...], tyro.conf.arg(metavar="NAME=LABEL …", help_behavior_hint="")
]


@dataclass(frozen=True)
class DirectionTable:
    """A model's directions; as text, one direction a line.

    Attributes:
        saved: the file into which new labels were written; None without.
    """

    directions: tuple[LatentDirection, ...]
    saved: Path | None = None

    def __str__(self) -> str:
        rows = [(d.name, d.slug, d.group, _range(d), d.description) for d in self.directions]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        lines += [] if self.saved is None else [f"Names saved in {self.saved}"]
        return "\n".join(lines)


@dataclass(frozen=True)
class ModelsDirections:
    """List the directions of a model, and give them names that `--set` knows.

    Of a model that names none, these are the principal directions of w and of the decoder's w.
    """

    model: str
    """A name of `models list`, a weights file, or a run folder (its newest averaged weights)."""

    rename: _Names = ()
    """New labels, such as w1="hair length", for which --set also takes hair_length; saved beside
    the weights, or, of an included model, in your data folder. The name itself, w1, stays."""

    def run(self) -> Operation[DirectionTable]:
        """Load the model, find its directions, save new labels.

        Raises:
            InputError: there is no such model or direction, or a label cannot be used.
        """
        labels = named_texts(self.rename, "--rename", 'NAME=LABEL such as w1="hair length"')
        yield Progress(0, 2, "loading the model")
        from stylesdf_core.model.latents.direction_files import relabelled, save_directions
        from stylesdf_core.model.model import load_model

        model = load_model(self.model)
        yield Progress(1, 2, "finding directions")
        directions: Sequence[LatentDirection] = model.directions
        if not labels:
            return DirectionTable(tuple(directions))
        directions = relabelled(directions, labels)
        saved = save_directions(model.path, model.digest, directions)
        return DirectionTable(tuple(directions), saved)


def _range(direction: LatentDirection) -> str:
    return f"{direction.minimum:g} to {direction.maximum:g}"
