"""The studio without its window: loading, rendering, exporting, errors and their remedies."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.state.document import edits
from app.state.problems import drawing_problem, load_problem
from app.state.settings import SettingsStore
from app.state.workbench import Workbench
from app.workers.mesh_worker import DRAFT_SIZE
from app.workers.model_loader import Loading
from stylesdf_core.errors import GraphicsError
from stylesdf_core.mesh.preview import MeshPreview
from stylesdf_core.model.poses import Poses
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.animation import Animation, Keyframe
from stylesdf_core.scene.scene import Identity, Scene
from tests.app.state.stepping import poll_until, run_until, settle
from tests.models import save_tiny


def needs_opengl() -> None:
    from stylesdf_core.mesh.surface import SurfaceMesh

    triangle = np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0]], np.float32)
    mesh = SurfaceMesh(triangle, np.array([[0, 1, 2]], np.int32), np.ones_like(triangle))
    try:
        with MeshPreview() as preview:
            preview.submit(mesh, Scene().camera, 16).result()
    except GraphicsError as error:
        pytest.skip(str(error))


def test_a_scene_becomes_a_picture(workbench: Workbench) -> None:
    settle(workbench)
    assert workbench.models.name == "tiny"
    assert not workbench.has_problem
    picture = workbench.screen.picture
    assert picture is not None
    assert picture.request.scene == workbench.scene
    assert picture.index == picture.passes - 1
    assert picture.pixels.dtype == np.float32
    assert workbench.settings.recent_models == (workbench.scene.model,)


def test_the_picture_follows_the_scene(workbench: Workbench) -> None:
    settle(workbench)
    first = workbench.screen.picture
    for azimuth in np.linspace(0, 0.5, 20):
        camera = replace(workbench.scene.camera, azimuth=float(azimuth))
        workbench.document.update(replace(workbench.scene, camera=camera))
        workbench.tick()
    workbench.document.commit()
    settle(workbench)
    last = workbench.screen.picture
    assert first is not None
    assert last is not None
    assert last.request.scene.camera.azimuth == 0.5
    assert not np.array_equal(first.pixels, last.pixels)
    workbench.document.undo()
    settle(workbench)
    assert workbench.screen.picture is not None
    np.testing.assert_array_equal(workbench.screen.picture.pixels, first.pixels)


def test_while_the_scene_changes_only_first_passes_are_shown(workbench: Workbench) -> None:
    settle(workbench)
    shown = []
    for azimuth in np.linspace(0.1, 0.5, 8):
        camera = replace(workbench.scene.camera, azimuth=float(azimuth))
        workbench.document.update(replace(workbench.scene, camera=camera))
        workbench.tick()
        last = workbench.screen.picture
        poll_until(workbench, lambda last=last: workbench.screen.picture is not last)
        assert workbench.screen.picture is not None
        shown.append(workbench.screen.picture)
    assert [picture.index for picture in shown] == [0] * 8
    assert workbench.busy  # there is more to come
    settle(workbench)
    assert workbench.screen.picture is not None
    assert workbench.screen.picture.index == workbench.screen.picture.passes - 1
    assert workbench.screen.picture.request.scene.camera.azimuth == 0.5


def test_a_picture_shown_is_never_replaced_by_an_earlier_pass(workbench: Workbench) -> None:
    settle(workbench)
    finished = workbench.screen.picture
    workbench.screen.forget()
    for _ in range(50):
        workbench.tick()
        assert workbench.screen.picture is not None
        assert workbench.screen.picture.index == workbench.screen.picture.passes - 1
        time.sleep(0.002)
    settle(workbench)
    assert finished is not None
    assert workbench.screen.picture is not None
    assert workbench.screen.picture is not finished, "it has been rendered again"
    np.testing.assert_array_equal(workbench.screen.picture.pixels, finished.pixels)


@pytest.mark.parametrize("view", ["volume", "depth", "normals"])
def test_every_view_is_drawn(workbench: Workbench, view: str) -> None:
    workbench.change_settings("view", view=view)  # type: ignore[arg-type]
    settle(workbench)
    assert workbench.screen.picture is not None
    assert workbench.screen.picture.kind == view
    assert not workbench.has_problem


def test_mesh_and_its_level(workbench: Workbench) -> None:
    needs_opengl()
    workbench.change_settings("view", split=True)
    settle(workbench)
    mesh = workbench.screen.mesh
    assert mesh is not None
    assert mesh.report is not None
    assert mesh.report.triangles > 0
    assert mesh.pixels.shape[0] == workbench.screen.mesh_size
    camera = replace(workbench.scene.camera, azimuth=0.3)
    workbench.document.update(replace(workbench.scene, camera=camera))
    workbench.tick()
    poll_until(workbench, lambda: workbench.screen.mesh is not mesh)
    draft = workbench.screen.mesh
    assert draft is not None
    settle(workbench)
    fine = workbench.screen.mesh
    assert fine is not None
    assert draft.pixels.shape[0] <= DRAFT_SIZE < fine.pixels.shape[0]
    workbench.change_settings("mesh", level=5.0)
    settle(workbench)
    problem = drawing_problem(workbench, workbench.screen.mesh_error)
    assert problem is not None
    assert problem.title == "Empty mesh"
    problem.remedies[0].act()
    settle(workbench)
    assert drawing_problem(workbench, workbench.screen.mesh_error) is None
    workbench.change_settings("mesh", level=5.0)
    workbench.change_settings("view", view="image", split=False)
    settle(workbench)
    assert not workbench.has_problem  # what is not shown is no problem


def test_a_pane_hidden_during_a_motion_keeps_nothing_busy(workbench: Workbench) -> None:
    needs_opengl()
    workbench.change_settings("view", split=True)
    settle(workbench)
    mesh = workbench.screen.mesh
    camera = replace(workbench.scene.camera, azimuth=0.3)
    workbench.document.update(replace(workbench.scene, camera=camera))
    workbench.tick()
    poll_until(workbench, lambda: workbench.screen.mesh is not mesh)
    assert workbench.busy  # the fine mesh is still to come
    workbench.change_settings("view", split=False)
    settle(workbench)
    assert not workbench.busy


def test_a_broken_model_leaves_the_loaded_model(workbench: Workbench, tmp_path: Path) -> None:
    settle(workbench)
    scene, picture = workbench.scene, workbench.screen.picture
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00nonsense")
    workbench.open_model(str(broken))
    settle(workbench)
    problem = load_problem(workbench)
    assert problem is not None
    assert "broken.safetensors" in problem.title
    assert problem.details == ""
    assert workbench.scene == scene
    assert workbench.screen.picture is picture
    problem.remedies[0].act()
    assert not workbench.has_problem
    workbench.set_seed(5)
    settle(workbench)
    assert workbench.screen.picture is not None
    assert workbench.screen.picture.request.scene.identity.seed == 5


def test_the_loaded_model_in_place_of_a_missing_one_takes_what_fits_it(
    workbench: Workbench, tmp_path: Path
) -> None:
    settle(workbench)
    tiny, missing = workbench.models.reference, str(tmp_path / "gone.pt")
    foreign = Identity(3, None, (("moustache", 1.0), ("smile", 1.0)))
    scene = Scene(missing, foreign)
    workbench.document.apply(scene, Animation((Keyframe(0.0, scene), Keyframe(1.0, scene))))
    settle(workbench)
    problem = load_problem(workbench)
    assert problem is not None
    problem.remedies[0].act()
    settle(workbench)
    assert not workbench.has_problem
    assert (workbench.scene.model, workbench.scene.identity.edits) == (tiny, (("smile", 1.0),))
    assert workbench.document.animation.model == tiny


def test_a_scene_of_a_missing_model_offers_the_shipped_model(
    tmp_path: Path, model_path: Path
) -> None:
    missing = tmp_path / "gone.pt"
    workbench = Workbench(SettingsStore(tmp_path / "c"), Scene(model=str(missing)))
    settle(workbench)
    assert load_problem(workbench) is not None
    workbench.open_model(str(model_path))
    settle(workbench)
    assert load_problem(workbench) is None
    assert workbench.scene.model == str(model_path)
    assert workbench.screen.picture is not None
    workbench.close()


def test_another_model_keeps_the_parts_of_the_scene_that_fit(
    workbench: Workbench, tmp_path: Path
) -> None:
    settle(workbench)
    smiling = edits.with_direction(workbench.scene, "smile", 1.0)
    workbench.document.apply(replace(smiling, mixing=replace(smiling.mixing, seed=3, crossover=5)))
    renderer = save_tiny(tmp_path / "renderer.safetensors", output_size=16)
    workbench.open_model(str(renderer))
    settle(workbench)
    assert workbench.scene.model == str(renderer)
    assert workbench.scene.identity.edits == (("smile", 1.0),)
    assert workbench.scene.mixing.crossover == 0
    assert workbench.screen.picture is not None
    assert "no decoder" in workbench.screen.picture.note
    workbench.document.undo()
    settle(workbench)
    assert workbench.models.name == "tiny"


def test_a_scene_is_seen_as_its_model_was_trained(workbench: Workbench, tmp_path: Path) -> None:
    wide = str(save_tiny(tmp_path / "wide.safetensors", Poses(fov=12.0)))
    settle(workbench)
    workbench.document.arrange(Animation((Keyframe(0.0, workbench.scene),)))
    workbench.open_model(wide)
    settle(workbench)
    assert workbench.scene.camera.fov == 12.0
    assert workbench.document.animation.keyframes[0].scene.camera.fov == 12.0
    workbench.document.update(replace(workbench.scene, camera=OrbitCamera(0.3, fov=9.0)))
    workbench.open_model(str(save_tiny(tmp_path / "other.safetensors")))
    settle(workbench)
    assert workbench.scene.camera == OrbitCamera(0.3, fov=9.0), "chosen by the user"
    first = Workbench(SettingsStore(tmp_path / "first"), Scene(wide))
    settle(first)
    assert first.scene.camera == OrbitCamera(fov=12.0)
    first.document.update(replace(first.scene, camera=OrbitCamera(0.3, fov=9.0)))
    first.reset_camera()
    assert first.scene.camera == OrbitCamera(fov=12.0)
    first.close()


def test_a_scene_that_cannot_be_drawn_shows_why_and_can_be_undone(workbench: Workbench) -> None:
    settle(workbench)
    workbench.document.apply(edits.with_direction(workbench.scene, "horns", 1.0))
    settle(workbench)
    problem = drawing_problem(workbench, workbench.screen.picture_error)
    assert problem is not None
    assert "horns" in problem.text
    undo = next(remedy for remedy in problem.remedies if remedy.label == "Undo")
    undo.act()
    settle(workbench)
    assert not workbench.has_problem


def test_short_memory_is_said_in_words_with_what_to_do(workbench: Workbench) -> None:
    torch_says = "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"
    for error in (MemoryError(), RuntimeError(torch_says), RuntimeError("CUDA out of memory.")):
        problem = drawing_problem(workbench, error)
        assert problem is not None
        assert problem.title == "Out of memory"
        assert "smaller size" in problem.text
        assert "alloc" not in problem.text
        assert problem.details


def test_a_load_for_a_scene_that_is_undone_is_given_up(workbench: Workbench) -> None:
    settle(workbench)
    model = workbench.model
    workbench.document.apply(Scene(model="heads"))
    workbench.tick()
    assert workbench.models.loading is not None
    workbench.document.undo()
    workbench.tick()
    assert workbench.models.loading is None
    settle(workbench)
    assert workbench.model is model
    assert workbench.models.of(workbench.scene.model) is model


def test_effects_of_mixing_are_those_of_the_model_even_while_explore_is_hidden(
    workbench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = "stylesdf_core.engine.mixing_effects.measure_mixing"
    monkeypatch.setattr(measured, lambda engine: iter(["effects"]))
    workbench.edit(edits.with_second_seed, 3)
    run_until(workbench, lambda: workbench.mixing.effects is not None)
    workbench.is_resting = True
    other = str(save_tiny(tmp_path / "other.safetensors"))
    workbench.open_model(other)
    run_until(workbench, lambda: workbench.models.of(other) is not None)
    assert workbench.mixing.effects is None


def test_a_model_with_a_name_is_no_recent_file_though_a_folder_has_its_name(
    workbench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_until(workbench, lambda: workbench.model is not None)
    (tmp_path / "heads").mkdir()
    monkeypatch.chdir(tmp_path)
    recent = workbench.settings.recent_models
    workbench._model_loaded(Loading("heads", adopt=False))
    assert workbench.settings.recent_models == recent
