"""Steps of the window test that read and write files: dialogs, exports, a broken file."""

from __future__ import annotations

import dearpygui.dearpygui as dpg
from PIL import Image

from app.state.exports import EXPORTS
from app.state.problems import load_problem
from app.workers.concurrency.jobs import JobState
from stylesdf_core.scene.session_files import read_scene
from tests.app.hands import Hands


class FileSteps(Hands):
    """Files, opened and written."""

    def file_dialog(self) -> None:
        """A typed absolute path is taken on Enter; Escape closes; a double click opens."""
        workbench = self.workbench
        folder = self.folder / "Größe und Ähre"
        folder.mkdir()
        session = folder / ("s" * 190 + ".json")
        session.write_text(workbench.scene.to_json())
        workbench.random_seed()
        self.studio.actions.open_session()
        self.frames(5)
        assert self.studio.dialogs.is_open
        self.press("Escape")
        assert not self.studio.dialogs.is_open
        self.studio.actions.open_session()
        self.frames(5)
        self.hands(f"type --delay 30 {folder.parent}")
        fields = self.studio._ui.text_fields
        typed = str(folder.parent)
        self.wait(lambda: typed in map(dpg.get_value, fields[-2:]), "the typed path")
        self.press("Return")
        assert self.studio.dialogs.is_open
        dialog = self.studio.dialogs._files
        assert dialog is not None
        self.frames(20)
        self.press("Return")
        assert dpg.get_value(dialog._problem) == "Choose a file, or type its name."
        self.hands("type x")  # a folder was listed, and the next word is a name in it
        self.wait(lambda: dpg.get_value(dialog._name) == "x", "the typed name")
        self.click(self.row(folder.name))
        assert dpg.get_value(dialog._problem) == ""
        for _ in range(10):  # on a busy machine two clicks may fall too far apart
            self.hands("click --repeat 2 --delay 20 1")
            if self.row("sss", missing_ok=True):
                break
        for _ in range(10):
            self.click(self.row("sss"))
            self.press("Return")
            if not self.studio.dialogs.is_open:
                break
        assert workbench.document.path == session
        saved = session.rename(folder / "saved.json")
        workbench.random_seed()
        for answer in ("Escape", "Return"):  # a file is replaced only after a question
            self.studio.actions.save_session_as()
            self.frames(5)
            self.hands(f"key ctrl+a sleep 0.2 type --delay 60 {saved.stem}")
            self.press("Return")
            assert self.studio.dialogs.is_open
            assert read_scene(saved) != workbench.scene
            self.press(answer)
            assert not self.studio.dialogs.is_open
        assert read_scene(saved) == workbench.scene
        assert str(folder) in workbench.settings.recent_folders
        self.settle()

    def photo(self) -> None:
        """A picture without face is taken whole or framed by hand; undo gives the face back."""
        workbench = self.workbench
        before, picture = workbench.scene, self.folder / "photo.png"
        Image.new("RGB", (96, 96), (120, 90, 80)).save(picture)
        self.press("ctrl+n")
        assert self.studio.dialogs.is_open
        self.press("Escape")
        workbench.photo.start(picture, before.model, "cpu")
        self.wait(lambda: workbench.photo.state == "failed", "the search for faces")
        self.frames(5)
        assert self.studio.dialogs.is_open
        self.click(self.button("Use the whole picture"))
        self.wait(lambda: workbench.photo.guess is not None, "the first guess")
        self.frames(5)
        self.click(self.button("Use this head"))
        self.wait(lambda: workbench.scene != before, "the head")
        assert not self.studio.dialogs.is_open
        assert workbench.scene.identity.z is not None
        self.press("ctrl+z")
        assert workbench.scene == before
        workbench.photo.start(picture, before.model, "cpu")
        self.wait(lambda: workbench.photo.state == "failed", "the search for faces")
        self.frames(5)
        self.click(self.button("Frame by hand …"))
        self.frames(5)
        framing = workbench.photo.framing
        assert framing is not None
        edge = framing.frame.edge
        self.click(self.button("Larger"))
        assert framing.frame.edge < edge
        self.click(self.button("Click eyes and mouth"))
        self.frames(5)
        assert framing.next_mark == 0
        self.click(self.button("Stop clicking"))
        self.frames(5)
        self.click(self.button("Fit the head"))
        self.wait(lambda: workbench.photo.guess is not None, "the guess of the framed face")
        self.frames(5)
        self.click(self.button("Framing and photos …"))
        self.frames(5)
        assert workbench.photo.is_ready
        workbench.photo.add(picture)
        self.wait(lambda: workbench.photo.state == "choosing", "the second photograph")
        assert not workbench.photo.is_ready
        self.frames(5)
        self.press("Escape")
        self.wait(lambda: workbench.photo.state == "none", "the end of the cancelled search")
        assert not self.studio.dialogs.is_open

    def exports(self) -> None:
        """Every export button writes a complete file, and a session where the format allows."""
        workbench = self.workbench
        workbench.change_settings("window", folded=("Camera", "Mesh"))  # makes room for all
        self.frames(4)
        earlier = list(workbench.jobs.jobs)  # of the steps before
        for kind in EXPORTS:
            self.click(self.button(kind.name))
        self.wait(lambda: not workbench.jobs.active, "the exports")
        jobs = [job for job in workbench.jobs.jobs if job not in earlier]
        assert len(jobs) == len(EXPORTS), [job.label for job in jobs]
        for job in jobs:
            assert job.state is JobState.DONE, (job.label, job.error)
            assert job.out is not None
            assert job.out.stat().st_size > 0
            assert not job.out.name.endswith("-2.png"), "each kind has a name of its own"
            if job.out.suffix in (".png", ".gif", ".glb", ".obj", ".ply"):
                assert read_scene(job.out) == workbench.scene, job.out
        self.click(self.button("GLB"), 3)
        assert "stylesdf-studio mesh" in dpg.get_clipboard_text()
        self.hands("key r")
        workbench.open_session(
            next(j.out for j in jobs if j.out is not None and j.label.endswith("png"))
        )
        self.settle()

    def broken_checkpoint(self) -> None:
        """A broken file shows a card with remedies; the picture stays."""
        workbench = self.workbench
        broken = self.folder / "broken.pt"
        broken.write_bytes(b"PK\x03\x04 not a checkpoint")
        scene = workbench.scene
        workbench.open_model(str(broken))
        self.wait(lambda: workbench.models.loading is None, "the failure")
        self.frames(5)
        assert load_problem(workbench) is not None
        self.click(self.button("Stay with tiny"))
        assert load_problem(workbench) is None
        workbench.open_model(str(broken))
        self.wait(lambda: workbench.models.failed is not None, "the failure")
        self.frames(5)
        self.press("Return")  # the first remedy
        assert load_problem(workbench) is None
        workbench.toast("wrong", is_error=True)
        self.press("Escape")
        assert "wrong" not in [toast.text for toast in workbench.messages.toasts]
        assert workbench.scene == scene

    def batch(self) -> None:
        """The dialog makes pictures and meshes of typed seeds; Enter again skips them all."""
        workbench, dialog = self.workbench, self.studio._menus.batch
        folder = self.folder / "batch"
        workbench.change_settings("batch", folder=str(folder))
        dialog.open()
        self.frames(5)
        self.click(self.button("choose …"))
        self.wait(lambda: self.studio.dialogs._files is not None, "the dialog for the folder")
        self.press("Escape")
        dialog.open()
        self.frames(5)
        self.click(dialog.kinds["ply"])
        for seeds in ("3-4x", "3-4"):
            assert self.studio.dialogs.is_open, "seeds that cannot be read must be corrected"
            self.click(dialog.fields["seeds"])
            self.hands(f"key ctrl+a sleep 0.2 type --delay 60 {seeds}")
            if seeds == "3-4x":
                self.press("Return")
        for made in (4, 0):
            self.press("Return")
            assert not self.studio.dialogs.is_open
            self.wait(lambda: not workbench.jobs.active, "the batch")
            job = workbench.jobs.jobs[-1]
            assert job.state is JobState.DONE, job.error
            assert len(job.result.made) == made, job.result
            workbench.jobs.forget(job)
            dialog.open()
            self.frames(5)
        self.press("Escape")
        assert not self.studio.dialogs.is_open
        names = sorted(path.name for path in folder.iterdir() if path.stem != "batch")
        stems = ("tiny-000003", "tiny-000004")
        assert names == [f"{stem}{suffix}" for stem in stems for suffix in (".ply", ".png")]
        self.settle()
