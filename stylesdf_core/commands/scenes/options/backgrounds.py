"""What a picture shows behind the head: the model's own, nothing, a colour or a picture.

A background belongs to the request and not to the Scene: the engine's pictures do not depend on
it, and a session that a stranger wrote must not name pictures to be read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import numpy as np
import numpy.typing as npt
import tyro
from PIL import Image, ImageOps

from stylesdf_core.engine.picture import BACKDROP, Picture, eight_bit
from stylesdf_core.errors import InputError
from stylesdf_core.foreign import open_picture, reading
from stylesdf_core.scene.scene import Scene

if TYPE_CHECKING:
    from stylesdf_core.engine.engine import Engine

Pixels = npt.NDArray[np.uint8]
#: The value that keeps the model's own background.
OWN = "model"
#: A request's field, by default :data:`OWN`.
BackgroundFlag: TypeAlias = Annotated[str, tyro.conf.arg(metavar="model|none|#rrggbb|FILE")]
_COLOR = re.compile(r"#?[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class Background:
    """What is behind a head that was cut out.

    Attributes:
        color: sRGB, 0 to 255; None for another kind.
        picture: RGB, of any shape; None for another kind.
    """

    color: tuple[int, int, int] | None = None
    picture: Image.Image | None = None

    @classmethod
    def of(cls, text: str) -> Background | None:
        """The background that a flag names; None for the model's own.

        Raises:
            InputError: the text is no colour, and no picture that can be read.
        """
        word = text.strip().lower()
        if word in (OWN, ""):
            return None
        if word == "none":
            return cls()
        path = Path(text).expanduser()
        if _COLOR.fullmatch(text.strip()) and not path.exists():
            digits = text.strip().removeprefix("#")
            red, green, blue = (int(digits[i : i + 2], 16) for i in (0, 2, 4))
            return cls(color=(red, green, blue))
        if not path.is_file():
            raise InputError(
                "--background takes model, none, a colour such as #16181c, or a picture file; "
                f"there is no file {text}."
            )
        from stylesdf_core.data.eight_bits import upright_rgb

        with reading(path, "a picture"), open_picture(path) as opened:
            return cls(picture=upright_rgb(opened))

    @property
    def is_transparent(self) -> bool:
        """Whether there is nothing behind the head."""
        return self.color is None and self.picture is None

    def behind(self, picture: Picture) -> Pixels:
        """A picture with this background: (H, W, 4) if transparent, else (H, W, 3)."""
        rgba = picture.cut_out()
        if self.is_transparent:
            return eight_bit(rgba)
        colors, alpha = rgba[..., :3], rgba[..., 3:]
        return eight_bit(colors * alpha + self._pixels(len(rgba)) * (1.0 - alpha))

    def on_screen(self, picture: Picture) -> Pixels:
        """:meth:`behind` for a screen, (H, W, 3): nothing is seen as the studio's dark."""
        red, green, blue = (round(255.0 * value) for value in BACKDROP)
        dark = Background(color=(red, green, blue))
        return (dark if self.is_transparent else self).behind(picture)

    def _pixels(self, edge: int) -> npt.NDArray[np.float32]:
        """The background, in [0, 1]: a colour, or the picture's central square, (edge, edge, 3)."""
        if self.picture is None:
            return np.asarray(self.color, np.float32) / np.float32(255.0)
        square = ImageOps.fit(self.picture, (edge, edge), Image.Resampling.LANCZOS)
        return np.asarray(square, np.float32) / np.float32(255.0)


def shown(picture: Picture, background: Background | None) -> Pixels:
    """A picture's pixels in front of a background, the model's own for None."""
    return picture.to_uint8() if background is None else background.behind(picture)


def outlined(engine: Engine, scene: Scene, picture: Picture, *, fine: bool = True) -> Picture:
    """A decoded image with the weights of its background, by which the head is cut out.

    All other pictures have their weights from their rendering.

    Args:
        fine: False for the outline of a volume render of the thumb size, in a tenth of the time.
    """
    if picture.view != "image" or picture.behind is not None:
        return picture
    if fine:
        from stylesdf_core.engine.coverage import coverage

        return replace(picture, background=1.0 - coverage(engine, scene, picture.size))
    volume = engine.render_volume(scene, engine.config.thumb_size, features=False)
    small = Image.fromarray(volume.background.cpu().numpy())
    weights = small.resize((picture.size, picture.size), Image.Resampling.BILINEAR)
    return replace(picture, background=np.asarray(weights, np.float32))
