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

from stylesdf_core.commands.animation import (
    FilmFormat,
    write_gif,
    write_mp4,
    write_numbered,
    write_webp,
)
from stylesdf_core.commands.backgrounds import Background, BackgroundFlag, shown
from stylesdf_core.commands.depth_files import write_depth
from stylesdf_core.commands.meshes import ExportMesh
from stylesdf_core.commands.rendering import MeshSettings, SceneRenderer, check_size
from stylesdf_core.commands.scene_flags import SceneFlags
from stylesdf_core.engine.picture import Picture
from stylesdf_core.errors import InputError, check_range
from stylesdf_core.files import atomic_output, check_destination
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.scene.scene import Scene, View
from stylesdf_core.scene.session_files import exif, png_info, signed

Device: TypeAlias = Annotated[str, tyro.conf.arg(metavar="{auto,cpu,cuda,mps}")]
MeshFlags: TypeAlias = Annotated[MeshSettings, tyro.conf.arg(name="")]


@dataclass(frozen=True, kw_only=True)
class RenderImage:
    """Render one picture of a face."""

    out: Path
    """.png or .webp (both carry their session, so that they can be reopened), or .npy (float32,
    channels first: RGB in [-1, 1]; world normals, or planar depth in world units; both are NaN
    beside the head)."""

    scene: SceneFlags = field(default_factory=Scene)

    view: View = "image"
    """View: the decoded image, the 64² volume render, its depth or normals, or the mesh."""

    size: int | None = None
    """Edge in pixels, 16 to 2048; without it, the view's own resolution."""

    device: Device = "auto"
    """Where to compute."""

    background: BackgroundFlag = None
    """Behind the head: none for a transparent picture, a colour, or a picture file; without it,
    the model's own background."""

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
        check_destination(self.out, (".png", ".webp", ".npy"))
        background = Background.of(self.background)
        if background is not None and (is_array or self.sixteen_bit):
            raise InputError("--background is for pictures in colour, as .png or .webp.")
        if self.sixteen_bit and (self.view != "depth" or self.split or is_array):
            raise InputError("--sixteen-bit is for one PNG of --view depth; .npy has it exactly.")
        if self.sixteen_bit and self.out.suffix.lower() != ".png":
            raise InputError("--sixteen-bit writes a .png.")
        if self.split and is_array:
            raise InputError("--split puts two pictures side by side: write a .png, not a .npy.")
        yield Progress(0, 2, "loading the model")
        with SceneRenderer(
            self.scene.model, self.device, self.mesh, exact=not self.fast
        ) as renderer:
            yield Progress(1, 2, f"rendering the {self.view}")
            cut = background is not None
            picture = yield from renderer.draw(self.scene, self.view, self.size, outline=cut)
            pixels = shown(picture, background)
            if self.split:
                beside = yield from renderer.draw(self.scene, "mesh", picture.size)
                pixels = np.hstack((pixels, shown(beside, background)))
        if self.sixteen_bit:
            write_depth(picture, self.out, self.scene)
        elif is_array:
            write_array(picture, self.out)
        else:
            write_pixels(pixels, self.out, self.scene)
        return self.out


@dataclass(frozen=True, kw_only=True)
class RenderTurntable:
    """Render an animation of the camera going around a face."""

    out: Path
    """.gif, .webp, .mp4 where imageio-ffmpeg is installed, or a folder for numbered PNGs."""

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

    background: BackgroundFlag = None
    """Behind the head: none for a transparent picture, a colour, or a picture file; without it,
    the model's own background."""

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
        write = _film_writer(self.out)
        background = Background.of(self.background)
        if background is not None and background.is_transparent and write is write_mp4:
            raise InputError("An MP4 cannot be transparent: choose a .webp, a .gif or a folder.")
        check_range("--frames", self.frames, 2, 2000)
        check_range("--fps", self.fps, 1, 60)
        if not 0.0 < self.arc < math.inf:
            raise InputError(f"--arc must be an angle above 0 radians, not {self.arc:g}.")
        yield Progress(0, self.frames, "loading the model")
        with (
            write(self.out, self.fps, signed(self.scene).to_json()) as writer,
            SceneRenderer(
                self.scene.model, self.device, self.mesh, exact=not self.fast
            ) as renderer,
        ):
            for index, azimuth in enumerate(self.azimuths()):
                scene = replace(self.scene, camera=replace(self.scene.camera, azimuth=azimuth))
                cut = background is not None
                picture = yield from renderer.draw(scene, self.view, self.size, outline=cut)
                frame = shown(picture, background)
                if self.split:
                    mesh = yield from renderer.draw(scene, "mesh", picture.size)
                    frame = np.hstack((frame, shown(mesh, background)))
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


def write_array(picture: Picture, path: Path) -> None:
    """Write a picture's values as ``.npy``, whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    # np.save and Pillow get a stream, since from a name they would misread a suffix in capitals.
    with atomic_output(path) as temporary, open(temporary, "wb") as stream:
        np.save(stream, picture.array())


def write_pixels(pixels: npt.NDArray[np.uint8], path: Path, scene: Scene) -> None:
    """Write pixels, (H, W, 3 or 4), as PNG or WebP without loss, with their session.

    Raises:
        OutputError: the file cannot be written.
    """
    image, session = Image.fromarray(pixels), signed(scene).to_json()
    with atomic_output(path) as temporary, open(temporary, "wb") as stream:
        if path.suffix.lower() == ".webp":
            image.save(stream, format="WebP", lossless=True, exif=exif(session))
        else:
            image.save(stream, format="PNG", pnginfo=png_info(session))


def _film_writer(path: Path) -> FilmFormat:
    """The writer for a film's path: by its suffix; without a suffix it is a folder of pictures.

    Raises:
        OutputError: the suffix is another one, or nothing can be written there.
    """
    writers: dict[str, FilmFormat] = {".gif": write_gif, ".webp": write_webp, ".mp4": write_mp4}
    if path.is_dir() or not path.suffix:
        check_destination(path / "00000.png")
        return write_numbered
    check_destination(path, tuple(writers))
    return writers[path.suffix.lower()]
