"""FFHQ and AFHQ as they were released: which of their folders hold pictures to train on.

Read whole, FFHQ's release would show every face three times, twice neither centred nor at full
size, and AFHQ's the pictures that are meant for testing. Such a folder is refused, and the right
one in it is named.
"""

from __future__ import annotations

from pathlib import Path

from stylesdf_core.errors import InputError

_FFHQ, _THUMBS, _WILD = "images1024x1024", "thumbnails128x128", "in-the-wild-images"
_ANIMALS = ("cat", "dog", "wild")
_TESTING = ("val", "test")


def refuse_release(folder: Path) -> None:
    """Refuse a folder of a known release that holds more than pictures to train on.

    Raises:
        InputError: names the folder to use instead.
    """
    if _holds(folder, _FFHQ) and (_holds(folder, _THUMBS) or _holds(folder, _WILD)):
        raise InputError(
            f"{folder} is FFHQ's release, which holds every face several times: as photographed, "
            f"aligned and small. Give its aligned faces, {folder / _FFHQ}."
        )
    if folder.name == _WILD:
        raise InputError(
            f"{folder} holds FFHQ's photographs before their faces were cut out and turned "
            f"upright. Give the aligned faces, {folder.parent / _FFHQ}."
        )
    testing = [name for name in _TESTING if _has_animals(folder / name)]
    if testing and _has_animals(folder / "train"):
        raise InputError(
            f"{folder} is AFHQ's release, whose folder {testing[0]} is kept for testing. Give its "
            f"pictures to train on, {folder / 'train'}, or one kind of animal, "
            f"{folder / 'train' / 'cat'}."
        )


def recognise(folder: Path) -> str:
    """One sentence that says which part of a known release a folder is; empty for other folders."""
    if folder.name == _FFHQ:
        return "FFHQ's aligned faces (70,000 of 1024² when complete): --preset ffhq"
    if folder.name == _THUMBS:
        return f"FFHQ's thumbnails, enough for 64² renders; a decoder needs {_FFHQ}"
    if not _has_animals(folder):
        return ""
    if folder.name in _TESTING:
        return f"AFHQ's pictures for testing: train on {folder.parent / 'train'}"
    return "AFHQ's cats, dogs and wild animals: --preset afhq"


def _holds(folder: Path, name: str) -> bool:
    return (folder / name).is_dir()


def _has_animals(folder: Path) -> bool:
    return all(_holds(folder, name) for name in _ANIMALS)
