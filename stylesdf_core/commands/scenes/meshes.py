"""`stylesdf-studio mesh`: the surface of a face as a mesh file; the Export panel's mesh buttons."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import tyro

from stylesdf_core.commands.scenes.options.assets import AssetSettings, asset_meshes
from stylesdf_core.commands.scenes.options.rendering import Device, SurfaceSettings
from stylesdf_core.commands.scenes.options.scene_flags import SceneFlags
from stylesdf_core.files import check_destination
from stylesdf_core.mesh import SUFFIXES
from stylesdf_core.progress import Operation, Progress, part
from stylesdf_core.scene.scene import Scene
from stylesdf_core.scene.session_files import signed

if TYPE_CHECKING:
    from stylesdf_core.engine.engine import Engine
    from stylesdf_core.mesh.files.placement import MeshPlacement
    from stylesdf_core.mesh.surface import MeshReport

AssetFlags: TypeAlias = Annotated[AssetSettings, tyro.conf.arg(name="")]


@dataclass(frozen=True)
class ExportedMesh:
    """A mesh file; as text, the path and one line of figures, for each level of detail.

    Attributes:
        path: the mesh file.
        files: the mesh file, and the files beside it that hold its textures.
        report: lengths are in the file's unit; cuts along charts are closed for it.
        texture: edge of the textures; None without.
        coarser: further levels of detail.
    """

    path: Path
    files: tuple[Path, ...]
    report: MeshReport
    placement: MeshPlacement
    texture: int | None = None
    coarser: tuple[ExportedMesh, ...] = ()

    @property
    def extent(self) -> str:
        """Size along x, y and z, with unit and upward axis."""
        unit, bounds = self.placement.unit, self.report.bounds
        digits = {"m": 3, "cm": 1, "mm": 0}[unit]
        size = " × ".join(f"{b - a:.{digits}f}" for a, b in zip(*bounds, strict=True))
        return f"{size} {unit}, {self.placement.up} up"

    def __str__(self) -> str:
        report = self.report
        texture = "" if self.texture is None else f", textures {self.texture}²"
        lines = (
            f"{self.path}\n{report.triangles:,} triangles, {report.vertices:,} vertices, "
            f"{report.components} component{'' if report.components == 1 else 's'}, "
            f"{'watertight' if report.watertight else 'not watertight'}, "
            f"{self.extent}{texture}"
        )
        return "\n".join([lines, *map(str, self.coarser)])


@dataclass(frozen=True, kw_only=True)
class ExportMesh(SurfaceSettings):
    """Extract the surface of a face and write it as a mesh."""

    out: Path
    """.obj, .ply, .glb, .stl or .3mf; all but .stl carry colours and the session."""

    scene: SceneFlags = field(default_factory=Scene)

    asset: AssetFlags = field(default_factory=AssetSettings)

    name: str = ""
    """Name of the object in the file; without it, the file's."""

    device: Device = "auto"
    """Where to compute."""

    def run(self) -> Operation[ExportedMesh]:
        """Extract, write and re-read; the result is the file and a report on it.

        Raises:
            InputError: the scene, resolution or file name cannot be used, or an option needs a
                library that is not installed.
            EmptySurfaceError: there is no surface at this level.
        """
        self.check()
        yield Progress(0, 1, "loading the model")
        from stylesdf_core.engine.engine import Engine
        from stylesdf_core.model.model import load_model

        engine = Engine(load_model(self.scene.model), self.device, exact=True)
        return (yield from part(self.write(engine), 0.05, 1.0))

    def check(self) -> None:
        """Refuse files that cannot be written.

        Raises:
            InputError: names the file.
        """
        check_destination(self.out, SUFFIXES)
        self.asset.placement(self.out, self.name)
        for file in self.asset.all_files(self.out):
            check_destination(file)

    def write(self, engine: Engine) -> Operation[ExportedMesh]:
        """Extract with an engine of the scene's model, exact; otherwise as :meth:`run`."""
        from stylesdf_core.mesh.files.formats import export_mesh
        from stylesdf_core.mesh.surface import report, welded

        self.check()
        outs, placement = self.asset.files(self.out), self.asset.placement(self.out, self.name)
        session = signed(self.scene).to_json()
        exported: list[ExportedMesh] = []
        levels = asset_meshes(engine, self.scene, self, self.asset)
        for index, (out, level) in enumerate(zip(outs, levels, strict=True)):
            begin, end = (k / len(outs) for k in (index, index + 1))
            mesh = yield from part(level, begin, end - 0.03)
            yield Progress(end - 0.03, 1, f"writing {len(mesh.faces):,} triangles")
            files = export_mesh(mesh, out, placement=placement, session=session)
            placed = report(placement.apply(welded(mesh)))
            edge = None if mesh.textures is None else len(mesh.textures.color)
            exported.append(ExportedMesh(out, tuple(files), placed, placement, edge))
        first, *coarser = exported
        return ExportedMesh(
            first.path, first.files, first.report, placement, first.texture, tuple(coarser)
        )
