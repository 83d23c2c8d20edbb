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
from app.workers.jobs import JobState
from app.workers.mesh_worker import DRAFT_SIZE
from app.workers.process import give_memory_back
from stylesdf_core.commands.rendering import MeshSettings
from stylesdf_core.errors import GraphicsError
from stylesdf_core.mesh.preview import MeshPreview
from stylesdf_core.scene.animation import InBetween, write_animation
from stylesdf_core.scene.scene import Identity, Scene
from stylesdf_core.scene.session_files import read_scene
from tests.models import save_tiny

SECONDS = 120.0


@pytest.fixture(scope="module")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("model") / "tiny.safetensors")


@pytest.fixture
def workbench(model_path: Path, tmp_path: Path) -> Iterator[Workbench]:
    store = SettingsStore(tmp_path / "config")
    settings = Settings(device="cpu", mesh=MeshSettings(resolution=32))
    store.save(replace(settings, export=replace(settings.export, folder=str(tmp_path / "out"))))
    workbench = Workbench(store, Scene(model=str(model_path)))
    yield workbench
    workbench.close()


def run_until(workbench: Workbench, condition: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "waited too long"
        workbench.tick()
        time.sleep(0.002)


def poll_until(workbench: Workbench, condition: Callable[[], bool]) -> None:
    """Take results in, but let no frame pass that could be taken for a rest."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "waited too long"
        workbench.screen.poll()
        time.sleep(0.002)


def settle(workbench: Workbench) -> None:
    """Until everything asked for has been shown."""
    workbench.tick()
    run_until(workbench, lambda: not workbench.busy and not workbench.jobs.active)
    workbench.tick()


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


def test_exports_run_as_jobs_and_restore_their_session(
    workbench: Workbench, tmp_path: Path
) -> None:
    workbench.set_seed(11)
    workbench.document.apply(edits.with_direction(workbench.scene, "smile", 2.0))
    job = workbench.export("PNG")
    again = workbench.export("PNG")
    scene = workbench.scene
    workbench.set_seed(12)
    settle(workbench)
    assert job.out == tmp_path / "out" / "tiny-000011.png"
    assert again.out == tmp_path / "out" / "tiny-000011-2.png"
    assert read_scene(job.out) == scene
    assert [toast.path for toast in workbench.messages.toasts] == [job.out, again.out]
    workbench.open_session(job.out)
    assert workbench.scene == scene
    assert workbench.document.path is None  # saving must not replace the picture


def test_a_failed_export_says_why(workbench: Workbench, tmp_path: Path) -> None:
    settle(workbench)
    (tmp_path / "out").write_text("not a folder")
    job = workbench.export("PNG")
    settle(workbench)
    assert workbench.messages.toasts[-1].is_error
    assert "Cannot write" in workbench.messages.toasts[-1].text
    assert workbench.jobs.jobs == [job], "the failure stays listed"
    (tmp_path / "out").unlink()
    workbench.retry(job)
    settle(workbench)
    (again,) = workbench.jobs.jobs
    assert (again.state, again.out) == (JobState.DONE, job.out)


def test_an_error_stays_until_it_is_dismissed(
    workbench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    workbench.toast("news")
    workbench.toast("--size is wrong.", is_error=True)
    workbench.toast("--size is wrong.", is_error=True)
    later = time.monotonic() + 3600.0
    monkeypatch.setattr("app.state.workbench.time.monotonic", lambda: later)
    workbench.tick()
    (error,) = workbench.messages.toasts
    assert error.text == "Size is wrong."
    workbench.messages.dismiss(error)
    assert workbench.messages.toasts == []


def test_commands_can_be_copied(workbench: Workbench) -> None:
    command = workbench.command("GLB")
    assert command is not None
    assert "stylesdf-studio mesh" in command
    workbench.document.apply(replace(workbench.scene, identity=Identity(z=(0.0,) * 256)))
    assert workbench.command("PNG") is None
    assert workbench.messages.toasts[-1].is_error


def test_sessions_are_saved_and_opened(workbench: Workbench, tmp_path: Path) -> None:
    workbench.set_seed(99)
    path = tmp_path / "face.json"
    workbench.save_session(path)
    assert not workbench.document.dirty
    scene = workbench.scene
    workbench.set_seed(100)
    workbench.open_session(path)
    assert workbench.scene == scene
    workbench.open_session(tmp_path / "missing.json")
    assert workbench.messages.toasts[-1].is_error
    (tmp_path / "other.json").write_text("{}")
    workbench.open_session(tmp_path / "other.json")
    assert "not a StyleSDF Studio session" in workbench.messages.toasts[-1].text
    assert workbench.scene == scene


def test_the_model_of_a_strangers_session_is_not_touched(
    workbench: Workbench, tmp_path: Path
) -> None:
    path, share = tmp_path / "face.json", "/net/elsewhere/model.pt"
    path.write_text(Scene(share, Identity(7)).to_json())
    mine = workbench.scene.model
    workbench.open_session(path)
    assert (workbench.scene.model, workbench.scene.identity.seed) == (mine, 7)
    assert f"its model {share} is not loaded" in workbench.messages.toasts[-1].text
    assert workbench.document.path is None  # saving must not replace the stranger's session


def test_a_session_made_with_other_weights_says_so(workbench: Workbench, tmp_path: Path) -> None:
    settle(workbench)
    assert workbench.model is not None
    path, digest = tmp_path / "face.json", workbench.model.digest
    workbench.save_session(path)
    assert read_scene(path).model_digest == digest
    workbench.open_session(path)
    assert [toast.text for toast in workbench.messages.toasts] == [
        "Saved face.json",
        "Opened face.json",
    ]
    path.write_text(path.read_text().replace(digest, "0123456789abcdef"))
    workbench.open_session(path)
    expected = f"(digest {digest} instead of 0123456789abcdef)"
    assert expected in workbench.messages.toasts[-1].text
    later = Workbench(workbench.store, read_scene(path))  # the model is not loaded yet
    run_until(later, lambda: bool(later.messages.toasts))
    assert expected in later.messages.toasts[-1].text
    later.close()
    again = later.store.load_autosave()
    assert again is not None
    assert again.model_digest == digest, "the next start says it no more"


def test_the_last_scene_comes_back_at_the_next_start(workbench: Workbench) -> None:
    workbench.set_seed(4321)
    workbench.toggle_lock("smile")
    workbench.close()
    later = Workbench(workbench.store)
    assert later.scene == workbench.scene
    assert later.settings.locked == ("smile",)
    later.close()


def test_memory_is_returned_once_when_the_studio_rests(
    workbench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []
    monkeypatch.setattr(
        "app.state.workbench.give_memory_back", lambda: given.append(workbench.busy)
    )
    settle(workbench)
    workbench.set_seed(5)
    settle(workbench)
    assert not given  # a rest has to last
    run_until(workbench, lambda: bool(given))
    settle(workbench)
    assert given == [False]
    workbench.set_seed(6)
    run_until(workbench, lambda: len(given) == 2)
    assert given == [False, False]


def test_memory_can_be_returned_on_every_system() -> None:
    give_memory_back()


def test_a_session_carries_its_keyframes_and_a_picture_leaves_them(
    workbench: Workbench, tmp_path: Path, model_path: Path
) -> None:
    settle(workbench)
    timeline, path = workbench.timeline, tmp_path / "moving.json"
    timeline.make("sway", 1.0)
    animation = workbench.document.animation
    workbench.save_session(path)
    timeline.clear()
    assert workbench.document.dirty
    workbench.open_session(path)
    assert workbench.document.animation == animation
    workbench.autosave()
    assert workbench.store.load_timeline() == animation
    plain = tmp_path / "plain.json"
    plain.write_text(Scene(str(model_path), Identity(5)).to_json())
    workbench.open_session(plain)
    assert workbench.document.animation.keyframes == ()
    workbench.document.undo()
    assert workbench.document.animation == animation
    keyframes = tmp_path / "keyframes.json"
    write_animation(animation, keyframes)
    workbench.open_session(keyframes)
    assert workbench.scene == animation.keyframes[0].scene


def test_the_playhead_s_scene_is_on_the_screen_and_is_no_visited_face(
    workbench: Workbench,
) -> None:
    settle(workbench)
    timeline, before = workbench.timeline, len(workbench.album.faces)
    timeline.add(workbench.screen.picture, "image")
    workbench.set_seed(9)
    settle(workbench)
    timeline.add(workbench.screen.picture, "image")
    timeline.seek(1.0)
    settle(workbench)
    assert workbench.screen.picture is not None
    assert isinstance(workbench.screen.picture.request.scene, InBetween)
    assert len(workbench.album.faces) <= before + 2
    picture = workbench.export("PNG")
    settle(workbench)
    assert picture.out is not None
    assert read_scene(picture.out).camera == timeline.shown.camera
    assert workbench.command("PNG") is None
    request = workbench.film_request(".webp")
    assert request.animation == workbench.document.animation
    job = workbench.submit(replace(request, fps=2.0, size=16))
    settle(workbench)
    assert job.state is JobState.DONE
    assert job.out is not None
    assert job.out.name.endswith("-animation.webp")


def test_keyframes_follow_the_scene_to_another_model(workbench: Workbench, tmp_path: Path) -> None:
    settle(workbench)
    workbench.timeline.make("turntable", 1.0)
    other = save_tiny(tmp_path / "other.safetensors", width=16)
    workbench.open_model(str(other))
    settle(workbench)
    assert workbench.document.animation.model == workbench.scene.model == str(other)
    workbench.document.undo()
    assert workbench.document.animation.model == workbench.scene.model != str(other)
