"""The studio without its window: loading, rendering, exporting, errors and their remedies."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.state import edits
from app.state.problems import drawing_problem, load_problem
from app.state.settings import Settings, SettingsStore
from app.state.workbench import Workbench
from app.workers.mesh_worker import DRAFT_SIZE
from app.workers.process import give_memory_back
from stylesdf_core.commands.rendering import MeshSettings
from stylesdf_core.errors import GraphicsError
from stylesdf_core.mesh.preview import MeshPreview
from stylesdf_core.scene.scene import Identity, Scene
from stylesdf_core.scene.session_files import read_scene
from tests.models import save_tiny

SECONDS = 120.0


@pytest.fixture(scope="module")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("model") / "tiny.safetensors")


@pytest.fixture
def bench(model_path: Path, tmp_path: Path) -> Iterator[Workbench]:
    store = SettingsStore(tmp_path / "config")
    settings = Settings(device="cpu", mesh=MeshSettings(resolution=32))
    store.save(replace(settings, export=replace(settings.export, folder=str(tmp_path / "out"))))
    workbench = Workbench(store, Scene(model=str(model_path)))
    yield workbench
    workbench.close()


def run_until(bench: Workbench, condition: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "waited too long"
        bench.tick()
        time.sleep(0.002)


def poll_until(bench: Workbench, condition: Callable[[], bool]) -> None:
    """Take results in, but let no frame pass that could be taken for a rest."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "waited too long"
        bench.screen.poll()
        time.sleep(0.002)


def settle(bench: Workbench) -> None:
    """Until everything asked for has been shown."""
    bench.tick()
    run_until(bench, lambda: not bench.busy and not bench.jobs.active)
    bench.tick()


def needs_opengl() -> None:
    from stylesdf_core.mesh.surface import SurfaceMesh

    triangle = np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0]], np.float32)
    mesh = SurfaceMesh(triangle, np.array([[0, 1, 2]], np.int32), np.ones_like(triangle))
    try:
        with MeshPreview() as preview:
            preview.submit(mesh, Scene().camera, 16).result()
    except GraphicsError as error:
        pytest.skip(str(error))


def test_a_scene_becomes_a_picture(bench: Workbench) -> None:
    settle(bench)
    assert bench.models.name == "tiny"
    assert not bench.has_problem
    picture = bench.screen.picture
    assert picture is not None
    assert picture.request.scene == bench.scene
    assert picture.index == picture.passes - 1
    assert picture.pixels.dtype == np.float32
    assert bench.settings.recent_models == (bench.scene.model,)


def test_the_picture_follows_the_scene(bench: Workbench) -> None:
    settle(bench)
    first = bench.screen.picture
    for azimuth in np.linspace(0, 0.5, 20):
        camera = replace(bench.scene.camera, azimuth=float(azimuth))
        bench.document.update(replace(bench.scene, camera=camera))
        bench.tick()
    bench.document.commit()
    settle(bench)
    last = bench.screen.picture
    assert first is not None
    assert last is not None
    assert last.request.scene.camera.azimuth == 0.5
    assert not np.array_equal(first.pixels, last.pixels)
    bench.document.undo()
    settle(bench)
    assert bench.screen.picture is not None
    np.testing.assert_array_equal(bench.screen.picture.pixels, first.pixels)


def test_while_the_scene_changes_only_first_passes_are_shown(bench: Workbench) -> None:
    settle(bench)
    shown = []
    for azimuth in np.linspace(0.1, 0.5, 8):
        camera = replace(bench.scene.camera, azimuth=float(azimuth))
        bench.document.update(replace(bench.scene, camera=camera))
        bench.tick()
        last = bench.screen.picture
        poll_until(bench, lambda last=last: bench.screen.picture is not last)
        assert bench.screen.picture is not None
        shown.append(bench.screen.picture)
    assert [picture.index for picture in shown] == [0] * 8
    assert bench.busy  # there is more to come
    settle(bench)
    assert bench.screen.picture is not None
    assert bench.screen.picture.index == bench.screen.picture.passes - 1
    assert bench.screen.picture.request.scene.camera.azimuth == 0.5


