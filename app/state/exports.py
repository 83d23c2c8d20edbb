"""The studio's exports: the kinds of export, the request that each makes, and file names."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from app.state.pictures.comparison import FacePair
from app.state.settings import Settings, default_export_folder
from app.state.wording import face_name
from stylesdf_core.files import free_path
from stylesdf_core.mesh.files.placement import companions
from stylesdf_core.model.model_zoo import short_name
from stylesdf_core.resources import expanded, home
from stylesdf_core.scene.animation import Animation
from stylesdf_core.scene.scene import Scene, View

if TYPE_CHECKING:
    from stylesdf_core.commands.scenes.batch import Batch
    from stylesdf_core.commands.scenes.compare import RenderComparison
    from stylesdf_core.commands.scenes.films import Animate, RenderTurntable
    from stylesdf_core.commands.scenes.meshes import ExportMesh
    from stylesdf_core.commands.scenes.pictures import RenderImage
    from stylesdf_core.commands.scenes.sheets import RenderSheet

    ExportRequest: TypeAlias = (
        RenderImage
        | RenderTurntable
        | Animate
        | RenderSheet
        | RenderComparison
        | ExportMesh
        | Batch
    )

Family = Literal["picture", "mesh", "animation"]

#: Edge of exported depth and normal maps, pixels.
MAP_SIZE = 256


@dataclass(frozen=True)
class ExportKind:
    """A button of the export panel.

    Attributes:
        name: the button's label.
        view: the picture's view; None for the viewport's view, and for meshes.
        sixteen_bit: depth as 16-bit grey levels instead of colours.
    """

    name: str
    family: Family
    suffix: str
    description: str
    view: View | None = None
    sixteen_bit: bool = False


EXPORTS: tuple[ExportKind, ...] = (
    ExportKind("PNG", "picture", ".png", "What is shown, split or not; carries its session"),
    ExportKind("Normals", "picture", ".png", "Surface normals as colours", "normals"),
    ExportKind(
        "Depth 16-bit",
        "picture",
        ".png",
        "Distances as grey levels; a file beside it holds their scale",
        "depth",
        sixteen_bit=True,
    ),
    ExportKind("Depth colours", "picture", ".png", "Depth as a colour map, to look at", "depth"),
    ExportKind("OBJ", "mesh", ".obj", "Mesh with colours or textures; opens everywhere"),
    ExportKind("PLY", "mesh", ".ply", "Mesh with colours or a texture"),
    ExportKind("GLB", "mesh", ".glb", "Mesh with colours or textures for Blender, web and engines"),
    ExportKind("STL", "mesh", ".stl", "Bare geometry for printing, in millimetres"),
    ExportKind("3MF", "mesh", ".3mf", "Mesh with colours for printing, in millimetres"),
    ExportKind("GIF", "animation", ".gif", "Turntable, loops everywhere"),
    ExportKind("WebP", "animation", ".webp", "Turntable in full colour; may be transparent"),
    ExportKind("MP4", "animation", ".mp4", "Turntable as video"),
)


def export_kind(name: str) -> ExportKind:
    """The kind of export with this name."""
    return next(kind for kind in EXPORTS if kind.name == name)


def export_folder(settings: Settings) -> Path:
    """The folder of exports in the settings; without it, one in the user's pictures folder."""
    folder = settings.export.folder
    return _in_home(folder) if folder else default_export_folder()


def _in_home(folder: str) -> Path:
    """A typed folder; a relative one lies at home, wherever the studio was started."""
    return home() / expanded(folder)


def file_stem(scene: Scene) -> str:
    """What files of a face begin with: model and seed."""
    return f"{short_name(scene.model)}-{face_name(scene.identity, 'custom')}"


def default_stem(scene: Scene, kind: ExportKind) -> str:
    """File name without suffix: model, seed, then a fixed view or "turntable"."""
    parts = [file_stem(scene)]
    if kind.view is not None:
        parts.append("depth-colours" if kind.name == "Depth colours" else kind.view)
    if kind.family == "animation":
        parts.append("turntable")
    return "-".join(parts)


