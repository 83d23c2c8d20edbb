"""Which of the three ray marches gives the same result fastest."""

from __future__ import annotations

from stylesdf_core.engine.compiled import compiled_loops
from stylesdf_core.engine.march.dense_march import DenseRayMarch
from stylesdf_core.engine.march.distance_grid import DistanceGrid
from stylesdf_core.engine.march.ray_march import RayMarch


def march_class(grid: DistanceGrid | None, *, evaluates_all: bool = False) -> type[RayMarch]:
    """The class of a march with a distance grid, or without one.

    Args:
        evaluates_all: evaluate every sample, as is fastest on a GPU.
    """
    if evaluates_all:
        return DenseRayMarch
    if grid is None or not compiled_loops.usable():
        return RayMarch
    from stylesdf_core.engine.march.compiled_march import CompiledRayMarch

    return CompiledRayMarch
