"""How much of each pixel a head covers, for cutting it out of its picture (:mod:`.matte`)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from stylesdf_core.engine.engine import Engine
from stylesdf_core.scene.scene import Scene

FloatArray = npt.NDArray[np.float32]

#: Difference of the coverages of neighbouring pixels above which an outline runs between them.
_OUTLINE = 0.2


def coverage(engine: Engine, scene: Scene, edge: int) -> FloatArray:
    """How much of each pixel the head covers, (edge, edge) from 0 to 1: four rays a pixel where
    twice the thumb size shows that the outline runs.
    """
    return engine.reproducibly(lambda: _coverage(engine, scene, edge))


@torch.no_grad()
def _coverage(engine: Engine, scene: Scene, edge: int) -> FloatArray:
    coarse = min(edge, 2 * engine.config.thumb_size)
    covered = 1.0 - engine.render_volume(scene, coarse, features=False).background[None, None]
    around = F.max_pool2d(covered, 3, 1, 1) + F.max_pool2d(-covered, 3, 1, 1)
    cover = F.interpolate(covered, size=(edge, edge), mode="bilinear")[0, 0]
    outline = F.interpolate(around, size=(edge, edge), mode="nearest")[0, 0] > _OUTLINE
    if bool(outline.any()):
        fine = outline.repeat_interleave(2, 0).repeat_interleave(2, 1)
        rays = engine.rays(scene, 2 * edge).chosen(fine.view(-1))
        quarters = torch.zeros_like(fine, dtype=cover.dtype)
        quarters[fine] = engine.ray_coverage(scene, rays, 2 * edge)
        cover[outline] = F.avg_pool2d(quarters[None], 2)[0][outline]
    return cover.clamp(0.0, 1.0).cpu().numpy()
