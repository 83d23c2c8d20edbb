"""The thread that renders pictures: owns an engine, yields passes ready for the screen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from app.workers import LatestWorker, Work
from stylesdf_core.scene import Scene, View

if TYPE_CHECKING:
    from stylesdf_core.engine import Engine
    from stylesdf_core.model import Model

#: Smaller pictures are enlarged to this edge with a smoother kernel than the GPU's bilinear one.
_SMOOTH_SIZE = 512
#: Depth and normals are rendered this much finer than the model's thumb size when idle.
_REFINED = 2
MAX_PICTURE = 1024


@dataclass(frozen=True)
class PictureRequest:
    """A picture to render.

    Attributes:
        view: image, volume, depth or normals.
        device: as in Settings.
    """

    scene: Scene
    view: View
    device: str
    model: Model = field(compare=False)


@dataclass(frozen=True, eq=False)
class ShownPicture:
    """One pass.

    Attributes:
        pixels: (H, W, 3) float32 in [0, 1]; H, W at most 1024.
        resolution: edge of what was computed, pixels.
        passes: how many there are; ``index`` counts from 0.
        note: what the user should know about it; usually empty.
    """

    request: PictureRequest
    pixels: npt.NDArray[np.float32]
    kind: View
    resolution: int
    index: int
    passes: int
    seconds: float
    device: str
    note: str = ""


def picture_worker() -> LatestWorker[PictureRequest, ShownPicture]:
    """A worker that renders the newest request coarse to fine."""
    return LatestWorker("pictures", _prepare)


def _prepare() -> Work[PictureRequest, ShownPicture]:
    from stylesdf_core.engine import Engine

    engine: Engine | None = None
    key: tuple[Model, str] | None = None

    def work(request: PictureRequest) -> Iterator[ShownPicture]:
        nonlocal engine, key
        if engine is None or key is None or key[0] is not request.model or key[1] != request.device:
            engine = Engine(request.model, request.device)
            key = (request.model, request.device)
        yield from _passes(engine, request)

    return work


def _passes(engine: Engine, request: PictureRequest) -> Iterator[ShownPicture]:
    refines = request.view in ("depth", "normals")
    extra = 1 if refines else 0
    count = 0
    for frame in engine.passes(request.scene, request.view):
        count = frame.pass_count + extra
        yield ShownPicture(
            request=request,
            pixels=enlarged(frame.picture.display()),
            kind=frame.picture.view,
            resolution=frame.resolution,
            index=frame.pass_index,
            passes=count,
            seconds=frame.seconds,
            device=engine.device.type,
            note=frame.note,
        )
    if refines:
        size = engine.config.thumb_size * _REFINED
        *_, frame = engine.passes(request.scene, request.view, size)
        yield ShownPicture(
            request=request,
            pixels=enlarged(frame.picture.display()),
            kind=request.view,
            resolution=size,
            index=count - 1,
            passes=count,
            seconds=frame.seconds,
            device=engine.device.type,
            note=frame.note,
        )


def enlarged(pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(H, W, 3) in [0, 1] with small pictures enlarged bicubically, large ones reduced."""
    edge = max(pixels.shape[:2])
    if _SMOOTH_SIZE <= edge <= MAX_PICTURE:
        return pixels
    target = _SMOOTH_SIZE if edge < _SMOOTH_SIZE else MAX_PICTURE
    size = (round(pixels.shape[1] * target / edge), round(pixels.shape[0] * target / edge))
    resized = Image.fromarray((pixels * 255.0 + 0.5).astype(np.uint8)).resize(
        size, Image.Resampling.BICUBIC
    )
    return np.asarray(resized, dtype=np.float32) / np.float32(255.0)