def export_request(
    scene: Scene,
    kind: ExportKind,
    settings: Settings,
    *,
    stem: str = "",
    taken: Collection[Path] = (),
) -> ExportRequest:
    """The request of an export button; it writes to a file name that is still free.

    Args:
        stem: file name without suffix; empty for :func:`default_stem`.
        taken: files that other exports are about to write.
    """
    from stylesdf_core.commands.scenes.films import RenderTurntable
    from stylesdf_core.commands.scenes.meshes import ExportMesh
    from stylesdf_core.commands.scenes.pictures import RenderImage

    split, background = settings.view.split, settings.view.background
    view = settings.view.picture_view if split else settings.view.view
    name = (stem or default_stem(scene, kind)) + kind.suffix
    out = free_path(export_folder(settings) / name, taken)
    if kind.family == "mesh":
        mesh = settings.mesh
        asset = settings.asset
        if kind.suffix == ".stl":
            asset = replace(asset, texture=None)  # STL has none
        names = set(taken)
        # Textures and levels of detail lie beside the mesh; OBJ and PLY name textures alike.
        textured = {other.with_suffix("") for other in taken if companions(other)}
        while any(file.exists() for file in asset.all_files(out)) or (
            asset.texture is not None and out.with_suffix("") in textured
        ):
            names.add(out)
            out = free_path(export_folder(settings) / name, names)
        return ExportMesh(
            out=out,
            scene=scene,
            resolution=mesh.resolution,
            level=mesh.level,
            largest_component=mesh.largest_component,
            vertex_colors=mesh.vertex_colors,
            asset=asset,
            device=settings.device,
        )
    if kind.family == "animation":
        turntable = settings.export
        return RenderTurntable(
            out=out,
            scene=scene,
            frames=turntable.frames,
            fps=turntable.fps,
            size=turntable.size or None,
            view=view,
            split=split,
            background=background,
            device=settings.device,
            mesh=settings.mesh,
        )
    own_size = MAP_SIZE if kind.view is not None else None
    return RenderImage(
        out=out,
        scene=scene,
        view=kind.view or view,
        size=settings.export.picture_size or own_size,
        split=split and kind.view is None,
        background="model" if kind.sixteen_bit else background,
        sixteen_bit=kind.sixteen_bit,
        device=settings.device,
        mesh=settings.mesh,
    )


def film_request(
    animation: Animation, suffix: str, settings: Settings, taken: Collection[Path] = ()
) -> Animate:
    """The request of the timeline's film, with the panel's settings of animations.

    Args:
        suffix: of the film; empty for a folder of numbered pictures.
        taken: files that other exports are about to write.
    """
    from stylesdf_core.commands.scenes.films import Animate

    scene = animation.keyframes[0].scene if animation.keyframes else Scene()
    name = f"{file_stem(scene)}-animation{suffix}"
    return Animate(
        out=free_path(export_folder(settings) / name, taken),
        animation=animation,
        fps=settings.export.fps,
        size=settings.export.size or None,
        view=settings.view.picture_view if settings.view.split else settings.view.view,
        split=settings.view.split,
        background=settings.view.background,
        device=settings.device,
        mesh=settings.mesh,
    )


def sheet_request(first: Scene, settings: Settings, taken: Collection[Path] = ()) -> RenderSheet:
    """The request of the contact sheet's export; arguments as in :func:`export_request`."""
    from stylesdf_core.commands.scenes.sheets import RenderSheet

    sheet = settings.sheet
    name = f"{file_stem(first)}-{sheet.page.of}-sheet.png"
    return RenderSheet(
        out=free_path(export_folder(settings) / name, taken),
        scene=first,
        sheet=sheet.page,
        rows=sheet.rows,
        cell=sheet.cell,
        view=sheet.view,
        device=settings.device,
    )


def batch_request(scene: Scene, settings: Settings, *, again: bool = False) -> Batch:
    """The request of the dialog for batches: its settings, and those of the export panel.

    Args:
        again: make files anew that are there.
    """
    from stylesdf_core.commands.scenes.batch import Batch

    batch, split = settings.batch, settings.view.split
    folder = _in_home(batch.folder) if batch.folder else export_folder(settings) / "batch"
    return Batch(
        out=folder,
        seeds=batch.seeds,
        kinds=batch.kinds,
        name=batch.name,
        again=again,
        scene=scene,
        view=settings.view.picture_view if split else settings.view.view,
        split=split,
        size=settings.export.picture_size or None,
        background=settings.view.background,
        device=settings.device,
        mesh=settings.mesh,
        asset=settings.asset,
    )


def comparison_request(
    comparison: FacePair, settings: Settings, taken: Collection[Path] = ()
) -> RenderComparison:
    """The request of the comparison's export; other arguments as in :func:`export_request`."""
    from stylesdf_core.commands.scenes.compare import RenderComparison

    one, two = comparison.scenes or (Scene(), Scene())
    camera = comparison.camera
    name = f"{file_stem(one)}-{face_name(two.identity, 'custom')}-compared.png"
    return RenderComparison(
        out=free_path(export_folder(settings) / name, taken),
        scene=replace(one, camera=camera),
        other=replace(two, camera=camera),
        view=comparison.views[0],
        other_view=comparison.views[1],
        wipe=comparison.wipe if comparison.mode == "wipe" else None,
        device=settings.device,
        mesh=settings.mesh,
    )


def result_in_words(result: object) -> str:
    """What the message that an export is done says of its result; often empty."""
    from stylesdf_core.commands.scenes.batch import BatchReport
    from stylesdf_core.commands.scenes.meshes import ExportedMesh

    if isinstance(result, ExportedMesh):
        return f", {result.extent}"
    return f", {result.summary}" if isinstance(result, BatchReport) else ""
