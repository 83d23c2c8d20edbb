"""`stylesdf-studio compare`: two faces, models or views under one camera, and their difference."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, TypeAlias

import numpy as np
import numpy.typing as npt
import tyro

from stylesdf_core.commands.scenes.options.rendering import (
    Device,
    MeshFlags,
    MeshSettings,
    SceneRenderer,
    check_size,
)
from stylesdf_core.commands.scenes.options.scene_flags import SceneFlags, scene_from_flags
from stylesdf_core.commands.scenes.pictures import write_pixels
from stylesdf_core.engine.picture import difference_colours, eight_bit
from stylesdf_core.errors import check_range
from stylesdf_core.files import check_destination
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.scene.scene import Scene, View

OtherFlags: TypeAlias = Annotated[Scene, tyro.conf.arg(constructor=scene_from_flags, name="other")]


@dataclass(frozen=True, kw_only=True)
class RenderComparison:
    """Render two faces, models or views side by side under one camera, with their difference."""

    out: Path
    """.png or .webp; carries the session of the first face."""

    scene: SceneFlags = field(default_factory=Scene)

    other: OtherFlags = field(default_factory=Scene)

    view: View = "image"
    """View of the first face."""

    other_view: View | None = None
    """View of the other face; without it, that of the first."""

    size: int = 256
    """Edge of each picture in pixels, 16 to 2048."""

    wipe: float | None = None
    """One picture instead of three: the first face up to this share of the width, 0 to 1, the
    other beyond."""

    hottest: float = 64.0
    """Difference at which the colours of the difference end, 1 to 255 grey levels."""

    device: Device = "auto"
    """Where to compute."""

    fast: bool = False
    """Compute as for the screen: in 16 bits where that is faster, a few grey levels off."""

    mesh: MeshFlags = field(default_factory=MeshSettings)

    def run(self) -> Operation[Path]:
        """Render and write; the result is the file.

        Raises:
            InputError: a scene, a number or the file name cannot be used.
        """
        check_size(self.size)
        check_range("--hottest", self.hottest, 1, 255)
        if self.wipe is not None:
            check_range("--wipe", self.wipe, 0, 1)
        check_destination(self.out, (".png", ".webp"))
        other = replace(self.other, camera=self.scene.camera)
        pictures = []
        with ExitStack() as stack:
            renderers: dict[str, SceneRenderer] = {}
            for index, (scene, view) in enumerate(
                ((self.scene, self.view), (other, self.other_view or self.view))
            ):
                yield Progress(index, 2, f"rendering {scene.model}, seed {scene.identity.seed}")
                if scene.model not in renderers:
                    renderer = SceneRenderer(
                        scene.model, self.device, self.mesh, exact=not self.fast
                    )
                    renderers[scene.model] = stack.enter_context(renderer)
                picture = yield from renderers[scene.model].draw(scene, view, self.size)
                pictures.append(picture.display())
        one, two = pictures
        if self.wipe is not None:
            page = wiped(one, two, self.wipe)
        else:
            page = np.hstack((one, two, difference_colours(one, two, self.hottest)))
        write_pixels(eight_bit(page), self.out, self.scene)
        return self.out


def wiped(
    one: npt.NDArray[np.float32], two: npt.NDArray[np.float32], share: float
) -> npt.NDArray[np.float32]:
    """``one`` up to a share of the width, ``two`` beyond; both (S, S, 3)."""
    edge = round(share * one.shape[1])
    return np.hstack((one[:, :edge], two[:, edge:]))
