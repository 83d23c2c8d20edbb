"""Pictures of a mesh under the studio's camera, drawn by pyrender (OpenGL) in one thread.

An OpenGL context belongs to the thread that made it, so one daemon thread owns the context, which
has no window, and callers get futures.

The camera is the volume render's: a pinhole of half angle ``fov``, rays through pixel centres at
+0.5. Only near and far differ: they enclose the mesh, so that it is never drawn cut open.

pyrender 0.1.45 uses names that NumPy 2 removed in ``Scene.bounds`` and in shadow maps; this module
uses neither.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from stylesdf_core.errors import GraphicsError
from stylesdf_core.mesh.surface import SurfaceMesh
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.system.opengl import standalone_context

Color = tuple[float, float, float]

STUDIO_BACKGROUND: Color = (0x16 / 255, 0x18 / 255, 0x1C / 255)
MIN_SIZE, MAX_SIZE = 16, 4096

#: After a failure to open OpenGL, requests within this time get the same answer at once.
RETRY_SECONDS = 10.0

_CLAY = (0.53, 0.49, 0.45)  # linear; a neutral warm grey
_LINE_TONE = 0.35  # lines have the surface's colour, darker, so that dense lines stay readable
_LINE_LIFT = 3e-4  # share of the distance to the camera by which lines lie in front of the surface

# Lights, fixed to the camera: direction towards the light in camera axes; how bright a white
# surface facing it becomes (linear, 1 = white); colour.
_STUDIO_LIGHTS: tuple[tuple[Color, float, Color], ...] = (
    ((-0.55, 0.65, 0.75), 0.95, (1.0, 0.97, 0.92)),  # key, upper left
    ((0.9, 0.05, 0.6), 0.16, (0.9, 0.95, 1.0)),  # fill
    ((0.45, 0.55, -0.85), 0.8, (0.9, 0.95, 1.0)),  # rim, from behind
)
_STUDIO_AMBIENT = 0.07
# Vertex colours include the light of the training pictures: little shading, none seen from ahead.
_COLOR_LIGHTS: tuple[tuple[Color, float, Color], ...] = (((0.0, 0.0, 1.0), 0.23, (1.0, 1.0, 1.0)),)
_COLOR_AMBIENT = 0.78
_GAMMA = 2.2  # of pyrender's shader, which multiplies vertex colours in linear light


@dataclass(frozen=True, eq=False)
class MeshPicture:
    """A drawn mesh.

    Attributes:
        pixels: (H, W, 3) float32 in [0, 1], sRGB, over the background.
        coverage: (H, W) float32, share of each pixel that the mesh covers, 0 to 1.
        depth: (H, W) float32, planar t of one sample near the pixel's centre; inf where empty.
    """

    pixels: npt.NDArray[np.float32]
    coverage: npt.NDArray[np.float32]
    depth: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Request:
    mesh: SurfaceMesh
    camera: OrbitCamera
    size: int
    wireframe: bool
    vertex_colors: bool
    picture: Future[MeshPicture]


_Mailbox: TypeAlias = "queue.SimpleQueue[_Request | None]"


class MeshPreview:
    """Draws meshes; owns one thread and, in it, one OpenGL context and the last mesh uploaded.

    Usable as a context manager. Requests are served in order; cancelled futures are skipped.
    """

    def __init__(self) -> None:
        self._requests: _Mailbox = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(
        self,
        mesh: SurfaceMesh,
        camera: OrbitCamera,
        size: int,
        *,
        wireframe: bool = False,
        vertex_colors: bool = True,
    ) -> Future[MeshPicture]:
        """Ask for a picture; returns at once.

        Args:
            mesh: a mesh object drawn last time is not uploaded again.
            size: pixels per side, 16 to 4096.
            wireframe: lay the triangles' edges over the surface.
            vertex_colors: show the mesh's colours, almost unlit, where it has any; else clay.

        Returns:
            A future that raises GraphicsError where OpenGL fails; a later request tries again.
        """
        if not MIN_SIZE <= size <= MAX_SIZE:
            raise ValueError(f"size must be {MIN_SIZE} to {MAX_SIZE} pixels, not {size}")
        request = _Request(mesh, camera, size, wireframe, vertex_colors, Future())
        with self._lock:
            if self._closed:
                raise RuntimeError("this MeshPreview is closed")
            if self._thread is None:
                self._thread = threading.Thread(
                    target=_serve, args=(self._requests,), name="mesh-preview", daemon=True
                )
                self._thread.start()
            self._requests.put(request)
        return request.picture

    def forget(self) -> None:
        """Free the mesh that was uploaded last, by drawing one triangle in its place."""
        corners = np.eye(3, dtype=np.float32)
        triangle = SurfaceMesh(corners, np.array([[0, 1, 2]], np.int32), corners)
        self.submit(triangle, OrbitCamera(), MIN_SIZE)

    def close(self) -> None:
        """Answer all requests, free the context and end the thread; may be called twice."""
        with self._lock:
            self._closed = True
            thread, self._thread = self._thread, None
        if thread is not None:
            self._requests.put(None)
            thread.join()

    def __enter__(self) -> MeshPreview:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _serve(requests: _Mailbox) -> None:
    """Run the thread: answer requests until None comes, failures included."""
    studio: _Studio | None = None
    refusal, retry_at = "", 0.0
    while (request := requests.get()) is not None:
        if not request.picture.set_running_or_notify_cancel():
            continue
        if studio is None and time.monotonic() < retry_at:
            request.picture.set_exception(GraphicsError(refusal))
            continue
        try:
            studio = studio or _Studio()
            request.picture.set_result(studio.draw(request))
        except Exception as error:
            reason = _reason(error)
            if studio is None:
                refusal = str(error) if isinstance(error, GraphicsError) else _refusal(reason)
                retry_at = time.monotonic() + RETRY_SECONDS
                failure = GraphicsError(refusal)
            else:  # the context may be lost; the next request opens a new one
                studio.close()
                studio = None
                failure = GraphicsError(f"Drawing the mesh failed: {reason}.")
            failure.__cause__ = error
            request.picture.set_exception(failure)
    if studio is not None:
        studio.close()


def _reason(error: Exception) -> str:
    """The error in a few words; PyOpenGL's own text is a page of pointers."""
    operation = getattr(error, "baseOperation", None)
    if operation is not None:
        return f"{operation.__name__} failed with code {error.err:#x}"  # type: ignore[attr-defined]
    return ": ".join(str(part) for part in error.args if part) or type(error).__name__


