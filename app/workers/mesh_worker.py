"""The thread that keeps the live mesh: coarse while things change, refined when they rest.

What depends on what decides what is kept: the sampled SDF grid on the face alone, the mesh on the
grid and the level, the picture on the mesh and the camera.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from app.workers.workers import LatestWorker, Work
from stylesdf_core.scene.scene import Scene

if TYPE_CHECKING:
    from stylesdf_core.engine.engine import Engine
    from stylesdf_core.mesh.preview import MeshPreview
    from stylesdf_core.mesh.sdf_grid import SdfGrid
    from stylesdf_core.mesh.surface import MeshReport, SurfaceMesh
    from stylesdf_core.model.model import Model
    from stylesdf_core.progress import Progress

LIVE_RESOLUTION = 48
#: Edge of pictures drawn while something moves, at most; software renderers pay by the pixel.
DRAFT_SIZE = 256
_CHUNK = 16384  # points between two looks at the mailbox
_LOOK = 0.002  # seconds between two of them while a picture is being drawn
R = TypeVar("R")


@dataclass(frozen=True)
class MeshRequest:
    """A picture of the mesh.

    Attributes:
        resolution: grid points per axis in the end, 32 to 512.
        level: SDF value of the surface, world units.
        size: edge of the picture, pixels.
        whole: to the resolution asked for; else, while things move, a draft of what there is.
    """

    scene: Scene
    device: str
    resolution: int
    level: float
    largest_component: bool
    vertex_colors: bool
    wireframe: bool
    size: int
    model: Model = field(compare=False)
    whole: bool = True


@dataclass(frozen=True, eq=False)
class ShownMesh:
    """A picture of the mesh and what the mesh is made of.

    Attributes:
        pixels: (size, size, 3) float32 in [0, 1].
        resolution: of the grid this mesh came from.
        report: of the finished mesh; None while a coarser one is shown.
    """

    request: MeshRequest
    pixels: npt.NDArray[np.float32]
    resolution: int
    seconds: float
    report: MeshReport | None


def mesh_worker(news: threading.Event | None = None) -> LatestWorker[MeshRequest, ShownMesh]:
    """A worker that draws the newest request, first from a coarse mesh; sets ``news`` with each."""
    return LatestWorker("mesh", _prepare, news)


def _prepare() -> Work[MeshRequest, ShownMesh]:
    from stylesdf_core.mesh.preview import MeshPreview

    return _LiveMesh(MeshPreview()).answer


class _LiveMesh:
    """Engine, grids and meshes of one face, by resolution."""

    def __init__(self, preview: MeshPreview) -> None:
        self._preview = preview
        self._engine: Engine | None = None
        self._engine_key: tuple[Model, str] | None = None
        self._face: Scene | None = None
        self._draft: ShownMesh | None = None
        self._surface: tuple[object, ...] = ()
        self._grids: dict[int, SdfGrid] = {}
        self._meshes: dict[int, SurfaceMesh] = {}
        self._reports: dict[int, MeshReport] = {}

    def answer(self, request: MeshRequest) -> Iterator[ShownMesh | None]:
        """Pictures of the request: a draft, then, if it is whole, the asked for resolution.

        The draft may be that of an earlier request; it counts as the first answer, so that the
        long work after it can be broken off.
        """
        self._forget_what_changed(request)
        draft = replace(request, whole=False)
        if self._draft is None or self._draft.request != draft:
            self._draft = None
            fine = request.resolution in self._meshes
            if not (fine and request.whole):
                resolution = request.resolution if fine else self._live(request)
                self._draft = yield from self._drawn(draft, resolution)
        if self._draft is not None:
            yield self._draft
        if request.whole:
            yield (yield from self._drawn(request, request.resolution))

    @staticmethod
    def _live(request: MeshRequest) -> int:
        return min(LIVE_RESOLUTION, request.resolution)

    def _forget_what_changed(self, request: MeshRequest) -> None:
        key = (request.model, request.device)
        if self._engine is None or self._engine_key is None or self._engine_key[0] is not key[0]:
            self._engine = None
        if self._engine is None or self._engine_key != key:
            from stylesdf_core.engine.engine import Engine

            self._engine, self._engine_key = Engine(request.model, request.device), key
            self._face = self._draft = None
        neutral = Scene()
        face = replace(request.scene, camera=neutral.camera, mixing=neutral.mixing)
        if face != self._face:
            self._face = face
            self._grids.clear()
            self._draft = None
            self._surface = ()
        surface = (request.level, request.largest_component, request.vertex_colors)
        if surface != self._surface:
            self._surface = surface
            self._meshes.clear()
            self._reports.clear()

    def _build(self, request: MeshRequest, resolution: int) -> Generator[None, None, None]:
        from stylesdf_core.mesh.sdf_grid import sample_grid
        from stylesdf_core.mesh.surface import mesh_grid

        assert self._engine is not None
        engine, scene = self._engine, request.scene
        grid = yield from _interruptible(
            sample_grid(
                engine.sdf(scene),
                resolution=resolution,
                level=request.level,
                reuse=self._grids.get(resolution),
                chunk_points=_CHUNK,
            )
        )
        self._grids[resolution] = grid
        self._meshes[resolution] = yield from _interruptible(
            mesh_grid(
                grid,
                level=request.level,
                colors=engine.colors(scene) if request.vertex_colors else None,
                largest_only=request.largest_component,
                chunk_points=_CHUNK,
            )
        )

    def _drawn(self, request: MeshRequest, resolution: int) -> Generator[None, None, ShownMesh]:
        """A picture of the mesh at a resolution, which is made if there is none."""
        from stylesdf_core.mesh.surface import report

        start = time.perf_counter()
        if resolution not in self._meshes:
            yield from self._build(request, resolution)
        mesh = self._meshes[resolution]
        drawing = self._preview.submit(
            mesh,
            request.scene.camera,
            request.size if request.whole else min(request.size, DRAFT_SIZE),
            wireframe=request.wireframe,
            vertex_colors=request.vertex_colors,
        )
        try:
            while not wait_for([drawing], _LOOK).done:
                yield None
        finally:
            drawing.cancel()  # what nobody waits for need not be drawn
        picture = drawing.result()
        if request.whole and resolution not in self._reports:
            self._reports[resolution] = report(mesh)
        return ShownMesh(
            request,
            picture.pixels,
            resolution,
            time.perf_counter() - start,
            self._reports.get(resolution) if resolution == request.resolution else None,
        )


def _interruptible(operation: Generator[Progress, None, R]) -> Generator[None, None, R]:
    """An operation whose progress is a place to stop, not an answer."""
    while True:
        try:
            next(operation)
        except StopIteration as stop:
            result: R = stop.value
            return result
        yield None
