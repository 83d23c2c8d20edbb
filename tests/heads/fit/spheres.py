"""A tiny data folder that looks like prepared heads: coloured spheres, no OpenGL."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stylesdf_core.dataclass_json import from_json
from stylesdf_core.heads.fit.config import (
    DecoderConfig,
    EndToEndConfig,
    FitConfig,
    PointsConfig,
    RefineConfig,
    RenderConfig,
)
from stylesdf_core.heads.fit.stage import run_fit
from stylesdf_core.heads.person.anatomy import FACE, HAIR, SCLERA
from stylesdf_core.heads.person.latent import LATENT_DIM
from stylesdf_core.heads.surfaces import POINT_STEP
from stylesdf_core.model.config import GeneratorConfig
from stylesdf_core.progress import Operation
from stylesdf_core.rendering.camera import VOLUME_RADIUS
from stylesdf_core.training.loop import TrainingResult
from stylesdf_core.training.runs.run_dir import RunDir

HEADS, SURFACE, FREE, SIZE = 20, 64, 64, 16
#: Radius of the head that all latents have.
SPHERE = 0.06
#: The neutral head's, cm.
REST_RADIUS = 10.0


def write_spheres(folder: Path) -> None:
    rng = np.random.default_rng(0)
    z = rng.standard_normal((HEADS, LATENT_DIM)).astype(np.float32)
    normals = rng.standard_normal((HEADS, SURFACE, 3))
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    material = np.where(normals[..., 1] > 0.5, HAIR, FACE)
    material[(normals[..., 2] > 0.6) & (material == FACE)] = SCLERA
    free = rng.uniform(-VOLUME_RADIUS, VOLUME_RADIUS, (HEADS, FREE, 3))
    distance = np.linalg.norm(free, axis=-1) - SPHERE
    (folder / "surface").mkdir(parents=True)
    np.savez(
        folder / "surface" / "shard-00000.npz",
        z=z,
        points=np.rint(SPHERE * normals / POINT_STEP).astype(np.int16),
        normals=np.rint(normals * 127.0).astype(np.int8),
        rgb=np.full((HEADS, SURFACE, 3), 200, np.uint8),
        material=material.astype(np.uint8),
        rest=(REST_RADIUS * normals).astype(np.float16),
        strands=np.rint(127.0 * np.sin(6.0 * normals)).astype(np.int8),
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
        eyes=rng.integers(0, 256, (HEADS, 64, 64), dtype=np.uint8),
    )


def tiny_fit(data: Path) -> FitConfig:
    """Two steps of each phase on a network of no account."""
    return FitConfig(
        data=str(data),
        generator=GeneratorConfig(
            width=16, depth=2, thumb_size=8, output_size=16, channel_multiplier=1, samples=12
        ),
        points=PointsConfig(steps=2, heads=2, near=16, space=8),
        render=RenderConfig(steps=2, heads=2, rays=8),
        decoder=DecoderConfig(steps=2, heads=2, crop=6),
        end_to_end=EndToEndConfig(steps=2, heads=2, crop=4, widest=8),
        refine=RefineConfig(steps=2, heads=2, crop=4, widest=8),
        precision="float32",
        threads=1,
        checkpoint_every=4,
        evaluate_every=6,
        record_every=1,
        keep=2,
    )


def fit(run: RunDir) -> Operation[TrainingResult]:
    """Train in a run's folder by its config.json."""
    return run_fit(run, from_json(FitConfig, run.read_config()))
