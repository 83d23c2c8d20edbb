"""`stylesdf-studio demo`: a sample of the exports in one folder."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from stylesdf_core.commands.scenes.films import RenderTurntable
from stylesdf_core.commands.scenes.meshes import ExportMesh
from stylesdf_core.commands.scenes.options.rendering import Device
from stylesdf_core.commands.scenes.options.scene_flags import SceneFlags
from stylesdf_core.commands.scenes.pictures import RenderImage
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.scene.scene import Scene, View


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Write a sample of the exports into a folder: picture, depth, normals, meshes, turntable."""

    out: Path
    """Folder, made if missing; files of the same names in it are replaced."""

    scene: SceneFlags = field(default_factory=Scene)

    device: Device = "auto"
    """Where to compute."""

    fast: bool = False
    """Compute as for the screen: in 16 bits where that is faster, a few grey levels off."""

    def run(self) -> Operation[Path]:
        """Run one request after another; the result is the folder. No file needs OpenGL."""
        pictures: tuple[tuple[str, View, int | None], ...] = (
            ("face.png", "image", None),
            ("depth.png", "depth", 256),
            ("normals.png", "normals", 256),
        )
        three_quarter = replace(self.scene.camera, azimuth=self.scene.camera.azimuth + 0.45)
        aside = replace(self.scene, camera=three_quarter)
        common: dict[str, Any] = {"device": self.device, "fast": self.fast}
        requests: list[RenderImage | RenderTurntable | ExportMesh] = [
            RenderImage(out=self.out / name, scene=self.scene, view=view, size=size, **common)
            for name, view, size in pictures
        ]
        requests += [
            RenderImage(out=self.out / "face-three-quarter.png", scene=aside, **common),
            ExportMesh(out=self.out / "head.glb", scene=self.scene, device=self.device),
            ExportMesh(out=self.out / "head.obj", scene=self.scene, device=self.device),
            RenderTurntable(
                out=self.out / "turntable.gif", scene=self.scene, frames=30, fps=15, **common
            ),
        ]
        for index, request in enumerate(requests):
            for part in request.run():
                yield Progress(index + part.fraction, len(requests), part.message)
        return self.out
