"""Style mixing by groups, field layers and decoder layers: engine against the plain path."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stylesdf_core.engine.engine import Engine
from stylesdf_core.errors import InputError
from stylesdf_core.model.latents.latents import LatentDirection, seed_to_z
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Identity, Mixing, Scene
from tests.engine.test_engine import reference
from tests.models import tiny_model

NAMED = (
    LatentDirection("size", "Size", "shape", 0, unnamed_until=3),
    LatentDirection("skin", "Skin", "skin", 4),
)
A, B = 5, 9


@pytest.fixture(scope="module")
def engine() -> Engine:
    model = replace(tiny_model(), named=NAMED)
    return Engine(model, "cpu", exact=True)


def mixed(**fields: object) -> Scene:
    return Scene(identity=Identity(A), mixing=Mixing(B, **fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fields",
    [
        {"field_strengths": (0.0, 0.0, 1.0)},
        {"field_strengths": (1.0, 0.3, 0.0), "strengths": (0.0, 0.5, 1.0, 0.0, 0.0, 1.0)},
        {"groups": (("shape", 0.7), ("skin", 1.0))},
    ],
)
def test_same_pixels_as_the_plain_path(engine: Engine, fields: dict[str, object]) -> None:
    scene = mixed(**fields)
    volume, image = reference(engine, scene)
    np.testing.assert_allclose(engine.render(scene, "volume").data, volume.rgb[0], atol=1e-4)
    np.testing.assert_allclose(engine.render(scene, "image").data, image, atol=1e-3)


def test_all_field_and_decoder_layers_make_the_second_identity(engine: Engine) -> None:
    other = Scene(identity=Identity(B))
    everything = mixed(field_strengths=(1.0,) * 3, strengths=(1.0,) * 6)
    np.testing.assert_allclose(
        engine.render(everything, "image").data, engine.render(other, "image").data, atol=1e-4
    )


def test_the_view_layer_colours_and_the_trunk_shapes(engine: Engine) -> None:
    plain, other = Scene(identity=Identity(A)), Scene(identity=Identity(B))
    points = 0.1 * np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
    colored, shaped = (mixed(field_strengths=s) for s in ((0.0, 0.0, 1.0), (1.0, 1.0, 0.0)))
    np.testing.assert_array_equal(engine.sdf(colored)(points), engine.sdf(plain)(points))
    assert not np.allclose(engine.colors(colored)(points), engine.colors(plain)(points))
    np.testing.assert_allclose(engine.sdf(shaped)(points), engine.sdf(other)(points), atol=1e-6)


def test_a_group_takes_its_coordinates_and_a_slider_wins_over_it(engine: Engine) -> None:
    own, other = seed_to_z(A), seed_to_z(B)
    z = engine.mapper.z(Identity(A), Mixing(B, groups=(("shape", 1.0),)))
    np.testing.assert_array_equal(z[:4], other[:4])
    np.testing.assert_array_equal(z[4:], own[4:])
    half = engine.mapper.z(Identity(A), Mixing(B, groups=(("skin", 0.5),)))
    assert half[4] == pytest.approx(0.5 * (own[4] + other[4]))
    edited = engine.mapper.z(Identity(A).edited("skin", 1.5), Mixing(B, groups=(("skin", 1.0),)))
    assert edited[4] == 1.5


def test_an_unknown_group_is_refused(engine: Engine) -> None:
    with pytest.raises(InputError, match="no group of latents 'ears'; known: shape, skin"):
        engine.render(mixed(groups=(("ears", 1.0),)), "volume")


def test_mixing_the_decoder_or_the_colours_leaves_what_is_baked(engine: Engine) -> None:
    plain = Scene(identity=Identity(A), camera=OrbitCamera(0.1))
    engine.render(plain, "volume")
    baked, grids = engine._fields._last, engine._grids._grids
    engine.render(replace(plain, mixing=Mixing(B, 0)), "volume")
    assert engine._fields._last is baked
    colored = replace(plain, mixing=Mixing(B, field_strengths=(0.0, 0.0, 0.5)))
    engine.render(colored, "volume")
    assert engine._fields._last is not baked
    assert engine._grids._grids is grids, "distances do not depend on the view layer"
