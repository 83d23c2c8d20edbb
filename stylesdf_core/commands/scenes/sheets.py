"""`stylesdf-studio sheet`: many faces on one picture, a contact sheet."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, TypeAlias

import numpy as np
import numpy.typing as npt
import tyro
from PIL import Image, ImageDraw, ImageFont

from stylesdf_core.commands.scenes.options.backgrounds import OWN, Background, BackgroundFlag, shown
from stylesdf_core.commands.scenes.options.rendering import Device, MeshSettings, SceneRenderer
from stylesdf_core.commands.scenes.options.scene_flags import SceneFlags
from stylesdf_core.commands.scenes.pictures import write_pixels
from stylesdf_core.engine.picture import BACKDROP
from stylesdf_core.errors import InputError, check_range
from stylesdf_core.files import check_destination
from stylesdf_core.progress import Operation, Progress, part
from stylesdf_core.scene.scene import Scene, View
from stylesdf_core.scene.sheet import Sheet

SheetFlags: TypeAlias = Annotated[Sheet, tyro.conf.arg(name="")]

_GAP, _LABEL = 6, 18  # pixels between faces, and of the line under a face
_GROUND = tuple(round(255 * part) for part in BACKDROP)
_INK = (0xD7, 0xDA, 0xE0)
#: Largest edge of a sheet, pixels.
_LARGEST = 16384


@dataclass(frozen=True, kw_only=True)
class RenderSheet:
    """Render a contact sheet: many faces on one picture."""

    out: Path
    """.png or .webp; carries the session of the sheet's first face."""

    scene: SceneFlags = field(default_factory=Scene)

    sheet: SheetFlags = field(default_factory=Sheet)

    rows: int = 4
    """Rows of faces, 1 to 200."""

    skip: int = 0
    """Rows to leave out before the first."""

    cell: int = 160
    """Edge of a face in pixels, 16 to 1024."""

    view: View = "image"
    """View of all faces."""

    labels: bool = True
    """Write under each face what distinguishes it."""

    device: Device = "auto"
    """Where to compute."""

    background: BackgroundFlag = OWN
    """Behind the heads: the model's own background, a colour, or a picture file."""

    fast: bool = False
    """Compute as for the screen: in 16 bits where that is faster, a few grey levels off."""

    def run(self) -> Operation[Path]:
        """Render and write; the result is the file.

        Raises:
            InputError: the scene, a number or the direction cannot be used.
        """
        check_range("--rows", self.rows, 1, 200)
        check_range("--skip", self.skip, 0, 1_000_000)
        check_range("--cell", self.cell, 16, 1024, "pixels")
        check_destination(self.out, (".png", ".webp"))
        background = Background.of(self.background)
        if background is not None and background.is_transparent:
            raise InputError(
                "A sheet has a ground of its own: --background is model, a colour or a file."
            )
        columns, high = self.sheet.columns, self.cell + (_LABEL if self.labels else 0)
        width, height = columns * (self.cell + _GAP) + _GAP, self.rows * (high + _GAP) + _GAP
        if max(width, height) > _LARGEST:
            raise InputError(
                f"The sheet would have {width} × {height} pixels, at most {_LARGEST} each way: "
                "choose fewer --rows or --columns, or a smaller --cell."
            )
        total = columns * self.rows
        yield Progress(0, total, "loading the model")
        page = Image.new("RGB", (width, height), _GROUND)
        draw, font = ImageDraw.Draw(page), ImageFont.load_default(12)
        with SceneRenderer(
            self.scene.model, self.device, MeshSettings(), exact=not self.fast
        ) as renderer:
            directions = renderer.engine.model.directions
            values = renderer.engine.mapper.direction_values(self.scene)
            for number in range(total):
                index = number + self.skip * columns
                scene = self.sheet.scene(self.scene, index, directions, values)
                cut = background is not None
                drawing = renderer.draw(scene, self.view, self.cell, outline=cut)
                picture = yield from part(drawing, number, number + 1, total)
                row, column = divmod(number, columns)
                x, y = _GAP + column * (self.cell + _GAP), _GAP + row * (high + _GAP)
                page.paste(Image.fromarray(shown(picture, background)), (x, y))
                if self.labels:
                    label = self.sheet.label(scene, index, directions)
                    _write(draw, font, label, x, y + self.cell + 2, self.cell)
                yield Progress(number + 1, total, f"face {number + 1} of {total}")
        pixels: npt.NDArray[np.uint8] = np.asarray(page)
        write_pixels(pixels, self.out, self.scene)
        return self.out


def _write(
    draw: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    text: str,
    x: int,
    y: int,
    width: int,
) -> None:
    """A line of text, cut off at a width."""
    while text and draw.textlength(text, font) > width:
        text = text[:-1]
    draw.text((x, y), text.rstrip(), _INK, font)
