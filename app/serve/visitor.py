"""One visitor of the browser view: a scene, a screen and a page of their own."""

from __future__ import annotations

import io
import math
import tempfile
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from app.serve.cameras import (
    FARTHEST,
    NEAREST,
    BrowserCamera,
    from_browser,
    to_browser,
    vertical_angle,
)
from app.serve.page import SESSION, Page, Post
from app.serve.pictures import empty_canvas, on_canvas
from app.state.exports import default_stem, export_kind
from app.state.messages import Toast
from app.state.pictures.screen import Screen
from app.state.settings import SettingsStore
from app.state.workbench import Workbench
from app.workers.concurrency.alarm import Alarm
from app.workers.concurrency.jobs import Job, JobQueue, JobState
from app.workers.engine_share import EngineShare
from app.workers.mesh_worker import MeshPass
from app.workers.picture_worker import MAX_PICTURE, PicturePass
from stylesdf_core.mesh.preview import MeshPicture
from stylesdf_core.scene.scene import Scene

if TYPE_CHECKING:
    import viser

    from stylesdf_core.mesh.surface import SurfaceMesh
    from stylesdf_core.rendering.camera import OrbitCamera

_COMMIT_AFTER = 0.5  # seconds without change end a drag
#: JPEG's quality of a picture that moves, and of the last one.
_MOVING, _RESTING = 75, 92
_NOTICE_SECONDS = 6.0
#: Intensity of light from all sides under which a surface shows its own colour.
_UNLIT = math.pi


class DrawnInBrowser:
    """A mesh drawer that draws nothing: the browser has the mesh, and draws it itself."""

    def submit(
        self,
        mesh: SurfaceMesh,
        camera: OrbitCamera,
        size: int,
        *,
        wireframe: bool = False,
        vertex_colors: bool = True,
    ) -> Future[MeshPicture]:
        """No pixels, at once."""
        nothing = np.zeros((0, 0), np.float32)
        done: Future[MeshPicture] = Future()
        done.set_result(MeshPicture(np.zeros((0, 0, 3), np.float32), nothing, nothing))
        return done

    def forget(self) -> None:
        """Nothing is kept."""


