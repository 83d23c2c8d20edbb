"""The thread that renders pictures: it owns an engine and yields passes in the screen's size."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from app.workers.analysis import ANALYSES, Analyst
from app.workers.concurrency.schedule import LatestWorker
from app.workers.engine_share import EngineShare
from app.workers.mesh_worker import interruptible
from app.workers.pass_planner import PassPlanner
from stylesdf_core.commands.scenes.options.backgrounds import OWN, Background, outlined
from stylesdf_core.engine.compiled import compiled_loops
from stylesdf_core.errors import InputError
from stylesdf_core.scene.scene import SURFACE_VIEWS, Scene, View

if TYPE_CHECKING:
    from stylesdf_core.engine.cut import Cut
    from stylesdf_core.engine.decoder.matching import Match
    from stylesdf_core.engine.engine import Engine
    from stylesdf_core.engine.levels import Level
    from stylesdf_core.engine.passes import RenderPass
    from stylesdf_core.engine.picture import Picture
    from stylesdf_core.model.model import Model

_BUDGET = 0.03
#: Usual edge of the pane, pixels. Lanczos' filter resamples a last pass to the pane's edge, in 7 ms
#: for 668² pixels on one core, since the GPU would interpolate linearly.
_PANE_EDGE = 512
#: Smallest edge of the passes before, enlarged bicubically: they are soon replaced, and the GPU
#: enlarges the rest. Uploading 256² pixels would take 0.8 ms more of each frame.
_MOVING_SIZE = 192
#: Depth and normals are rendered this much finer than the model's thumb size when idle.
_REFINED = 2
MAX_PICTURE = 1024
#: The worker waits so many seconds for the compiled loops after its first picture. They are loaded
#: by then, unless they have to be compiled, which takes nine seconds.
_LOADING = 1.0
#: After a decoded picture that is not final, the worker waits so many seconds, in which the window
#: can draw the picture, and checks so often for a newer request. Only then is the exact picture
#: rendered, which hardly looks different: drawing and rendering at once would save no time.
_DRAWING, _LOOKS = 0.03, 6
#: Seconds: where an image takes less with its volume render, it follows a coarse first pass. Where
#: it takes more, the volume render is shown in between.
_DECODED_SOON = 0.2
_COARSE = 16


@dataclass(frozen=True)
class PictureRequest:
    """A picture to render.

    Attributes:
        view: any but mesh.
        device: as in Settings.
        edge: of the pane, pixels; 0 to show the picture's own pixels.
        budget: seconds that the first pass may take while something moves.
        cut: the plane of the view slice; None for the other views.
        background: behind the head, in the words of ``--background``.
    """

    scene: Scene
    view: View
    device: str
    model: Model
    edge: int = _PANE_EDGE
    budget: float = field(default=_BUDGET, compare=False)
    cut: Cut | None = None
    background: str = OWN


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
    """Renders with a shared engine, and remembers what its pictures have told."""

    def __init__(self, share: EngineShare) -> None:
        self._share = share
        self._key: object = None
        self._face: object = None
        self._matched: tuple[object, Match] | None = None  # with the face that it belongs to
        self._planners: dict[object, PassPlanner] = {}
        self._analyst = Analyst()

    def passes(self, request: PictureRequest) -> Generator[PicturePass | None, None, None]:
        """The passes of a request, and None where the work may be interrupted."""
        from stylesdf_core.engine.levels import Level, volume_level
        from stylesdf_core.engine.passes import passes

        compiled_loops.postpone()  # a face is drawn without them before they are loaded
        engine, scene = self._share.engine(request.model, request.device), request.scene
        if request.view in ANALYSES:
            analysis = self._analyst.passes(engine, scene, request.view, request.edge, request.cut)
            for step in analysis:
                index, count = (step.pass_index, step.pass_count) if step else (0, 0)
                yield _pass(engine, request, step, index, count) if step else None
            return
        planner, match = self._planner_for(engine, request), self._match_for(scene)
        view, first = request.view, planner.level(request.budget)
        if view == "direct":
            yield from self._direct(engine, request, first)
            return
        refined, count = _refined_edge(engine, request), 0
        decoded = Level(engine.config.thumb_size, engine.config.output_size)
        soon = planner.seconds_of(decoded, unknown=math.inf) < _DECODED_SOON
        start, spent, is_decoded = time.perf_counter(), 0.0, bool(first.image)
        steps = passes(engine, scene, view, first=first, match=match, decodes_soon=soon)
        for frame in steps:
            count = frame.pass_count + (1 if refined else 0)
            result = _pass(engine, request, frame, frame.pass_index, count)
            seconds = time.perf_counter() - start
            spent += seconds  # since the volume render began from which the image is decoded
            if frame.pass_index == 0:
                planner.measured(first, seconds)
                spent = spent if first.rays >= decoded.rays else 0.0
            elif frame.picture.view != "image":
                planner.measured(Level(frame.resolution), seconds)
            elif not is_decoded:
                planner.measured(decoded, spent)
            is_decoded = is_decoded or frame.picture.view == "image"
            yield result
            compiled_loops.load_in_background(_LOADING)
            if frame.match is not None:
                self._matched = (_look(scene), frame.match())
            if frame.picture.view == "image" and not frame.final:
                for _ in range(_LOOKS):
                    time.sleep(_DRAWING / _LOOKS)
                    yield None
            start = time.perf_counter()
        if refined:
            *_, frame = passes(engine, scene, view, refined, first=volume_level(_COARSE))
            yield _pass(engine, request, frame, count - 1, count)

    def _direct(
        self, engine: Engine, request: PictureRequest, first: Level
    ) -> Generator[PicturePass | None, None, None]:
        """The direct view: as fine as motion allows, of its usual size, as fine as the pane."""
        from stylesdf_core.engine.passes import RenderPass

        planner, refined = self._planner_for(engine, request), _refined_edge(engine, request)
        edges = [first.rays, engine.direct_size, *([refined] if refined else [])]
        for index, edge in enumerate(edges):
            start = time.perf_counter()
            picture = yield from interruptible(engine.direct_steps(request.scene, edge))
            seconds = time.perf_counter() - start
            if index == 0:
                planner.measured(first, seconds)
            frame = RenderPass(picture, index, len(edges), edge, seconds, engine.note("direct"))
            yield _pass(engine, request, frame, index, len(edges))

    def _match_for(self, scene: Scene) -> Match | None:
        """The Match of the scene's face; None until an image of that face has been finished."""
        is_own = self._matched is not None and self._matched[0] == _look(scene)
        return self._matched[1] if self._matched is not None and is_own else None

    def _planner_for(self, engine: Engine, request: PictureRequest) -> PassPlanner:
        """A planner for the view; first pictures of a face, which cost more, have their own.

        A new face has no Match yet, without which the image at half its size takes as long as the
        whole image.
        """
        from stylesdf_core.engine.levels import levels

        if (request.model, request.device) != self._key:
            self._key = (request.model, request.device)
            self._face, self._matched, self._planners = None, None, {}
        face = request.scene.of_field
        is_new, self._face = face != self._face, face
        key = (request.view, is_new)
        if key not in self._planners:
            known = levels(engine.config, request.view, engine.device.type)
            sizes = (0, engine.config.output_size)
            planner = self._planners[key] = PassPlanner(
                [level for level in known if not is_new or level.image in sizes]
            )
            if (other := self._planners.get((request.view, not is_new))) is not None:
                planner.expect(other)
        return self._planners[key]


