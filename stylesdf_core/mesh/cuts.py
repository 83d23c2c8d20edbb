"""Where the bounds of the volume cut a surface open: the flat caps' normals and colours."""

from __future__ import annotations

import numpy as np

from stylesdf_core.mesh.sdf_grid import Corner, FloatArray, VectorField

_ON_PLANE = 1e-6
# World units: a cap may have pits, where the field is positive deep inside; and how far from the
# cut the skin is looked for, two cells of the coarsest grid.
_DEPTH, _BESIDE = 0.003, 0.02


def cut_normals(points: FloatArray, bounds: tuple[Corner, Corner]) -> FloatArray:
    """Outward normals (N, 3) of points on the planes of the bounds; zero for other points."""
    lower, upper = np.array(bounds, np.float32)
    at_lower, at_upper = points < lower + _ON_PLANE, points > upper - _ON_PLANE
    outward: FloatArray = at_upper.astype(np.float32) - at_lower.astype(np.float32)
    return outward


def skin_colors(
    colors: VectorField, vertices: FloatArray, bounds: tuple[Corner, Corner]
) -> VectorField:
    """A field's colours; at the planes of the bounds, those of the nearest vertex beside them.

    A field learns colours near the surfaces that cameras see. Deep in the neck, where the bounds
    cut it open, the included model has the colour of the background.

    Args:
        vertices: (V, 3) of the surface, cut ones among them.
    """
    lower, upper = np.array(bounds, np.float32)

    def depth(points: FloatArray) -> FloatArray:
        """How far points lie within the bounds, (N,)."""
        within: FloatArray = np.minimum(points - lower, upper - points).min(axis=1)
        return within

    deep = depth(vertices)
    skin = vertices[(deep > _DEPTH) & (deep < _BESIDE)]
    if not len(skin) or deep.min() > _DEPTH:
        return colors
    from scipy.spatial import KDTree

    tree = KDTree(skin, compact_nodes=False, balanced_tree=False)  # soon built

    def painted(points: FloatArray) -> FloatArray:
        cut = np.flatnonzero(depth(points) <= _DEPTH)
        if len(cut):
            points = points.copy()
            points[cut] = skin[tree.query(points[cut])[1]]
        return colors(points)

    return painted