def test_a_picture_shown_is_never_replaced_by_an_earlier_pass(bench: Workbench) -> None:
    settle(bench)
    finished = bench.screen.picture
    bench.screen.forget()
    for _ in range(50):
        bench.tick()
        assert bench.screen.picture is not None
        assert bench.screen.picture.index == bench.screen.picture.passes - 1
        time.sleep(0.002)
    settle(bench)
    assert finished is not None
    assert bench.screen.picture is not None
    assert bench.screen.picture is not finished, "it has been rendered again"
    np.testing.assert_array_equal(bench.screen.picture.pixels, finished.pixels)


@pytest.mark.parametrize("view", ["volume", "depth", "normals"])
def test_every_view_is_drawn(bench: Workbench, view: str) -> None:
    bench.change_settings("view", view=view)  # type: ignore[arg-type]
    settle(bench)
    assert bench.screen.picture is not None
    assert bench.screen.picture.kind == view
    assert not bench.has_problem


def test_mesh_and_its_level(bench: Workbench) -> None:
    needs_opengl()
    bench.change_settings("view", split=True)
    settle(bench)
    mesh = bench.screen.mesh
    assert mesh is not None
    assert mesh.report is not None
    assert mesh.report.triangles > 0
    assert mesh.pixels.shape[0] == bench.screen.mesh_size
    camera = replace(bench.scene.camera, azimuth=0.3)
    bench.document.update(replace(bench.scene, camera=camera))
    bench.tick()
    poll_until(bench, lambda: bench.screen.mesh is not mesh)
    draft = bench.screen.mesh
    assert draft is not None
    settle(bench)
    fine = bench.screen.mesh
    assert fine is not None
    assert draft.pixels.shape[0] <= DRAFT_SIZE < fine.pixels.shape[0]
    bench.change_settings("mesh", level=5.0)
    settle(bench)
    problem = drawing_problem(bench, bench.screen.mesh_error)
    assert problem is not None
    assert problem.title == "Empty mesh"
    problem.remedies[0].act()
    settle(bench)
    assert drawing_problem(bench, bench.screen.mesh_error) is None
    bench.change_settings("mesh", level=5.0)
    bench.change_settings("view", view="image", split=False)
    settle(bench)
    assert not bench.has_problem  # what is not shown is no problem


def test_a_pane_hidden_during_a_motion_keeps_nothing_busy(bench: Workbench) -> None:
    needs_opengl()
    bench.change_settings("view", split=True)
    settle(bench)
    mesh = bench.screen.mesh
    camera = replace(bench.scene.camera, azimuth=0.3)
    bench.document.update(replace(bench.scene, camera=camera))
    bench.tick()
    poll_until(bench, lambda: bench.screen.mesh is not mesh)
    assert bench.busy  # the fine mesh is still to come
    bench.change_settings("view", split=False)
    settle(bench)
    assert not bench.busy


def test_a_broken_model_leaves_the_loaded_model(bench: Workbench, tmp_path: Path) -> None:
    settle(bench)
    scene, picture = bench.scene, bench.screen.picture
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00nonsense")
    bench.open_model(str(broken))
    settle(bench)
    problem = load_problem(bench)
    assert problem is not None
    assert "broken.safetensors" in problem.title
    assert problem.details == ""
    assert bench.scene == scene
    assert bench.screen.picture is picture
    problem.remedies[0].act()
    assert not bench.has_problem
    bench.set_seed(5)
    settle(bench)
    assert bench.screen.picture is not None
    assert bench.screen.picture.request.scene.identity.seed == 5


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
    bench: Workbench, tmp_path: Path
) -> None:
    settle(bench)
    smiling = edits.with_direction(bench.scene, "smile", 1.0)
    bench.document.apply(replace(smiling, mixing=replace(smiling.mixing, seed=3, crossover=5)))
    renderer = save_tiny(tmp_path / "renderer.safetensors", output_size=16)
    bench.open_model(str(renderer))
    settle(bench)
    assert bench.scene.model == str(renderer)
    assert bench.scene.identity.edits == (("smile", 1.0),)
    assert bench.scene.mixing.crossover == 0
    assert bench.screen.picture is not None
    assert "no decoder" in bench.screen.picture.note
    bench.document.undo()
    settle(bench)
    assert bench.models.name == "tiny"


