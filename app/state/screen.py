"""What the viewport shows: two workers, their newest results, and what went wrong."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from app.state.settings import Settings
from app.workers.mesh_worker import MeshRequest, ShownMesh, mesh_worker
from app.workers.pass_planner import Rest
from app.workers.picture_worker import PictureRequest, ShownPicture, picture_worker
from stylesdf_core.scene.scene import Scene, View

if TYPE_CHECKING:
    from stylesdf_core.model.model import Model

R = TypeVar("R", PictureRequest, MeshRequest)


def picture_view(settings: Settings) -> View:
    """What the picture pane shows, also while the mesh has the whole viewport."""
    return "image" if settings.view.view == "mesh" else settings.view.view


def shows_picture(settings: Settings) -> bool:
    """Whether there is a picture pane."""
    return settings.view.view != "mesh" or settings.view.split


def shows_mesh(settings: Settings) -> bool:
    """Whether there is a mesh pane."""
    return settings.view.view == "mesh" or settings.view.split


class Screen:
    """Asks the workers for what has to be shown and keeps what they answer.

    Attributes:
        picture, mesh: the newest results; they stay while better ones are coming.
        picture_error, mesh_error: of the newest request; None once it succeeds.
        mesh_size: edge of the mesh pane in pixels, for the viewport to set.
        news: set with each result; for whoever draws to clear, before polling.
    """

    def __init__(self) -> None:
        self.picture: ShownPicture | None = None
        self.mesh: ShownMesh | None = None
        self.picture_error: BaseException | None = None
        self.mesh_error: BaseException | None = None
        self.mesh_size = 512
        self.news = threading.Event()
        self._pictures = picture_worker(self.news)
        self._meshes = mesh_worker(self.news)
        self._picture_request: PictureRequest | None = None
        self._rest = Rest()
        self._wanted: object = None
        self._mesh_request: MeshRequest | None = None

    @property
    def busy(self) -> bool:
        """Whether anything is being computed."""
        requests = (self._picture_request, self._mesh_request)
        begun = any(request is not None and not request.whole for request in requests)
        return begun or self._pictures.busy or self._meshes.busy

    @property
    def refines(self) -> bool:
        """Whether all that is shown has come to rest, and better pictures of it are under way."""
        requests = (self._picture_request, self._mesh_request)
        return self.busy and all(request is None or request.whole for request in requests)

    def wait_for_draft(self, timeout: float) -> bool:
        """Sleep until the picture that follows the hand is there; False where none is coming.

        Args:
            timeout: seconds, after which it is given up for now.
        """
        request = self._picture_request
        if request is None or request.whole or not self._pictures.busy:
            return False
        self._pictures.wait(timeout)
        return True

    def poll(self) -> None:
        """Take results in."""
        picture = self._pictures.poll()
        if picture is not None:
            self.picture_error = picture.error
            if picture.value is not None and not _is_worse(picture.value, self.picture):
                self.picture = picture.value
        mesh = self._meshes.poll()
        if mesh is not None:
            self.mesh_error = mesh.error
            self.mesh = mesh.value or self.mesh

    def request(self, model: Model, scene: Scene, settings: Settings) -> None:
        """Ask for what is shown, where it differs from what was asked for last."""
        picture, mesh = self._picture_request, self._mesh_request
        wanted_picture = wanted_mesh = None
        if shows_picture(settings):
            wanted_picture = PictureRequest(scene, picture_view(settings), settings.device, model)
        if shows_mesh(settings):
            chosen = settings.mesh
            wanted_mesh = MeshRequest(
                scene,
                settings.device,
                chosen.resolution,
                chosen.level,
                chosen.largest_component,
                chosen.vertex_colors,
                chosen.wireframe,
                self.mesh_size,
                model,
            )
        wanted = (wanted_picture, wanted_mesh)
        rests = self._rest.frame(changed=wanted != self._wanted)
        self._wanted = wanted
        self._picture_request = _next_request(wanted_picture, picture, rests)
        self._mesh_request = _next_request(wanted_mesh, mesh, rests)
        if self._picture_request is not None and self._picture_request is not picture:
            self._pictures.submit(self._picture_request)
        if self._mesh_request is not None and self._mesh_request is not mesh:
            self._meshes.submit(self._mesh_request)

    def forget(self) -> None:
        """Ask again for everything."""
        self._picture_request = self._mesh_request = None
        self.picture_error = self.mesh_error = None

    def close(self) -> None:
        """End the threads."""
        self._pictures.close()
        self._meshes.close()


def _next_request(wanted: R | None, asked: R | None, rests: bool) -> R | None:
    """What to ask for: the beginning of something new, all of it when nothing has moved since."""
    if wanted is None:
        return None
    if asked is None or replace(asked, whole=True) != wanted:
        return replace(wanted, whole=False)
    return wanted if rests and not asked.whole else asked


def _is_worse(new: ShownPicture, shown: ShownPicture | None) -> bool:
    """Whether ``new`` is an earlier pass of the picture that is shown already."""
    return (
        shown is not None
        and new.request == shown.request
        and new.request.model is shown.request.model
        and new.index < shown.index
    )
