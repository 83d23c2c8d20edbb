"""Any view of a scene as a picture; used by the commands for pictures, films and meshes.

The engine draws all views but ``mesh``. For the view ``mesh``, the surface is extracted and drawn
by OpenGL. The options of pictures and of surfaces stand here once, for all commands.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import tyro

from stylesdf_core.commands.scenes.options.backgrounds import (
    OWN,
    Background,
    BackgroundFlag,
    outlined,
    shown,
)
from stylesdf_core.dataclass_json import check_finite
from stylesdf_core.engine.cut import Cut
from stylesdf_core.engine.picture import Picture
from stylesdf_core.errors import check_range
from stylesdf_core.mesh.sdf_grid import MAX_RESOLUTION, MIN_RESOLUTION
from stylesdf_core.progress import Operation
from stylesdf_core.scene.scene import Scene, View

if TYPE_CHECKING:
    from stylesdf_core.engine.engine import Engine
    from stylesdf_core.engine.sdf_slice import Slicer
    from stylesdf_core.mesh.preview import MeshPreview
    from stylesdf_core.mesh.surface import SurfaceMesh

MIN_SIZE, MAX_SIZE = 16, 2048


@dataclass(frozen=True)
class SurfaceSettings:
    """How a surface is extracted from the signed distances."""

    resolution: int = 128
    """Of meshes: grid points along each edge of the volume, 32 to 512."""

    level: float = 0.0
    """Of meshes: distance from the model's surface at which the mesh lies, world units (the
    volume's edge is 0.24): 0 is the skin, above is outside."""

    largest_component: bool = True
    """Of meshes: keep only the largest connected part."""

    vertex_colors: bool = True
    """Of meshes: colour the vertices."""

    def __post_init__(self) -> None:
        check_finite(self)
        check_range("resolution", self.resolution, MIN_RESOLUTION, MAX_RESOLUTION)


@dataclass(frozen=True)
class MeshSettings(SurfaceSettings):
    """How the mesh view extracts and shows the surface."""

    wireframe: bool = False
    """Of the mesh view: draw the triangles' edges."""

    cut_axis: Literal["x", "y", "z"] = "z"
    """Of the slice view: the plane's axis: x cuts left from right, y is horizontal, z cuts front
    from back; the surface is that of --level."""

    cut_offset: float = 0.0
    """Of the slice view: the plane's place on its axis, -0.12 to 0.12 world units."""

    @property
    def cut(self) -> Cut:
        """The plane of the slice view.

        Raises:
            InputError: the plane lies outside the volume.
        """
        return Cut(self.cut_axis, self.cut_offset, self.level)


Device: TypeAlias = Annotated[str, tyro.conf.arg(metavar="{auto,cpu,cuda,mps}")]
MeshFlags: TypeAlias = Annotated[MeshSettings, tyro.conf.arg(name="")]


@dataclass(frozen=True, kw_only=True)
class PictureOptions:
    """How pictures are drawn: the fields that all requests for pictures and films share."""

    out: Path
    """The file or folder to write."""

    view: View = "image"
    """View: the decoded image, the 64² volume render, its depth or normals, the mesh; direct: the
    surface's own colours at any size, without the decoder; slice: a cut through the signed
    distances; inconsistency: how far the image differs from its own neighbouring views."""

    size: int | None = None
    """Edge in pixels, 16 to 2048; without it, the view's own resolution."""

    device: Device = "auto"
    """Where to compute."""

    background: BackgroundFlag = OWN
    """Behind the head: the model's own background, none for a transparent picture, a colour, or a
    picture file."""

    fast: bool = False
    """Compute as for the screen: in 16 bits where that is faster, a few grey levels off."""

    split: bool = False
    """Beside the picture, show the mesh under the same camera."""

    rays: int = 1
    """Of the image: rays along each side of a pixel of the volume render that it is decoded from, 1
    to 4. With 2, films flicker a fifth less, and a frame takes two and a half times as long."""

    mesh: MeshFlags = field(default_factory=MeshSettings)

    def renderer(self, model: str) -> SceneRenderer:
        """A renderer of a model's scenes with these options.

        Raises:
            InputError: :attr:`rays` is out of range.
        """
        check_range("--rays", self.rays, 1, 4)
        return SceneRenderer(model, self.device, self.mesh, exact=not self.fast, rays=self.rays)

    def pixels(
        self, renderer: SceneRenderer, scene: Scene, background: Background | None
    ) -> Operation[npt.NDArray[np.uint8]]:
        """The picture of a scene, (H, W, 3), or (H, W, 4) where it is transparent.

        Args:
            background: what the field of that name stands for.
        """
        cut = background is not None
        picture = yield from renderer.draw(scene, self.view, self.size, outline=cut)
        pixels = shown(picture, background)
        if self.split:
            beside = yield from renderer.draw(scene, "mesh", picture.size)
            pixels = np.hstack((pixels, shown(beside, background)))
        return pixels


def shared_fields(kind: type, request: Any) -> dict[str, Any]:
    """The values of those fields of a request that the dataclass ``kind`` has, by name."""
    return {item.name: getattr(request, item.name) for item in fields(kind)}


