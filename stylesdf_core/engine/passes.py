"""A scene's picture in passes: first a level made for motion, last the finished picture."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

import torch
import torch.nn.functional as F

from stylesdf_core.engine.decoder.matching import Match
from stylesdf_core.engine.engine import Engine
from stylesdf_core.engine.levels import Level, drawn_view, volume_level
from stylesdf_core.engine.march.ray_march import VISIBLE_IN_MOTION
from stylesdf_core.engine.march.volume import Volume
from stylesdf_core.engine.picture import Picture
from stylesdf_core.scene.scene import Scene, View

COARSE_LEVEL = volume_level(32)

#: A pass's picture, and what fits its Match.
_Step: TypeAlias = tuple[Picture, Callable[[], Match] | None]


@dataclass(frozen=True)
class RenderPass:
    """The picture of one progressive pass.

    Attributes:
        pass_index, pass_count: number of the pass, from 0, and the number of passes.
        resolution: edge of the computed picture, pixels.
        seconds: computing time of this pass.
        note: a sentence for the user, for instance that memory is short; usually empty.
        match: fits the Match of this picture's identity, some milliseconds; None for pictures that
            are not decoded, or not the last.
    """

    picture: Picture
    pass_index: int
    pass_count: int
    resolution: int
    seconds: float
    note: str = ""
    match: Callable[[], Match] | None = None

    @property
    def final(self) -> bool:
        """Whether no better pass follows."""
        return self.pass_index == self.pass_count - 1


def passes(
    engine: Engine,
    scene: Scene,
    view: View,
    size: int | None = None,
    *,
    first: Level = COARSE_LEVEL,
    match: Match | None = None,
    decodes_soon: bool = False,
) -> Iterator[RenderPass]:
    """Render coarse to fine; the last pass equals ``engine.render``.

    The first pass is made for motion: it leaves out samples that are hardly visible. An image takes
    three passes. The second pass decodes the first pass's volume render if that render has the
    thumb size (PSNR 65 dB to the last pass, on the shipped model); otherwise the second pass shows
    a volume render of the thumb size, or decodes one made for motion. After a first pass that is
    the decoded image only the last pass follows.

    Args:
        view: any but the mesh.
        size: edge of volume, depth and normals in pixels, None for the model's thumb size; edge of
            the direct view, None for the decoded image's.
        first: level of the first pass: one of :func:`~.levels.levels`, or a volume render of any
            edge.
        match: from an earlier last frame of the same identity; gives the first passes of an image
            the colours, place and size of the decoded image. Without it a first pass at half the
            image's size is the whole image, reduced.
        decodes_soon: the second pass is decoded in any case. Decoding a picture takes less time
            than showing a volume render first, but nothing better is seen meanwhile.
    """
    start, view = time.perf_counter(), drawn_view(engine.config, view)
    whole = engine.config.output_size
    count = 3 if view == "image" and first.image < whole else 2
    steps = _steps(engine, scene, view, size, first, match, decodes_soon=decodes_soon)
    for index, (picture, fit) in enumerate(steps):
        seconds = time.perf_counter() - start
        edge = min(picture.size, whole) if picture.view == "image" else picture.size
        yield RenderPass(picture, index, count, edge, seconds, engine.note(view), fit)
        start = time.perf_counter()


def _steps(
    engine: Engine,
    scene: Scene,
    view: View,
    size: int | None,
    first: Level,
    match: Match | None,
    *,
    decodes_soon: bool,
) -> Iterator[_Step]:
    if view == "direct":
        yield engine.direct(scene, first.rays), None
        yield engine.direct(scene, size or engine.direct_size), None
        return
    decodes, thumb = view == "image", engine.config.thumb_size
    target = thumb if decodes else size or thumb
    edge = first.rays if first.image else min(first.rays, target)
    features = decodes and edge >= target
    moving = engine.render_volume(scene, edge, features=features, visible=VISIBLE_IN_MOTION)
    if not decodes:
        yield engine.picture(scene, view, moving), None
    elif not first.image:
        yield _preview(engine, scene, moving, match), None
    elif first.image < engine.config.output_size:
        yield _half_image(engine, scene, moving, match), None
    if decodes_soon and decodes and edge < target:
        moving = engine.render_volume(scene, target, features=True, visible=VISIBLE_IN_MOTION)
    if moving.features is not None:
        yield engine.picture(scene, view, moving.reduced(target)), None
    volume = engine.render_volume(scene, target, features=decodes)
    if decodes and moving.features is None:
        yield _preview(engine, scene, volume, match), None
    yield _last(engine, scene, view, volume)


def _preview(engine: Engine, scene: Scene, volume: Volume, match: Match | None) -> Picture:
    """A volume render in place of an image that is not decoded yet."""
    if match is not None:
        volume = replace(volume, rgb=match(volume.rgb))
    return engine.picture(scene, "volume", volume)


@torch.no_grad()
def _half_image(engine: Engine, scene: Scene, volume: Volume, match: Match | None) -> Picture:
    """The image at half its size."""
    decoder, features = engine.baked_decoder(scene, volume), volume.features
    assert decoder is not None
    assert features is not None
    if match is None or match.half is None:
        image = F.avg_pool2d(decoder(features[None]), 2)
    else:
        image = decoder.half(features[None], match.half)
    return Picture.decoded(image[0])


@torch.no_grad()
def _last(engine: Engine, scene: Scene, view: View, volume: Volume) -> _Step:
    """The finished picture, and what fits the Match of a decoded one."""
    decoder = engine.baked_decoder(scene, volume) if view == "image" else None
    if decoder is None:
        return engine.picture(scene, view, volume), None
    assert volume.features is not None
    features, has_half = volume.features[None], engine.config.upsamplings > 1
    image, fit_half = engine.reproducibly(lambda: decoder.with_half(features))

    @torch.no_grad()
    def fit() -> Match:
        return Match.fit(volume.rgb, image[0], fit_half() if has_half else None)

    return Picture.decoded(image[0]), fit
