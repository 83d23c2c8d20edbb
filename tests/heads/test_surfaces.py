"""Surface samples, signed distances and shards that a fit learns from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from stylesdf_core.errors import InputError
from stylesdf_core.heads import shards
from stylesdf_core.heads.fit import views as view_shards
from stylesdf_core.heads.person.anatomy import FACE, SCLERA
from stylesdf_core.heads.person.face_model import MorphableModel
from stylesdf_core.heads.person.latent import dataset_latent
from stylesdf_core.heads.rasterizer.renderer import HeadRenderer
from stylesdf_core.heads.shards import read_shard, shard_path, write_shard
from stylesdf_core.heads.surfaces import (
    POINT_STEP,
    FreeSpace,
    SurfaceSamples,
    build_cache,
    supervision_of,
    surface_samples,
)
from stylesdf_core.progress import drain
from stylesdf_core.rendering.camera import VOLUME_RADIUS, OrbitCamera


@pytest.fixture(scope="module")
def samples(renderer: HeadRenderer) -> SurfaceSamples:
    return surface_samples(renderer, dataset_latent(0, 0), np.random.default_rng(0))


def test_samples_cover_the_head(samples: SurfaceSamples) -> None:
    low, high = samples.points.min(axis=0), samples.points.max(axis=0)
    assert (low > -VOLUME_RADIUS).all()
    assert (high < VOLUME_RADIUS).all()
    assert (high - low > [0.12, 0.18, 0.12]).all()
    assert np.allclose(np.linalg.norm(samples.normals, axis=1), 1.0, atol=1e-3)
    assert ((samples.rgb >= 0.0) & (samples.rgb <= 1.0)).all()
    assert (samples.normals @ [0.0, 0.0, -1.0] > 0.9).any()
    eyes = samples.weights[samples.material == SCLERA].mean()
    assert eyes > 3.0 * samples.weights[samples.material == FACE].mean()


def test_signed_distance_next_to_the_surface(samples: SurfaceSamples) -> None:
    distance = FreeSpace(samples)
    face = np.flatnonzero((samples.material == FACE) & (samples.points[:, 2] > 0.02))[::7]
    for offset in (-0.002, 0.002, 0.008):
        moved = (samples.points + np.float32(offset) * samples.normals)[face]
        error = np.abs(distance(moved) - offset)
        assert np.median(error) < 3e-4
        assert np.mean(np.sign(distance(moved)) == np.sign(offset)) > 0.97


def test_signed_distance_far_from_the_surface(samples: SurfaceSamples) -> None:
    distance = FreeSpace(samples)
    inside = np.array([[0.0, 0.0, 0.0], [0.0, 0.05, -0.02], [0.0, -0.1, -0.03]], np.float32)
    corners = np.array(np.meshgrid(*[[-0.119, 0.119]] * 3)).reshape(3, -1).T.astype(np.float32)
    assert (distance(inside) < -0.015).all()
    assert (distance(corners[corners[:, 1] > 0]) > 0.03).all()
    rng = np.random.default_rng(1)
    points = rng.uniform(-VOLUME_RADIUS, VOLUME_RADIUS, (2000, 3)).astype(np.float32)
    step = rng.normal(size=points.shape).astype(np.float32)
    step *= np.float32(0.001) / np.linalg.norm(step, axis=1, keepdims=True)
    change = np.abs(distance(points + step) - distance(points))
    assert np.mean(change < 0.0012) > 0.985  # 1-Lipschitz, but for a few wrong signs


def test_supervision_of_a_head_is_reproducible(renderer: HeadRenderer) -> None:
    first, again = (supervision_of(renderer, 1, seed=0, surface=256, free=128) for _ in range(2))
    assert first["points"].shape == (256, 3)
    assert first["free_distance"].shape == (128,)
    for name, value in first.items():
        assert np.array_equal(value, again[name]), name
    # Stored as whole steps: the nearest samples are the samples that were stored.
    samples = surface_samples(renderer, dataset_latent(0, 1), np.random.default_rng([0, 1, 1]))
    distance, nearest = cKDTree(samples.points).query(first["points"] * POINT_STEP)
    assert np.max(distance) < 2e-5
    assert np.abs(first["rgb"] / 255.0 - samples.rgb[nearest]).max() < 0.005
    assert np.abs(first["normals"] / 127.0 - samples.normals[nearest]).max() < 0.005
    assert np.abs(first["rest"] - samples.rest[nearest]).max() < 0.01  # cm
    assert np.abs(first["strands"] / 127.0 - samples.strands[nearest]).max() < 0.005
    distances = FreeSpace(samples)((first["free_points"] * POINT_STEP).astype(np.float32))
    assert np.abs(first["free_distance"] - distances).max() < 1e-3


def test_cache_resumes_and_refuses_other_settings(
    renderer: HeadRenderer, facekit_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"surface": 64, "free": 32, "shard_size": 2}
    drain(build_cache(facekit_path, tmp_path, count=2, **settings))
    before = shard_path(tmp_path, 0).stat().st_mtime_ns
    drain(build_cache(facekit_path, tmp_path, count=4, jobs=2, **settings))
    assert shard_path(tmp_path, 0).stat().st_mtime_ns == before
    assert not list(tmp_path.glob(".*"))

    shard = read_shard(shard_path(tmp_path, 1))
    for name, value in supervision_of(renderer, 3, seed=0, surface=64, free=32).items():
        assert np.array_equal(shard[name][1], value), name
    assert np.array_equal(shard["z"][1], dataset_latent(0, 3))
    with pytest.raises(InputError, match="other settings"):
        drain(build_cache(facekit_path, tmp_path, count=4, **{**settings, "free": 33}))
    drain(build_cache(tmp_path / "gone", tmp_path, count=4, **settings))  # nothing is missing
    model = MorphableModel.load(facekit_path)
    replace(model, identity=2 * model.identity).save_npz(tmp_path / "other.npz")
    with pytest.raises(InputError, match="other settings"):
        drain(build_cache(tmp_path / "other.npz", tmp_path, count=6, **settings))
    monkeypatch.setattr(shards, "LOOKS", 2)
    with pytest.raises(InputError, match="other settings"):
        drain(build_cache(facekit_path, tmp_path, count=4, **settings))


def test_a_shard_with_a_stray_flag_is_read(tmp_path: Path) -> None:
    """Under numpy 1.26, ``savez(allow_pickle=False)`` stores an array of that name."""
    arrays = {"z": np.zeros((2, 4), np.float32), "points": np.ones((2, 5, 3), np.int16)}
    write_shard(tmp_path / "a.npz", arrays)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as stored:
        assert sorted(stored) == ["points", "z"]
    write_shard(tmp_path / "b.npz", {"flag": np.array(False), **arrays})
    for name in ("a.npz", "b.npz"):
        shard = read_shard(tmp_path / name)
        assert sorted(shard) == ["points", "z"]
        assert all(np.array_equal(shard[key], arrays[key]) for key in arrays)


def test_a_damaged_shard_is_refused_by_name(tmp_path: Path) -> None:
    path, z = tmp_path / "shard-00007.npz", np.zeros((2, 4), np.float32)
    for arrays in ({"z": z, "odd": np.zeros(3)}, {"points": z}, {"z": np.array([{}])}):
        np.savez(path, **arrays)
        with pytest.raises(InputError, match=r"shard-00007\.npz cannot be read as a .*Delete it"):
            read_shard(path)
    write_shard(path, {"z": z})
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(InputError, match=r"shard-00007\.npz cannot be read as a shard"):
        read_shard(path)


def test_views_hold_how_much_of_each_pixel_is_covered(
    renderer: HeadRenderer, facekit_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_shards, "SHARD_SIZE", 2)
    for size in (64, 128):
        out = tmp_path / str(size)
        drain(view_shards.build_views(facekit_path, out, count=2, seed=3, size=size))
        shard = read_shard(shard_path(out, 0))
        assert shard["images"].shape == (2, size, size, 3)
        camera = OrbitCamera(float(shard["azimuth"][1]), float(shard["elevation"][1]))
        mask = renderer.gbuffer(renderer.shape(shard["z"][1]), camera, 256).mask
        share = mask.reshape(64, 4, 64, 4).mean(axis=(1, 3))
        np.testing.assert_allclose(shard["covered"][1] / 255.0, share, atol=1e-2)
    with pytest.raises(InputError, match="multiple of 64"):
        drain(view_shards.build_views(facekit_path, tmp_path / "96", count=2, seed=3, size=96))
