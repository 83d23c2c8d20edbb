"""What makes two sets of pictures incomparable, in words."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating]

#: Contrast (standard deviation of all values, grey levels) below which a picture has one colour.
ONE_COLOURED = 2.0
#: Difference of the borders' median colours from which backgrounds differ, grey levels.
_BACKGROUND = 32.0
#: Width of a picture's border, share of its edge.
_BORDER = 0.04
#: Share of enlarged pictures that is passed over.
_ENLARGED = 0.02


def contrast(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Standard deviation of each picture's values about its mean colour: (B,) of (B, S, S, 3)."""
    values = images.astype(np.float32)
    deviations = values - values.mean(axis=(1, 2), keepdims=True)
    return np.asarray(deviations.std(axis=(1, 2, 3)), np.float32)


def border_colours(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Median colour of the upper border, and of the sides' upper halves: background behind heads.

    Args:
        images: (B, S, S, 3); the result is (B, 3), grey levels.
    """
    width = max(1, round(_BORDER * images.shape[1]))
    upper = images[:, : images.shape[1] // 2]
    sides = [upper[:, :width], upper[:, :, :width], upper[:, :, -width:]]
    pixels = np.concatenate([side.reshape(len(images), -1, 3) for side in sides], axis=1)
    return np.asarray(np.median(pixels, axis=1), np.float32)


def one_coloured(name: str, contrasts: FloatArray) -> list[str]:
    """A sentence on the pictures of one colour in a set; none without such pictures."""
    count = int((contrasts < ONE_COLOURED).sum())
    return [f"{count} of {len(contrasts)} {name} pictures have one colour only."] if count else []


def backgrounds(generated: FloatArray, true: FloatArray) -> list[str]:
    """A sentence where the borders' median colours (N, 3) and (M, 3) differ; none otherwise."""
    colours = [np.median(each, axis=0) for each in (generated, true)]
    if np.abs(colours[0] - colours[1]).max() < _BACKGROUND:
        return []
    texts = ["({:.0f}, {:.0f}, {:.0f})".format(*colour) for colour in colours]
    return [
        f"The backgrounds differ: the upper border's median colour is {texts[0]} in generated and "
        f"{texts[1]} in true pictures; FID and KID measure the background too."
    ]


def resolutions(edges: npt.NDArray[np.integer], edge: int, full: int) -> list[str]:
    """Sentences on pictures that are smaller than they are compared at.

    Args:
        edges: shorter edges of the true pictures, as stored.
        edge: at which the pictures are compared.
        full: at which figures are usually given.
    """
    notes = []
    if edge < full:
        notes.append(
            f"Both sets are compared at {edge}², the model's size: not comparable with figures at "
            f"{full}²."
        )
    small = int((edges < edge).sum())
    if small > _ENLARGED * len(edges):
        notes.append(
            f"The resolutions differ: {small} of {len(edges)} true pictures are smaller than "
            f"{edge}² and were enlarged."
        )
    return notes


def few(generated: int, true: int, fewest: int) -> list[str]:
    """A sentence where a set has fewer pictures than FID has features; none otherwise."""
    if min(generated, true) >= fewest:
        return []
    return [
        f"With {generated:,} generated and {true:,} true pictures FID is too large: covariances of "
        f"{fewest:,} features need more pictures than features, and published figures use 50,000. "
        "KID is unbiased, with a larger spread."
    ]
