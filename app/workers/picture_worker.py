"""The thread that renders pictures: it owns an engine and yields passes in the screen's size."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from app.workers.engine_share import EngineShare
from app.workers.schedule import LatestWorker, PassPlanner
from stylesdf_core.scene.scene import SURFACE_VIEWS, Scene, View

if TYPE_CHECKING:
    from stylesdf_core.engine.engine import Engine, Frame
    from stylesdf_core.model.model import Model

#: Usual edge of the pane, pixels. Lanczos' filter resamples a last pass to the pane's edge, in 7 ms
#: for 668² pixels on one core, since the GPU would interpolate linearly.
_PANE_EDGE = 512
#: Smallest edge of the passes before, enlarged bicubically: they are soon replaced, and the GPU
#: enlarges the rest.
_MOVING_SIZE = 256
#: Depth and normals are rendered this much finer than the model's thumb size when idle.
_REFINED = 2
MAX_PICTURE = 1024
#: After a decoded picture that is not final, the worker waits so many seconds, in which the window
#: can draw the picture, and checks so often for a newer request. Only then is the exact picture
#: rendered, which hardly looks different: drawing and rendering at once would save no time.
_DRAWING, _LOOKS = 0.03, 6


@dataclass(frozen=True)
class PictureRequest:
    """A picture to render.

    Attributes:
        view: image, volume, depth or normals.
        device: as in Settings.
        edge: of the pane, pixels; 0 to show the picture's own pixels.
    """

    scene: Scene
    view: View
    device: str
    model: Model
    edge: int = _PANE_EDGE


@dataclass(frozen=True, eq=False)
class PicturePass:
    """One pass of a picture.

    Attributes:
        pixels: (H, W, 3) float32 in [0, 1]; H, W at most 1024. The last pass has as many pixels as
            the pane, or as the picture itself.
        resolution: edge of the render, pixels, before it was enlarged.
        index: which pass, from 0.
        passes: how many passes the picture has.
        note: a remark on the picture for the user; usually empty.
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

    def is_earlier_than(self, other: PicturePass | None) -> bool:
        """Whether ``other`` is a later pass of the same picture."""
        return other is not None and self.request == other.request and self.index < other.index


def picture_worker(
    news: threading.Event, share: EngineShare
) -> LatestWorker[PictureRequest, PicturePass]:
    """A worker that renders the newest request, coarse to fine; each pass sets ``news``."""
    renderer = _Renderer(share)
    return LatestWorker("pictures", lambda asked: share.in_turns(renderer.passes(asked)), news)


class _Renderer:
    """Renders with a shared engine, and remembers the time that first passes take."""

    def __init__(self, share: EngineShare) -> None:
        self._share = share
        self._model: Model | None = None
        self._face: object = None
        self._planners: dict[object, PassPlanner] = {}

    def passes(self, request: PictureRequest) -> Generator[PicturePass | None, None, None]:
        """The passes of a request, and None where the work may be interrupted."""
        engine = self._share.engine(request.model, request.device)
        planner = self._planner_for(request)
        refines = request.view in SURFACE_VIEWS
        start = time.perf_counter()
        count = 0
        for frame in engine.passes(request.scene, request.view, coarsest=planner.edge()):
            count = frame.pass_count + (1 if refines else 0)
            result = _pass(engine, request, frame, frame.pass_index, count)
            planner.measured(frame.resolution, time.perf_counter() - start)
            yield result
            if frame.picture.view == "image" and not frame.final:
                for _ in range(_LOOKS):
                    time.sleep(_DRAWING / _LOOKS)
                    yield None
            start = time.perf_counter()
        if refines:
            size = engine.config.thumb_size * _REFINED
            *_, frame = engine.passes(request.scene, request.view, size, coarsest=size)
            yield _pass(engine, request, frame, count - 1, count)

    def _planner_for(self, request: PictureRequest) -> PassPlanner:
        """A planner for the view; first pictures of a face, which cost more, have their own."""
        if request.model is not self._model:
            self._model, self._face, self._planners = request.model, None, {}
        face = request.scene.of_field
        is_new, self._face = face != self._face, face
        return self._planners.setdefault((request.view, is_new), PassPlanner())


def _pass(
    engine: Engine, request: PictureRequest, frame: Frame, index: int, count: int
) -> PicturePass:
    pixels = frame.picture.display()
    if request.edge == 0:
        pixels = resampled(pixels, native_edge(engine, request.view))
    elif index == count - 1:
        pixels = resampled(pixels, min(request.edge, MAX_PICTURE))
    else:
        pixels = enlarged(pixels, _MOVING_SIZE)
    return PicturePass(
        request=request,
        pixels=pixels,
        kind=frame.picture.view,
        resolution=frame.resolution,
        index=index,
        passes=count,
        seconds=frame.seconds,
        device=engine.device.type,
        note=frame.note,
    )


def native_edge(engine: Engine, view: View) -> int:
    """Edge, pixels, of a view's last pass before it is resampled for the pane."""
    config = engine.config
    if view == "image":
        return min(config.output_size if config.has_decoder else 256, MAX_PICTURE)
    return config.thumb_size * (_REFINED if view in SURFACE_VIEWS else 1)


def enlarged(pixels: npt.NDArray[np.float32], smooth: int = _PANE_EDGE) -> npt.NDArray[np.float32]:
    """(H, W, 3) in [0, 1], resized bicubically to an edge of ``smooth`` to MAX_PICTURE pixels."""
    edge = max(pixels.shape[:2])
    target = min(max(edge, smooth), MAX_PICTURE)
    return resampled(pixels, target, Image.Resampling.BICUBIC)


def resampled(
    pixels: npt.NDArray[np.float32],
    edge: int,
    method: Image.Resampling = Image.Resampling.LANCZOS,
) -> npt.NDArray[np.float32]:
    """(H, W, 3) in [0, 1], with ``edge`` pixels along the longer side."""
    longer = max(pixels.shape[:2])
    if longer == edge:
        return pixels
    size = (round(pixels.shape[1] * edge / longer), round(pixels.shape[0] * edge / longer))
    resized = Image.fromarray((pixels * 255.0 + 0.5).astype(np.uint8)).resize(size, method)
    return np.asarray(resized, dtype=np.float32) / np.float32(255.0)
