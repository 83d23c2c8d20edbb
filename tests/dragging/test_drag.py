"""Dragging: picks, tracking against differences, drags of a tiny model and of the shipped one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from stylesdf_core.dragging.drag import MILLIMETRE, Drag
from stylesdf_core.dragging.places import place_readout
from stylesdf_core.dragging.pointing import Vector, beside, ray, seen_at
from stylesdf_core.dragging.surface import FaceSurface
from stylesdf_core.dragging.tracking import FaceTracker
from stylesdf_core.engine.engine import Engine
from stylesdf_core.errors import InputError
from stylesdf_core.model.model import Model, load_model
from stylesdf_core.model.poses import Poses
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.offsets import StyleOffsets
from stylesdf_core.scene.scene import Identity, Mixing, Morph, Scene
from tests.models import tiny_model

MODEL = tiny_model()
SCENE = Scene(identity=Identity(seed=1), truncation_psi=1.0)


def a_model(**changes: Any) -> Model:
    """A tiny model; one of density has its surface where one of distances has it."""
    model = tiny_model(**changes)
    if model.generator.config.field == "density":
        head = model.generator.field.scalar_head
        head.weight.mul_(-300.0)
        head.bias.mul_(-300.0).add_(69.0)
    return model


def a_point(model: Model = MODEL, scene: Scene = SCENE) -> Vector:
    """The point that is nearest to the picture's middle."""
    surface, places = FaceSurface(model, scene), (np.arange(13) + 0.5) / 13
    around = sorted(
        ((x, y) for x in places for y in places), key=lambda p: abs(p[0] - 0.5) + abs(p[1] - 0.5)
    )
    picks = (surface.pick(scene.camera, *place) for place in around)
    return next(pick for pick in picks if pick is not None)


def dragged(drag: Drag, targets: list[Vector]) -> int:
    drag.aim(targets)
    steps = 1
    while drag.step():
        steps += 1
    return steps


def test_a_ray_and_the_place_of_its_points_agree() -> None:
    camera = OrbitCamera(0.4, -0.2, 8.0, 0.01, -0.02)
    origin, direction = ray(camera, 0.3, 0.8)
    a, b, c = (origin + 0.97 * direction).tolist()
    assert seen_at(camera, (a, b, c)) == pytest.approx((0.3, 0.8))
    moved = beside(camera, (a, b, c), 0.35, 0.7)
    assert seen_at(camera, moved) == pytest.approx((0.35, 0.7))
    off = np.subtract(moved, (a, b, c)) @ camera.cam2world()[:, 2]
    assert off == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(("field", "level"), [("sdf", 0.0), ("sdf", 0.003), ("density", 0.0)])
def test_a_picked_point_lies_on_the_surface_of_the_engine(field: str, level: float) -> None:
    model = a_model(field=field)
    model.generator.surface_level.fill_(level)
    places = (np.arange(12) + 0.5) / 12
    surface = FaceSurface(model, SCENE)
    picks = [surface.pick(SCENE.camera, x, y) for x in places for y in places]
    points = np.array([pick for pick in picks if pick is not None], np.float32)
    assert len(points)
    distance = Engine(model, "cpu").sdf(SCENE)(points)
    slope = np.linalg.norm(surface._field.gradient(torch.from_numpy(points)), axis=1)
    assert np.median(np.abs(distance)) < 1e-4 * float(np.median(slope))


def test_beside_the_head_nothing_is_picked() -> None:
    model, scene = load_model("heads"), Scene()
    surface = FaceSurface(model, scene)
    assert surface.pick(scene.camera, 0.02, 0.02) is None
    assert surface.pick(replace(scene.camera, fov=20.0), 0.01, 0.5) is None


def test_points_all_over_lie_in_the_whole_of_a_wide_trained_view() -> None:
    reach = []
    for fov in (6.0, 12.0):
        points = FaceSurface(replace(MODEL, poses=Poses(fov=fov)), SCENE).all_over(60)
        assert len(points) == 60
        reach.append(float(points.abs().max()))
    assert reach[1] > 1.5 * reach[0]


