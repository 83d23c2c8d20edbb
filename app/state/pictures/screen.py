"""The newest picture and mesh for the viewport, kept up to date by two workers.

:mod:`app.workers.concurrency.schedule` explains when pictures and meshes are computed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from app.state.settings import Settings
from app.workers.concurrency.alarm import Alarm
from app.workers.concurrency.schedule import LatestWorker, RestDetector
from app.workers.engine_share import EngineShare
from app.workers.mesh_worker import LiveMesh, MeshDrawer, MeshPass, MeshRequest
from app.workers.pass_planner import MovingBudget
from app.workers.picture_worker import PicturePass, PictureRequest, picture_worker
from stylesdf_core.scene.scene import Scene

if TYPE_CHECKING:
    from stylesdf_core.model.model import Model

Q = TypeVar("Q", PictureRequest, MeshRequest)


class Screen:
    """Asks the workers for the viewport's picture and mesh, and keeps the newest of each.

    Attributes:
        picture, mesh: the newest results; each stays until the next result comes.
        picture_error, mesh_error: errors of the newest requests; None after a result, and for a
            hidden pane.
        picture_size, mesh_size: edges of the panes in pixels, for the viewport to set.
        moving_budget: how long a picture of a motion may take; the main loop tells it of frames.
        news: set with each result, ends the main loop's sleep; cleared before the loop polls.

    Args:
        share: the engine of both workers; None for an engine of each worker's own.
        drawer: draws meshes; None to draw with OpenGL.
        news: None for an alarm of its own.
    """

    def __init__(
        self,
        share: EngineShare | None = None,
        drawer: MeshDrawer | None = None,
        news: Alarm | None = None,
    ) -> None:
        self.picture: PicturePass | None = None
        self.mesh: MeshPass | None = None
        self.picture_error: BaseException | None = None
        self.mesh_error: BaseException | None = None
        self.picture_size = self.mesh_size = 512
        self.moving_budget = MovingBudget()
        self.news = news or Alarm()
        self._pictures = picture_worker(self.news, share or EngineShare())
        self._live = LiveMesh(drawer, share)
        self._meshes = LatestWorker("mesh", self._live.passes, self.news)
        self._rest = RestDetector()
        self._wanted: tuple[PictureRequest | None, MeshRequest | None] = (None, None)

    @property
    def busy(self) -> bool:
        """Whether a picture or a mesh is being computed, or will be once nothing moves."""
        return self._pictures.busy or self._meshes.busy

    @property
    def refines(self) -> bool:
        """Whether nothing moves any more, and better pictures are being computed."""
        return self.busy and not (self._pictures.is_held_back or self._meshes.is_held_back)

    def wait_for_first(self, timeout: float) -> bool:
        """:meth:`LatestWorker.wait_for_first` of the pictures."""
        return self._pictures.wait_for_first(timeout)

    def poll(self) -> None:
        """Take the workers' newest results."""
        picture = self._pictures.poll()
        if picture is not None:
            self.picture_error = picture.error
            if picture.value is not None and picture.value.index == 0:
                self.moving_budget.waited(picture.waited)
            if picture.value is not None and not picture.value.is_earlier_than(self.picture):
                self.picture = picture.value
        mesh = self._meshes.poll()
        if mesh is not None:
            self.mesh_error = mesh.error
            self.mesh = mesh.value or self.mesh

    def request(self, model: Model, scene: Scene, settings: Settings) -> None:
        """Once a frame: ask for the shown picture and mesh, refined once nothing moves."""
        view, device = settings.view, settings.device
        picture = mesh = None
        if view.shows_picture:
            edge = 0 if view.pixels else self.picture_size
            budget = self.moving_budget.seconds(view.while_moving)
            cut = settings.mesh.cut if view.picture_view == "slice" else None
            picture = PictureRequest(
                scene, view.picture_view, device, model, edge, budget, cut, view.background
            )
        if view.shows_mesh:
            mesh = MeshRequest(scene, device, settings.mesh, self.mesh_size, model)
        asked, self._wanted = self._wanted, (picture, mesh)
        at_rest = self._rest.frame(changed=self._wanted != asked)
        _ask(self._pictures, picture, asked[0], at_rest)
        _ask(self._meshes, mesh, asked[1], at_rest)
        self.picture_error = self.picture_error if picture is not None else None
        self.mesh_error = self.mesh_error if mesh is not None else None

    def pause(self) -> None:
        """While nothing is shown: end the work that waits for a motion's end."""
        if self._pictures.is_held_back or self._meshes.is_held_back:
            self._pictures.drop()
            self._meshes.drop()
            self.forget()

    def forget(self) -> None:
        """Compute everything anew with the next request."""
        self._wanted = (None, None)
        self.picture_error = self.mesh_error = None

    def forget_hidden_mesh(self, settings: Settings) -> None:
        """Free the grids and meshes of a hidden pane, which may take gigabytes."""
        if not settings.view.shows_mesh and not self._meshes.busy:
            self._live.forget()

    def close(self) -> None:
        """End the threads."""
        self._pictures.close()
        self._meshes.close()


def _ask(worker: LatestWorker[Q, Any], wanted: Q | None, asked: Q | None, at_rest: bool) -> None:
    """Submit a request that differs from the last request; refine an unchanged one at rest."""
    if wanted is None:
        worker.drop()
    elif wanted != asked:
        worker.submit(wanted, refine=False)
    elif at_rest:
        worker.refine()