class SceneRenderer:
    """Draws views of scenes of one model; as a context manager, closes OpenGL at the end.

    Args:
        model: the ``model`` of all scenes to be drawn.
        device: auto, cpu, cuda or mps.
        mesh: settings of the mesh view.
        exact: as of :class:`Engine`; files are exact unless speed is asked for.
        rays: as of :meth:`Engine.render`.
    """

    def __init__(
        self, model: str, device: str, mesh: MeshSettings, *, exact: bool = True, rays: int = 1
    ) -> None:
        from stylesdf_core.engine.engine import Engine
        from stylesdf_core.model.model import load_model

        self.engine: Engine = Engine(load_model(model), device, exact=exact)
        self.mesh_settings, self._rays = mesh, rays
        self._preview: MeshPreview | None = None
        self._slicer: Slicer | None = None
        self._mesh: tuple[object, SurfaceMesh] | None = None

    def __enter__(self) -> SceneRenderer:
        return self

    def __exit__(self, *_: object) -> None:
        if self._preview is not None:
            self._preview.close()

    def draw(
        self, scene: Scene, view: View, size: int | None, *, outline: bool = False
    ) -> Operation[Picture]:
        """One picture; yields Progress while a mesh is extracted or the direct view drawn.

        Args:
            size: edge in pixels; None for the view's own size. All views but the decoded image are
                rendered at ``size``; that image has the model's size and is resampled.
            outline: also find the image's background, so that the head can be cut out.
        """
        if view == "slice":
            return self._slice(scene, size or self.engine.config.output_size)
        if view == "inconsistency":
            from stylesdf_core.evaluation.metrics.inconsistency import inconsistency

            picture = inconsistency(self.engine, scene)
            return picture if size is None else _resized(picture, size)
        from stylesdf_core.engine.levels import drawn_view

        if drawn_view(self.engine.config, view) == "direct":
            size = size or self.engine.direct_size
            return (yield from self.engine.direct_steps(scene, size))
        if view != "mesh":
            own = size if view != "image" else None
            picture = self.engine.render(scene, view, own, rays=self._rays)
            picture = picture if size is None else _resized(picture, size)
            return outlined(self.engine, scene, picture) if outline else picture
        mesh = yield from self._surface(scene)
        return self._draw_mesh(mesh, scene, size or self.engine.config.output_size)

    def _slice(self, scene: Scene, size: int) -> Picture:
        from stylesdf_core.engine.sdf_slice import Slicer

        if self._slicer is None:
            self._slicer = Slicer(self.engine)
        return self._slicer.draw(scene, self.mesh_settings.cut, size)

    def _surface(self, scene: Scene) -> Operation[SurfaceMesh]:
        if self._mesh is None or self._mesh[0] != scene.of_field:
            mesh = yield from surface_of(self.engine, scene, self.mesh_settings)
            self._mesh = (scene.of_field, mesh)
        return self._mesh[1]

    def _draw_mesh(self, mesh: SurfaceMesh, scene: Scene, size: int) -> Picture:
        if self._preview is None:
            from stylesdf_core.mesh.preview import MeshPreview

            self._preview = MeshPreview()
        settings = self.mesh_settings
        drawing = self._preview.submit(
            mesh,
            scene.camera,
            size,
            wireframe=settings.wireframe,
            vertex_colors=settings.vertex_colors,
        )
        drawn = drawing.result()
        data = np.ascontiguousarray(np.moveaxis(drawn.pixels, -1, 0) * 2.0 - 1.0)
        return Picture("mesh", data, 1.0 - drawn.coverage)


def surface_of(engine: Engine, scene: Scene, settings: SurfaceSettings) -> Operation[SurfaceMesh]:
    """Extract the surface of a scene; yields Progress from 0 to 1.

    Raises:
        EmptySurfaceError: there is no surface at this level.
    """
    from stylesdf_core.mesh.surface import extract_surface

    return (
        yield from extract_surface(
            engine.sdf(scene),
            resolution=settings.resolution,
            level=settings.level,
            normals=engine.normals(scene),
            colors=engine.colors(scene) if settings.vertex_colors else None,
            largest_only=settings.largest_component,
        )
    )


def check_size(size: int | None) -> None:
    """Refuse a size outside 16 to 2048 pixels.

    Raises:
        InputError: names the size.
    """
    if size is not None:
        check_range("--size", size, MIN_SIZE, MAX_SIZE, "pixels")


def _resized(picture: Picture, size: int) -> Picture:
    if picture.size == size:
        return picture
    import torch
    import torch.nn.functional as F

    def resized(values: npt.NDArray[np.float32], least: float = -1.0) -> npt.NDArray[np.float32]:
        maps = torch.from_numpy(values)[None]
        maps = F.interpolate(maps, size=(size, size), mode="bicubic", antialias=True)
        result: npt.NDArray[np.float32] = maps[0].clamp(least, 1.0).numpy()
        return result

    return replace(
        picture,
        data=resized(picture.data),
        background=resized(picture.background[None], 0.0)[0],
        behind=None if picture.behind is None else resized(picture.behind),
    )
