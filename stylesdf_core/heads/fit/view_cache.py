"""Rendered views of the synthetic heads for the fit, in shards."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stylesdf_core.errors import InputError
from stylesdf_core.heads.latent import dataset_latent
from stylesdf_core.heads.renderer import HeadRenderer
from stylesdf_core.heads.shards import SHARD_SIZE, Arrays, fill_shards
from stylesdf_core.progress import Operation
from stylesdf_core.rendering.camera import OrbitCamera

#: Poses are a little wider than the usual training poses, since users orbit beyond those.
AZIMUTH_STD, ELEVATION_STD = 0.4, 0.18
AZIMUTH_LIMIT, ELEVATION_LIMIT = 1.1, 0.5
COVERAGE_SIZE = 64
#: Coverage is the share of hits of at least this many samples squared.
SAMPLED_SIZE = 256


def build_views(
    facekit: Path, out: Path, *, count: int, seed: int, size: int, jobs: int = 1
) -> Operation[Path]:
    """Render one view of each of ``count`` heads; shards that are there already are kept.

    Head i has latent ``dataset_latent(seed, i)``. A shard of 100 heads holds ``z`` (100, 256)
    float32, ``azimuth`` and ``elevation`` (100,) float32, ``images`` (100, size, size, 3) uint8
    and, (100, 64, 64) uint8, ``covered`` and ``eyes``, the shares of each pixel that show the head
    and its eyeballs.

    Raises:
        InputError: ``size`` is no multiple of 64; and see :func:`fill_shards`.
        GraphicsError, StyleSDFError: see :func:`fill_shards`.
    """
    if size % COVERAGE_SIZE:
        raise InputError(f"Views must have a multiple of {COVERAGE_SIZE} pixels, not {size}.")
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
    rng = np.random.default_rng([seed, index, 2])
    azimuth = float(np.clip(rng.normal(0.0, AZIMUTH_STD), -AZIMUTH_LIMIT, AZIMUTH_LIMIT))
    elevation = float(np.clip(rng.normal(0.0, ELEVATION_STD), -ELEVATION_LIMIT, ELEVATION_LIMIT))
    camera = OrbitCamera(azimuth=azimuth, elevation=elevation)
    z = dataset_latent(seed, index)
    supersample = max(2, SAMPLED_SIZE // size)
    head = renderer.shape(z)
    picture = renderer.picture(head, camera, size, supersample=supersample)
    covered, eyes = (_shares(of) for of in (picture.covered, picture.eyes))
    return {
        "z": z,
        "azimuth": np.asarray(azimuth, np.float32),
        "elevation": np.asarray(elevation, np.float32),
        "images": picture.image,
        "covered": covered,
        "eyes": eyes,
    }


def _shares(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    block = len(values) // COVERAGE_SIZE
    means = values.reshape(COVERAGE_SIZE, block, COVERAGE_SIZE, block).mean(axis=(1, 3))
    return np.asarray(np.rint(means * 255.0), np.uint8)
