"""The bench's pictures: each a way for either path to draw a scene, and the scenes of its goes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from stylesdf_core.engine.engine import Engine
from stylesdf_core.evaluation.bench.reference_path import enlarged
from stylesdf_core.evaluation.bench.report import Comparison
from stylesdf_core.evaluation.bench.subjects import (
    Pair,
    Scenes,
    Subject,
    dragging,
    orbiting,
    sliding,
)
from stylesdf_core.evaluation.bench.timing import (
    BenchSettings,
    Draw,
    Timed,
    in_turns,
    synchronize,
    timed,
)
from stylesdf_core.evaluation.report import Figure
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.scene.scene import Scene

#: The largest published image's edge, pixels.
LARGE = 1024
#: Seconds of plain path that figures of frames per second wait for; images have shown its speed.
_FPS_PATIENCE = 15.0


@dataclass(frozen=True, eq=False)
class PictureCase:
    """What both paths draw in turns."""

    reference: Draw
    engine: Draw
    scenes: Scenes
    note: str = ""


def volume(subject: Subject) -> PictureCase:
    """The volume render at the model's thumb size: fixed style, moving camera."""
    pair = subject.large
    return PictureCase(
        timed(pair.reference.volume_picture, subject.device),
        timed(lambda scene: pair.engine.render(scene, "volume").data, subject.device),
        orbiting,
    )


def small_image(subject: Subject) -> PictureCase:
    """The decoded image of the smaller decoder: fixed style, moving camera."""
    return _image(subject, subject.small, orbiting)


def large_image(subject: Subject) -> PictureCase:
    """A 1024² image; where no decoder makes one, enlarged as ``render --size 1024`` does it."""
    pair, device = subject.large, subject.device
    if pair.image_size == LARGE:
        return _image(subject, pair, orbiting)
    return PictureCase(
        timed(lambda scene: enlarged(pair.reference.image(scene), LARGE), device),
        timed(lambda scene: enlarged(pair.engine.render(scene, "image").data, LARGE), device),
        orbiting,
        f"no decoder to {LARGE}²: the {pair.image_size}² image enlarged, in both paths",
    )


def small_decode(subject: Subject) -> PictureCase:
    """The smaller decoder alone."""
    return _decode(subject, subject.small)


def large_decode(subject: Subject) -> PictureCase:
    """The largest decoder alone."""
    return _decode(subject, subject.large)


def orbit(subject: Subject) -> PictureCase:
    """The largest image while the camera is dragged."""
    return _image(subject, subject.large, dragging)


def slide(subject: Subject) -> PictureCase:
    """The largest image while a slider moves the latent, so that no style can be kept."""
    return _image(subject, subject.large, sliding)


def _image(subject: Subject, pair: Pair, scenes: Scenes) -> PictureCase:
    return PictureCase(
        timed(pair.reference.image, subject.device),
        timed(lambda scene: pair.engine.render(scene, "image").data, subject.device),
        scenes,
    )


def _decode(subject: Subject, pair: Pair) -> PictureCase:
    def reference(scene: Scene) -> Timed:
        features = pair.reference.volume(scene).features  # off the clock
        return timed(lambda s: pair.reference.decoded(s, features), subject.device)(scene)

    # After a first pass smaller than the volume render, the last pass is the decoder's alone.
    coarsest = pair.engine.config.thumb_size // 2

    def engine(scene: Scene) -> Timed:
        *_, last = pair.engine.passes(scene, "image", coarsest=coarsest)
        return Timed(last.picture.data, last.seconds)

    return PictureCase(reference, engine, orbiting)


def compare(
    name: str,
    case: PictureCase,
    settings: BenchSettings,
    *,
    speedup: float | None,
    psnr: float | None,
) -> Operation[Comparison]:
    """Measure a case; targets as in :class:`Comparison`."""
    turns = yield from in_turns(case.reference, case.engine, case.scenes, settings)
    return Comparison(
        name, turns.reference, turns.engine, turns.agreement, speedup, psnr, case.note
    )


def frames_per_second(
    name: str, title: str, case: PictureCase, settings: BenchSettings
) -> Operation[Figure]:
    """The engine's rate of finished frames, the plain path's beside it."""
    settings = replace(settings, patience=min(settings.patience, _FPS_PATIENCE))
    turns = yield from in_turns(case.reference, case.engine, case.scenes, settings)
    rate, plain = 1e3 / turns.engine.median, 1e3 / turns.reference.median
    slowest, fastest = 1e3 / turns.engine.highest, 1e3 / turns.engine.lowest
    spread = f"{slowest:.2f}–{fastest:.2f}"
    detail = f"{spread}; plain path {plain:.2g} fps, PSNR {turns.agreement.psnr:.1f} dB"
    return Figure(name, title, rate, "fps", detail=detail)


def first_pass(
    name: str,
    title: str,
    subject: Subject,
    settings: BenchSettings,
    *,
    scenes: Scenes,
    fresh: bool,
    high: float | None,
) -> Operation[Figure]:
    """Milliseconds until the engine's first, coarse pass of an image; median of three a go.

    Args:
        fresh: with a new engine each time, its making included.
        high: target.
    """
    model, engine, device = subject.small.engine.model, subject.small.engine, subject.device
    seconds: list[float] = []
    goes = 3 * settings.repeats
    for go in range(-1, goes):
        yield Progress(go + 1, goes + 1, f"go {go + 1} of {goes}")
        synchronize(device)
        start = time.perf_counter()
        passes = (Engine(model, device.type) if fresh else engine).passes(scenes(go), "image")
        edge = next(passes).resolution
        if go >= 0:  # the first warms up
            seconds.append(time.perf_counter() - start)
        passes.close()  # type: ignore[attr-defined]
    low, top = 1e3 * min(seconds), 1e3 * max(seconds)
    detail = f"{edge}², {low:.1f}–{top:.1f}"
    value = 1e3 * statistics.median(seconds)
    return Figure(name, title, value, "ms", 1, high=high, detail=detail)


PictureBuilder = Callable[[Subject], PictureCase]
