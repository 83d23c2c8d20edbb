"""`stylesdf-studio render`: one picture of a face, drawn by ``SceneRenderer``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylesdf_core.commands.scenes.depth_files import write_depth
from stylesdf_core.commands.scenes.options.backgrounds import Background
from stylesdf_core.commands.scenes.options.rendering import (
    PictureOptions,
    SceneRenderer,
    check_size,
)
from stylesdf_core.commands.scenes.options.scene_flags import SceneFlags
from stylesdf_core.engine.picture import Picture
from stylesdf_core.errors import InputError
from stylesdf_core.files import atomic_output, check_destination
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.scene.scene import Scene
from stylesdf_core.scene.session_files import exif, png_info, signed

PICTURE_SUFFIXES = (".png", ".webp", ".npy")


@dataclass(frozen=True, kw_only=True)
class ImageOptions(PictureOptions):
    """How single pictures are drawn and written."""

    sixteen_bit: bool = False
    """Of the depth view: distances as 16-bit grey (PNG) instead of colours; a .scale.json beside
    the file says what a grey level means."""


@dataclass(frozen=True, kw_only=True)
class RenderImage(ImageOptions):
    """Render one picture of a face."""

    out: Path
    """.png or .webp (both carry their session, so that they can be reopened), or .npy (float32,
    channels first: RGB in [-1, 1]; world normals, or planar depth in world units; both are NaN
    beside the head)."""

    scene: SceneFlags = field(default_factory=Scene)

    def run(self) -> Operation[Path]:
        """Render and write; the result is the file.

        Raises:
            InputError: the scene, size, file name or a combination of flags cannot be used.
        """
        self.check()
        yield Progress(0, 2, "loading the model")
        with self.renderer(self.scene.model) as renderer:
            yield Progress(1, 2, f"rendering the {self.view}")
            return (yield from self.write(renderer))

    def check(self) -> Background | None:
        """Refuse what cannot be rendered or written; returns the background.

        Raises:
            InputError: the size, the file name or a combination of flags cannot be used.
        """
        check_size(self.size)
        check_destination(self.out, PICTURE_SUFFIXES)
        background = Background.of(self.background)
        if background is not None and (self._is_array or self.sixteen_bit):
            raise InputError("--background is for pictures in colour, as .png or .webp.")
        if self.sixteen_bit and (self.view != "depth" or self.split or self._is_array):
            raise InputError("--sixteen-bit is for one PNG of --view depth; .npy has it exactly.")
        if self.sixteen_bit and self.out.suffix.lower() != ".png":
            raise InputError("--sixteen-bit writes a .png.")
        if self.split and self._is_array:
            raise InputError("--split puts two pictures side by side: write a .png, not a .npy.")
        return background

    def write(self, renderer: SceneRenderer) -> Operation[Path]:
        """Render with a renderer of the scene's model, and write; otherwise as :meth:`run`."""
        background = self.check()
        if self._is_array or self.sixteen_bit:
            picture = yield from renderer.draw(self.scene, self.view, self.size)
            if self.sixteen_bit:
                write_depth(picture, self.out, self.scene)
            else:
                write_array(picture, self.out)
        else:
            pixels = yield from self.pixels(renderer, self.scene, background)
            write_pixels(pixels, self.out, self.scene)
        return self.out

    @property
    def _is_array(self) -> bool:
        return self.out.suffix.lower() == ".npy"


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