def _look(scene: Scene) -> object:
    """What the colours of a scene's pictures depend on, besides the camera."""
    return scene.identity, scene.morph, scene.truncation_psi, scene.mixing, scene.options


def _pass(
    engine: Engine, request: PictureRequest, frame: RenderPass, index: int, count: int
) -> PicturePass:
    pixels, note = _shown(engine, request, frame.picture, is_last=index == count - 1)
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
        note=note or frame.note,
    )


def _shown(
    engine: Engine, request: PictureRequest, picture: Picture, *, is_last: bool
) -> tuple[npt.NDArray[np.float32], str]:
    """A picture in front of the request's background, and what is wrong with the background.

    The background is the model's own where the named one cannot be read, and in an analysis.
    """
    try:
        background = None if request.view in ANALYSES else _background(request.background)
    except InputError as error:
        return picture.display(), str(error)
    if background is None:
        return picture.display(), ""
    cut = outlined(engine, request.scene, picture, fine=is_last)
    return background.on_screen(cut).astype(np.float32) / np.float32(255.0), ""


@lru_cache(maxsize=1)
def _background(words: str) -> Background | None:
    """The background of these words; a picture is not read again for each pass."""
    return Background.of(words)


def _refined_edge(engine: Engine, request: PictureRequest) -> int:
    """Edge, pixels, of a finer picture at rest; 0 for views without one."""
    if request.view in SURFACE_VIEWS:
        return engine.config.thumb_size * _REFINED
    edge = min(request.edge, MAX_PICTURE)
    from stylesdf_core.engine.levels import drawn_view

    is_direct = drawn_view(engine.config, request.view) == "direct"
    return edge if is_direct and edge > engine.direct_size else 0


def native_edge(engine: Engine, view: View) -> int:
    """Edge, pixels, of a view's last pass before it is resampled for the pane."""
    config = engine.config
    if view == "image":
        return min(config.output_size if config.has_image else 256, MAX_PICTURE)
    if view == "direct":
        return min(engine.direct_size, MAX_PICTURE)
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
