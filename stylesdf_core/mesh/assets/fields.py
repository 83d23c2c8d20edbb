"""A surface as functions of points: what meshes and textures are sampled from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stylesdf_core.errors import InputError
from stylesdf_core.mesh.sdf_grid import (
    VOLUME_BOUNDS,
    Corner,
    FloatArray,
    ScalarField,
    VectorField,
)  # fmt: skip

_HEIGHT = 0.012  # of the base below the surface's cut
_OVERLAP = 0.004  # by which the base encloses the surface above the cut
_MARGIN = 0.006  # of the base around the surface's cut
_ROUNDING = 0.004
_BASE_COLOR = 0.55  # grey
_STEP = 1e-4


@dataclass(frozen=True, eq=False)
class SurfaceFields:
    """Functions of points (N, 3), world units, and the box in which the surface is cut closed.

    Attributes:
        sdf: (N,), smaller inside.
        normals: (N, 3), unit, outward.
        colors: (N, 3) in [0, 1], sRGB.
        level: value of ``sdf`` at the surface.
    """

    sdf: ScalarField
    normals: VectorField
    colors: VectorField
    level: float = 0.0
    bounds: tuple[Corner, Corner] = VOLUME_BOUNDS


def on_base(fields: SurfaceFields) -> SurfaceFields:
    """The surface on a base for printing: a flat block with round edges under its lower cut.

    Raises:
        InputError: the surface does not reach the bottom of its bounds.
    """
    (left, bottom, back), upper = fields.bounds
    steps = [np.linspace(low, high, 97) for low, high in ((left, upper[0]), (back, upper[2]))]
    x, z = (axis.ravel() for axis in np.meshgrid(*steps, indexing="ij"))
    plane = np.stack([x, np.full_like(x, bottom), z], axis=1).astype(np.float32)
    inside = fields.sdf(plane) < fields.level
    if not inside.any():
        raise InputError(
            "--base needs a surface that reaches the bottom of the volume; this one ends above it."
        )
    cut = plane[inside]
    low, high = cut.min(axis=0) - _MARGIN, cut.max(axis=0) + _MARGIN
    low[1], high[1] = bottom - 2.0 * _HEIGHT, bottom + _OVERLAP  # the bounds cut it flat
    centre, half = 0.5 * (low + high), 0.5 * (high - low)

    def block(points: FloatArray) -> FloatArray:
        """Signed distance to a box with round edges, plus ``level``."""
        beyond = np.abs(points - centre) - (half - _ROUNDING)
        outside = np.linalg.norm(np.maximum(beyond, 0.0), axis=1)
        distance = outside + np.minimum(beyond.max(axis=1), 0.0) - _ROUNDING
        values: FloatArray = (distance + fields.level).astype(np.float32)
        return values

    def block_normals(points: FloatArray) -> FloatArray:
        steps = np.eye(3, dtype=np.float32) * _STEP
        slopes = [block(points + step) - block(points - step) for step in steps]
        gradient = np.stack(slopes, axis=1)
        length = np.linalg.norm(gradient, axis=1, keepdims=True)
        unit: FloatArray = gradient / np.maximum(length, 1e-12)
        return unit

    def upper_part(points: FloatArray) -> FloatArray:
        """The surface's own values; below its bounds, where it is not defined, infinity."""
        own = np.full(len(points), np.inf, np.float32)
        defined = points[:, 1] >= bottom
        own[defined] = fields.sdf(points[defined])
        return own

    def choose(own: VectorField, other: VectorField) -> VectorField:
        def chosen(points: FloatArray) -> FloatArray:
            is_block = block(points) < upper_part(points)
            values = np.empty((len(points), 3), np.float32)
            values[is_block], values[~is_block] = other(points[is_block]), own(points[~is_block])
            return values

        return chosen

    return replace(
        fields,
        sdf=lambda points: np.minimum(upper_part(points), block(points)),
        normals=choose(fields.normals, block_normals),
        colors=choose(fields.colors, lambda points: np.full_like(points, _BASE_COLOR)),
        bounds=((left, bottom - _HEIGHT, back), upper),
    )
