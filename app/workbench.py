"""Everything the studio shows and does, without a window: document, workers, messages.

Panels call its methods and read its state; :meth:`Workbench.tick`, called once a frame, carries
results in and requests out. All of it runs on the main thread; only the workers have their own.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import edits, exports
from app.document import Document
from app.mesh_worker import MeshRequest, ShownMesh, mesh_worker
from app.model_loader import model_loader
from app.picture_worker import MAX_PICTURE, PictureRequest, ShownPicture, picture_worker
from app.problems import Problem, Remedy, describe, details, suggested_level
from app.settings import Settings, SettingsStore
from app.workers import Job, JobQueue, JobState
from stylesdf_core.errors import EmptySurfaceError, GraphicsError, StyleSDFError
from stylesdf_core.files import write_text
from stylesdf_core.latents import LatentDirection
from stylesdf_core.scene import SHIPPED_MODEL, Scene, View, read_scene

if TYPE_CHECKING:
    from stylesdf_core.model import Model

_AUTOSAVE_AFTER = 2.0  # seconds without change
_TOAST_SECONDS = 8.0


@dataclass(frozen=True, eq=False)
class Toast:
    """A message that goes away by itself.

    Attributes:
        path: what "show file" shows.
        is_error: stands longer, in the error colour.
    """

    text: str
    path: Path | None = None
    is_error: bool = False
    until: float = field(default_factory=lambda: time.monotonic() + _TOAST_SECONDS)


@dataclass(frozen=True)
class Loading:
    """A model on its way.

    Attributes:
        scene: what to show once it is there; None if the document waits for it already.
    """

    reference: str
    message: str
    scene: Scene | None
    since: float = field(default_factory=time.monotonic, compare=False)


class Workbench:
    """The studio's state and actions.

    Args:
        store: where settings and the autosaved session live.
        scene: shown first; None for the autosaved one, else the default face.
    """

    def __init__(self, store: SettingsStore, scene: Scene | None = None) -> None:
        self.store = store
        self.settings: Settings = store.load()
        self._saved_settings = self.settings
        self.document = Document(scene or store.load_autosave() or Scene())
        self._autosaved = self.document.scene
        self._changed_at = time.monotonic()
        self._last = (self.document.scene, self.settings)

        self.model: Model | None = None
        self.devices: tuple[str, ...] = ("auto", "cpu")
        self.loading: Loading | None = None
        self._loaded_reference = ""
        self._failed_reference = ""
        self.load_problem: Problem | None = None
        self.picture: ShownPicture | None = None
        self.picture_problem: Problem | None = None
        self.mesh: ShownMesh | None = None
        self.mesh_problem: Problem | None = None
        self.toasts: list[Toast] = []

        #: Edge of the mesh pane in pixels; set by the viewport.
        self.mesh_size = 512
        self._loader = model_loader()
        self._pictures = picture_worker()
        self._meshes = mesh_worker()
        self._picture_request: PictureRequest | None = None
        self._mesh_request: MeshRequest | None = None
        self.jobs = JobQueue()
        self.last_export = "PNG"

    # --- what is shown ------------------------------------------------------------------------

    @property
    def scene(self) -> Scene:
        """The document's scene."""
        return self.document.scene

    @property
    def directions(self) -> Sequence[LatentDirection]:
        """Named directions of the loaded model."""
        return self.model.directions if self.model is not None else ()

    @property
    def n_latent(self) -> int:
        """Decoder layers of the loaded model."""
        return self.model.generator.config.n_latent if self.model is not None else 0

    @property
    def z_dim(self) -> int:
        """Length of the loaded model's z."""
        return self.model.generator.config.z_dim if self.model is not None else 256

    @property
    def picture_view(self) -> View:
        """What the picture pane shows, also while the mesh has the whole viewport."""
        view = self.settings.view.view
        return "image" if view == "mesh" else view

    @property
    def shows_picture(self) -> bool:
        """Whether there is a picture pane."""
        return self.settings.view.view != "mesh" or self.settings.view.split

    @property
    def shows_mesh(self) -> bool:
        """Whether there is a mesh pane."""
        return self.settings.view.view == "mesh" or self.settings.view.split

    @property
    def busy(self) -> bool:
        """Whether anything is being computed for the screen."""
        return self.loading is not None or self._pictures.busy or self._meshes.busy

    @property
    def has_problem(self) -> bool:
        """Whether something shown has gone wrong."""
        shown = (
            self.load_problem,
            self.picture_problem if self.shows_picture else None,
            self.mesh_problem if self.shows_mesh else None,
        )
        return any(problem is not None for problem in shown)

    # --- once a frame -------------------------------------------------------------------------

    def tick(self) -> None:
        """Take results in, give requests out, autosave."""
        self._poll_loader()
        self._poll_picture()
        self._poll_mesh()
        self._poll_jobs()
        self._request_model()
        self._request_picture()
        self._request_mesh()
        now = time.monotonic()
        self.toasts = [toast for toast in self.toasts if toast.until > now]
        if (self.scene, self.settings) != self._last:
            self._last, self._changed_at = (self.scene, self.settings), now
        if now - self._changed_at > _AUTOSAVE_AFTER:
            self.autosave()

    def _request_model(self) -> None:
        reference = self.scene.model
        if self.loading is None and reference not in (
            self._loaded_reference,
            self._failed_reference,
        ):
            self._load(reference, None)

    def _load(self, reference: str, scene: Scene | None) -> None:
        self.load_problem = None
        self._failed_reference = ""
        self.loading = Loading(reference, "waiting", scene)
        self._loader.submit(reference)

    def _poll_loader(self) -> None:
        outcome = self._loader.poll()
        if outcome is None or self.loading is None or outcome.request != self.loading.reference:
            return
        if outcome.error is not None:
            self._load_failed(self.loading, outcome.error)
            self.loading = None
            return
        step = outcome.value
        if step is None:
            return
        if step.model is None:
            self.loading = replace(self.loading, message=step.message)
            return
        loading, self.loading = self.loading, None
        self.model, self.devices = step.model, step.devices
        self._loaded_reference = loading.reference
        self.picture_problem = self.mesh_problem = None
        if self.settings.device not in self.devices:
            self.settings = replace(self.settings, device="auto")
        config = self.model.generator.config
        if loading.scene is not None:
            scene = replace(loading.scene, model=loading.reference)
            self.document.apply(edits.adapted(scene, config, self.directions))
        elif self.scene.model == loading.reference:
            self.document.update(edits.adapted(self.scene, config, self.directions))
            self.document.commit()
        if Path(loading.reference).exists():
            self.settings = self.settings.with_recent_model(loading.reference)

    def _load_failed(self, loading: Loading, error: BaseException) -> None:
        self._failed_reference = loading.reference
        again = Remedy("Try again", lambda: self._load(loading.reference, loading.scene))
        remedies = (again,)
        if self._loaded_reference:
            remedies = (Remedy(f"Stay with {self.model_name}", self._stay_with_loaded), again)
        elif loading.reference != SHIPPED_MODEL:
            shipped = Remedy("Open the shipped face", lambda: self.open_model(SHIPPED_MODEL))
            remedies = (shipped, again)
        self.load_problem = Problem(
            f"{Path(loading.reference).name} cannot be opened",
            str(error) if isinstance(error, StyleSDFError) else describe(error)[1],
            remedies,
            details(error),
        )

    def _stay_with_loaded(self) -> None:
        self.load_problem = None
        if self.scene.model != self._loaded_reference:
            self.document.apply(replace(self.scene, model=self._loaded_reference))

    @property
    def model_name(self) -> str:
        """Short name of the loaded model; empty while there is none."""
        return self.model.name if self.model is not None else ""

    def _request_picture(self) -> None:
        if self.model is None or self.scene.model != self._loaded_reference:
            return
        if not self.shows_picture:
            return
        request = PictureRequest(self.scene, self.picture_view, self.settings.device, self.model)
        if request != self._picture_request:
            self._picture_request = request
            self._pictures.submit(request)

    def _poll_picture(self) -> None:
        outcome = self._pictures.poll()
        if outcome is None:
            return
        if outcome.error is not None:
            self.picture_problem = self._drawing_problem(outcome.error)
        elif outcome.value is not None:
            self.picture, self.picture_problem = outcome.value, None

    def _request_mesh(self) -> None:
        if self.model is None or self.scene.model != self._loaded_reference:
            return
        if not self.shows_mesh:
            return
        mesh = self.settings.mesh
        request = MeshRequest(
            self.scene,
            self.settings.device,
            mesh.resolution,
            mesh.level,
            mesh.largest_component,
            mesh.vertex_colors,
            mesh.wireframe,
            self.mesh_size,
            self.model,
        )
        if request != self._mesh_request:
            self._mesh_request = request
            self._meshes.submit(request)

    def _poll_mesh(self) -> None:
        outcome = self._meshes.poll()
        if outcome is None:
            return
        if outcome.error is not None:
            self.mesh_problem = self._drawing_problem(outcome.error)
        elif outcome.value is not None:
            self.mesh, self.mesh_problem = outcome.value, None

    def _drawing_problem(self, error: BaseException) -> Problem:
        title, text = describe(error)
        if isinstance(error, EmptySurfaceError):
            level = suggested_level(error)
            remedies = [Remedy(f"Set level {level:g}", lambda: self.set_mesh(level=level))]
        elif isinstance(error, GraphicsError):
            remedies = [Remedy("Show the image", lambda: self.set_view("image", split=False))]
        else:
            remedies = [Remedy("Try again", self.render_again)]
            if self.document.can_undo:
                remedies.append(Remedy("Undo", self.document.undo))
        return Problem(title, text, tuple(remedies), details(error))

    def render_again(self) -> None:
        """Forget what was asked for, so that it is asked for again."""
        self.picture_problem = self.mesh_problem = None
        self._picture_request = self._mesh_request = None

    # --- identity and view ----------------------------------------------------------------------

    def set_seed(self, seed: int) -> None:
        """Another face, as one undo step."""
        self.document.apply(
            edits.with_seed(self.scene, seed, self.directions, self.settings.locked, self.z_dim)
        )

    def step_seed(self, step: int) -> None:
        """The next (1) or previous (−1) seed."""
        self.set_seed(self.scene.identity.seed + step)

    def random_seed(self) -> None:
        """A face nobody has chosen."""
        self.set_seed(random.randrange(edits.RANDOM_SEEDS))

    def random_mix_seed(self) -> None:
        """A second face nobody has chosen."""
        seed = random.randrange(edits.RANDOM_SEEDS)
        self.document.apply(edits.with_mix_seed(self.scene, seed))

    def toggle_lock(self, name: str) -> None:
        """Keep a direction's value when the seed changes, or no longer."""
        locked = set(self.settings.locked) ^ {name}
        self.settings = replace(self.settings, locked=tuple(sorted(locked)))

    def set_view(self, view: View | None = None, *, split: bool | None = None) -> None:
        """Choose what the viewport shows; None leaves a part as it is."""
        shown = self.settings.view
        shown = replace(
            shown,
            view=shown.view if view is None else view,
            split=shown.split if split is None else split,
        )
        self.settings = replace(self.settings, view=shown)

    def set_mesh(self, **changes: Any) -> None:
        """Change fields of MeshSettings."""
        self.settings = replace(self.settings, mesh=replace(self.settings.mesh, **changes))

    def set_export(self, **changes: Any) -> None:
        """Change fields of ExportSettings."""
        self.settings = replace(self.settings, export=replace(self.settings.export, **changes))

    def set_device(self, device: str) -> None:
        """Where to compute: one of ``devices``."""
        self.settings = replace(self.settings, device=device)

    def reset_camera(self) -> None:
        """The frontal default camera, as one undo step."""
        self.document.apply(replace(self.scene, camera=Scene().camera))

    # --- models and sessions --------------------------------------------------------------------

    def open_model(self, reference: str) -> None:
        """Load a model in the background; the scene changes once it is there."""
        self._load(reference, self.scene)

    def fetch_model(self, name: str) -> None:
        """Download a published model as a job and open it."""
        from stylesdf_core.commands.models import ModelsFetch

        self.jobs.submit(
            f"download {name}", ModelsFetch(name).run, then=lambda _: self.open_model(name)
        )

    def open_session(self, path: Path) -> None:
        """Restore a session from a ``.json`` or an exported file; errors become toasts."""
        try:
            scene = read_scene(path)
        except StyleSDFError as error:
            self.toast(str(error), is_error=True)
            return
        self.load_problem = None
        self._failed_reference = ""
        self.document.opened(scene, path if path.suffix.lower() == ".json" else None)
        self.toast(f"Opened {path.name}")

    def save_session(self, path: Path) -> None:
        """Write the session; errors become toasts."""
        try:
            write_text(path, self.scene.to_json() + "\n")
        except StyleSDFError as error:
            self.toast(str(error), is_error=True)
            return
        self.document.saved(path)
        self.toast(f"Saved {path.name}", path)

    def autosave(self) -> None:
        """Write scene and settings where they changed since the last time."""
        try:
            if self.scene != self._autosaved:
                self._autosaved = self.scene
                self.store.save_autosave(self.scene)
            if self.settings != self._saved_settings:
                self._saved_settings = self.settings
                self.store.save(self.settings)
        except StyleSDFError as error:
            self.toast(f"Autosave failed: {error}", is_error=True)

    # --- exports --------------------------------------------------------------------------------

    def export(self, name: str, stem: str = "") -> Job:
        """Queue the export of that name (see :data:`app.exports.EXPORTS`)."""
        kind = exports.export_kind(name)
        self.last_export = name
        request = exports.export_request(
            self.scene,
            kind,
            self.settings,
            view=self.settings.view.view,
            stem=stem,
            taken=[job.out for job in self.jobs.active if job.out is not None],
        )
        return self.jobs.submit(request.out.name, request.run, out=request.out)

    def command(self, name: str, stem: str = "") -> str | None:
        """The terminal command for an export; None, with a toast, where there is none."""
        from stylesdf_core.commands.command_line import command_line

        kind = exports.export_kind(name)
        request = exports.export_request(
            self.scene, kind, self.settings, view=self.settings.view.view, stem=stem
        )
        try:
            return command_line(request)
        except StyleSDFError as error:
            self.toast(str(error), is_error=True)
            return None

    def _poll_jobs(self) -> None:
        for job in self.jobs.poll():
            if job.state is JobState.FAILED and job.error is not None:
                _, text = describe(job.error)
                self.toast(f"{job.label}: {text}", is_error=True)
            elif job.state is JobState.CANCELLED:
                self.toast(f"Cancelled {job.label}")
            else:
                self.toast(f"Done: {job.label}", job.out)
                if job.then is not None:
                    job.then(job.result)

    def toast(self, text: str, path: Path | None = None, *, is_error: bool = False) -> None:
        """Show a message for some seconds."""
        self.toasts = [*self.toasts[-2:], Toast(text, path, is_error)]

    def close(self) -> None:
        """Save, stop all threads."""
        self.document.commit()
        self.autosave()
        for worker in (self._loader, self._pictures, self._meshes):
            worker.close()
        self.jobs.close()


__all__ = ["MAX_PICTURE", "Loading", "Toast", "Workbench"]
