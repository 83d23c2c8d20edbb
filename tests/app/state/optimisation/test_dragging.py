"""*Drag points* without a window: points, gestures, undo, and what does not work."""

from __future__ import annotations

import shlex
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from app.program import _parse as parse
from app.state.optimisation.dragging import DragPoints
from app.state.workbench import Workbench
from stylesdf_core.dragging.pointing import Vector, seen_at
from stylesdf_core.dragging.surface import FaceSurface
from stylesdf_core.errors import InputError
from stylesdf_core.progress import drain
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.session_files import read_scene
from tests.app.state.stepping import run_until
from tests.models import save_tiny

CAMERA = OrbitCamera()


@pytest.fixture
def dragging(workbench: Workbench) -> DragPoints:
    run_until(workbench, lambda: workbench.model is not None)
    workbench.is_resting = True  # no pictures
    workbench.dragging.toggle()
    return workbench.dragging


def put(dragging: DragPoints, *, is_pin: bool = False) -> tuple[float, float]:
    """Put a point somewhere on the face; its place in the picture."""
    middles = sorted((abs(x - 8) + abs(y - 8), x, y) for x, y in product(range(17), range(17)))
    for _, x, y in middles:
        place = ((x + 0.5) / 17, (y + 0.5) / 17)
        taken = [seen_at(CAMERA, point.place) for point in dragging.points]
        if place not in [pytest.approx(t, abs=0.03) for t in taken] and dragging.put(
            CAMERA, *place, is_pin=is_pin
        ):
            return place
    raise AssertionError("the tiny model has no surface")


def drag(workbench: Workbench, index: int, x: float, y: float) -> None:
    dragging = workbench.dragging
    dragging.take(index)
    dragging.pull(CAMERA, x, y)
    dragging.release()
    run_until(workbench, lambda: not dragging.is_working)


def test_a_drag_is_one_undo_step_that_brings_back_the_points(
    workbench: Workbench, dragging: DragPoints
) -> None:
    x, y = put(dragging)
    put(dragging, is_pin=True)
    before, points = workbench.scene, dragging.points
    assert seen_at(CAMERA, points[0].place) == pytest.approx((x, y), abs=0.01)
    drag(workbench, 0, x + 0.01, y)
    assert workbench.scene.identity.offsets.field
    assert [point.is_pin for point in dragging.points] == [False, True]
    after = dragging.points
    assert after != points
    workbench.document.undo()
    workbench.tick()
    assert workbench.scene == before
    assert dragging.points == points
    workbench.document.redo()
    workbench.tick()
    assert dragging.points == after


def test_another_face_has_no_points_and_the_camera_keeps_them(
    workbench: Workbench, dragging: DragPoints
) -> None:
    put(dragging)
    camera = replace(CAMERA, azimuth=0.3)
    workbench.document.apply(replace(workbench.scene, camera=camera))
    workbench.tick()
    assert len(dragging.points) == 1
    workbench.set_seed(9)
    workbench.tick()
    assert not dragging.points


def test_another_face_ends_a_gesture(workbench: Workbench, dragging: DragPoints) -> None:
    x, y = put(dragging)
    dragging.take(0)
    dragging.pull(CAMERA, x + 0.01, y)
    workbench.set_seed(9)
    workbench.tick()
    assert not dragging.is_working
    assert workbench.scene.identity.seed == 9
    assert not workbench.scene.identity.offsets.field


def test_another_model_s_face_has_no_points_and_takes_no_step_of_the_drag(
    workbench: Workbench, dragging: DragPoints, tmp_path: Path
) -> None:
    x, y = put(dragging)
    other = save_tiny(tmp_path / "other.safetensors")
    dragging.take(0)
    dragging.pull(CAMERA, x + 0.01, y)
    workbench.document.apply(replace(workbench.scene, model=str(other)))
    run_until(workbench, lambda: workbench.models.of(str(other)) is not None)
    assert not dragging.is_working
    assert not dragging.points
    assert not workbench.scene.identity.offsets.field
    workbench.document.undo()
    workbench.tick()
    assert len(dragging.points) == 1


def test_pins_cannot_be_dragged_and_points_can_be_removed(dragging: DragPoints) -> None:
    put(dragging, is_pin=True)
    dragging.take(0)
    assert not dragging.is_working
    dragging.remove()
    assert not dragging.points
    dragging.remove()


def test_beside_the_face_no_point_is_put(dragging: DragPoints) -> None:
    assert not dragging.put(replace(CAMERA, fov=20.0), 0.001, 0.001, is_pin=False)
    dragging.missed()
    assert "No face under the cursor" in dragging.problem
    assert dragging.leave()
    assert not dragging.problem
    assert not dragging.leave()


def test_what_cannot_be_dragged_is_said_in_a_sentence(
    workbench: Workbench, dragging: DragPoints
) -> None:
    workbench.document.apply(replace(workbench.scene, truncation_psi=0.0))
    workbench.tick()
    x, y = put(dragging)
    drag(workbench, 0, x + 0.01, y)
    assert "nothing of this face's own shape" in dragging.problem
    assert not workbench.scene.identity.offsets.field


def test_a_target_out_of_reach_is_said(workbench: Workbench, dragging: DragPoints) -> None:
    x, y = put(dragging)
    drag(workbench, 0, x + 3.0, y)
    assert "short: the model knows no such face" in dragging.problem


def test_the_copied_command_repeats_the_drags_of_the_face(
    workbench: Workbench,
    dragging: DragPoints,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x, y = put(dragging)
    put(dragging, is_pin=True)
    with pytest.raises(InputError, match="no drag to copy"):
        dragging.command()
    drag(workbench, 0, x + 0.01, y)
    workbench.document.update(
        replace(workbench.scene, camera=replace(workbench.scene.camera, azimuth=0.2))
    )
    drag(workbench, 0, *seen_at(CAMERA, replace_y(dragging.points[0].place, 0.002)))
    assert len(dragging.history) == 2
    monkeypatch.chdir(tmp_path)
    lines = dragging.command().split(" && ")
    assert len(lines) == 2
    for line in lines:
        words = shlex.split(line)
        request = parse(words[words.index("drag") :])
        drain(request.run())
    repeated = read_scene(tmp_path / "dragged.json")
    assert repeated.camera == workbench.scene.camera
    surface = FaceSurface(workbench.model, repeated)
    for point in dragging.points:
        near = surface.nearest(point.place)
        assert near == pytest.approx(point.place, abs=3e-4)
    workbench.document.undo()
    assert len(dragging.history) == 1


def replace_y(place: Vector, more: float) -> Vector:
    return place[0], place[1] + more, place[2]
