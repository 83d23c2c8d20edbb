"""`stylesdf-studio render`, `turntable` and `demo`: pictures, films, and a sample of the exports.

A request's ``run`` draws with :class:`.rendering.SceneRenderer` and writes the file; films are
written by :mod:`.animation`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import tyro
from PIL import Image

from stylesdf_core.commands.animation import write_gif, write_mp4
from stylesdf_core.commands.depth_files import write_depth
from stylesdf_core.commands.meshes import ExportMesh
from stylesdf_core.commands.rendering import MeshSettings, SceneRenderer, check_size
from stylesdf_core.commands.scene_flags import SceneFlags
from stylesdf_core.engine.picture import Picture
from stylesdf_core.errors import InputError, check_range
from stylesdf_core.files import atomic_output, check_destination
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.scene.scene import Scene, View
from stylesdf_core.scene.session_files import png_info, signed

Device: TypeAlias = Annotated[str, tyro.conf.arg(metavar="{auto,cpu,cuda,mps}")]
MeshFlags: TypeAlias = Annotated[MeshSettings, tyro.conf.arg(name="")]


@dataclass(frozen=True, kw_only=True)
class RenderImage:
    """Render one picture of a face."""

    out: Path
    """.png (carries its session, so that it can be reopened) or .npy (float32, channels first:
    RGB in [-1, 1]; world normals, or planar depth in world units; both are NaN beside the head)."""

    scene: SceneFlags = field(default_factory=Scene)

    view: View = "image"
    """View: the decoded image, the 64² volume render, its depth or normals, or the mesh."""

    size: int | None = None
    """Edge in pixels, 16 to 2048; without it, the view's own resolution."""

    device: Device = "auto"
    """Where to compute."""

    fast: bool = False
    """Compute as for the screen: in 16 bits where the processor can, up to 3 grey levels off."""

    split: bool = False
    """Beside the picture, show the mesh under the same camera (PNG)."""

    sixteen_bit: bool = False
    """Of the depth view: distances as 16-bit grey (PNG) instead of colours; a .scale.json beside
    the file says what a grey level means."""

    mesh: MeshFlags = field(default_factory=MeshSettings)

    def run(self) -> Operation[Path]:
        """Render and write; the result is the file.

        Raises:
            InputError: the scene, size, file name or a combination of flags cannot be used.
        """
        check_size(self.size)
        is_array = self.out.suffix.lower() == ".npy"
        check_destination(self.out, (".png", ".npy"))
        if self.sixteen_bit and (self.view != "depth" or self.split or is_array):
            raise InputError("--sixteen-bit is for one PNG of --view depth; .npy has it exactly.")
        if self.split and is_array:
            raise InputError("--split puts two pictures side by side: write a .png, not a .npy.")
        yield Progress(0, 2, "loading the model")
        with SceneRenderer(
            self.scene.model, self.device, self.mesh, exact=not self.fast
        ) as renderer:
            yield Progress(1, 2, f"rendering the {self.view}")
            picture = yield from renderer.draw(self.scene, self.view, self.size)
            if self.split:
                beside = yield from renderer.draw(self.scene, "mesh", picture.size)
        if self.split:
            write_png(np.hstack((picture.to_uint8(), beside.to_uint8())), self.out, self.scene)
        elif self.sixteen_bit:
            write_depth(picture, self.out, self.scene)
        else:
            write_picture(picture, self.out, self.scene)
        return self.out


@dataclass(frozen=True, kw_only=True)
class RenderTurntable:
    """Render an animation of the camera going around a face."""

    out: Path
    """.gif, or .mp4 where imageio-ffmpeg is installed."""

    scene: SceneFlags = field(default_factory=Scene)

    view: View = "image"
    """View in every frame."""

    frames: int = 48
    """Frames in one loop, 2 to 2000."""

    fps: float = 24.0
    """Frames per second, 1 to 60. A GIF shows at most 50 per second and leaves out the others."""

    arc: float = 1.2
    """Angle through which the camera swings to and fro around the scene's azimuth, radians, above
    0; 2 pi or more is a full turn."""

    size: int | None = None
    """Edge in pixels, 16 to 2048; without it, the view's own resolution."""

    device: Device = "auto"
    """Where to compute."""

    fast: bool = False
    """Compute as for the screen: in 16 bits where the processor can, up to 3 grey levels off."""

    split: bool = False
    """Beside the view, show the mesh under the same camera."""

    mesh: MeshFlags = field(default_factory=MeshSettings)

    def run(self) -> Operation[Path]:
        """Render and write; the result is the file.

        Raises:
            InputError: the scene or a number cannot be used, or MP4 is not available.
        """
        check_size(self.size)
        check_destination(self.out, (".gif", ".mp4"))
        check_range("--frames", self.frames, 2, 2000)
        check_range("--fps", self.fps, 1, 60)
        if not 0.0 < self.arc < math.inf:
            raise InputError(f"--arc must be an angle above 0 radians, not {self.arc:g}.")
        yield Progress(0, self.frames, "loading the model")
        write = write_mp4 if self.out.suffix.lower() == ".mp4" else write_gif
        with (
            write(self.out, self.fps, signed(self.scene).to_json()) as writer,
            SceneRenderer(
                self.scene.model, self.device, self.mesh, exact=not self.fast
            ) as renderer,
        ):
            for index, azimuth in enumerate(self.azimuths()):
                scene = replace(self.scene, camera=replace(self.scene.camera, azimuth=azimuth))
                picture = yield from renderer.draw(scene, self.view, self.size)
                frame = picture.to_uint8()
                if self.split:
                    mesh = yield from renderer.draw(scene, "mesh", picture.size)
                    frame = np.hstack((frame, mesh.to_uint8()))
                writer.add(frame)
                yield Progress(index + 1, self.frames, f"frame {index + 1} of {self.frames}")
        return self.out

    def azimuths(self) -> list[float]:
        """The camera's azimuth in each frame, radians; the loop closes without a jump."""
        start, turn = self.scene.camera.azimuth, 2.0 * math.pi
        phases = [index / self.frames for index in range(self.frames)]
        if self.arc >= turn:
            return [start + turn * phase for phase in phases]
        return [start + 0.5 * self.arc * math.sin(turn * phase) for phase in phases]


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Write a sample of the exports into a folder: picture, depth, normals, meshes, turntable."""

    out: Path
    """Folder, made if missing; files of the same names in it are replaced."""

    scene: SceneFlags = field(default_factory=Scene)

    device: Device = "auto"
    """Where to compute."""

    fast: bool = False
    """Compute as for the screen: in 16 bits where the processor can, up to 3 grey levels off."""

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


def write_picture(picture: Picture, path: Path, scene: Scene) -> None:
    """Write a picture as PNG (with its session) or ``.npy``, whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    if path.suffix.lower() != ".npy":
        write_png(picture.to_uint8(), path, scene)
        return
    # np.save and Pillow get a stream, since from a name they would misread a suffix in capitals.
    with atomic_output(path) as temporary, open(temporary, "wb") as stream:
        np.save(stream, picture.array())


def write_png(pixels: npt.NDArray[np.uint8], path: Path, scene: Scene) -> None:
    """Write pixels, (H, W, 3), as PNG with its session, whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_output(path) as temporary, open(temporary, "wb") as stream:
        info = png_info(signed(scene).to_json())
        Image.fromarray(pixels).save(stream, format="PNG", pnginfo=info)
