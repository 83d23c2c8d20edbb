"""Faces between two scenes: exact ends, linear in w, on the great circle in z."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from stylesdf_core.engine.engine import Engine
from stylesdf_core.model.latents.latents import slerp
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.animation import Space, between
from stylesdf_core.scene.scene import Identity, Mixing, Morph, Scene
from tests.models import tiny_model

CAMERA = OrbitCamera(0.1)
FIRST = Scene(identity=Identity(1))
MIXED = Scene(
    identity=Identity(2),
    mixing=Mixing(5, field_strengths=(1.0, 0.5, 0.0)),
    truncation_psi=1.0,
)
MORPHED = Scene(identity=Identity(3), morph=Morph(4, 0.3))


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(tiny_model(), "cpu", exact=True)


@pytest.mark.parametrize("space", ["w", "z"])
@pytest.mark.parametrize("second", [MIXED, MORPHED])
def test_the_ends_are_the_two_faces(engine: Engine, second: Scene, space: Space) -> None:
    for amount, end in ((1e-6, FIRST), (1.0 - 1e-6, second)):
        scene = between(FIRST, second, amount, camera=CAMERA, space=space)
        found, wanted = engine.mapper.styles(scene), engine.mapper.styles(end)
        w = wanted.w if wanted.w.dim() == found.w.dim() else wanted.w[:, None].expand_as(found.w)
        torch.testing.assert_close(found.w, w, atol=1e-4, rtol=1e-4)
        assert found.decoder is not None
        assert wanted.decoder is not None
        torch.testing.assert_close(found.decoder, wanted.decoder, atol=1e-4, rtol=1e-4)


def test_w_is_linear_and_z_runs_along_the_great_circle(engine: Engine) -> None:
    second = replace(FIRST, identity=Identity(2))
    one, other = (engine.mapper.styles(scene).w for scene in (FIRST, second))
    in_w = engine.mapper.styles(between(FIRST, second, 0.25, camera=CAMERA)).w
    torch.testing.assert_close(in_w, one + 0.25 * (other - one))
    start, end = (engine.mapper.z(scene.identity) for scene in (FIRST, second))
    middle = replace(FIRST, identity=Identity(z=tuple(map(float, slerp(start, end, 0.25)))))
    in_z = engine.mapper.styles(between(FIRST, second, 0.25, camera=CAMERA, space="z")).w
    torch.testing.assert_close(in_z, engine.mapper.styles(middle).w)


def test_pictures_change_with_the_amount_and_are_kept_apart(engine: Engine) -> None:
    second = replace(FIRST, identity=Identity(2))
    pictures = [
        engine.render(between(FIRST, second, amount, camera=CAMERA), "volume").data.mean()
        for amount in (0.0, 0.5, 1.0, 0.5)
    ]
    assert pictures[1] == pictures[3]
    assert len(set(map(float, pictures))) == 3
