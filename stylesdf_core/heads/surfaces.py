"""Training data of a field: coloured surface points and signed distances of heads.

The points are the pixels of a few G-buffers around the head, so that colours are as sharp as in
pictures, and only surface that a camera sees is included. :func:`build_cache` writes the points of
many heads into shards, which the fit (:mod:`stylesdf_core.heads.fit`) reads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.ndimage import minimum_filter
from scipy.spatial import cKDTree

from stylesdf_core.heads.person.anatomy import SCLERA
from stylesdf_core.heads.person.latent import dataset_latent
from stylesdf_core.heads.person.posing import FRAME_SCALE
from stylesdf_core.heads.rasterizer.renderer import HeadRenderer
from stylesdf_core.heads.shards import SHARD_SIZE, Arrays, fill_shards
from stylesdf_core.progress import Operation
from stylesdf_core.rendering.camera import VOLUME_RADIUS, OrbitCamera

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

#: Views (azimuth, elevation, half field of view, size); the first shows the face from near.
_VIEWS = (
    (0.0, 0.0, 3.8, 128),
    (0.6, 0.05, 7.2, 96),
    (-0.6, 0.05, 7.2, 96),
    (1.6, 0.05, 7.2, 80),
    (-1.6, 0.05, 7.2, 80),
    (math.pi, 0.75, 7.2, 80),
    (0.0, -0.6, 7.2, 80),
)
#: Free space ends this far before the surface, world units.
_DEPTH_MARGIN = 5e-4
#: One centimetre on the head, world units.
_NEAR_FEATURE = 1.0 * FRAME_SCALE

#: Positions are stored as int16 in this step, world units: 5 µm on the head.
POINT_STEP = VOLUME_RADIUS / 32767.0


@dataclass(frozen=True)
class DepthView:
    """One camera, and the depth up to which its pixels see free space.

    Attributes:
        clear: (H, W) least planar depth of a pixel and its neighbours; 0 where the mesh is seen
            from inside.
    """

    camera: OrbitCamera
    clear: Float32

    def sees(self, points: Float32) -> npt.NDArray[np.bool_]:
        """Which of ``points`` (N, 3) certainly lie in free space."""
        size = len(self.clear)
        matrix = self.camera.cam2world()
        local = (points - matrix[:, 3]) @ matrix[:, :3]
        t = -local[:, 2]
        scale = self.camera.focal(size) / t
        column = np.floor(0.5 * size + local[:, 0] * scale).astype(np.int64)
        row = np.floor(0.5 * size - local[:, 1] * scale).astype(np.int64)
        within = (column >= 0) & (column < size) & (row >= 0) & (row < size)
        limit = self.clear[row.clip(0, size - 1), column.clip(0, size - 1)]
        return np.asarray(within & (t < limit - _DEPTH_MARGIN))


@dataclass(frozen=True)
class SurfaceSamples:
    """N points of one head's visible surface.

    Attributes:
        points, normals: (N, 3) float32, world; normals are unit and point outwards.
        rgb: (N, 3) float32, sRGB in [0, 1].
        material: (N,) uint8, one of ``anatomy.FACE`` … ``anatomy.HAIR``.
        rest, strands: (N, 3) float32, see ``GBuffer`` of ``rasterizer/renderer.py``.
        weights: (N,) float32, relative probability of drawing a point: the surface area of the
            point's pixel times 12 on the eyeballs, 2 on the front of the face, else 1, and three
            times as much within 1 cm of eyes, brows and lips.
        views: the depth maps that the points come from.
    """

    points: Float32
    normals: Float32
    rgb: Float32
    material: npt.NDArray[np.uint8]
    rest: Float32
    strands: Float32
    weights: Float32
    views: tuple[DepthView, ...]


def surface_samples(renderer: HeadRenderer, z: Float32, rng: np.random.Generator) -> SurfaceSamples:
    """All pixels of seven views of head ``z`` (256,); ``rng`` jitters the cameras."""
    geometry = renderer.shape(z)
    parts, areas, views = [], [], []
    for azimuth, elevation, fov, size in _VIEWS:
        camera = OrbitCamera(
            azimuth=azimuth + float(rng.uniform(-0.12, 0.12)),
            elevation=elevation + float(rng.uniform(-0.08, 0.08)),
            fov=fov,
        )
        view = renderer.gbuffer(geometry, camera, size, cull=elevation >= 0.0)
        clear = np.where(view.back_facing, np.float32(0.0), view.depth)
        views.append(DepthView(camera, minimum_filter(clear, size=3)))
        within = (np.abs(view.position) < VOLUME_RADIUS - 2e-4).all(axis=2)
        mask = view.mask & ~view.back_facing & within
        to_camera = camera.cam2world()[:, 3].astype(np.float32) - view.position[mask]
        to_camera /= np.linalg.norm(to_camera, axis=1, keepdims=True)
        facing = np.einsum("ij,ij->i", view.normal[mask], to_camera)
        # Pixels at grazing angles cover much surface, and their colours are often wrong.
        keep = facing > 0.2
        pixel = 2.0 * math.tan(math.radians(fov)) / size
        areas.append(pixel**2 / facing[keep])
        layers = (view.position, view.normal, view.rgb, view.material, view.rest, view.strands)
        parts.append([layer[mask][keep] for layer in layers])
    points, normals, rgb, material, rest, strands = (
        np.concatenate(layer) for layer in zip(*parts, strict=True)
    )
    area = np.concatenate(areas)
    importance = _importance(points, material, geometry.vertices[renderer.anatomy.landmarks])
    weights = (importance * area / area.mean()).astype(np.float32)
    return SurfaceSamples(points, normals, rgb, material, rest, strands, weights, tuple(views))


def _importance(points: Float32, material: npt.NDArray[np.uint8], landmarks: Float32) -> Float32:
    """Weight of a point by the part of the head; see :class:`SurfaceSamples`."""
    features = np.concatenate([landmarks[17:27], landmarks[36:68]])
    middles = 0.5 * (features[:-1] + features[1:])
    lips = landmarks[48:60].mean(axis=0)
    near = cKDTree(np.concatenate([features, middles, lips[None]])).query(
        points, distance_upper_bound=_NEAR_FEATURE
    )[0]
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    narrow = (
        (np.abs(points[:, 0]) < 0.75 * high[0])
        & (points[:, 1] > low[1])
        & (points[:, 1] < high[1] + 0.01)
        & (points[:, 2] > low[2])
    )
    weight = np.where(narrow, 2.0, 1.0) * np.where(np.isfinite(near), 3.0, 1.0)
    return np.where(material == SCLERA, 12.0, weight).astype(np.float32)


class FreeSpace:
    """Signed distance to the visible surface of one head, world units, negative inside."""

    def __init__(self, samples: SurfaceSamples) -> None:
        self._samples = samples
        self._tree = cKDTree(samples.points, balanced_tree=False, compact_nodes=False)

    def __call__(self, points: Float32) -> Float32:
        """Distances (N,) of ``points`` (N, 3); below the volume's floor counts as inside."""
        distance, index = (np.asarray(found) for found in self._tree.query(points, k=3))
        offset = points[:, None, :] - self._samples.points[index]
        height = np.einsum("nki,nki->nk", offset, self._samples.normals[index])
        near = distance[:, 0]
        plane = np.minimum(np.abs(height[:, 0]), near)
        # Close to the surface the plane through the nearest sample is more exact than the sample.
        magnitude = np.where(near < 0.003, plane, near)
        # Close to the surface, normals tell inside from outside; farther off, the cameras do.
        seen = np.logical_or.reduce([view.sees(points) for view in self._samples.views])
        outside = seen | ((height > 0.0).all(axis=1) & (near < 0.006))
        return (np.where(outside, 1.0, -1.0) * magnitude).astype(np.float32)


