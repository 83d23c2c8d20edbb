"""Noise on the surface in the engine, against the plain modules."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stylesdf_core.engine.engine import Engine
from stylesdf_core.engine.levels import Level
from stylesdf_core.engine.passes import passes
from stylesdf_core.evaluation.bench.reference_path import ReferencePath
from stylesdf_core.evaluation.metrics.flicker import OrbitFrame, flicker
from stylesdf_core.model.config import RenderOptions
from stylesdf_core.model.model import Model
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Scene
from tests.models import tiny_model

SCENE = Scene(
    truncation_psi=0.0, camera=OrbitCamera(0.2, 0.1), options=RenderOptions(noise="surface")
)
CAMERAS = [OrbitCamera(0.2, 0.1), OrbitCamera(-0.7, 0.2, 3.0, 0.01), OrbitCamera(0.0, 0.0, 12.0)]


def noisy(strength: float = 0.2, **changes: object) -> Model:
    model = tiny_model(**changes)
    assert model.generator.decoder is not None
    for layer in model.generator.decoder.convs:
        layer.noise_strength.fill_(strength)  # type: ignore[operator, union-attr]
    return model


@pytest.fixture(scope="module", params=["sdf", "density"])
def model(request: pytest.FixtureRequest) -> Model:
    return noisy(field=request.param)


@pytest.mark.parametrize("camera", CAMERAS)
def test_same_pixels_as_the_plain_path(model: Model, camera: OrbitCamera) -> None:
    scene = replace(SCENE, camera=camera)
    drawn = Engine(model, "cpu", exact=True).render(scene, "image").data
    plain = ReferencePath(model, "cpu").image(scene)
    assert np.median(np.abs(drawn - plain)) < 1e-4 * plain.std()
    # A grazing ray may find another point; few do.
    assert np.mean(np.abs(drawn - plain) > 1e-2 * plain.std()) < 0.01


def test_noise_on_the_surface_is_another_noise_and_follows_its_seed(model: Model) -> None:
    engine = Engine(model, "cpu", exact=True)
    options = [
        RenderOptions(noise="surface"),
        RenderOptions(noise="surface", noise_seed=1),
        RenderOptions(noise="fixed"),
        RenderOptions(noise="random"),
        RenderOptions(noise="none"),
    ]
    pictures = [engine.render(replace(SCENE, options=o), "image").data for o in options]
    for index, picture in enumerate(pictures):
        again = engine.render(replace(SCENE, options=options[index]), "image").data
        np.testing.assert_array_equal(picture, again)
        for other in pictures[:index]:
            assert np.abs(picture - other).mean() > 0.01 * picture.std()


def test_a_model_without_noise_is_not_slowed(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(noisy(0.0), "cpu")
    # No solid noise is made.
    monkeypatch.setattr("stylesdf_core.engine.decoder.decoder_noise.SolidNoise", None)
    with_surface = engine.render(SCENE, "image").data
    fixed = engine.render(replace(SCENE, options=RenderOptions()), "image").data
    np.testing.assert_array_equal(with_surface, fixed)


def test_the_last_pass_and_several_rays_have_it_too() -> None:
    model = noisy(thumb_size=32)
    for first in (Level(32), Level(32, 32), Level(64, 64)):
        *_, last = passes(Engine(model, "cpu"), SCENE, "image", first=first)
        np.testing.assert_array_equal(
            last.picture.data, Engine(model, "cpu").render(SCENE, "image").data
        )
    engine = Engine(model, "cpu", exact=True)
    one, four = (engine.render(SCENE, "image", rays=rays).data for rays in (1, 2))
    none = engine.render(replace(SCENE, options=RenderOptions(noise="none")), "image", rays=2).data
    assert np.abs(one - four).mean() < 0.7 * np.abs(four - none).mean()  # nearly the same noise


def test_it_flickers_less_than_noise_on_the_screen() -> None:
    engine = Engine(noisy(thumb_size=32), "cpu", exact=True)
    measured = {}
    for noise in ("fixed", "surface", "none"):
        frames = []
        for azimuth in (0.0, 0.02):
            camera = OrbitCamera(azimuth, fov=3.0)
            scene = replace(SCENE, camera=camera, options=RenderOptions(noise=noise))
            views = engine.render_views(scene, ("image", "depth"))
            image = np.moveaxis(views["image"].data, 0, -1)
            depth = views["depth"]
            frames.append(OrbitFrame(image, depth.data[0], 1.0 - depth.background, camera))
        measured[noise] = flicker(frames)
    assert measured["none"] < measured["surface"] < 0.3 * measured["fixed"]
