"""The studio without its window: document, settings, workers and messages in one object.

Panels read the workbench's state and call its methods. :meth:`Workbench.tick`, called once a frame,
polls the workers and submits new requests to them. Everything runs on the main thread; only the
workers have threads of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.state import exports
from app.state.autosave import Autosave
from app.state.document import edits
from app.state.document.directions import DirectionValues
from app.state.document.document import Document
from app.state.document.faces import FaceAlbum
from app.state.document.sessions import read_for_window, save_session
from app.state.document.timeline import Timeline
from app.state.messages import Messages
from app.state.optimisation.dragging import DragPoints
from app.state.optimisation.photo_fit import PhotoFit
from app.state.pictures.comparison import FacePair
from app.state.pictures.contact_sheet import ContactSheet
from app.state.pictures.idle_pictures import IdlePictures
from app.state.pictures.screen import Screen
from app.state.settings import Section, Settings, SettingsStore
from app.state.wording import title_and_text
from app.workers.concurrency.jobs import Job, JobQueue, JobState
from app.workers.mixing_worker import MixingMeter, MixingRequest
from app.workers.model_loader import Loading, ModelSlot
from stylesdf_core.errors import InputError, OutputError, StyleSDFError
from stylesdf_core.model.latents.latents import LatentDirection
from stylesdf_core.model.model_zoo import is_named
from stylesdf_core.model.poses import FFHQ_POSES, Poses
from stylesdf_core.scene.scene import Scene, View
from stylesdf_core.scene.session_files import other_weights
from stylesdf_core.system.memory import give_memory_back

if TYPE_CHECKING:
    from stylesdf_core.commands.scenes.films import Animate
    from stylesdf_core.model.model import Model

_IDLE_AFTER = 0.4  # seconds without change


class Workbench:
    """The studio's state and actions.

    Args:
        store: where settings and the autosaved session live.
        scene: shown first; None for the autosaved scene, else the default face.
        screen: None for a screen with engines of its own.
        jobs: None for a queue of its own.
    """

    def __init__(
        self,
        store: SettingsStore,
        scene: Scene | None = None,
        screen: Screen | None = None,
        jobs: JobQueue | None = None,
    ) -> None:
        self.store = store
        self.settings: Settings = store.load()
        kept = (store.load_autosave(), store.load_timeline()) if scene is None else (scene, None)
        self.document = Document(*kept)
        self._autosave = Autosave(store, self.scene, self.document.animation, self.settings)
        self._may_hold_memory = True
        # The scene as the last model opened could hold it, and with all that came from the models
        # before: on return to one of them, its directions and layers are found as they were left.
        self._fitted = self._whole = self.document.scene
        self._poses_before = FFHQ_POSES  # of the last model opened

        self.models = ModelSlot()
        self.direction_values = DirectionValues(self.models, self.document)
        self.screen = screen or Screen()
        self.album = FaceAlbum(store.faces_folder, self.screen.news)
        self.timeline = Timeline(self.document, self.album, self._show_view)
        self.mixing = MixingMeter(self.screen.news, lambda: self.screen.busy)
        self.idle_pictures = IdlePictures(self.timeline, self.screen.news, self._is_idle)
        self.sheet = ContactSheet(self.screen.news, self._is_idle)
        self.comparison = FacePair(self.screen.news)
        self.jobs = jobs or JobQueue()
        self.messages = Messages()
        self.toast = self.messages.show
        self.photo = PhotoFit(self.screen.news, store.tunings_folder)
        self.dragging = DragPoints(self.document, self.models, self.screen.news)
        self.last_export = "PNG"
        #: Whether the viewport is hidden, so that nothing is computed for the viewport.
        self.is_resting = False

    # --- the scene and its model --------------------------------------------------------------

    @property
    def scene(self) -> Scene:
        """The document's scene."""
        return self.document.scene

    @property
    def model(self) -> Model | None:
        """The loaded model."""
        return self.models.model

    @property
    def poses(self) -> Poses:
        """Cameras that the loaded model was trained with; the paper's without a model."""
        return self.model.poses if self.model is not None else FFHQ_POSES

    @property
    def directions(self) -> tuple[LatentDirection, ...]:
        """Directions of the loaded model: the named or the principal ones."""
        return self.model.directions if self.model is not None else ()

    @property
    def busy(self) -> bool:
        """Whether a model is being loaded, or a picture or mesh computed."""
        return self.models.loading is not None or self.screen.busy or self.comparison.busy

    @property
    def has_problem(self) -> bool:
        """Whether :mod:`app.state.problems` has a card to show."""
        errors = (self.models.failed, self.screen.picture_error, self.screen.mesh_error)
        return any(error is not None for error in errors)

    # --- once a frame ---------------------------------------------------------------------------

    def tick(self) -> None:
        """Poll the workers, submit new requests, autosave."""
        loaded = self.models.poll()
        if loaded is not None:
            self._model_loaded(loaded)
        self.screen.poll()
        self.timeline.tick()
        self.dragging.tick()
        self.album.poll()
        self.album.note(self.screen.picture, self._session)
        self.sheet.tick(self.settings.device)
        self._poll_jobs()
        self.models.want(self.scene.model)
        model = self.models.of(self.scene.model)
        if self.is_resting:
            self.screen.pause()
        elif model is not None:
            self.screen.request(model, self.timeline.shown, self.settings)
            self.idle_pictures.tick(model, self.settings.device, self.scene)
        if model is not None:
            mixes = self.scene.mixing.seed is not None and not (self.is_resting or self.busy)
            self.mixing.tick(MixingRequest(model, self.settings.device), wanted=mixes)
        self.messages.tick()
        if self._autosave.note(self.scene, self.document.animation, self.settings):
            self._may_hold_memory = True
        if self._autosave.is_due:
            self.autosave()
            if self._may_hold_memory and not self.busy and not self.jobs.active:
                self._may_hold_memory = False
                self.screen.forget_hidden_mesh(self.settings)
                give_memory_back()

    def _is_idle(self) -> bool:
        """Whether nothing moves and no picture is computed, so that other work may begin."""
        return not self.screen.busy and self._autosave.quiet_for > _IDLE_AFTER

    def _model_loaded(self, loaded: Loading) -> None:
        assert self.model is not None
        self.screen.forget()
        if self.settings.device not in self.models.devices:
            self.settings = replace(self.settings, device="auto")
        if loaded.adopt:
            self.adopt_model()
        elif self.scene.model == loaded.reference:
            is_new = self.scene == Scene(loaded.reference)  # made before its model was known
            front = replace(self.scene, camera=self.poses.front)
            self._show_adapted(front if is_new else self.scene)
            self._note_other_weights()
        self._poses_before = self.poses
        if not is_named(loaded.reference):
            self.settings = self.settings.with_recent_model(loaded.reference)

    def adopt_model(self) -> None:
        """Give scene and keyframes the loaded model, as one undo step."""
        assert self.model is not None
        whole = edits.restored(self.scene, self._fitted, self._whole)
        whole = edits.with_fov_of(whole, self._poses_before, self.poses)
        self._whole = replace(whole, model=self.models.reference, model_digest=self.model.digest)
        self._fitted = self._show_adapted(self._whole)

    def _show_adapted(self, scene: Scene) -> Scene:
        """Show what of a scene, and of the keyframes, fits the loaded model; returns the scene."""
        assert self.model is not None
        config, before = self.model.generator.config, self._poses_before

        def adapt(keyframe: Scene) -> Scene:
            seen = edits.with_fov_of(keyframe, before, self.poses)
            return edits.adapted(seen, config, self.directions)

        animation = edits.adapted_animation(self.document.animation, scene.model, adapt)
        scene = edits.adapted(scene, config, self.directions)
        self.document.apply(scene, animation)
        return scene

    def _note_other_weights(self) -> None:
        """Say so if the open session was made with weights of another digest."""
        model = self.models.of(self.scene.model)
        if model is not None and (note := other_weights(self.scene, model.digest)):
            self.toast(note)

    def _session(self) -> Scene:
        """The scene with the digest of the weights that show it."""
        model = self.models.of(self.scene.model)
        return self.scene if model is None else replace(self.scene, model_digest=model.digest)

    # --- identity and view ----------------------------------------------------------------------

    def edit(self, change: Callable[..., Scene], *arguments: object) -> None:
        """Change the scene by a function of :mod:`app.state.document.edits`, as one undo step."""
        self.document.apply(change(self.scene, *arguments))

    def set_seed(self, seed: int) -> None:
        """Show the face of a seed, as one undo step."""
        self.edit(edits.with_seed, seed, self.direction_values.of(self.settings.locked))

    def step_seed(self, step: int) -> None:
        """Show the face of the next (1) or the previous (−1) seed."""
        self.set_seed(self.scene.identity.seed + step)

    def random_seed(self) -> None:
        """Show the face of a random seed."""
        self.set_seed(edits.random_seed())

    def toggle_lock(self, name: str) -> None:
        """Keep a direction's value when the seed changes, or no longer."""
        locked = set(self.settings.locked) ^ {name}
        self.settings = replace(self.settings, locked=tuple(sorted(locked)))

    def change_settings(self, section: Section, **values: Any) -> None:
        """Change fields of one section of the settings, such as ``"mesh", level=0.01``."""
        changed = replace(getattr(self.settings, section), **values)
        self.settings = replace(self.settings, **{section: changed})

    def remember_folder(self, folder: Path) -> None:
        """Put a folder at the head of those that file dialogs offer."""
        self.settings = self.settings.with_recent_folder(str(folder))

    def _show_view(self, view: View) -> None:
        if self.settings.view.view != view:
            self.change_settings("view", view=view)

    def toggle_split(self) -> None:
        """Show picture and mesh side by side, or only the chosen view."""
        self.change_settings("view", split=not self.settings.view.split)

    def toggle_pixels(self) -> None:
        """Show the picture's own pixels one to one, or fill the pane."""
        self.change_settings("view", pixels=not self.settings.view.pixels)

    def set_device(self, device: str) -> None:
        """Compute on a device from now on: one of ``models.devices``."""
        self.settings = replace(self.settings, device=device)

    def turn_camera(self, preset: str) -> None:
        """Put the camera to one of ``edits.CAMERA_PRESETS``, as one undo step."""
        self.edit(edits.with_preset, preset, self.poses)

    def reset_camera(self) -> None:
        """Go back to the front of the model's training, as one undo step."""
        self.document.apply(replace(self.scene, camera=self.poses.front))

    # --- models and sessions --------------------------------------------------------------------

    def open_model(self, reference: str) -> None:
        """Load a model in the background; the scene changes once the model is loaded."""
        self.models.load(reference, adopt=True)

    def fetch_model(self, name: str) -> None:
        """Download a published model as a job and open it."""
        from stylesdf_core.commands.models import ModelsFetch

        self.jobs.submit(
            f"download {name}", ModelsFetch(name).run, then=lambda _: self.open_model(name)
        )

    def open_session(self, path: Path) -> None:
        """Restore a session from a ``.json`` or an exported file; errors become toasts.

        A model file that the user has not opened before is not loaded; the current model stays.
        """
        try:
            known = (self.models.reference, self.scene.model, *self.settings.recent_models)
            opened = read_for_window(path, self.scene.model, known)
        except StyleSDFError as error:
            self.toast(str(error), is_error=True)
            return
        self.models.dismiss()
        self.document.opened(opened.scene, opened.path, opened.animation)
        self.settings = self.settings.with_recent_session(path)
        self.toast(f"Opened {path.name}{opened.note}")
        self._note_other_weights()

    def save_session(self, path: Path) -> None:
        """Write the session; errors become toasts."""
        try:
            save_session(path, self._session(), self.document.animation)
        except StyleSDFError as error:
            self.toast(str(error), is_error=True)
            return
        self.document.saved(path)
        self.settings = self.settings.with_recent_session(path)
        self.toast(f"Saved {path.name}", path)

    def autosave(self) -> None:
        """Write scene and settings if they have changed since the last autosave."""
        try:
            self._autosave.write(self._session(), self.document.animation, self.settings)
        except StyleSDFError as error:
            self.toast(f"Autosave failed: {error}", is_error=True)

    # --- exports --------------------------------------------------------------------------------

    def export(self, name: str, stem: str = "") -> Job | None:
        """:meth:`submit` an export of the kind in :data:`app.state.exports.EXPORTS` so named."""
        self.last_export = name
        return self.submit(self._export_request(name, stem))

    def submit(self, request: exports.ExportRequest) -> Job | None:
        """Queue a request that writes a file; None, with a toast, if it asks for the impossible.

        An operation's checks come before its first progress, so the mistake is told at once, and
        not when the jobs before it are done. A folder may become writable: that job stays listed.
        """
        try:
            next(request.run())
        except OutputError:
            pass
        except InputError as error:
            self.toast(str(error), is_error=True)
            return None
        return self.jobs.submit(request.out.name, request.run, out=request.out)

    def command(self, name: str, stem: str = "") -> str | None:
        """The terminal command for an export; None, with a toast, if the export has none."""
        return self.command_of(self._export_request(name, stem))

    def command_of(self, request: exports.ExportRequest) -> str | None:
        """The terminal command for a request; None, with a toast, if there is none."""
        from stylesdf_core.commands.command_line import command_line, program_words

        try:
            return command_line(request, program_words())
        except StyleSDFError as error:
            self.toast(str(error), is_error=True)
            return None

    def _export_request(self, name: str, stem: str) -> exports.ExportRequest:
        kind = exports.export_kind(name)
        return exports.export_request(
            self.timeline.shown, kind, self.settings, stem=stem, taken=self.jobs.outputs
        )

    def film_request(self, suffix: str) -> Animate:
        """The request of the timeline's film; without a suffix, of a folder of pictures."""
        return exports.film_request(
            self.document.animation, suffix, self.settings, self.jobs.outputs
        )

    def _poll_jobs(self) -> None:
        for job in self.jobs.poll():
            if job.state is JobState.FAILED and job.error is not None:
                _, text = title_and_text(job.error)
                self.toast(f"{job.label} failed: {text}", is_error=True, stays=False)
            elif job.state is JobState.CANCELLED:
                self.toast(f"Cancelled {job.label}")
            else:
                self.toast(f"Done: {job.label}{exports.result_in_words(job.result)}", job.out)
                if job.then is not None:
                    job.then(job.result)

    def close(self) -> None:
        """Save, stop all threads."""
        self.document.commit()
        self.autosave()
        self.models.close()
        self.screen.close()
        self.mixing.close()
        self.idle_pictures.close()
        self.sheet.close()
        self.comparison.close()
        self.jobs.close()
        self.photo.close()
        self.dragging.close()
        self.album.close()
