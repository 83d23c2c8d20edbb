"""Principal directions of w and of the decoder's w: sliders for a model without named directions.

The principal components of many random w are the axes along which a generator's latents vary most
(Härkönen et al. 2020, GANSpace). They are found from a stream of seeded z, in bounded memory, and
come out the same on every machine, to rounding.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stylesdf_core.model.latents.latents import LatentDirection, Space
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.progress import Operation, Progress

#: Directions of w, which make shape and colour, and of the decoder's w.
COUNTS: dict[Space, int] = {"w": 10, "decoder": 6}
_GROUPS: dict[Space, str] = {"w": "principal directions", "decoder": "decoder's directions"}
_LABELS: dict[Space, str] = {"w": "Direction", "decoder": "Decoder"}
_NAMES: dict[Space, str] = {"w": "w", "decoder": "the decoder's w"}
_SEED = 0xD14
_SAMPLES, _CHUNK = 8192, 1024
#: Decimals of an axis' coordinates, so that a file with axes stays small.
_DECIMALS = 5

FloatArray = npt.NDArray[np.float64]


def find_directions(
    generator: Generator, mean_w: Tensor, mean_decoder_w: Tensor | None
) -> Operation[tuple[LatentDirection, ...]]:
    """The principal directions of a generator's latents, those of the greatest variance first.

    Args:
        mean_w: (1, z_dim), from which the coordinates count.
        mean_decoder_w: (1, 512), likewise; None for a renderer-only model.
    """
    decoder = generator.decoder
    means = {"w": mean_w} if decoder is None else {"w": mean_w, "decoder": mean_decoder_w}
    scatter: dict[str, FloatArray] = {}
    random = np.random.default_rng(_SEED)
    for start in range(0, _SAMPLES, _CHUNK):
        yield Progress(start, _SAMPLES, "finding directions")
        z = random.standard_normal((_CHUNK, generator.config.z_dim)).astype(np.float32)
        with torch.no_grad():
            w = generator.mapping(torch.from_numpy(z))
            latents = {"w": w} if decoder is None else {"w": w, "decoder": decoder.map(w)}
            for space, mean in means.items():
                centred = latents[space] - mean
                own = (centred.T @ centred).double().numpy() / _SAMPLES
                scatter[space] = scatter.get(space, 0.0) + own
    found: list[LatentDirection] = []
    for space, count in COUNTS.items():
        if space in scatter:
            found += _principal(scatter[space], space, count)
    return tuple(found)


def _principal(covariance: FloatArray, space: Space, count: int) -> list[LatentDirection]:
    """The ``count`` eigenvectors of a covariance (C, C) with the largest eigenvalues."""
    from scipy.linalg import eigh

    edge = len(covariance)
    variances, axes = eigh(covariance, subset_by_index=(max(0, edge - count), edge - 1))
    total = max(float(np.trace(covariance)), 1e-30)
    directions = []
    for index in range(len(variances)):
        variance, axis = float(variances[-1 - index]), axes[:, -1 - index]
        if variance <= 1e-12 * total:  # the latents do not vary along further axes
            break
        # An eigenvector's sign is arbitrary: its largest coordinate is made positive.
        axis = axis * np.sign(axis[np.abs(axis).argmax()])
        directions.append(
            LatentDirection(
                name=f"{space}{index + 1}",
                label=f"{_LABELS[space]} {index + 1}",
                group=_GROUPS[space],
                description=f"{variance / total:.0%} of the variance of {_NAMES[space]}",
                space=space,
                axis=tuple(round(float(x), _DECIMALS) for x in axis),
                deviation=float(f"{variance**0.5:.6g}"),
            )
        )
    return directions
