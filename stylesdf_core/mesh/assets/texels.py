"""Triangles drawn into a picture with NumPy: which triangle covers a pixel, and where in it.

The texture of a mesh is baked by drawing the mesh's UV map; which parts of a mesh a camera sees,
by drawing the mesh under the camera. Pictures have their first row at the top, and pixel centres
at +0.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stylesdf_core.mesh.sdf_grid import FloatArray

Int32Array = npt.NDArray[np.int32]
_CHUNK = 1 << 20  # pixels tested at a time


@dataclass(frozen=True, eq=False)
class Texels:
    """Covered pixels of a picture, in order of triangles; a pixel may be covered more than once.

    Attributes:
        pixel: (N,) int32, index into the picture's pixels, row by row.
        face: (N,) int32, index of the covering triangle.
        corners: (N, 3) float32, barycentric coordinates of the pixel's centre.
    """

    pixel: Int32Array
    face: Int32Array
    corners: FloatArray

    def __len__(self) -> int:
        return len(self.face)

    def __getitem__(self, part: slice) -> Texels:
        return Texels(self.pixel[part], self.face[part], self.corners[part])

    def interpolate(self, values: FloatArray, faces: Int32Array) -> FloatArray:
        """Values (V, C) at a mesh's vertices -> (N, C) at the pixels."""
        result = np.zeros((len(self.face), values.shape[1]), np.float32)
        for corner in range(3):
            result += self.corners[:, corner, None] * values[faces[self.face, corner]]
        return result


def draw(points: FloatArray, faces: Int32Array, edge: int, *, margin: float = 0.0) -> Texels:
    """The pixels of a picture of ``edge``² whose centres lie in a triangle.

    Args:
        points: (V, 2), x to the right and y down, pixels.
        faces: (F, 3); either winding; triangles without area are not drawn.
        margin: pixels by which a centre may lie outside; it counts as a point of the border.
    """
    corners = points.astype(np.float64)[faces]  # (F, 3, 2)
    first = np.clip(np.ceil(corners.min(axis=1) - 0.5 - margin), 0, edge).astype(np.int64)
    last = np.clip(np.floor(corners.max(axis=1) - 0.5 + margin), -1, edge - 1).astype(np.int64)
    width, height = np.maximum(last - first + 1, 0).T
    a, b, c = (corners[:, k] for k in range(3))
    area = _cross(b - a, c - a)
    # A barycentric coordinate falls by 1 over the triangle's height; by this much over the margin:
    sides = np.stack([c - b, a - c, b - a], axis=1)
    allowed = margin * np.linalg.norm(sides, axis=2) / np.maximum(np.abs(area), 1e-12)[:, None]
    counts = np.where(area != 0.0, width * height, 0)
    ends = np.cumsum(counts)
    pieces = []
    start = 0
    while start < len(faces):
        stop = int(np.searchsorted(ends, (ends[start - 1] if start else 0) + _CHUNK, "right"))
        stop = max(stop, start + 1)
        face = np.repeat(np.arange(start, stop), counts[start:stop])
        begins = (ends - counts)[start:stop]
        place = np.arange(len(face)) - np.repeat(begins - begins[0], counts[start:stop])
        x = first[face, 0] + place % width[face]
        y = first[face, 1] + place // width[face]
        centre = np.stack([x, y], axis=-1) + 0.5
        at_b = _cross(centre - a[face], (c - a)[face]) / area[face]
        at_c = _cross((b - a)[face], centre - a[face]) / area[face]
        weights = np.stack([1.0 - at_b - at_c, at_b, at_c], axis=-1)
        inside = (weights >= -allowed[face]).all(axis=1)
        outside = np.flatnonzero(inside & (weights.min(axis=1) < 0.0))
        weights[outside], distance = _on_border(centre[outside], corners[face[outside]])
        inside[outside] = distance <= margin
        pieces.append(
            Texels(
                (y * edge + x)[inside].astype(np.int32),
                face[inside].astype(np.int32),
                weights[inside].astype(np.float32),
            )
        )
        start = stop
    return Texels(
        np.concatenate([piece.pixel for piece in pieces]),
        np.concatenate([piece.face for piece in pieces]),
        np.concatenate([piece.corners for piece in pieces]),
    )


