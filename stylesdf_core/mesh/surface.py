"""The level set of a scalar field as a triangle mesh: marching cubes, normals, colours, report.

The way of a mesh: field → grid (:mod:`.sdf_grid`) → triangles (this module) → file
(:mod:`.files.formats`) or drawing (:mod:`.preview`).

Vertices are in world units (1 = the camera's distance from the origin; +y up). The field must be
smaller inside (a signed distance; negate densities). The surface is cut and *closed* at the
bounds: a head cut at the neck gets a flat cap exactly in the boundary plane.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from skimage.measure import marching_cubes

from stylesdf_core.errors import EmptySurfaceError
from stylesdf_core.mesh.cuts import skin_colors
from stylesdf_core.mesh.sdf_grid import (
    VOLUME_BOUNDS,
    BoolArray,
    Corner,
    FloatArray,
    ScalarField,
    SdfGrid,
    VectorField,
    sample_grid,
)
from stylesdf_core.progress import Operation, Progress, part

FaceArray = npt.NDArray[np.int32]
ByteArray = npt.NDArray[np.uint8]

# Where a grid point's value is the level, marching cubes puts a vertex on the point for every edge
# that ends there. Such values are moved by this share of the field's mean change per cell, which
# keeps the vertices apart.
_NUDGE = 1e-3


@dataclass(frozen=True, eq=False)
class Textures:
    """Pictures on a mesh's surface, each (E, E, 3) uint8 with the first row at the top.

    Attributes:
        color: base colour, sRGB.
        normals: normal map of glTF's convention: red along u, green along v, 128 is zero.
    """

    color: ByteArray
    normals: ByteArray


@dataclass(frozen=True, eq=False)
class SurfaceMesh:
    """An indexed triangle mesh; compared and hashed by identity.

    Attributes:
        vertices: (V, 3) float32, world units.
        faces: (F, 3) int32, counter-clockwise seen from outside.
        normals: (V, 3) float32, unit length, outward.
        colors: (V, 3) float32 in [0, 1], sRGB as on the screen; None without colours.
        uv: (V, 2) float32 in [0, 1], v upwards; None without texture coordinates. A mesh that has
            them is cut along its charts: two vertices may lie at one place.
        textures: where there are texture coordinates.
    """

    vertices: FloatArray
    faces: FaceArray
    normals: FloatArray
    colors: FloatArray | None = None
    uv: FloatArray | None = None
    textures: Textures | None = None


@dataclass(frozen=True)
class MeshReport:
    """Counts and measures of a mesh.

    Attributes:
        vertices, triangles, components: counts; components are joined by shared vertices.
        largest_fraction: share of the triangles in the largest component, 0 to 1.
        watertight: every edge is shared by exactly two triangles, in opposite directions.
        euler: V − E + F; 2 for a sphere, 0 for a torus, summed over components.
        bounds: lower and upper corner, world units.
        area, volume: world units² and ³; the volume means something only if watertight.
    """

    vertices: int
    triangles: int
    components: int
    largest_fraction: float
    watertight: bool
    euler: int
    bounds: tuple[Corner, Corner]
    area: float
    volume: float


def extract_surface(
    sdf: ScalarField,
    *,
    resolution: int = 128,
    level: float = 0.0,
    bounds: tuple[Corner, Corner] = VOLUME_BOUNDS,
    normals: VectorField | None = None,
    colors: VectorField | None = None,
    largest_only: bool = False,
    chunk_points: int = 32768,
) -> Operation[SurfaceMesh]:
    """Mesh the level set of ``sdf``; yields Progress between chunks, from 0 to 1.

    This is :func:`sample_grid` followed by :func:`mesh_grid`, with their arguments. Call the two
    yourself to keep the grid, so that another level need not sample the field again.

    Raises:
        EmptySurfaceError: the field does not cross ``level``.
        InputError: resolution or bounds out of range, or the field is not finite.
    """
    grid = yield from part(
        sample_grid(
            sdf, resolution=resolution, level=level, bounds=bounds, chunk_points=chunk_points
        ),
        0.0,
        0.7,
    )
    meshing = mesh_grid(
        grid,
        level=level,
        normals=normals,
        colors=colors,
        largest_only=largest_only,
        chunk_points=chunk_points,
    )
    return (yield from part(meshing, 0.7, 1.0))


def mesh_grid(
    grid: SdfGrid,
    *,
    level: float = 0.0,
    normals: VectorField | None = None,
    colors: VectorField | None = None,
    largest_only: bool = False,
    chunk_points: int = 32768,
) -> Operation[SurfaceMesh]:
    """Marching cubes (Lewiner et al. 2003) on a grid sampled for ``level``; yields Progress 0 to 1.

    Args:
        grid: a grid that :func:`sample_grid` sampled for this level.
        normals: the field's normals at the vertices. Without the function, normals are differences
            of the grid, which is interpolated in places: on a head at 128³ the median error of such
            a normal is 0.5°, the 99th percentile 9°. A cap has the normal of its boundary plane,
            the cap's rim the surface's normals, which without the function are turned towards the
            cap, on a sphere by 11°. A normal that would point against the vertex's triangles is
            replaced by their mean, see :func:`with_triangles`.
        colors: the field's colours at the vertices; see :func:`.cuts.skin_colors`.
        largest_only: keep the component with most triangles, before normals and colours.

    Raises:
        EmptySurfaceError: no grid point, or every one, lies inside ``level``.
    """
    yield Progress(0.0, 1.0, "building triangles")
    vertices, faces, grid_normals, cap_normals = _triangulate(grid, level)
    if largest_only:
        faces = _largest(len(vertices), faces)
        used, faces = used_vertices(len(vertices), faces)
        vertices, grid_normals, cap_normals = vertices[used], grid_normals[used], cap_normals[used]
    yield Progress(0.5, 1.0, "computing normals")
    surface_normals = grid_normals
    if normals is not None:
        surface_normals = yield from part(
            in_chunks(normals, vertices, "computing normals", chunk_points=chunk_points), 0.5, 0.75
        )
    is_cap = cap_normals.any(axis=1, keepdims=True)
    unit_normals = _unit(np.where(is_cap, cap_normals, surface_normals))
    mesh = SurfaceMesh(vertices, faces, with_triangles(unit_normals, vertices, faces))
    if colors is not None:
        painted = yield from part(
            in_chunks(
                skin_colors(colors, vertices, (grid.lower, grid.upper)), vertices,
                "computing colours", chunk_points=chunk_points,
            ),
            0.75,
            1.0,
        )  # fmt: skip
        mesh = replace(mesh, colors=np.clip(painted, 0.0, 1.0))
    return mesh


def largest_component(mesh: SurfaceMesh) -> SurfaceMesh:
    """The connected component with most triangles, without the vertices it does not use."""
    used, faces = used_vertices(len(mesh.vertices), _largest(len(mesh.vertices), mesh.faces))
    colors = None if mesh.colors is None else mesh.colors[used]
    return SurfaceMesh(mesh.vertices[used], faces, mesh.normals[used], colors)


def welded(mesh: SurfaceMesh) -> SurfaceMesh:
    """A mesh that was cut along its charts, closed again: one vertex at each place."""
    if mesh.uv is None:
        return mesh
    _, first, group = np.unique(mesh.vertices, axis=0, return_index=True, return_inverse=True)
    faces = group.reshape(-1)[mesh.faces].astype(np.int32)
    return SurfaceMesh(mesh.vertices[first], faces, mesh.normals[first])


def report(mesh: SurfaceMesh) -> MeshReport:
    """Count and measure ``mesh``, which must have at least one triangle."""
    component = _face_components(len(mesh.vertices), mesh.faces)
    sizes = np.bincount(component)
    edges, watertight = count_edges(len(mesh.vertices), mesh.faces)
    corners = mesh.vertices[mesh.faces].astype(np.float64)  # (F, 3, 3)
    crosses = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return MeshReport(
        vertices=len(mesh.vertices),
        triangles=len(mesh.faces),
        components=int((sizes > 0).sum()),
        largest_fraction=float(sizes.max() / len(mesh.faces)),
        watertight=watertight,
        euler=len(np.unique(mesh.faces)) - edges + len(mesh.faces),
        bounds=(_corner(mesh.vertices.min(axis=0)), _corner(mesh.vertices.max(axis=0))),
        area=float(0.5 * np.linalg.norm(crosses, axis=1).sum()),
        volume=float((corners[:, 0] * crosses).sum() / 6.0),  # divergence theorem
    )


def _corner(point: FloatArray) -> Corner:
    x, y, z = (float(value) for value in point)
    return x, y, z


def in_chunks(
    field: VectorField,
    points: FloatArray,
    message: str,
    *,
    chunk_points: int = 32768,
    width: int = 3,
) -> Operation[FloatArray]:
    """A function of points (N, 3) with values (N, ``width``), asked for some points at a time."""
    result = np.empty((len(points), width), np.float32)
    for first in range(0, len(points), chunk_points):
        chunk = slice(first, first + chunk_points)
        result[chunk] = field(points[chunk])
        yield Progress(min(1.0, chunk.stop / len(points)), 1.0, message)
    return result


def _triangulate(
    grid: SdfGrid, level: float
) -> tuple[FloatArray, FaceArray, FloatArray, FloatArray]:
    """Vertices (world), faces, normals (V, 3), and those of vertices inside a cap, else zero."""
    low, high = float(grid.values.min()), float(grid.values.max())
    if not low < level <= high:
        raise EmptySurfaceError(low, high, level)
    box = _box_around(grid.values < level)
    volume = _closed_volume(grid.values[box], level, _NUDGE * (high - low) / grid.resolution)
    position, faces, inward, _ = marching_cubes(volume, level, gradient_direction="descent")
    del volume
    # Grid index; the padding gave every axis one more point at each end.
    position += np.array([side.start - 1 for side in box], np.float32)

    last = grid.resolution - 1
    below, above = position < -1e-3, position > last + 1e-3
    vertices = (np.asarray(grid.lower) + position * grid.pitch).astype(np.float32)
    vertices = np.clip(vertices, np.array(grid.lower, np.float32), np.array(grid.upper, np.float32))
    cap_normals = above.astype(np.float32) - below.astype(np.float32)
    # Differences along an axis were divided by one, not by the axis's pitch.
    normals = (-inward / grid.pitch).astype(np.float32)
    return _weld(vertices, faces.astype(np.int32), normals, cap_normals)


def _box_around(inside: BoolArray) -> tuple[slice, slice, slice]:
    """The smallest box of grid points that holds the inner ones and a layer around them."""
    sides = []
    for axis in range(3):
        others = tuple({0, 1, 2} - {axis})
        found = np.flatnonzero(inside.any(axis=others))
        sides.append(slice(max(int(found[0]) - 1, 0), int(found[-1]) + 2))
    x, y, z = sides
    return x, y, z


def _closed_volume(values: FloatArray, level: float, nudge: float) -> FloatArray:
    """``values`` with a border of outside values, (R+2)³, and no value too close to ``level``.

    The border mirrors the boundary's values about the level, so that the surface closes half a
    cell outside the bounds; moved back onto the boundary plane, this part becomes a flat cap.
    """
    volume = np.pad(values, 1, mode="edge")
    volume[(volume >= level) & (volume < level + nudge)] = level + nudge
    volume[(volume < level) & (volume > level - nudge)] = level - nudge
    for axis in range(3):
        for end in (0, -1):
            border = np.moveaxis(volume, axis, 0)[end]
            border[...] = level + np.abs(border - level)
    return volume


def _weld(
    vertices: FloatArray, faces: FaceArray, normals: FloatArray, cap_normals: FloatArray
) -> tuple[FloatArray, FaceArray, FloatArray, FloatArray]:
    """Join the vertices of two caps that meet in an edge of the bounds, and drop empty triangles.

    A grid point inside the surface on an edge of the bounds has one vertex for each of the planes.
    """
    caps = np.flatnonzero(cap_normals.any(axis=1))
    _, first, group = np.unique(vertices[caps], axis=0, return_index=True, return_inverse=True)
    if len(first) == len(caps):
        return vertices, faces, normals, cap_normals
    keeper = np.arange(len(vertices), dtype=np.int32)
    keeper[caps] = caps[first][group.reshape(-1)]
    merged = np.zeros_like(cap_normals)
    np.add.at(merged, keeper, cap_normals)
    faces = keeper[faces]
    a, b, c = faces.T
    used, faces = used_vertices(len(vertices), faces[(a != b) & (b != c) & (c != a)])
    return vertices[used], faces, normals[used], merged[used]


def with_triangles(normals: FloatArray, vertices: FloatArray, faces: FaceArray) -> FloatArray:
    """Unit normals, each in the half space of the mean of its vertex's triangles.

    On the rim of a cap the surface meets the boundary plane at an angle. Where the surface faces
    away from the plane (an overhanging neck or strand of hair), its normal points against the
    triangles that the vertex shares with the cap. There the triangles' mean, weighted by their
    areas, is the vertex's normal.
    """
    a, b, c = (vertices[corner] for corner in faces.T)
    crosses = np.cross(b - a, c - a)  # length: twice the triangle's area
    corners, count = faces.reshape(-1), len(vertices)
    sums = [np.bincount(corners, np.repeat(cross, 3), count) for cross in crosses.T]
    total = np.stack(sums, axis=1, dtype=np.float64)
    agrees = np.einsum("ij,ij->i", total, normals)[:, None] > 0.0
    return np.where(agrees, normals, _unit(total))


def _unit(vectors: npt.NDArray[Any]) -> FloatArray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: FloatArray = (vectors / np.maximum(length, 1e-12)).astype(np.float32)
    return unit


def _face_components(vertex_count: int, faces: FaceArray) -> npt.NDArray[np.int32]:
    """Component of each face, (F,), numbered from 0 over all vertices, used or not."""
    first = faces[:, [0, 1]].reshape(-1)
    second = faces[:, [1, 2]].reshape(-1)
    ones = np.ones(len(first), np.int8)
    links = coo_array((ones, (first, second)), shape=(vertex_count, vertex_count))
    of_vertex: npt.NDArray[np.int32]
    _, of_vertex = connected_components(links, directed=False)
    return of_vertex[faces[:, 0]]


def _largest(vertex_count: int, faces: FaceArray) -> FaceArray:
    component = _face_components(vertex_count, faces)
    largest: FaceArray = faces[component == np.bincount(component).argmax()]
    return largest


def used_vertices(vertex_count: int, faces: FaceArray) -> tuple[BoolArray, FaceArray]:
    """Mask of the vertices that ``faces`` use, and the faces with only these vertices numbered."""
    used = np.zeros(vertex_count, np.bool_)
    used[faces] = True
    renumbered = (np.cumsum(used) - 1).astype(np.int32)
    return used, renumbered[faces]


def count_edges(vertex_count: int, faces: FaceArray) -> tuple[int, bool]:
    """Number of edges, and whether each joins two triangles that run along it oppositely."""
    tail = faces.astype(np.int64)
    head = np.roll(tail, -1, axis=1)
    edge = np.minimum(tail, head) * vertex_count + np.maximum(tail, head)
    halves = np.sort((2 * edge + (tail > head)).reshape(-1))  # an edge's two directions: 2e, 2e + 1
    count = 1 + int((np.diff(halves // 2) != 0).sum())
    paired = count * 2 == len(halves) and bool((halves[0::2] + 1 == halves[1::2]).all())
    return count, paired and bool((halves[0::2] % 2 == 0).all())
