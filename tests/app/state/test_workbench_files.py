"""The workbench and files: exports, sessions, the autosave, keyframes in sessions."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from app.state.document import edits
from app.state.workbench import Workbench
from app.workers.concurrency.jobs import JobState
from stylesdf_core.scene.animation import InBetween, write_animation
from stylesdf_core.scene.scene import Identity, Scene
from stylesdf_core.scene.session_files import read_scene
from tests.app.state.stepping import run_until, settle
from tests.models import save_tiny


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
    assert job is not None
    assert again is not None
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
    assert job is not None
    settle(workbench)
    assert workbench.messages.toasts[-1].is_error
    assert "Cannot write" in workbench.messages.toasts[-1].text
    assert workbench.jobs.jobs == [job], "the failure stays listed"
    (tmp_path / "out").unlink()
    workbench.jobs.retry(job)
    settle(workbench)
    (again,) = workbench.jobs.jobs
    assert (again.state, again.out) == (JobState.DONE, job.out)


def test_an_export_that_cannot_be_is_refused_at_once(workbench: Workbench) -> None:
    workbench.change_settings("view", background="none")
    assert workbench.export("MP4") is None
    assert "An MP4 cannot be transparent" in workbench.messages.toasts[-1].text
    assert workbench.jobs.jobs == []
    assert workbench.export("GIF") is not None


def test_an_error_stays_until_it_is_dismissed(
    workbench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    workbench.toast("news")
    workbench.toast("--size is wrong.", is_error=True)
    workbench.toast("--size is wrong.", is_error=True)
    later = time.monotonic() + 3600.0
    monkeypatch.setattr("app.state.messages.time.monotonic", lambda: later)
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


def test_a_session_carries_its_keyframes_and_a_picture_leaves_them(
    workbench: Workbench, tmp_path: Path, model_path: Path
) -> None:
    settle(workbench)
    timeline, path = workbench.timeline, tmp_path / "moving.json"
    timeline.make("sway")
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
    assert picture is not None
    assert picture.out is not None
    assert read_scene(picture.out).camera == timeline.shown.camera
    assert workbench.command("PNG") is None
    request = workbench.film_request(".webp")
    assert request.animation == workbench.document.animation
    job = workbench.submit(replace(request, fps=2.0, size=16))
    settle(workbench)
    assert job is not None
    assert job.state is JobState.DONE
    assert job.out is not None
    assert job.out.name.endswith("-animation.webp")


def test_keyframes_follow_the_scene_to_another_model(workbench: Workbench, tmp_path: Path) -> None:
    settle(workbench)
    workbench.timeline.make("turntable")
    other = save_tiny(tmp_path / "other.safetensors", width=16)
    workbench.open_model(str(other))
    settle(workbench)
    assert workbench.document.animation.model == workbench.scene.model == str(other)
    workbench.document.undo()
    assert workbench.document.animation.model == workbench.scene.model != str(other)
