"""Models with a background field: the engine against the plain modules, alpha, views."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from stylesdf_core.engine.batch_render import batch_render
from stylesdf_core.engine.compiled import compiled_loops
from stylesdf_core.engine.coverage import coverage
from stylesdf_core.engine.engine import Engine
from stylesdf_core.model.config import RenderOptions
from stylesdf_core.model.model import Model
from stylesdf_core.model.networks.generator import VolumeRender
from stylesdf_core.rendering.camera import OrbitCamera, focal_length
from stylesdf_core.rendering.rays import cam2world
from stylesdf_core.scene.scene import Identity, Mixing, Scene
from tests.models import tiny_generator, tiny_model

SCENES = [
    Scene(identity=Identity(4), camera=OrbitCamera(0.3, -0.1)),
    Scene(camera=OrbitCamera(-0.5, 0.2, 15.0, 0.05, -0.02), options=RenderOptions(samples=12)),
    Scene(
        mixing=Mixing(seed=9, field_strengths=(0.0, 1.0, 0.4)),
        options=RenderOptions(force_background=False, static_viewdirs=False),
    ),
]


@cache
def model_of(field: str) -> Model:
    """A model that lets light through in many shares."""
    model = tiny_model(background="sphere", field=field)
    model.generator.field.scalar_head.bias.data.fill_(0.03 if field == "sdf" else 5.0)
    return model


def engine_of(way: str, field: str = "sdf") -> Engine:
    """An engine that marches rays in compiled loops, in plain torch, or as on a GPU."""
    engine = Engine(model_of(field), "cpu", exact=True)
    engine._evaluates_all = way == "dense"
    return engine


def plain(engine: Engine, scene: Scene) -> tuple[VolumeRender, torch.Tensor]:
    styles, generator = engine.mapper.styles(scene), engine.generator
    matrix = torch.from_numpy(scene.camera.cam2world()).float()[None]
    with torch.no_grad():
        focal = scene.camera.focal(generator.config.thumb_size)
        render = generator.volume_render(styles.w, matrix, focal, scene.options)
        assert styles.decoder is not None
        return render, generator.decode(render.features, styles.decoder, scene.options)[0]


@pytest.mark.parametrize("field", ["sdf", "density"])
@pytest.mark.parametrize("way", ["compiled", "torch", "dense"])
@pytest.mark.parametrize("scene", SCENES)
def test_the_engine_draws_what_the_modules_define(
    scene: Scene, way: str, field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "torch":
        monkeypatch.setattr(compiled_loops, "usable", lambda: False)
    engine = engine_of(way, field)
    render, image = plain(engine, scene)
    volume = engine.render_volume(scene, 16, features=True)
    assert volume.features is not None
    assert volume.behind is not None
    assert render.behind is not None
    assert 0.1 < float(volume.background.mean()) < 0.9
    torch.testing.assert_close(volume.rgb, render.rgb[0], atol=5e-4, rtol=0)
    torch.testing.assert_close(volume.features, render.features[0], atol=1e-3, rtol=0)
    torch.testing.assert_close(volume.background, render.mask[0, 0], atol=2e-4, rtol=0)
    torch.testing.assert_close(volume.behind, render.behind[0], atol=1e-4, rtol=0)
    solid = volume.background < 0.9
    torch.testing.assert_close(volume.depth[solid], render.depth[0, 0][solid], atol=2e-4, rtol=0)
    drawn = engine.render(scene, "image").data
    np.testing.assert_allclose(drawn, image.numpy(), atol=2e-2)


@pytest.mark.parametrize("field", ["sdf", "density"])
def test_renders_for_training_are_those_of_the_generator(field: str) -> None:
    generator = tiny_generator(background="sphere", field=field)
    source = torch.Generator().manual_seed(3)
    w = generator.mapping(torch.randn(2, 256, generator=source))
    cameras = cam2world(torch.tensor([0.3, -0.5]), torch.tensor([0.1, -0.2]))
    jitter, focal = torch.rand(2, 16, 16, 1, generator=source), focal_length(6.0, 16)
    options = RenderOptions(force_background=False, static_viewdirs=False)
    drawn = batch_render(generator, w, cameras, focal, options, jitter)
    with torch.no_grad():
        expected = generator.volume_render(
            w, cameras, focal, options, jitter=jitter, trained_fov=None
        )
    torch.testing.assert_close(drawn.rgb, expected.rgb, rtol=0.0, atol=2e-4)
    torch.testing.assert_close(drawn.features, expected.features, rtol=0.0, atol=5e-4)


def test_a_mean_over_blocks_keeps_the_background() -> None:
    engine = engine_of("compiled")
    fine = engine.render_volume(SCENES[0], 32, features=False)
    coarse = fine.reduced(16)
    assert coarse.behind is not None
    assert coarse.behind.shape == (3, 16, 16)
    picture = engine.render(SCENES[0], "image", rays=2)
    assert picture.size == 64


def test_alpha_is_the_surface_s_opacity_exactly() -> None:
    engine = engine_of("compiled")
    volume = engine.render_volume(SCENES[0], 32, features=False)
    opacity = 1.0 - volume.background.numpy()
    assert opacity.max() - opacity.min() > 0.3
    for view in ("volume", "depth", "normals"):
        cut = engine.picture(SCENES[0], view, volume).cut_out()  # type: ignore[arg-type]
        np.testing.assert_allclose(cut[..., 3], opacity, atol=1e-6)
    image = engine.render(SCENES[0], "image")
    assert image.solid == 1.0
    covered = coverage(engine, SCENES[0], 64)
    cut = replace(image, background=1.0 - covered).cut_out()
    np.testing.assert_allclose(cut[..., 3], covered, atol=1e-6)


def test_a_volume_render_comes_apart_and_together_again() -> None:
    picture = engine_of("compiled").render(SCENES[0], "volume", 32)
    assert picture.behind is not None
    cut, behind = picture.cut_out(), 0.5 * np.moveaxis(picture.behind, 0, -1) + 0.5
    again = cut[..., :3] * cut[..., 3:] + behind * (1.0 - cut[..., 3:])
    np.testing.assert_allclose(again, picture.display(), atol=2e-3)


@pytest.mark.parametrize("field", ["sdf", "density"])
def test_the_direct_view_has_the_field_s_background(field: str) -> None:
    engine = engine_of("compiled", field)
    picture = engine.direct(SCENES[0], 48)
    alone = engine.background(SCENES[0], 48)
    assert alone is not None
    assert picture.view == "direct"
    assert picture.behind is not None
    np.testing.assert_allclose(picture.behind, alone.numpy(), atol=1e-6)
    open_ = picture.background == 1.0
    if field == "sdf":
        assert open_.any()
        np.testing.assert_allclose(picture.data[:, open_], picture.behind[:, open_], atol=1e-6)


def test_the_background_turns_with_the_camera_and_changes_with_the_head() -> None:
    engine = engine_of("compiled")
    seen = [
        engine.background(Scene(identity=Identity(seed), camera=OrbitCamera(azimuth)), 16)
        for seed, azimuth in ((1, 0.0), (1, 0.2), (2, 0.0), (1, 0.0))
    ]
    first, turned, other, again = (np.asarray(x) for x in seen)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - turned).max() > 1e-3
    assert np.abs(first - other).max() > 1e-3
    assert Engine(tiny_model(), "cpu").background(Scene(), 16) is None
