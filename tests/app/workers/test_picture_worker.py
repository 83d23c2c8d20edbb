"""Which level the picture worker shows, and when it has a Match."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.workers.engine_share import EngineShare
from app.workers.pass_planner import PassPlanner
from app.workers.picture_worker import PicturePass, PictureRequest, _Renderer
from stylesdf_core.engine.levels import Level
from stylesdf_core.engine.picture import BACKDROP
from stylesdf_core.model.model import Model
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Identity, Scene, View
from tests.models import tiny_model

ENDLESS = 1e6


@pytest.fixture(scope="module")
def model() -> Model:
    return tiny_model()


def request(model: Model, azimuth: float, seed: int = 0, budget: float = ENDLESS) -> PictureRequest:
    scene = Scene(identity=Identity(seed), camera=OrbitCamera(azimuth))
    return PictureRequest(scene, "image", "cpu", model, budget=budget)


def in_motion(renderer: _Renderer, wanted: PictureRequest) -> PicturePass:
    """The first pass, which a newer request interrupts."""
    first = next(iter(renderer.passes(wanted)))
    assert first is not None
    return first


def at_rest(renderer: _Renderer, wanted: PictureRequest) -> list[PicturePass]:
    return [made for made in renderer.passes(wanted) if made is not None]


def test_a_motion_is_decoded_where_there_is_time(model: Model) -> None:
    renderer = _Renderer(EngineShare())
    passes = at_rest(renderer, request(model, 0.0))
    assert [made.kind for made in passes] == ["volume", "image", "image"]
    shown = [in_motion(renderer, request(model, 0.1 * step)) for step in range(1, 8)]
    # From the first on: the passes of the face at rest have told how long decoding takes.
    assert {(made.kind, made.resolution) for made in shown} == {("image", 64)}
    hurried = [in_motion(renderer, request(model, 0.1 * step, budget=1e-9)) for step in range(9)]
    assert {made.kind for made in hurried[4:]} == {"volume"}


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.1, ["volume", "image", "image"]), (0.3, ["volume", "volume", "image"])],
)
def test_a_stop_at_a_coarse_level_shows_the_image_next_where_decoding_is_quick(
    monkeypatch: pytest.MonkeyPatch, seconds: float, expected: list[str]
) -> None:
    renderer, model = _Renderer(EngineShare()), tiny_model(thumb_size=64, output_size=128)
    for step in range(9):
        in_motion(renderer, request(model, 0.1 * step, budget=1e-9))
    asked = []

    def seconds_of(_: PassPlanner, level: Level, *, unknown: float) -> float:
        assert unknown == math.inf
        asked.append(level)
        return seconds

    monkeypatch.setattr(PassPlanner, "seconds_of", seconds_of)
    stopped = at_rest(renderer, request(model, 1.0, budget=1e-9))
    assert [made.kind for made in stopped] == expected
    assert stopped[0].resolution < 64
    assert asked == [Level(64, 128)]


def test_the_match_is_that_of_the_face_on_the_screen(model: Model) -> None:
    renderer = _Renderer(EngineShare())
    first, other = request(model, 0.0), request(model, 0.0, seed=1)
    assert renderer._match_for(first.scene) is None
    at_rest(renderer, first)
    assert renderer._match_for(request(model, 0.3).scene) is not None
    in_motion(renderer, other)
    assert renderer._match_for(other.scene) is None
    mixed = replace(first.scene, mixing=replace(first.scene.mixing, seed=5))
    assert renderer._match_for(mixed) is None


def test_half_the_size_is_for_faces_with_a_match(model: Model) -> None:
    """Without a Match the whole image would be decoded and reduced."""
    renderer = _Renderer(EngineShare())
    at_rest(renderer, request(model, 0.0))
    at_rest(renderer, request(model, 0.2))
    of_new_faces, of_known = (renderer._planners[("image", is_new)] for is_new in (True, False))
    assert {level.image for level in of_new_faces._levels} == {0, 64}
    assert {level.image for level in of_known._levels} == {0, 32, 64}


def test_a_budget_alone_is_no_new_picture(model: Model) -> None:
    assert request(model, 0.1, budget=1.0) == request(model, 0.1, budget=2.0)


@pytest.mark.parametrize(
    ("view", "sizes"),
    [
        ("image", {}),
        ("image", {"output_size": 16}),
        ("image", {"decoder": "direct"}),
        ("volume", {}),
    ],
)
def test_the_background_is_kept_hidden_or_replaced(view: View, sizes: dict[str, Any]) -> None:
    """Of a model with a background field: every pass, with and without a decoder."""
    model, share = tiny_model(background="sphere", **sizes), EngineShare()
    scene = Scene(identity=Identity(4), camera=OrbitCamera(fov=16.0))
    asked = PictureRequest(scene, view, "cpu", model, edge=64, budget=ENDLESS)
    own, hidden, red = (
        at_rest(_Renderer(share), replace(asked, background=words))
        for words in ("model", "none", "#ff0000")
    )
    dark = np.asarray(BACKDROP, np.float32)
    assert len(own) == len(hidden) == len(red) > 1
    for one, two, three in zip(own, hidden, red, strict=True):
        through = (three.pixels - two.pixels)[..., 0] / (1.0 - dark[0])
        open_ = through > 0.95
        assert 0.05 < open_.mean() < 0.95
        assert np.abs(two.pixels[open_] - dark).max() < 0.06
        assert np.abs(three.pixels[open_] - (1.0, 0.0, 0.0)).max() < 0.06
        assert np.abs(one.pixels[open_] - dark).mean() > 0.1, "the model's own background is light"


def test_a_background_that_cannot_be_read_is_told_beside_the_picture(model: Model) -> None:
    renderer, asked = _Renderer(EngineShare()), request(model, 0.0)
    lost = at_rest(renderer, replace(asked, background="gone.png"))[-1]
    assert "there is no file gone.png" in lost.note
    assert lost.pixels == pytest.approx(at_rest(renderer, asked)[-1].pixels)
