"""Parity with the published implementation, number by number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from stylesdf_core.engine.engine import Engine
from stylesdf_core.mesh.surface import extract_surface
from stylesdf_core.model.config import RenderOptions
from stylesdf_core.model.latents.mean_latents import MeanLatents, mean_latents
from stylesdf_core.model.model import Model
from stylesdf_core.model.networks.generator import Generator, VolumeRender
from stylesdf_core.progress import drain
from stylesdf_core.rendering.camera import FAR, NEAR, OrbitCamera, focal_length
from stylesdf_core.rendering.rays import cam2world, camera_locations, make_rays
from stylesdf_core.scene.scene import Identity, Mixing, Scene
from tests.golden import assert_golden, golden, reference_generator, reference_z

AZIMUTH, ELEVATION = (0.25, -0.4), (-0.1, 0.15)
OPTIONS = RenderOptions()


@pytest.fixture(scope="module")
def generator() -> Generator:
    return reference_generator(256)


@pytest.fixture(scope="module")
def cameras() -> Tensor:
    return cam2world(torch.tensor(AZIMUTH), torch.tensor(ELEVATION))


@pytest.fixture(scope="module")
def w(generator: Generator) -> Tensor:
    result: Tensor = generator.mapping(reference_z(100, 2))
    return result


@pytest.fixture(scope="module")
def volume(generator: Generator, w: Tensor, cameras: Tensor) -> VolumeRender:
    return render(generator, w, cameras)


def render(
    generator: Generator, w: Tensor, cameras: Tensor, options: RenderOptions = OPTIONS
) -> VolumeRender:
    with torch.inference_mode():
        return generator.volume_render(w, cameras, focal_length(6.0, 64), options)


def model_of(generator: Generator, means: MeanLatents | None = None) -> Model:
    return Model("reference", Path("reference.pt"), generator, means or mean_latents(generator), ())


def test_cameras() -> None:
    angles = torch.tensor(golden("camera_locations"))
    matrices = cam2world(angles[:, 0], angles[:, 1])
    assert_golden("camera_extrinsics", matrices, 1e-6)
    torch.testing.assert_close(matrices[:, :, 3], camera_locations(angles[:, 0], angles[:, 1]))
    for (azimuth, elevation), matrix in zip(angles.tolist(), matrices, strict=True):
        camera = OrbitCamera(azimuth, elevation)
        np.testing.assert_allclose(camera.cam2world(), matrix.numpy(), atol=1e-6)
        assert camera.focal(64) == pytest.approx(golden("camera_focal_64").flat[0], rel=1e-6)
    np.testing.assert_allclose(golden("camera_near"), NEAR)
    np.testing.assert_allclose(golden("camera_far"), FAR)


def test_mappings(generator: Generator, w: Tensor) -> None:
    assert generator.decoder is not None
    assert_golden("w_renderer", w, 1e-5)
    assert_golden("w_decoder", generator.decoder.map(w), 2e-5)


def test_volume_render(volume: VolumeRender) -> None:
    assert_golden("thumb", volume.rgb)
    assert_golden("mask", volume.mask)
    assert_golden("xyz", volume.xyz)
    assert_golden("features_sub", volume.features[:, ::16, ::4, ::4])
    assert_golden("sdf_sub", volume.scalar[:, ::4, ::4, :, None])


def test_decoded_image(generator: Generator, volume: VolumeRender, w: Tensor) -> None:
    assert generator.decoder is not None
    with torch.inference_mode():
        styles = generator.broadcast_styles(generator.decoder.map(w))
        assert_golden("image_256", generator.decode(volume.features, styles, OPTIONS))


def scene(index: int, **changes: object) -> Scene:
    z = tuple(float(v) for v in reference_z(100, 2)[index])
    camera = OrbitCamera(AZIMUTH[index], ELEVATION[index])
    return Scene(identity=Identity(z=z), camera=camera, **changes)  # type: ignore[arg-type]


def engine_pictures(engine: Engine, view: str, **changes: object) -> np.ndarray:
    pictures = [engine.render(scene(i, **changes), view) for i in (0, 1)]  # type: ignore[arg-type]
    return np.stack([picture.data for picture in pictures])


def test_engine_draws_the_same_pixels(generator: Generator) -> None:
    engine = Engine(model_of(generator), "cpu", exact=True)
    assert_golden("thumb", engine_pictures(engine, "volume", truncation_psi=1.0))
    assert_golden("image_256", engine_pictures(engine, "image", truncation_psi=1.0))


def test_truncation(generator: Generator) -> None:
    means = MeanLatents(0.3 * reference_z(101, 1), 0.3 * reference_z(102, 1, 512))
    assert_golden("trunc_renderer", means.renderer, 1e-6)
    engine = Engine(model_of(generator, means), "cpu", exact=True)
    assert_golden("thumb_psi05", engine_pictures(engine, "volume", truncation_psi=0.5))
    assert_golden("image_256_psi05", engine_pictures(engine, "image", truncation_psi=0.5))


def test_style_mixing(generator: Generator, volume: VolumeRender, w: Tensor) -> None:
    assert generator.decoder is not None
    with torch.inference_mode():
        own = generator.broadcast_styles(generator.decoder.map(w))
        other_w = generator.mapping(reference_z(103, 2))
        other = generator.broadcast_styles(generator.decoder.map(other_w))
        strengths = Mixing(seed=1, crossover=3).layer_strengths(6)
        mixed = torch.lerp(own, other, torch.tensor(strengths)[None, :, None])
        assert_golden("image_256_mix3", generator.decode(volume.features, mixed, OPTIONS))


def test_density_field(w: Tensor, cameras: Tensor) -> None:
    density = reference_generator(256, field="density")
    assert_golden("thumb_density", render(density, w, cameras).rgb)


def test_backgrounds(w: Tensor, cameras: Tensor) -> None:
    clear = {"renderer.network.sigma_linear.bias": [[1], 0.9, 0]}
    generator = reference_generator(256, replaced=clear)
    assert_golden("thumb_clear_background", render(generator, w, cameras).rgb)
    options = RenderOptions(force_background=False)
    assert_golden("thumb_clear_nobackground", render(generator, w, cameras, options).rgb)


def test_world_view_directions(generator: Generator, w: Tensor, cameras: Tensor) -> None:
    options = RenderOptions(static_viewdirs=False)
    assert_golden("thumb_world_viewdirs", render(generator, w, cameras, options).rgb)


def test_training_mode(generator: Generator, w: Tensor, cameras: Tensor) -> None:
    options = RenderOptions(force_background=False, static_viewdirs=False)
    with torch.inference_mode():
        focal = focal_length(6.0, 32)
        thumb = generator.volume_render(w, cameras, focal, options, resolution=32)
    assert_golden("train_thumb", thumb.rgb)


def test_image_1024() -> None:
    generator = reference_generator(1024)
    camera = cam2world(torch.tensor(AZIMUTH[:1]), torch.tensor(ELEVATION[:1]))
    w = generator.mapping(reference_z(100, 2)[:1])
    volume = render(generator, w, camera)
    assert generator.decoder is not None
    with torch.inference_mode():
        styles = generator.broadcast_styles(generator.decoder.map(w))
        image = generator.decode(volume.features, styles, OPTIONS)
    assert_golden("image_1024_sub", image[:, :, ::4, ::4])


def test_mesh_frame() -> None:
    """A flipped or swapped axis would put the surface at least 1.5 pitches off."""
    replaced = {
        "renderer.network.pts_linears.0.weight": [[256, 3], 0, 0.02],
        "renderer.network.sigma_linear.weight": [[1, 256], 0, 0.02],
        "renderer.network.sigma_linear.bias": [[1], 0, 0],
    }
    generator = reference_generator(256, replaced=replaced)
    frontal = cam2world(torch.zeros(1), torch.zeros(1))
    rays = make_rays(frontal, focal_length(6.0, 96), 96)
    fraction = torch.linspace(0.0, 1.0 - 1.0 / 96, 96)
    t_vals = (NEAR * (1 - fraction) + FAR * fraction)[::4]
    directions = rays.directions[0, ::4, ::4]
    points = rays.origins[0, 0, 0] + directions[:, :, None] * t_vals[:, None]
    w = generator.mapping(reference_z(100, 2)[:1])
    with torch.inference_mode():
        sdf = generator.field.scalar(points.reshape(1, -1, 3), w)
    assert_golden("mesh_sdf_sub", sdf.view(24, 24, 24))

    pitch = 0.0025
    engine = Engine(model_of(generator), "cpu", exact=True)
    mesh = drain(extract_surface(engine.sdf(scene(0, truncation_psi=1.0)), resolution=97))
    distance, _ = cKDTree(mesh.vertices).query(golden("mesh_vertices"))
    assert np.median(distance) <= 0.6 * pitch