def test_motions_are_those_of_a_small_change_of_the_style() -> None:
    field = MODEL.generator.field
    styles = FaceSurface(MODEL, SCENE).styles.w.expand(len(field.trunk), -1)
    directions = 0.1 * torch.randn(4, 256, generator=torch.Generator().manual_seed(0))
    tracker = FaceTracker(field, 0.0, directions, None)
    points = torch.tensor([a_point()])
    features = tracker.features(points, styles)
    motion = tracker.motion(points, styles, features)
    assert float(motion.correction.norm()) < 1e-5
    step = 1e-3
    for layer in range(len(field.trunk)):
        for direction in range(4):
            changed = styles.clone()
            changed[layer] += step * directions[direction]
            found = points.clone()
            for _ in range(20):
                found = found + tracker.motion(found, changed, features).correction
            measured = (found - points)[0] / step
            told = motion.by_style[0, :, layer, direction]
            assert float((measured - told).norm()) < 0.1 * float(told.norm()) + 2e-4


def test_a_dragged_point_arrives_and_the_session_shows_it_there() -> None:
    model, scene = load_model("heads"), Scene(identity=Identity(seed=3))
    nose, brow = (
        FaceSurface(model, scene).pick(scene.camera, *place) for place in ((0.5, 0.55), (0.37, 0.4))
    )
    assert nose is not None
    assert brow is not None
    drag = Drag(model, scene, [nose, brow])
    target = (nose[0], nose[1] + 4.0 * MILLIMETRE, nose[2])
    assert dragged(drag, [target, brow]) < 20
    assert max(drag.misses) < 0.5
    result = drag.scene
    assert Scene.from_json(result.to_json()) == result
    assert not result.identity.offsets.decoder
    seen = FaceSurface(model, result).pick(scene.camera, *seen_at(scene.camera, drag.points[0]))
    assert seen is not None
    assert float(np.linalg.norm(np.subtract(seen, target))) < 1.0 * MILLIMETRE
    again = Drag(model, result, [seen])
    dragged(again, [(seen[0], seen[1] - 2.0 * MILLIMETRE, seen[2])])
    assert again.misses[0] < 0.5
    assert again.scene.identity.offsets != result.identity.offsets


@pytest.mark.parametrize("changes", [{}, {"depth": 8}, {"field": "density"}, {"depth": 1}])
def test_points_of_any_model_move_towards_their_targets(changes: dict[str, Any]) -> None:
    model = a_model(**changes)
    point = a_point(model)
    drag = Drag(model, SCENE, [point])
    dragged(drag, [(point[0], point[1], point[2] + 2.0 * MILLIMETRE)])
    assert drag.misses[0] < 1.6
    Engine(model, "cpu").render(drag.scene, "volume")


def test_a_target_out_of_reach_ends_the_drag_with_a_face_of_the_model() -> None:
    model, scene = load_model("heads"), Scene()
    nose = a_point(model, scene)
    drag = Drag(model, scene, [nose])
    dragged(drag, [(nose[0] + 60.0 * MILLIMETRE, nose[1], nose[2])])
    assert drag.misses[0] > 5.0
    assert float(drag._change.norm()) < 12.1


def test_only_the_shipped_models_own_weights_have_places() -> None:
    assert place_readout(load_model("heads")) is not None
    assert place_readout(MODEL) is None
    assert place_readout(load_model("heads-gan")) is None


@pytest.mark.parametrize(
    "scene",
    [
        replace(SCENE, truncation_psi=0.0),
        replace(SCENE, morph=Morph(seed=2, amount=1.0)),
        replace(SCENE, mixing=Mixing(seed=2, field_strengths=(1.0, 1.0, 1.0))),
    ],
)
def test_a_face_that_is_not_shown_cannot_be_dragged(scene: Scene) -> None:
    with pytest.raises(InputError, match="nothing of this face's own shape"):
        Drag(MODEL, scene, [(0.0, 0.0, 0.1)])


def test_before_its_first_step_a_drag_has_changed_nothing() -> None:
    assert Drag(MODEL, SCENE, [a_point()]).scene == SCENE


def test_offsets_of_an_earlier_fit_stay() -> None:
    point = a_point()
    first = Drag(MODEL, SCENE, [point])
    dragged(first, [(point[0], point[1], point[2] + 1.0 * MILLIMETRE)])
    kept = StyleOffsets(first.scene.identity.offsets.field, "")
    scene = replace(SCENE, identity=replace(SCENE.identity, offsets=kept))
    second = Drag(MODEL, scene, [a_point(MODEL, scene)])
    assert second.scene.identity.offsets.field == kept.field