def draw_charts(points: FloatArray, faces: Int32Array, edge: int) -> Texels:
    """The pixels of :func:`draw`, and those within a pixel of a border of the charts.

    Filtering reads the pixels beside a border too, and a chart may be thinner than a pixel.
    """
    exact = draw(points, faces, edge)
    sides = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1), axis=-1)
    key = sides[..., 0].astype(np.int64) * len(points) + sides[..., 1]
    _, index, count = np.unique(key, return_inverse=True, return_counts=True)
    at_border = np.flatnonzero((count[index.reshape(key.shape)] == 1).any(axis=1))
    ring = draw(points, faces[at_border], edge, margin=1.0)
    free = np.ones(edge * edge, np.bool_)
    free[exact.pixel] = False
    pixel, first = np.unique(ring.pixel, return_index=True)
    first = first[free[pixel]]
    return Texels(
        np.concatenate([exact.pixel, ring.pixel[first]]),
        np.concatenate([exact.face, at_border[ring.face[first]].astype(np.int32)]),
        np.concatenate([exact.corners, ring.corners[first]]),
    )


def _on_border(
    points: npt.NDArray[np.float64], corners: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Barycentric coordinates of the nearest points (N, 3) on triangles' borders, and distances."""
    nearest_so_far = np.full(len(points), np.inf)
    weights = np.zeros((len(points), 3))
    for start in range(3):
        stop = (start + 1) % 3
        side = corners[:, stop] - corners[:, start]
        along = ((points - corners[:, start]) * side).sum(axis=1)
        share = np.clip(along / np.maximum((side * side).sum(axis=1), 1e-12), 0.0, 1.0)
        distance = np.linalg.norm(points - corners[:, start] - share[:, None] * side, axis=1)
        closer = distance < nearest_so_far
        nearest_so_far[closer] = distance[closer]
        weights[closer] = 0.0
        weights[closer, start], weights[closer, stop] = 1.0 - share[closer], share[closer]
    return weights, nearest_so_far


def _cross(u: npt.NDArray[np.float64], v: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    result: npt.NDArray[np.float64] = u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]
    return result


def nearest(points: FloatArray, faces: Int32Array, edge: int) -> FloatArray:
    """Distance to the nearest surface at each pixel, (edge, edge); inf where there is none.

    Args:
        points: (V, 3): x and y in pixels as in :func:`draw`, and the distance from the viewer.
    """
    texels = draw(points[:, :2], faces, edge)
    # 1/distance is linear over a picture, distance is not.
    inverse = texels.interpolate(1.0 / points[:, 2:], faces)[:, 0]
    largest = np.zeros(edge * edge, np.float32)
    np.maximum.at(largest, texels.pixel, inverse)
    with np.errstate(divide="ignore"):
        return (1.0 / largest).reshape(edge, edge)


def fill(picture: npt.NDArray[Any], covered: npt.NDArray[np.bool_]) -> None:
    """Continue the covered pixels of a picture (H, H, C) into the others, in place.

    Averages of 2² pixels, of the covered ones among them, fill gaps from fine to coarse
    (pull-push). So neither filtering nor a smaller copy of a texture mixes in a colour from
    outside the charts.

    Args:
        picture: its edge is a power of two.
    """
    if covered.all() or len(covered) == 1:
        return
    picture[~covered] = 0
    weight = _halved(covered[..., None])
    smaller = _halved(picture) / np.maximum(weight, 1e-12)
    fill(smaller, weight[..., 0] > 0.0)
    rows, columns = np.nonzero(~covered)
    values = smaller[rows // 2, columns // 2]
    picture[rows, columns] = np.rint(values) if picture.dtype == np.uint8 else values


def _halved(values: npt.NDArray[Any]) -> FloatArray:
    height, width, channels = values.shape
    blocks = values.reshape(height // 2, 2, width // 2, 2, channels)
    halved: FloatArray = blocks.mean(axis=(1, 3), dtype=np.float32)
    return halved