def _refusal(reason: str) -> str:
    return f"The mesh view could not be opened: {reason}. Everything else works."


class _Studio:
    """A pyrender context with camera, lights and the current mesh; lives in one thread."""

    def __init__(self) -> None:
        self._context = standalone_context("The mesh view")
        if sys.platform.startswith("linux"):
            os.environ["PYOPENGL_PLATFORM"] = "egl"  # read when OpenGL is first imported
        import pyrender

        self._pyrender = pyrender
        self._renderer = pyrender.renderer.Renderer(MIN_SIZE, MIN_SIZE)
        self._mesh: SurfaceMesh | None = None
        self._corners = np.zeros((8, 3))
        self._models: dict[tuple[bool, bool], Any] = {}  # of self._mesh, by (colored, lines)

    def draw(self, request: _Request) -> MeshPicture:
        """Render one request.

        Raises:
            Exception: pyrender or PyOpenGL failed; they raise many types.
        """
        pyrender, size = self._pyrender, request.size
        if request.mesh is not self._mesh:
            self._mesh, self._models = request.mesh, {}
            self._corners = _box_corners(request.mesh)
        colored = request.vertex_colors and request.mesh.colors is not None

        scene = pyrender.Scene(
            bg_color=(*STUDIO_BACKGROUND, 0.0),
            ambient_light=(_COLOR_AMBIENT if colored else _STUDIO_AMBIENT,) * 3,
        )
        pose = np.eye(4)
        pose[:3] = request.camera.cam2world()
        near, far = _depth_range(self._corners, pose)
        lens = pyrender.PerspectiveCamera(
            yfov=2.0 * np.radians(request.camera.fov), znear=near, zfar=far, aspectRatio=1.0
        )
        scene.add(lens, pose=pose)
        for towards, intensity, tint in _COLOR_LIGHTS if colored else _STUDIO_LIGHTS:
            light = pyrender.DirectionalLight(color=tint, intensity=intensity * np.pi)
            scene.add(light, pose=pose @ _aim(towards))
        scene.add(self._model(colored=colored, lines=False))
        if request.wireframe:
            # Shrunk towards the camera, the lines keep their pixels and lie before the surface.
            lift = np.eye(4)
            lift[:3, :3] *= 1.0 - _LINE_LIFT
            lift[:3, 3] = _LINE_LIFT * pose[:3, 3]
            scene.add(self._model(colored=colored, lines=True), pose=lift)

        self._renderer.viewport_width = self._renderer.viewport_height = size
        flags = pyrender.RenderFlags.OFFSCREEN | pyrender.RenderFlags.RGBA
        color, depth = self._renderer.render(scene, flags)
        color = np.asarray(color, np.float32) / 255.0
        return MeshPicture(
            pixels=np.ascontiguousarray(color[..., :3]),
            coverage=np.ascontiguousarray(color[..., 3]),
            depth=np.where(depth > 0.0, depth, np.float32(np.inf)),
        )

    def close(self) -> None:
        """Free the context; a context that is already lost raises errors, which are ignored."""
        try:
            self._renderer.delete()
            self._context.release()
        except Exception:
            pass

    def _model(self, *, colored: bool, lines: bool) -> Any:
        """The current mesh as a pyrender mesh, kept until another mesh is drawn."""
        mesh = self._mesh
        assert mesh is not None
        if (colored, lines) not in self._models:
            self._models[colored, lines] = _make_model(self._pyrender, mesh, colored, lines)
        return self._models[colored, lines]


