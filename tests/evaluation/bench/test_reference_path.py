"""The plain path against the modules it is made of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from stylesdf_core.engine.engine import Engine
from stylesdf_core.errors import InputError
from stylesdf_core.evaluation.bench.reference_path import ReferencePath, enlarged
from stylesdf_core.mesh.sdf_grid import VOLUME_BOUNDS, SdfGrid
from stylesdf_core.mesh.surface import mesh_grid
from stylesdf_core.model.latents.latents import LatentDirection
from stylesdf_core.model.model import Model
from stylesdf_core.progress import drain
from stylesdf_core.rendering.camera import VOLUME_RADIUS, OrbitCamera
from stylesdf_core.scene.scene import Identity, Mixing, Morph, Scene
from tests.models import tiny_model


@pytest.fixture(scope="module")
def model() -> Model:
    return replace(tiny_model(), named=(LatentDirection("smile", "Smile", "face", 3),))


SCENES = [
    Scene(camera=OrbitCamera(0.4, 0.1)),
    Scene(identity=Identity(3, edits=(("smile", 2.0),)), truncation_psi=1.0),
    Scene(morph=Morph(seed=5, amount=0.3)),
]


@pytest.mark.parametrize("scene", SCENES)
def test_the_plain_path_is_the_generator_with_equal_styles(model: Model, scene: Scene) -> None:
    styles, path = Engine(model, "cpu").mapper.styles(scene), ReferencePath(model, "cpu")
    matrix = torch.from_numpy(scene.camera.cam2world()).float()[None]
    with torch.inference_mode():
        volume = model.generator.volume_render(
            styles.w, matrix, scene.camera.focal(16), scene.options
        )
        assert styles.decoder is not None
        image = model.generator.decode(volume.features, styles.decoder, scene.options)
    np.testing.assert_allclose(path.volume_picture(scene), volume.rgb[0], atol=1e-4)
    np.testing.assert_allclose(path.image(scene), image[0], atol=1e-3)
    np.testing.assert_allclose(path.decoded(scene, volume.features), image[0], atol=1e-3)


def test_the_plain_mesh_asks_the_field_at_every_point(model: Model) -> None:
    scene = Scene()
    w = Engine(model, "cpu").mapper.styles(scene).w
    axis = torch.linspace(-VOLUME_RADIUS, VOLUME_RADIUS, 32)
    points = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1)
    with torch.inference_mode():
        values = model.generator.field.scalar(points.view(1, -1, 3), w).view(32, 32, 32).numpy()
    grid = SdfGrid(values, np.ones(values.shape, np.bool_), *VOLUME_BOUNDS)
    expected = drain(mesh_grid(grid))
    mesh = ReferencePath(model, "cpu").mesh(scene, 32)
    np.testing.assert_allclose(mesh.vertices, expected.vertices, atol=1e-5)
    np.testing.assert_array_equal(mesh.faces, expected.faces)


def test_mixing_morphs_in_z_and_models_without_decoder_are_refused(model: Model) -> None:
    path = ReferencePath(model, "cpu")
    for scene in (Scene(mixing=Mixing(seed=1)), Scene(morph=Morph(1, 0.5, "z"))):
        with pytest.raises(InputError, match="plain path"):
            path.volume(scene)
    with pytest.raises(InputError, match="no decoder"):
        ReferencePath(tiny_model(output_size=16), "cpu").image(Scene())


def test_enlarging_keeps_a_flat_picture() -> None:
    picture = np.full((3, 8, 8), 0.5, np.float32)
    np.testing.assert_allclose(enlarged(picture, 32), np.full((3, 32, 32), 0.5), atol=1e-6)
