"""Renders one view of each head into ``views/shard-*.npz``, the true images of the fit.

The other half of a fit's data, points of the heads' surfaces, is written by
:mod:`stylesdf_core.heads.surfaces`; :mod:`stylesdf_core.heads.fit.bank` reads both.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stylesdf_core.errors import InputError
from stylesdf_core.evaluation.metrics.image_metrics import shrink
from stylesdf_core.heads.person.latent import dataset_latent
from stylesdf_core.heads.rasterizer.renderer import HeadRenderer
from stylesdf_core.heads.shards import SHARD_SIZE, Arrays, fill_shards
from stylesdf_core.progress import Operation
from stylesdf_core.rendering.camera import OrbitCamera

#: Poses, radians; a little wider than the paper's training poses, since users orbit farther.
AZIMUTH_STD, ELEVATION_STD = 0.4, 0.18
AZIMUTH_LIMIT, ELEVATION_LIMIT = 1.1, 0.5
#: Edge of the maps of covered shares, pixels.
COVERAGE_SIZE = 64
#: Least edge, in samples, of the picture from which covered shares are computed.
SAMPLED_SIZE = 256


def build_views(
    facekit: Path, out: Path, *, count: int, seed: int, size: int, jobs: int = 1
) -> Operation[Path]:
    """Render one view of each of ``count`` heads; shards that are there already are kept.

    Head i has latent ``dataset_latent(seed, i)``. A shard of 100 heads holds ``z`` (100, 256)
    float32, ``azimuth`` and ``elevation`` (100,) float32, ``images`` (100, size, size, 3) uint8
    and, (100, 64, 64) uint8, ``covered`` and ``eyes``, the shares of each pixel that show the head
    and its eyeballs, in 255ths.

    Raises:
        InputError: ``size`` is no multiple of 64; and see :func:`fill_shards`.
        GraphicsError, StyleSDFError: see :func:`fill_shards`.
    """
    if size % COVERAGE_SIZE:
        raise InputError(
            f"generator.output_size must be a multiple of {COVERAGE_SIZE} pixels, not {size}."
        )
    return (
        yield from fill_shards(
            out,
            {"seed": seed, "size": size},
            partial(_view, seed=seed, size=size),
            facekit=facekit,
            count=count,
            shard_size=SHARD_SIZE,
            jobs=jobs,
            message="views rendered",
        )
    )


def _view(renderer: HeadRenderer, index: int, *, seed: int, size: int) -> Arrays:
    """Arrays of head ``index``, by their names in a shard."""
    rng = np.random.default_rng([seed, index, 2])
    azimuth = np.clip(rng.normal(0.0, AZIMUTH_STD), -AZIMUTH_LIMIT, AZIMUTH_LIMIT)
    elevation = np.clip(rng.normal(0.0, ELEVATION_STD), -ELEVATION_LIMIT, ELEVATION_LIMIT)
    camera = OrbitCamera(azimuth=float(azimuth), elevation=float(elevation))
    z = dataset_latent(seed, index)
    supersample = max(2, SAMPLED_SIZE // size)
    picture = renderer.picture(renderer.shape(z), camera, size, supersample=supersample)
    return {
        "z": z,
        "azimuth": np.asarray(azimuth, np.float32),
        "elevation": np.asarray(elevation, np.float32),
        "images": picture.image,
        "covered": _shares(picture.covered),
        "eyes": _shares(picture.eyes),
    }


def _shares(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Means of square blocks, (64, 64), in 255ths."""
    return np.asarray(np.rint(shrink(values, COVERAGE_SIZE) * 255.0), np.uint8)
