"""A tiny data folder that looks like prepared heads: coloured spheres, no OpenGL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from stylesdf_core.camera import VOLUME_RADIUS
from stylesdf_core.heads.latent import LATENT_DIM
from stylesdf_core.heads.supervision import POINT_STEP
from stylesdf_core.training.fit_config import (
    DecoderConfig,
    FitConfig,
    PointsConfig,
    RefineConfig,
    RenderConfig,
)

HEADS, SURFACE, FREE, SIZE = 20, 64, 64, 16
#: Radius of the head that all latents have.
SPHERE = 0.06


def write_spheres(folder: Path) -> None:
    rng = np.random.default_rng(0)
    z = rng.standard_normal((HEADS, LATENT_DIM)).astype(np.float32)
    normals = rng.standard_normal((HEADS, SURFACE, 3))
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    free = rng.uniform(-VOLUME_RADIUS, VOLUME_RADIUS, (HEADS, FREE, 3))
    distance = np.linalg.norm(free, axis=-1) - SPHERE
    (folder / "surface").mkdir(parents=True)
    np.savez(
        folder / "surface" / "shard-00000.npz",
        z=z,
        points=np.rint(SPHERE * normals / POINT_STEP).astype(np.int16),
        normals=np.rint(normals * 127.0).astype(np.int8),
        rgb=np.full((HEADS, SURFACE, 3), 200, np.uint8),
        material=np.zeros((HEADS, SURFACE), np.uint8),
        free_points=np.rint(free / POINT_STEP).astype(np.int16),
        free_distance=distance.astype(np.float16),
    )
    (folder / "views").mkdir()
    np.savez(
        folder / "views" / "shard-00000.npz",
        z=z,
        azimuth=rng.normal(0.0, 0.3, HEADS).astype(np.float32),
        elevation=rng.normal(0.0, 0.15, HEADS).astype(np.float32),
        images=rng.integers(0, 256, (HEADS, SIZE, SIZE, 3), dtype=np.uint8),
        covered=rng.integers(0, 256, (HEADS, 64, 64), dtype=np.uint8),
    )


@pytest.fixture(scope="session")
def spheres(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spheres")
    write_spheres(folder)
    return folder


@pytest.fixture
def tiny(spheres: Path) -> FitConfig:
    """Two steps of each phase on a network of no account."""
    return FitConfig(
        data=str(spheres),
        width=16,
        depth=2,
        thumb_size=8,
        output_size=16,
        points=PointsConfig(steps=2, heads=2, near=16, space=8),
        render=RenderConfig(steps=2, heads=2, rays=8),
        decoder=DecoderConfig(steps=2, heads=2, crop=6),
        refine=RefineConfig(steps=2, heads=2, crop=4, r1_every=2, widest=8),
        precision="float32",
        threads=1,
        checkpoint_every=4,
        evaluate_every=6,
        record_every=1,
        keep=2,
    )


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums in the same order every time, and the machine's thread count restored."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
