"""Pictures that explain a head: slices through its signed distances, and inconsistency maps."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import TYPE_CHECKING

import numpy as np

from stylesdf_core.scene.scene import Scene, View

if TYPE_CHECKING:
    from stylesdf_core.engine.cut import Cut
    from stylesdf_core.engine.engine import Engine
    from stylesdf_core.engine.passes import RenderPass
    from stylesdf_core.engine.sdf_slice import Slicer

#: Views that this module renders.
ANALYSES: frozenset[View] = frozenset({"slice", "inconsistency"})
#: Edges of slices while something moves, and at rest; of the grey picture under a map.
_MOVING, _FINEST, _GREY = 160, 640, 64
_COUNT = 2


class Analyst:
    """Renders analyses in two passes; keeps the last face's grids for slices."""

    def __init__(self) -> None:
        self._slicer: tuple[Engine, Slicer] | None = None

    def passes(
        self, engine: Engine, scene: Scene, view: View, pane: int, cut: Cut | None
    ) -> Generator[RenderPass | None, None, None]:
        """A quick pass, then the finished one; None where the work may be interrupted.

        Args:
            view: one of :data:`ANALYSES`.
            pane: edge of the pane, pixels; 0 for the picture's own.
            cut: the plane of a slice; None for the middle of the head.
        """
        if view == "slice":
            yield from self._slices(engine, scene, pane, cut)
        else:
            yield from self._maps(engine, scene)

    def _slices(
        self, engine: Engine, scene: Scene, pane: int, cut: Cut | None
    ) -> Generator[RenderPass | None, None, None]:
        from stylesdf_core.engine.cut import Cut
        from stylesdf_core.engine.passes import RenderPass
        from stylesdf_core.engine.sdf_slice import DENSE, DRAFT, Slicer

        if self._slicer is None or self._slicer[0] is not engine:
            self._slicer = (engine, Slicer(engine))
        slicer = self._slicer[1]
        resolution = DENSE if slicer.has_grid(scene, DENSE) else DRAFT
        finest = min(pane or 2 * engine.config.thumb_size, _FINEST)
        for index, (grid, edge) in enumerate(((resolution, _MOVING), (DENSE, finest))):
            start = time.perf_counter()
            for _ in slicer.prepare(scene, grid):
                yield None
            picture = slicer.draw(scene, cut or Cut(), edge, resolution=grid)
            seconds = time.perf_counter() - start
            yield RenderPass(picture, index, _COUNT, edge, seconds)

    def _maps(self, engine: Engine, scene: Scene) -> Generator[RenderPass | None, None, None]:
        from stylesdf_core.engine.passes import RenderPass
        from stylesdf_core.engine.picture import Picture
        from stylesdf_core.evaluation.metrics.inconsistency import inconsistency, mean_grey_levels

        start = time.perf_counter()
        volume = engine.render(scene, "volume", _GREY)
        grey = 0.5 + 0.5 * volume.data.mean(axis=0)
        data = np.stack([np.zeros_like(grey), grey]).astype(np.float32)
        picture = Picture("inconsistency", data, volume.background)
        yield RenderPass(picture, 0, _COUNT, _GREY, time.perf_counter() - start)
        start = time.perf_counter()
        picture = inconsistency(engine, scene)
        seconds = time.perf_counter() - start
        note = f"differs from neighbouring views by {mean_grey_levels(picture):.1f} grey levels"
        yield RenderPass(picture, 1, _COUNT, picture.size, seconds, note)
