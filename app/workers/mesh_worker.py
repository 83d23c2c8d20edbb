"""The thread that makes the live mesh: coarse while the scene changes, refined once it rests.

The sampled SDF grid is kept until the face changes, the mesh until the face or a mesh setting
changes; a new camera needs only a new picture of the mesh.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from app.workers.engine_share import EngineShare
from stylesdf_core.commands.scenes.options.rendering import MeshSettings
from stylesdf_core.scene.scene import Scene

if TYPE_CHECKING:
    from stylesdf_core.engine.engine import Engine
    from stylesdf_core.mesh.preview import MeshPicture
    from stylesdf_core.mesh.sdf_grid import SdfGrid
    from stylesdf_core.mesh.surface import MeshReport, SurfaceMesh
    from stylesdf_core.model.model import Model
    from stylesdf_core.progress import Progress
    from stylesdf_core.rendering.camera import OrbitCamera

#: Grid points per axis while something moves, at most.
LIVE_RESOLUTION = 48
#: Grids up to this resolution take little memory, tens of megabytes.
_SMALL = 192
#: Edge of pictures drawn while something moves, at most; software renderers pay by the pixel.
DRAFT_SIZE = 256
_CHUNK = 16384  # points between two checks for a newer request
_LOOK = 0.002  # seconds between two checks while a picture is being drawn
R = TypeVar("R")


@dataclass(frozen=True)
class MeshRequest:
    """A picture of the mesh.

    Attributes:
        device: as in Settings.
        size: edge of the finished picture, pixels.
    """

    scene: Scene
    device: str
    settings: MeshSettings
    size: int
    model: Model


@dataclass(frozen=True, eq=False)
class MeshPass:
    """A picture of the mesh and facts about the mesh.

    Attributes:
        pixels: (size, size, 3) float32 in [0, 1].
        resolution: of the grid that the mesh was made from.
        report: on the finished mesh; None for a coarser mesh.
        mesh: the mesh itself.
    """

    request: MeshRequest
    pixels: npt.NDArray[np.float32]
    resolution: int
    seconds: float
    report: MeshReport | None
    mesh: SurfaceMesh


class MeshDrawer(Protocol):
    """Draws meshes, as :class:`~stylesdf_core.mesh.preview.MeshPreview` does."""

    def submit(
        self,
        mesh: SurfaceMesh,
        camera: OrbitCamera,
        size: int,
        *,
        wireframe: bool = False,
        vertex_colors: bool = True,
    ) -> Future[MeshPicture]:
        """Ask for a picture."""

    def forget(self) -> None:
        """Free the mesh that was drawn last."""


class LiveMesh:
    """Engine, grids and meshes of one face, by resolution; of the draft and of the finest only.

    Args:
        preview: draws the meshes; None to open a preview before the first drawing.
        share: the engine; None for an engine of its own.
    """

    def __init__(self, preview: MeshDrawer | None = None, share: EngineShare | None = None) -> None:
        self._preview = preview
        self._share = share or EngineShare()
        self._engine: Engine | None = None
        self._engine_key: tuple[Model, str] | None = None
        self._face: object = None
        self._surface: tuple[object, ...] = ()
        self._grids: dict[int, SdfGrid] = {}
        self._meshes: dict[int, SurfaceMesh] = {}
        self._reports: dict[int, MeshReport] = {}

    def passes(self, request: MeshRequest) -> Iterator[MeshPass | None]:
        """A draft, from the fine mesh if it has been made already, then the finished picture."""
        return self._share.in_turns(self._passes(request))

    def _passes(self, request: MeshRequest) -> Generator[MeshPass | None, None, None]:
        self._forget_what_changed(request)
        fine = request.settings.resolution
        live = fine if fine in self._meshes else min(LIVE_RESOLUTION, fine)
        yield (yield from self._drawn(request, live, is_draft=True))
        yield (yield from self._drawn(request, fine, is_draft=False))

    def forget(self) -> None:
        """Free all grids and meshes if one is large; to be called while nothing is worked on."""
        if max(self.resolutions, default=0) <= _SMALL:
            return
        for resolution in self.resolutions:
            self._forget_resolution(resolution)
        if self._preview is not None:
            self._preview.forget()

    @property
    def resolutions(self) -> set[int]:
        """Resolutions whose grid or mesh is kept."""
        return set(self._grids) | set(self._meshes)

    def _forget_resolution(self, resolution: int) -> None:
        for kept in (self._grids, self._meshes, self._reports):
            kept.pop(resolution, None)

    def _forget_what_changed(self, request: MeshRequest) -> None:
        key = (request.model, request.device)
        if key != self._engine_key:
            self._engine = None  # frees the old engine's memory
            self._engine_key, self._face, self._surface = key, None, ()
        self._engine = self._share.engine(*key)
        settings = request.settings
        finest = max(settings.resolution, LIVE_RESOLUTION)
        for resolution in {finer for finer in self.resolutions if finer > finest}:
            self._forget_resolution(resolution)
        face = request.scene.of_field
        surface = (face, settings.level, settings.largest_component, settings.vertex_colors)
        if face != self._face:
            self._face = face
            self._grids.clear()
        if surface != self._surface:
            self._surface = surface
            self._meshes.clear()
            self._reports.clear()

    def _build(self, request: MeshRequest, resolution: int) -> Generator[None, None, None]:
        from stylesdf_core.mesh.sdf_grid import sample_grid
        from stylesdf_core.mesh.surface import mesh_grid

        assert self._engine is not None
        engine, scene, settings = self._engine, request.scene, request.settings
        grid = yield from interruptible(
            sample_grid(
                engine.sdf(scene),
                resolution=resolution,
                level=settings.level,
                reuse=self._grids.get(resolution),
                chunk_points=_CHUNK,
            )
        )
        self._grids[resolution] = grid
        self._meshes[resolution] = yield from interruptible(
            mesh_grid(
                grid,
                level=settings.level,
                # Clay shows a face by its normals alone; colours are drawn almost unlit.
                normals=None if settings.vertex_colors else engine.normals(scene),
                colors=engine.colors(scene) if settings.vertex_colors else None,
                largest_only=settings.largest_component,
                chunk_points=_CHUNK,
            )
        )

    def _drawn(
        self, request: MeshRequest, resolution: int, *, is_draft: bool
    ) -> Generator[None, None, MeshPass]:
        """A picture of the mesh at a resolution; makes the mesh if it has not been made."""
        from stylesdf_core.mesh.preview import MeshPreview
        from stylesdf_core.mesh.surface import report

        start = time.perf_counter()
        if self._preview is None:
            self._preview = MeshPreview()
        if resolution not in self._meshes:
            yield from self._build(request, resolution)
        mesh = self._meshes[resolution]
        drawing = self._preview.submit(
            mesh,
            request.scene.camera,
            min(DRAFT_SIZE, request.size) if is_draft else request.size,
            wireframe=request.settings.wireframe,
            vertex_colors=request.settings.vertex_colors,
        )
        try:
            if not is_draft and resolution not in self._reports:
                self._reports[resolution] = report(mesh)  # while the thread of the preview draws
            while not wait_for([drawing], _LOOK).done:
                yield None
        finally:
            drawing.cancel()  # a newer request has made this drawing useless
        pixels = drawing.result().pixels
        is_fine = resolution == request.settings.resolution
        known = self._reports.get(resolution) if is_fine else None
        return MeshPass(request, pixels, resolution, time.perf_counter() - start, known, mesh)


def interruptible(operation: Generator[Progress, None, R]) -> Generator[None, None, R]:
    """The operation with None, a place to interrupt it, instead of each Progress."""
    while True:
        try:
            next(operation)
        except StopIteration as stop:
            result: R = stop.value
            return result
        yield None
