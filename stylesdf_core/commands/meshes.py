"""`stylesdf-studio mesh`: the surface of a face as a mesh file; the Export panel's mesh buttons."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from stylesdf_core.commands.rendering import MeshSettings, surface_of
from stylesdf_core.commands.scene_flags import SceneFlags
from stylesdf_core.files import check_destination
from stylesdf_core.mesh import SUFFIXES
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.scene.scene import Scene
from stylesdf_core.scene.session_files import signed

if TYPE_CHECKING:
    from stylesdf_core.mesh.surface import MeshReport


@dataclass(frozen=True)
class ExportedMesh:
    """A mesh file and its report; as text, the path and one line of figures."""

    path: Path
    report: MeshReport

    def __str__(self) -> str:
        report = self.report
        size = " × ".join(f"{b - a:.3f}" for a, b in zip(*report.bounds, strict=True))
        return (
            f"{self.path}\n{report.triangles:,} triangles, {report.vertices:,} vertices, "
            f"{report.components} component{'' if report.components == 1 else 's'}, "
            f"{'watertight' if report.watertight else 'not watertight'}, {size} world units"
        )


@dataclass(frozen=True, kw_only=True)
class ExportMesh:
    """Extract the surface of a face and write it as a mesh."""

    out: Path
    """.obj, .ply, .glb or .stl; all but .stl carry vertex colours and the session."""

    scene: SceneFlags = field(default_factory=Scene)

    resolution: int = 128
    """Grid points along each edge of the volume, 32 to 512."""

    level: float = 0.0
    """Signed distance of the surface, world units (the volume's edge is 0.24); 0 is the skin,
    above is outside."""

    largest_component: bool = True
    """Keep only the largest connected part."""

    vertex_colors: bool = True
    """Colour the vertices."""

    device: str = "auto"
    """Where to compute: auto, cpu, cuda or mps."""

    def run(self) -> Operation[ExportedMesh]:
        """Extract, write and re-read; the result is the file and a report on it.

        Raises:
            InputError: the scene, resolution or file name cannot be used.
            EmptySurfaceError: there is no surface at this level.
        """
        settings = MeshSettings(
            self.resolution, self.level, self.largest_component, self.vertex_colors
        )
        check_destination(self.out, SUFFIXES)
        yield Progress(0, 1, "loading the model")
        from stylesdf_core.engine.engine import Engine
        from stylesdf_core.mesh.formats import export_mesh
        from stylesdf_core.mesh.surface import report
        from stylesdf_core.model.model import load_model

        engine = Engine(load_model(self.scene.model), self.device, exact=True)
        mesh = yield from surface_of(engine, self.scene, settings)
        yield Progress(1, 1, f"writing {len(mesh.faces):,} triangles")
        export_mesh(mesh, self.out, session=signed(self.scene).to_json())
        return ExportedMesh(self.out, report(mesh))
