"""Directions in a JSON file beside the weights: a model's sliders with the names that a user gave.

The file holds the digest of the weights, so that it counts for these weights only. For an included
model, and where the weights' folder cannot be written, the file lies in the user's own folder.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from stylesdf_core.dataclass_json import from_json, to_json
from stylesdf_core.errors import InputError
from stylesdf_core.files import json_line, write_text
from stylesdf_core.foreign import brief, read_json
from stylesdf_core.model.latents.latents import LatentDirection
from stylesdf_core.resources import shipped, user_folder

_FORMAT = 1
_LONGEST_LABEL = 40


def directions_path(weights: Path) -> Path:
    """The file of directions beside a weights file, whether or not it exists."""
    return weights.with_suffix(".directions.json")


def read_directions(weights: Path, digest: str) -> tuple[LatentDirection, ...] | None:
    """The saved directions of a weights file with this digest; None where none are saved.

    Raises:
        InputError: the file of directions is damaged; names the file.
    """
    for path in (directions_path(weights), _own_path(digest)):
        if os.path.isfile(path):
            stated, directions = _read(path)
            if stated == digest:
                return directions
    return None


def save_directions(weights: Path, digest: str, directions: Sequence[LatentDirection]) -> Path:
    """Write directions beside the user's own weights file, else into the user's folder.

    Returns:
        The file.

    Raises:
        OutputError: neither folder can be written.
    """
    path = directions_path(weights)
    is_included = path.parent.absolute() == shipped("pretrained").absolute()
    if is_included or not os.access(path.parent, os.W_OK):
        path = _own_path(digest)
    head = json_line({"stylesdf_directions": _FORMAT, "weights_digest": digest})[1:-1]
    entries = ",\n".join(json_line(_short(direction)) for direction in directions)
    write_text(path, f'{{{head}, "directions": [\n{entries}\n]}}\n')
    return path


def relabelled(
    directions: Sequence[LatentDirection], labels: Mapping[str, str]
) -> tuple[LatentDirection, ...]:
    """Directions with new labels, by their names; the names themselves stay, for sessions.

    Raises:
        InputError: no direction has such a name, or a label is empty, too long or taken.
    """
    known = {direction.name for direction in directions}
    if unknown := [name for name in labels if name not in known]:
        raise InputError(
            f"There is no direction {unknown[0]!r}; known: {', '.join(sorted(known))}."
        )
    new = []
    for direction in directions:
        label = " ".join(labels.get(direction.name, direction.label).split())
        if not label or len(label) > _LONGEST_LABEL:
            raise InputError(
                f"{direction.name} needs a name of 1 to {_LONGEST_LABEL} characters, "
                f"not {brief(repr(label))}."
            )
        new.append(replace(direction, label=label))
    slugs = [direction.slug for direction in new]
    for direction, slug in zip(new, slugs, strict=True):
        if direction.name in labels and (slugs.count(slug) > 1 or slug in known - {direction.name}):
            raise InputError(f"Another direction is called {direction.label!r} already.")
    return tuple(new)


def _own_path(digest: str) -> Path:
    return user_folder("data") / "directions" / f"{digest or 'none'}.json"


def _short(direction: LatentDirection) -> dict[str, object]:
    """A direction as JSON, without what has its default."""
    own = to_json(direction)
    neutral = to_json(LatentDirection(direction.name, direction.label, direction.group))
    needed = ("name", "label", "group")
    return {key: value for key, value in own.items() if key in needed or value != neutral[key]}


def _read(path: Path) -> tuple[str, tuple[LatentDirection, ...]]:
    """Digest and directions of a file."""
    document = read_json(path)
    if not isinstance(document, dict) or document.get("stylesdf_directions") != _FORMAT:
        raise InputError(f"{path} is not a file of directions; delete it, or save it again.")
    entries = document.get("directions")
    if not isinstance(entries, list):
        raise InputError(f"{path} holds no list of directions; delete it, or save it again.")
    where = f"{path}: directions"
    directions = tuple(
        from_json(LatentDirection, entry, f"{where}[{i}]") for i, entry in enumerate(entries)
    )
    return str(document.get("weights_digest")), directions