def _make_model(pyrender: Any, mesh: SurfaceMesh, colored: bool, lines: bool) -> Any:
    base = np.asarray((1.0, 1.0, 1.0) if colored else _CLAY)
    material = pyrender.MetallicRoughnessMaterial(
        baseColorFactor=(*(base * _LINE_TONE if lines else base), 1.0),
        metallicFactor=0.0,
        roughnessFactor=0.85,
    )
    colors = None
    if colored and mesh.colors is not None:
        colors = np.ones((len(mesh.vertices), 4), np.float32)
        colors[:, :3] = mesh.colors**_GAMMA
    elements = mesh.faces
    if lines:  # a closed mesh has each edge in both directions: take one
        edges = np.stack([mesh.faces, np.roll(mesh.faces, -1, axis=1)], axis=-1).reshape(-1, 2)
        elements = edges[edges[:, 0] < edges[:, 1]]
    primitive = pyrender.Primitive(
        positions=mesh.vertices,
        normals=mesh.normals,
        color_0=colors,
        indices=elements,
        material=material,
        mode=pyrender.GLTF.LINES if lines else pyrender.GLTF.TRIANGLES,
    )
    return pyrender.Mesh([primitive])


def _box_corners(mesh: SurfaceMesh) -> npt.NDArray[np.float64]:
    """Corners of the mesh's bounding box, (8, 3), world units."""
    ends = np.stack([mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)]).astype(np.float64)
    grid = np.stack(np.meshgrid(*ends.T, indexing="ij"), axis=-1)
    return grid.reshape(8, 3)


def _depth_range(
    corners: npt.NDArray[np.float64], pose: npt.NDArray[np.float64]
) -> tuple[float, float]:
    """Planar near and far that enclose a box."""
    t = (pose[:3, 3] - corners) @ pose[:3, 2]  # the camera looks along its −z
    margin = 0.01
    return max(margin, float(t.min()) - margin), float(t.max()) + margin


def _aim(towards: Color) -> npt.NDArray[np.float64]:
    """Pose (4, 4) of a light that shines from ``towards``: its +z points there."""
    backward = np.asarray(towards) / np.linalg.norm(towards)
    side = np.cross((0.0, 1.0, 0.0), backward)
    right = side / np.linalg.norm(side)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(backward, right), backward], axis=1)
    return pose
