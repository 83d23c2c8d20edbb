"""Rendered views of the synthetic heads for the fit, in shards."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stylesdf_core.camera import OrbitCamera
from stylesdf_core.errors import InputError
from stylesdf_core.files import atomic_output, write_json
from stylesdf_core.heads.latent import dataset_latent
from stylesdf_core.heads.model import MorphableModel
from stylesdf_core.heads.renderer import HeadRenderer
from stylesdf_core.heads.supervision import SHARD_SIZE, shard_path
from stylesdf_core.progress import Operation, Progress

#: Poses are a little wider than the usual training poses, since users orbit beyond those.
AZIMUTH_STD, ELEVATION_STD = 0.4, 0.18
AZIMUTH_LIMIT, ELEVATION_LIMIT = 1.1, 0.5
COVERAGE_SIZE = 64


def build_views(
    facekit: Path,
    out: Path,
    *,
    count: int,
    seed: int,
    size: int,
    first_shard: int = 0,
    shard_stride: int = 1,
) -> Operation[Path]:
    """Render one view of each of ``count`` heads; shards that are there already are kept.

    Head i has latent ``dataset_latent(seed, i)``. A shard of 100 heads holds ``z`` (100, 256)
    float32, ``azimuth`` and ``elevation`` (100,) float32, ``images`` (100, size, size, 3) uint8
    and ``covered`` (100, 64, 64) uint8, the share of each pixel that the head covers.
    Several processes may fill one folder, as in
    :func:`~stylesdf_core.heads.supervision.build_cache`.

    Raises:
        InputError: ``out`` holds views of other settings.
    """
    settings = {"seed": seed, "size": size, "shard_size": SHARD_SIZE}
    out.mkdir(parents=True, exist_ok=True)
    description = out / "cache.json"
    if description.exists():
        if json.loads(description.read_text(encoding="utf-8")) != settings:
            raise InputError(f"{out} holds views of other settings; choose another folder.")
    else:
        write_json(description, settings)
    shards = range(first_shard, -(-count // SHARD_SIZE), shard_stride)
    missing = [shard for shard in shards if not shard_path(out, shard).exists()]
    if not missing:
        return out
    renderer = HeadRenderer(MorphableModel.load(facekit))
    try:
        for number, shard in enumerate(missing):
            rows = []
            for index in range(shard * SHARD_SIZE, (shard + 1) * SHARD_SIZE):
                rows.append(_view(renderer, seed, index, size))
                yield Progress(
                    number * SHARD_SIZE + len(rows), len(missing) * SHARD_SIZE, "views rendered"
                )
            with atomic_output(shard_path(out, shard)) as file, open(file, "wb") as stream:
                np.savez(
                    stream,
                    z=np.stack([row.z for row in rows]),
                    azimuth=np.array([row.azimuth for row in rows], np.float32),
                    elevation=np.array([row.elevation for row in rows], np.float32),
                    images=np.stack([row.image for row in rows]),
                    covered=np.stack([row.covered for row in rows]),
                )
    finally:
        renderer.close()
    return out


@dataclass(frozen=True)
class _View:
    z: npt.NDArray[np.float32]
    azimuth: float
    elevation: float
    image: npt.NDArray[np.uint8]
    covered: npt.NDArray[np.uint8]


def _view(renderer: HeadRenderer, seed: int, index: int, size: int) -> _View:
    rng = np.random.default_rng([seed, index, 2])
    azimuth = float(np.clip(rng.normal(0.0, AZIMUTH_STD), -AZIMUTH_LIMIT, AZIMUTH_LIMIT))
    elevation = float(np.clip(rng.normal(0.0, ELEVATION_STD), -ELEVATION_LIMIT, ELEVATION_LIMIT))
    camera = OrbitCamera(azimuth=azimuth, elevation=elevation)
    z = dataset_latent(seed, index)
    geometry = renderer.shape(z)
    fine = 4 * COVERAGE_SIZE
    mask = renderer.gbuffer(geometry, camera, fine).mask
    covered = mask.reshape(COVERAGE_SIZE, 4, COVERAGE_SIZE, 4).mean(axis=(1, 3))
    image = renderer.render(geometry, camera, size)
    return _View(z, azimuth, elevation, image, np.rint(covered * 255.0).astype(np.uint8))
