"""Textures of a mesh, baked from a scene: base colour, and the normals of the full surface.

The base colour comes from decoded pictures of the scene, which show more than the field's own
colours: on three heads, renders of the textured mesh are 2 dB nearer to decoded pictures of other
views. The pictures are taken within the cameras of the model's training, and blended by visibility
and angle (``mesh/assets/visibility.py``). Where no camera looks, the field's colours stand.

The normals are the field's, at the point of the surface that lies behind a texel. Field values
vary slowly, so they are computed for a texture of at most 1024² and interpolated to larger ones;
so are the colours of pictures of at most 512², whose pixels are larger than such a texel.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from stylesdf_core.engine.picture import pixels
from stylesdf_core.mesh.assets.tangents import tangents, to_tangent_space
from stylesdf_core.mesh.assets.texels import Texels, draw_charts, fill
from stylesdf_core.mesh.assets.visibility import CameraView, view_mesh
from stylesdf_core.mesh.cuts import cut_normals, skin_colors
from stylesdf_core.mesh.sdf_grid import Corner
from stylesdf_core.mesh.surface import SurfaceMesh, Textures, in_chunks
from stylesdf_core.progress import Operation, Progress, part
from stylesdf_core.rendering.camera import OrbitCamera

if TYPE_CHECKING:
    from stylesdf_core.engine.engine import Engine
    from stylesdf_core.mesh.assets.fields import SurfaceFields
    from stylesdf_core.model.poses import Poses
    from stylesdf_core.scene.scene import Scene

FloatArray = npt.NDArray[np.float32]

_FIELD_EDGE, _COARSE_PICTURE = 1024, 512
# The weight of the field's colour, where one picture seen straight ahead weighs 1.
_FIELD_WEIGHT = 0.01
_CHUNK = 1 << 18  # texels


@dataclass(frozen=True, eq=False)
class _Source:
    """A picture from which colours are taken: (H, W, 3), and its preference over others."""

    picture: FloatArray
    view: CameraView
    preference: float


def bake_textures(
    engine: Engine, scene: Scene, mesh: SurfaceMesh, fields: SurfaceFields, edge: int
) -> Operation[SurfaceMesh]:
    """A mesh with UV coordinates, and textures baked for it; yields Progress from 0 to 1.

    Args:
        scene: its camera does not matter.
        mesh: a simplified surface, cut along its charts.
        fields: the surface of which ``mesh`` is a simplification.
        edge: of the textures, texels: a power of two.
    """
    assert mesh.uv is not None
    cameras = _cameras(engine.model.poses)
    sources = []
    for index, (camera, preference) in enumerate(cameras):
        yield Progress(0.3 * index / len(cameras), 1.0, "rendering pictures for the texture")
        picture = pixels(engine.render(replace(scene, camera=camera), "image"))
        sources.append(_Source(picture, view_mesh(mesh, camera, len(picture)), preference))
    small = min(edge, _FIELD_EDGE)
    is_coarse = len(sources[0].picture) <= _COARSE_PICTURE
    maps = yield from part(_surface_maps(mesh, fields, small, sources * is_coarse), 0.3, 0.75)
    yield Progress(0.75, 1.0, "drawing the textures")
    frame = tangents(mesh.vertices, mesh.faces, mesh.normals, mesh.uv)
    texels = draw_charts(_in_texels(mesh, edge), mesh.faces, edge)
    color, normal = (np.zeros((edge * edge, 3), np.uint8) for _ in range(2))

    def bake(piece: Texels) -> None:
        at = np.stack([piece.pixel % edge, piece.pixel // edge], axis=1)
        found = _sampled(maps, ((at + 0.5) / edge).astype(np.float32))
        normals = found[:, :3] / np.maximum(np.linalg.norm(found[:, :3], axis=1), 1e-12)[:, None]
        colors = found[:, 3:6]
        if not is_coarse:
            points = piece.interpolate(mesh.vertices, mesh.faces) + found[:, 6:9]
            colors = _blend(points, normals, colors, sources, fields.bounds)
        color[piece.pixel] = np.rint(255.0 * np.clip(colors, 0.0, 1.0))
        mapped = to_tangent_space(normals, piece, mesh.faces, mesh.normals, frame)
        normal[piece.pixel] = np.rint(255.0 * (0.5 + 0.5 * mapped))

    pieces = [texels[start : start + _CHUNK] for start in range(0, len(texels), _CHUNK)]
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        try:
            for index, _ in enumerate(pool.map(bake, pieces)):
                yield Progress(0.75 + 0.2 * (index + 1) / len(pieces), 1.0, "drawing the textures")
        finally:
            pool.shutdown(cancel_futures=True)
    covered = np.zeros(edge * edge, np.bool_)
    covered[texels.pixel] = True
    textures = Textures(color.reshape(edge, edge, 3), normal.reshape(edge, edge, 3))
    for texture in (textures.color, textures.normals):
        fill(texture, covered.reshape(edge, edge))
        yield Progress(0.97, 1.0, "closing the gaps between charts")
    return replace(mesh, textures=textures)


def _cameras(poses: Poses) -> Sequence[tuple[OrbitCamera, float]]:
    """Cameras within those of the training, and the preferences of their pictures.

    Few pictures: every further one of the same part of the surface blurs what the others show.
    """
    a, e = poses.azimuth_std, poses.elevation_std
    angles = [(0.0, 0.0, 1.0), (-2.0 * a, 0.0, 1.0), (2.0 * a, 0.0, 1.0)]
    angles += [(0.0, -2.5 * e, 0.2), (0.0, 2.5 * e, 0.2)]
    return [(OrbitCamera(azimuth, up, poses.fov), weight) for azimuth, up, weight in angles]


def _surface_maps(
    mesh: SurfaceMesh, fields: SurfaceFields, edge: int, sources: Sequence[_Source]
) -> Operation[FloatArray]:
    """Normal, colour and way to the surface behind each texel, (edge, edge, 9).

    Args:
        sources: pictures whose colours are blended in; may be none.
    """
    texels = draw_charts(_in_texels(mesh, edge), mesh.faces, edge)
    points = texels.interpolate(mesh.vertices, mesh.faces)
    colors_at = skin_colors(fields.colors, mesh.vertices, fields.bounds)

    def behind(chunk: FloatArray) -> FloatArray:
        normals = fields.normals(chunk)
        way = (fields.level - fields.sdf(chunk))[:, None] * normals
        cut = cut_normals(chunk, fields.bounds)
        is_cut = cut.any(axis=1)
        normals[is_cut], way[is_cut] = cut[is_cut], 0.0
        colors = _blend(chunk + way, normals, colors_at(chunk + way), sources, fields.bounds)
        return np.concatenate([normals, colors, way], axis=1)

    values = yield from in_chunks(behind, points, "baking the surface", width=9)
    maps = np.zeros((edge * edge, 9), np.float32)
    maps[texels.pixel] = values
    covered = np.zeros(edge * edge, np.bool_)
    covered[texels.pixel] = True
    square = maps.reshape(edge, edge, 9)
    fill(square, covered.reshape(edge, edge))
    return square


def _in_texels(mesh: SurfaceMesh, edge: int) -> FloatArray:
    """UV coordinates as places in a picture whose first row is the top, (V, 2)."""
    assert mesh.uv is not None
    return np.stack([mesh.uv[:, 0], 1.0 - mesh.uv[:, 1]], axis=1) * np.float32(edge)


def _blend(
    points: FloatArray,
    normals: FloatArray,
    own: FloatArray,
    sources: Sequence[_Source],
    bounds: tuple[Corner, Corner],
) -> FloatArray:
    """Mean of the pictures' colours at points (N, 3), weighted, with the field's colours.

    A picture does not show where ``bounds`` cut the surface open: there the field's colours stand.
    """
    normals = np.where(cut_normals(points, bounds).any(axis=1, keepdims=True), 0.0, normals)
    total = _FIELD_WEIGHT * own
    weight = np.full((len(points), 1), _FIELD_WEIGHT, np.float32)
    for source in sources:
        place, seen = source.view.weights(points, normals)
        where = np.flatnonzero(seen)
        share = (source.preference * seen[where, None]).astype(np.float32)
        total[where] += share * _sampled(source.picture, place[where])
        weight[where] += share
    return total / weight


def _sampled(picture: FloatArray, places: FloatArray) -> FloatArray:
    """A picture (H, W, C) at places (N, 2) in [0, 1], x right and y down, interpolated linearly."""
    planes = torch.from_numpy(np.ascontiguousarray(np.moveaxis(picture, -1, 0)))[None]
    at = torch.from_numpy(places * 2.0 - 1.0)[None, None]
    found = F.grid_sample(planes, at, align_corners=False, padding_mode="border")
    return found[0, :, 0].T.numpy()
