"""The thread that renders pictures: owns an engine, yields passes ready for the screen."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from app.workers.pass_planner import PassPlanner
from app.workers.workers import LatestWorker
from stylesdf_core.scene.scene import Scene, View

if TYPE_CHECKING:
    from stylesdf_core.engine.engine import Engine, Frame
    from stylesdf_core.model.model import Model

#: Smaller pictures are enlarged to this edge with a smoother kernel than the GPU's bilinear one.
_SMOOTH_SIZE = 512
#: The same for what may be moving: the rest is left to the GPU, and to the next pass.
_MOVING_SIZE = 256
#: Depth and normals are rendered this much finer than the model's thumb size when idle.
_REFINED = 2
MAX_PICTURE = 1024
#: What a window needs to draw a finished picture, seconds. Only then is it rendered once more,
#: exactly, which is hardly seen: side by side both would take as long as one after the other.
_DRAWING, _LOOKS = 0.03, 6


@dataclass(frozen=True)
class PictureRequest:
    """A picture to render.

    Attributes:
        view: image, volume, depth or normals.
        device: as in Settings.
        whole: to the last pass; else, while things move, only the first.
    """

    scene: Scene
    view: View
    device: str
    model: Model = field(compare=False)
    whole: bool = True


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


def picture_worker(
    news: threading.Event | None = None,
) -> LatestWorker[PictureRequest, ShownPicture]:
    """A worker that renders the newest request coarse to fine; sets ``news`` with each pass."""
    return LatestWorker("pictures", lambda: _Painter().paint, news)


@dataclass
class _Begun:
    """A picture under way; kept between requests, so that a whole one goes on from its first pass.

    Attributes:
        newest: the last pass that there is.
    """

    request: PictureRequest
    passes: Iterator[ShownPicture | None]
    newest: ShownPicture | None = None


class _Painter:
    """An engine, the picture it is at, and what its passes have cost."""

    def __init__(self) -> None:
        self._engine: Engine | None = None
        self._key: tuple[Model, str] | None = None
        self._begun: _Begun | None = None
        self._face: object = None
        self._planners: dict[object, PassPlanner] = {}

    def paint(self, request: PictureRequest) -> Iterator[ShownPicture | None]:
        """The passes of a request; those that an earlier one has had come as one, the newest.

        That one counts as the request's first answer, so that the rest, which may be long, is
        dropped when it comes too late.
        """
        begun = self._begin(request)
        if begun.newest is not None:
            yield begun.newest
            if not request.whole:
                return
        try:
            for shown in begun.passes:
                begun.newest = shown or begun.newest
                yield shown
                if not request.whole:
                    return
        except Exception:
            self._begun = None
            raise

    def _begin(self, request: PictureRequest) -> _Begun:
        whole = replace(request, whole=True)
        begun = self._begun
        if begun is None or begun.request != whole or begun.request.model is not request.model:
            engine = self._engine_for(request)
            # A face's first picture costs more than its next: the style has to be baked.
            face = (request.scene.identity, request.scene.morph, request.scene.truncation_psi)
            new_face, self._face = face != self._face, face
            planner = self._planners.setdefault((request.view, new_face), PassPlanner())
            begun = self._begun = _Begun(whole, _passes(engine, whole, planner))
        return begun

    def _engine_for(self, request: PictureRequest) -> Engine:
        from stylesdf_core.engine.engine import Engine

        key = (request.model, request.device)
        if self._engine is None or self._key is None or self._key[0] is not key[0]:
            self._engine = None
        if self._engine is None or self._key != key:
            self._engine, self._key = Engine(request.model, request.device), key
            self._face, self._planners = None, {}
        return self._engine


def _passes(
    engine: Engine, request: PictureRequest, planner: PassPlanner
) -> Iterator[ShownPicture | None]:
    refines = request.view in ("depth", "normals")
    frames = engine.passes(request.scene, request.view, coarsest=planner.edge())
    count = 0
    start = time.perf_counter()
    for frame in frames:
        count = frame.pass_count + (1 if refines else 0)
        shown = _shown(engine, request, frame, frame.pass_index, count)
        planner.measured(frame.resolution, time.perf_counter() - start)
        yield shown
        if frame.picture.view == "image" and not frame.final:
            for _ in range(_LOOKS):
                time.sleep(_DRAWING / _LOOKS)
                yield None
        start = time.perf_counter()
    if refines:
        size = engine.config.thumb_size * _REFINED
        *_, frame = engine.passes(request.scene, request.view, size, coarsest=size)
        yield _shown(engine, request, frame, count - 1, count)


def _shown(
    engine: Engine, request: PictureRequest, frame: Frame, index: int, count: int
) -> ShownPicture:
    smooth = _SMOOTH_SIZE if index == count - 1 else _MOVING_SIZE
    return ShownPicture(
        request=request,
        pixels=enlarged(frame.picture.display(), smooth),
        kind=frame.picture.view,
        resolution=frame.resolution,
        index=index,
        passes=count,
        seconds=frame.seconds,
        device=engine.device.type,
        note=frame.note,
    )


def enlarged(
    pixels: npt.NDArray[np.float32], smooth: int = _SMOOTH_SIZE
) -> npt.NDArray[np.float32]:
    """(H, W, 3) in [0, 1], enlarged bicubically to ``smooth`` pixels; too large ones reduced."""
    edge = max(pixels.shape[:2])
    if smooth <= edge <= MAX_PICTURE:
        return pixels
    target = smooth if edge < smooth else MAX_PICTURE
    size = (round(pixels.shape[1] * target / edge), round(pixels.shape[0] * target / edge))
    resized = Image.fromarray((pixels * 255.0 + 0.5).astype(np.uint8)).resize(
        size, Image.Resampling.BICUBIC
    )
    return np.asarray(resized, dtype=np.float32) / np.float32(255.0)