class Visitor:
    """A browser's window: :meth:`tick` is one turn of its part of the main loop.

    Everything but the constructor's arguments runs on the main thread.

    Args:
        share: the engine of all visitors.
        jobs: the visitor's exports.
        news: wakes the main loop.
        post: takes calls for the main thread.
    """

    def __init__(
        self,
        client: viser.ClientHandle,
        scene: Scene,
        device: str,
        share: EngineShare,
        jobs: JobQueue,
        news: Alarm,
        post: Post,
    ) -> None:
        self._client, self._post_to_server = client, post
        self._folder = tempfile.TemporaryDirectory(prefix="stylesdf-visitor-")
        screen = Screen(share, DrawnInBrowser(), news)
        store = SettingsStore(Path(self._folder.name) / "settings")
        self.workbench = Workbench(store, scene, screen, jobs)
        self.workbench.set_device(device)
        self.page = Page(client, self.workbench, self._post, self.download)
        self._camera: BrowserCamera | None = None
        self._aspect = 1.0
        self._picture: tuple[PicturePass, float] | None = None
        self._mesh: MeshPass | None = None
        self._mesh_node: viser.GlbHandle | None = None
        self._downloads: list[Job] = []
        self._noticed: list[Toast] = []
        self._seen, self._changed_at = scene, time.monotonic()
        client.camera.min_orbit_distance, client.camera.max_orbit_distance = NEAREST, FARTHEST
        client.scene.configure_environment_map(None)
        client.scene.set_background_image(empty_canvas())
        self._fit(client.camera.image_width, client.camera.image_height)
        self._turn_browser()

        @client.camera.on_update
        async def _(camera: viser.CameraHandle) -> None:
            there = BrowserCamera(tuple(camera.position), tuple(camera.look_at))
            width, height = camera.image_width, camera.image_height
            self._post(lambda: self._camera_moved(there, width, height))

    def _post(self, act: Callable[[], object]) -> None:
        """Have the main thread do what the visitor wants; an error is said to this visitor only."""
        self._post_to_server(lambda: self.workbench.messages.guard(act))

    @property
    def is_active(self) -> bool:
        """Whether something is being computed, or has just changed."""
        moved = time.monotonic() - self._changed_at < 2.0 * _COMMIT_AFTER
        return moved or self.workbench.busy or bool(self._downloads)

    def tick(self) -> None:
        """Poll the workers, and show the browser what is new, errors of this turn as well."""
        self.workbench.messages.guard(self._turn)
        self._notice()

    def _turn(self) -> None:
        workbench, now = self.workbench, time.monotonic()
        if workbench.scene != self._seen:
            self._seen, self._changed_at = workbench.scene, now
        elif now - self._changed_at > _COMMIT_AFTER:
            workbench.document.commit()
        workbench.tick()
        self.page.sync()
        if not to_browser(workbench.scene.camera).is_near(self._camera):
            self._turn_browser()
        if workbench.settings.view.view == "mesh":
            self._show_mesh()
        else:
            self._show_picture()
        self._send_downloads()

    def download(self, name: str) -> None:
        """Make an export, or the session, and send it to the browser."""
        workbench = self.workbench
        folder = Path(tempfile.mkdtemp(dir=self._folder.name))
        if name == SESSION:
            path = folder / f"{default_stem(workbench.scene, export_kind('PNG'))}.json"
            workbench.save_session(path)
            if path.exists():
                self._send(path)
            return
        workbench.change_settings("export", folder=str(folder))
        if (job := workbench.export(name)) is not None:
            self._downloads.append(job)

    def close(self) -> None:
        """End the visitor's threads and remove the visitor's files."""
        self.workbench.close()
        self._folder.cleanup()

    # --- the camera -----------------------------------------------------------------------------

    def _camera_moved(self, there: BrowserCamera, width: int, height: int) -> None:
        self._fit(width, height)
        if there.is_near(self._camera):  # the answer to _turn_browser, or the first message
            return
        self._camera = there
        workbench = self.workbench
        camera = from_browser(there)
        workbench.document.update(replace(workbench.scene, camera=camera))
        if not to_browser(camera).is_near(there):
            # Beyond the scene's limits the browser is left alone; only the picture stays within.
            self._camera = to_browser(camera)

    def _turn_browser(self) -> None:
        """Turn the browser's camera to the scene's."""
        self._camera = there = to_browser(self.workbench.scene.camera)
        with self._client.atomic():
            self._client.camera.up_direction = (0.0, 1.0, 0.0)
            self._client.camera.position = there.position
            self._client.camera.look_at = there.look_at

    def _fit(self, width: int, height: int) -> None:
        """Fit pictures into the browser's canvas."""
        aspect = min(4.0, max(0.25, width / max(1, height)))
        self.workbench.screen.picture_size = max(64, min(width, height, MAX_PICTURE))
        if aspect != self._aspect or self._camera is None:
            self._aspect = aspect
            self._client.camera.fov = vertical_angle(aspect)

    # --- what is shown --------------------------------------------------------------------------

    def _show_picture(self) -> None:
        if self._mesh_node is not None:
            self._mesh_node.remove()
            self._mesh_node = self._mesh = None
        picture = self.workbench.screen.picture
        if picture is None or self._picture == (picture, self._aspect):
            return
        self._picture = (picture, self._aspect)
        is_last = picture.index == picture.passes - 1
        self._client.scene.set_background_image(
            on_canvas(picture.pixels, self._aspect),
            format="jpeg",
            jpeg_quality=_RESTING if is_last else _MOVING,
        )

    def _show_mesh(self) -> None:
        latest = self.workbench.screen.mesh
        if self._picture is not None:
            self._picture = None
            self._client.scene.set_background_image(empty_canvas())
        if latest is None or (self._mesh is not None and self._mesh.mesh is latest.mesh):
            return
        self._mesh = latest
        from stylesdf_core.mesh.files.formats import viewer_glb

        scene, is_coloured = self._client.scene, latest.mesh.colors is not None
        # The colours have the light in them already; clay needs light to have a shape.
        scene.configure_default_lights(not is_coloured, cast_shadow=False)
        scene.add_light_ambient("/light", intensity=_UNLIT if is_coloured else 0.3)
        self._mesh_node = scene.add_glb("/head", viewer_glb(latest.mesh))

    def _send_downloads(self) -> None:
        for job in [job for job in self._downloads if not job.active]:
            self._downloads.remove(job)
            if job.state is JobState.DONE and job.out is not None:
                self._send(job.out)

    def _send(self, path: Path) -> None:
        """Send a file, and the files beside it, such as textures, as one archive."""
        files = sorted(file for file in path.parent.iterdir() if file.is_file())
        name, content = path.name, path.read_bytes()
        if len(files) > 1:
            archive = io.BytesIO()
            with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
                for file in files:
                    packed.write(file, file.name)
            name, content = f"{path.stem}.zip", archive.getvalue()
        self._client.send_file_download(name, content, save_immediately=True)
        for file in files:
            file.unlink()

    def _notice(self) -> None:
        """Show the workbench's new messages."""
        toasts = self.workbench.messages.toasts
        for toast in toasts:
            if toast not in self._noticed:
                color: Literal["red"] | None = "red" if toast.is_error else None
                self._client.add_notification(
                    "Error" if toast.is_error else "StyleSDF Studio", toast.text,
                    auto_close_seconds=_NOTICE_SECONDS, color=color,
                )  # fmt: skip
        self._noticed = list(toasts)