def supervision_of(
    renderer: HeadRenderer, index: int, *, seed: int, surface: int, free: int
) -> Arrays:
    """The arrays of head ``index`` that :func:`build_cache` lists.

    Draws ``surface`` weighted surface samples and ``free`` uniform points of the volume.
    """
    rng = np.random.default_rng([seed, index, 1])
    z = dataset_latent(seed, index)
    samples = surface_samples(renderer, z, rng)
    chosen = _weighted(samples.weights, surface, rng)
    points = rng.uniform(-VOLUME_RADIUS, VOLUME_RADIUS, (free, 3)).astype(np.float32)

    def exact(values: Float32) -> Float64:
        return values[chosen].astype(np.float64)

    return {
        "z": z,
        "points": np.rint(exact(samples.points) / POINT_STEP).astype(np.int16),
        "normals": np.rint(exact(samples.normals) * 127.0).astype(np.int8),
        "rgb": np.rint(exact(samples.rgb) * 255.0).astype(np.uint8),
        "material": samples.material[chosen],
        "rest": samples.rest[chosen].astype(np.float16),
        "strands": np.rint(exact(samples.strands) * 127.0).astype(np.int8),
        "free_points": np.rint(points.astype(np.float64) / POINT_STEP).astype(np.int16),
        "free_distance": FreeSpace(samples)(points).astype(np.float16),
    }


def _weighted(weights: Float32, count: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Indices drawn in proportion to ``weights`` (systematic resampling), in random order."""
    edges = np.cumsum(weights, dtype=np.float64)
    at = (np.arange(count) + rng.random(count)) * (edges[-1] / count)
    return rng.permutation(np.minimum(np.searchsorted(edges, at), len(weights) - 1))


def build_cache(
    facekit: Path,
    out: Path,
    *,
    count: int,
    seed: int = 0,
    surface: int = 2048,
    free: int = 2048,
    shard_size: int = SHARD_SIZE,
    jobs: int = 1,
) -> Operation[Path]:
    """Write surface samples and distances of ``count`` heads as shards; resumable.

    Head i has latent ``dataset_latent(seed, i)``. A shard of S = ``shard_size`` heads holds ``z``
    (S, 256) float32, ``points`` (S, surface, 3) int16 in steps of POINT_STEP, ``normals``
    int8 / 127, ``rgb`` uint8 / 255, ``material`` (S, surface) uint8, ``rest`` float16 in cm,
    ``strands`` int8 / 127, ``free_points`` (S, free, 3) int16 and ``free_distance`` (S, free)
    float16.

    Raises:
        InputError, GraphicsError, StyleSDFError: see :func:`fill_shards`.
    """
    return (
        yield from fill_shards(
            out,
            {"seed": seed, "surface": surface, "free": free},
            partial(supervision_of, seed=seed, surface=surface, free=free),
            facekit=facekit,
            count=count,
            shard_size=shard_size,
            jobs=jobs,
            message="heads cached",
        )
    )