def test_a_scene_that_cannot_be_drawn_shows_why_and_can_be_undone(bench: Workbench) -> None:
    settle(bench)
    bench.document.apply(edits.with_direction(bench.scene, "horns", 1.0))
    settle(bench)
    problem = drawing_problem(bench, bench.screen.picture_error)
    assert problem is not None
    assert "horns" in problem.text
    undo = next(remedy for remedy in problem.remedies if remedy.label == "Undo")
    undo.act()
    settle(bench)
    assert not bench.has_problem


def test_exports_run_as_jobs_and_restore_their_session(bench: Workbench, tmp_path: Path) -> None:
    bench.set_seed(11)
    bench.document.apply(edits.with_direction(bench.scene, "smile", 2.0))
    job = bench.export("PNG")
    again = bench.export("PNG")
    scene = bench.scene
    bench.set_seed(12)
    settle(bench)
    assert job.out == tmp_path / "out" / "tiny-000011.png"
    assert again.out == tmp_path / "out" / "tiny-000011-2.png"
    assert read_scene(job.out) == scene
    assert [toast.path for toast in bench.toasts] == [job.out, again.out]
    bench.open_session(job.out)
    assert bench.scene == scene
    assert bench.document.path is None  # saving must not replace the picture


def test_a_failed_export_says_why(bench: Workbench, tmp_path: Path) -> None:
    settle(bench)
    (tmp_path / "out").write_text("not a folder")
    bench.export("PNG")
    settle(bench)
    assert bench.toasts[-1].is_error
    assert "Cannot write" in bench.toasts[-1].text


def test_commands_can_be_copied(bench: Workbench) -> None:
    command = bench.command("GLB")
    assert command is not None
    assert command.startswith("stylesdf-studio mesh")
    bench.document.apply(replace(bench.scene, identity=Identity(z=(0.0,) * 256)))
    assert bench.command("PNG") is None
    assert bench.toasts[-1].is_error


def test_sessions_are_saved_and_opened(bench: Workbench, tmp_path: Path) -> None:
    bench.set_seed(99)
    path = tmp_path / "face.json"
    bench.save_session(path)
    assert not bench.document.dirty
    scene = bench.scene
    bench.set_seed(100)
    bench.open_session(path)
    assert bench.scene == scene
    bench.open_session(tmp_path / "missing.json")
    assert bench.toasts[-1].is_error
    (tmp_path / "other.json").write_text("{}")
    bench.open_session(tmp_path / "other.json")
    assert "not a StyleSDF Studio session" in bench.toasts[-1].text
    assert bench.scene == scene


def test_the_last_scene_comes_back_at_the_next_start(bench: Workbench) -> None:
    bench.set_seed(4321)
    bench.toggle_lock("smile")
    bench.close()
    later = Workbench(bench.store)
    assert later.scene == bench.scene
    assert later.settings.locked == ("smile",)
    later.close()


def test_memory_is_returned_once_when_the_studio_rests(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []
    monkeypatch.setattr("app.state.workbench.give_memory_back", lambda: given.append(bench.busy))
    settle(bench)
    bench.set_seed(5)
    settle(bench)
    assert not given  # a rest has to last
    run_until(bench, lambda: bool(given))
    settle(bench)
    assert given == [False]
    bench.set_seed(6)
    run_until(bench, lambda: len(given) == 2)
    assert given == [False, False]


def test_memory_can_be_returned_on_every_system() -> None:
    give_memory_back()
