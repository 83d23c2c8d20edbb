"""Cameras that see beyond the volume in which the field was trained."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from stylesdf_core.engine.compiled import compiled_loops
from stylesdf_core.engine.engine import Engine
from stylesdf_core.engine.field.baked_field import BakedField
from stylesdf_core.model.config import RenderOptions
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.rendering.camera import VOLUME_SCALE, OrbitCamera
from stylesdf_core.rendering.trained_volume import TrainedVolume
from stylesdf_core.scene.scene import Scene
from tests.models import tiny_model

WIDE = [
    OrbitCamera(fov=9.0),
    OrbitCamera(0.5, 0.2, 12.0),
    OrbitCamera(-1.2, -0.4, 20.0),
    OrbitCamera(0.3, 0.0, 6.0, 0.06, -0.04),
]


def repeating_model(field: str = "sdf") -> Engine:
    """A ball at the origin that the sine repeats every 0.4 world units along x and y."""
    model = tiny_model(field=field, depth=1)
    generator = model.generator
    layer, head = generator.field.trunk[0], generator.field.scalar_head
    assert isinstance(generator, Generator)
    width = generator.config.width
    with torch.no_grad():
        for style in (layer.gamma, layer.beta):  # type: ignore[union-attr]
            style.weight.zero_()  # type: ignore[union-attr, operator]
            style.bias.zero_()  # type: ignore[union-attr, operator]
        frequency = 2.0 * np.pi / 0.4 / VOLUME_SCALE / 30.0
        weight = torch.zeros(width, 3)
        weight[0, 0] = weight[1, 1] = frequency
        weight[2, 2] = 0.3 * frequency
        layer.linear.weight.copy_(weight)  # type: ignore[union-attr, operator]
        layer.linear.bias.fill_(np.pi / 2.0 / 30.0)  # type: ignore[union-attr, operator]
        head.weight.zero_()
        # cosines are 1 at the middle of a ball: the distance falls below 0 there
        head.weight[0, :3] = torch.tensor([-0.06, -0.06, -0.6])
        head.bias.fill_(0.06 + 0.6 + 0.03)
        generator.field.sigmoid_beta.fill_(0.002)
    return Engine(model, "cpu", exact=True)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("camera", WIDE)
def test_the_field_is_never_asked_beyond_the_volume(
    camera: OrbitCamera, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not compiled:
        monkeypatch.setattr(compiled_loops, "usable", lambda: False)
    engine, asked, trunk = Engine(tiny_model(), "cpu"), [], BakedField.trunk

    def record(field: BakedField, points: Tensor) -> Tensor:
        asked.append(points.clone())
        return trunk(field, points)

    monkeypatch.setattr(BakedField, "trunk", record)
    engine.render(Scene(camera=camera), "volume")
    rotation = torch.from_numpy(camera.cam2world()[:, :3].astype(np.float32))
    volume = TrainedVolume(rotation, engine.model.poses.fov + 1e-3)
    assert bool(volume.contains(torch.cat(asked)).all())


@pytest.mark.parametrize("view", ["depth", "normals", "volume", "image"])
def test_a_wide_view_shows_one_head(view: str) -> None:
    engine = repeating_model()
    for camera in WIDE:
        volume = engine.render(Scene(camera=camera), "volume", 64)
        _, count = ndimage.label(volume.background < 0.5)
        assert count == 1
    beyond = engine.render(Scene(camera=OrbitCamera(fov=20.0)), view).data[:, :2]  # type: ignore[arg-type]
    if view == "volume":
        assert float(np.ptp(beyond, axis=(1, 2)).max()) < 1e-5, "one background"


@pytest.mark.parametrize("field", ["sdf", "density"])
@pytest.mark.parametrize("forced", [True, False])
def test_beyond_the_volume_all_weight_is_the_background_s(field: str, forced: bool) -> None:
    engine = Engine(tiny_model(field=field), "cpu")
    options = RenderOptions(force_background=forced)
    scene = Scene(camera=OrbitCamera(fov=20.0), options=options)
    np.testing.assert_allclose(engine.render(scene, "volume").background[:3], 1.0, atol=1e-5)


def test_a_tile_of_rays_that_all_end_outside_is_empty() -> None:
    engine = Engine(tiny_model(), "cpu")
    field = engine._field(Scene())
    nothing = torch.zeros(0, field.width)
    assert field.scalar_of(nothing).shape == (0,)
