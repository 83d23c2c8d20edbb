from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stylesdf_core.errors import InputError
from stylesdf_core.heads.anatomy import FACE, SCLERA
from stylesdf_core.heads.fit import view_cache
from stylesdf_core.heads.latent import dataset_latent
from stylesdf_core.heads.renderer import HeadRenderer
from stylesdf_core.heads.shards import shard_path
from stylesdf_core.heads.supervision import (
    FreeSpace,
    SurfaceSamples,
    build_cache,
    cache_item,
    read_shard,
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


def test_items_are_reproducible(renderer: HeadRenderer) -> None:
    items = [
        cache_item(renderer, dataset_latent(0, 1), np.random.default_rng(4), 256, 128)
        for _ in range(2)
    ]
    assert items[0].points.shape == (256, 3)
    assert items[0].free_distance.shape == (128,)
    for name, value in vars(items[0]).items():
        assert np.array_equal(value, getattr(items[1], name)), name


def test_cache_resumes_and_refuses_other_settings(
    renderer: HeadRenderer, facekit_path: Path, tmp_path: Path
) -> None:
    settings = {"surface": 64, "free": 32, "shard_size": 2}
    drain(build_cache(facekit_path, tmp_path, count=2, **settings))
    before = shard_path(tmp_path, 0).stat().st_mtime_ns
    drain(build_cache(facekit_path, tmp_path, count=4, jobs=2, **settings))
    assert shard_path(tmp_path, 0).stat().st_mtime_ns == before
    assert not list(tmp_path.glob(".*"))

    shard = read_shard(shard_path(tmp_path, 1))
    item = cache_item(renderer, dataset_latent(0, 3), np.random.default_rng([0, 3, 1]), 64, 32)
    assert np.array_equal(shard["z"][1], dataset_latent(0, 3))
    assert np.abs(shard["points"][1] - item.points).max() < 2e-5
    assert np.abs(shard["rgb"][1] - item.rgb).max() < 0.005
    assert np.abs(shard["rest"][1] - item.rest).max() < 0.01  # cm
    assert np.abs(shard["strands"][1] - item.strands).max() < 0.005
    assert np.abs(shard["free_distance"][1] - item.free_distance).max() < 1e-4
    with pytest.raises(InputError, match="other settings"):
        drain(build_cache(facekit_path, tmp_path, count=4, **{**settings, "free": 33}))


def test_views_say_how_much_of_each_pixel_is_covered(
    renderer: HeadRenderer, facekit_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_cache, "SHARD_SIZE", 2)
    for size in (64, 128):
        out = tmp_path / str(size)
        drain(view_cache.build_views(facekit_path, out, count=2, seed=3, size=size))
        with np.load(shard_path(out, 0)) as arrays:
            shard = dict(arrays)
        assert shard["images"].shape == (2, size, size, 3)
        camera = OrbitCamera(float(shard["azimuth"][1]), float(shard["elevation"][1]))
        mask = renderer.gbuffer(renderer.shape(shard["z"][1]), camera, 256).mask
        share = mask.reshape(64, 4, 64, 4).mean(axis=(1, 3))
        np.testing.assert_allclose(shard["covered"][1] / 255.0, share, atol=1e-2)
    with pytest.raises(InputError, match="multiple of 64"):
        drain(view_cache.build_views(facekit_path, tmp_path / "96", count=2, seed=3, size=96))
