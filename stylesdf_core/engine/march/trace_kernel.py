"""The loop of :mod:`.surface_trace`, compiled by Numba; see ``compiled/disk_cache.py``."""

from __future__ import annotations

from typing import Any

import numpy as np

from stylesdf_core.engine.compiled.disk_cache import compiled
from stylesdf_core.engine.march.distance_grid import CAUTION, LEAST, UNKNOWN


@compiled()
def trace_rays(
    grid: Any,
    radius: float,
    near: float,
    far: float,
    origins: Any,
    directions: Any,
    rotation: Any,
    reach: float,
    cube: float,
    depths: Any,
    slopes: Any,
) -> None:
    """The first crossing of each ray, as ``SurfaceTrace``.

    Args:
        grid: (G, G, G, 2) float32, indexed x, y, z: a distance, and its largest possible error.
        radius: half the grid's edge, world units.
        origins, directions: (R, 3) float32.
        rotation, reach, cube: the trained volume: camera to world (3, 3), the tangent of its
            opening angle, half the cube's edge; ``reach`` 0 for no volume.
        depths, slopes: (R,) float32; the results are written here.
    """
    size = grid.shape[0]
    scale, end = np.float32((size - 1) / (2.0 * radius)), np.float32(size - 1)
    half, one = np.float32(0.5 * (size - 1)), np.float32(1.0)
    pitch, unknown = np.float32(2.0 * radius / (size - 1)), np.float32(UNKNOWN)
    least_step, caution = np.float32(LEAST) * pitch, np.float32(CAUTION)
    begin, stop = np.float32(near), np.float32(far)
    for ray in range(origins.shape[0]):
        ox, oy, oz = origins[ray, 0], origins[ray, 1], origins[ray, 2]
        dx, dy, dz = directions[ray, 0], directions[ray, 1], directions[ray, 2]
        length = np.sqrt(dx * dx + dy * dy + dz * dz)
        depths[ray], slopes[ray] = np.inf, length
        t, before_t, before = begin, begin, unknown
        while t < stop:
            px, py, pz = ox + dx * t, oy + dy * t, oz + dz * t
            x, y, z = px * scale + half, py * scale + half, pz * scale + half
            # Written so that NaN counts as outside: no index is made of it.
            known = 0.0 <= x <= end and 0.0 <= y <= end and 0.0 <= z <= end
            if known and reach > 0.0 and max(abs(px), abs(py), abs(pz)) > cube:
                right = abs(px * rotation[0, 0] + py * rotation[1, 0] + pz * rotation[2, 0])
                up = abs(px * rotation[0, 1] + py * rotation[1, 1] + pz * rotation[2, 1])
                back = px * rotation[0, 2] + py * rotation[1, 2] + pz * rotation[2, 2]
                known = max(right, up) <= reach * (1.0 - back)
            if not known:
                before_t, before = t, unknown
                t += pitch
                continue
            i, j, k = min(int(x), size - 2), min(int(y), size - 2), min(int(z), size - 2)
            u, v, w = x - np.float32(i), y - np.float32(j), z - np.float32(k)
            distance = np.float32(0.0)
            for di in range(2):
                wi = u if di else one - u
                for dj in range(2):
                    corner = grid[i + di, j + dj]
                    wij = wi * (v if dj else one - v)
                    distance += wij * ((one - w) * corner[k, 0] + w * corner[k + 1, 0])
            if distance <= 0.0:
                depths[ray] = t
                if before < unknown:
                    depths[ray] = before_t + (t - before_t) * before / (before - distance)
                    fall = (before - distance) / (t - before_t)
                    slopes[ray] = max(fall, np.float32(0.1) * length)
                break
            before_t, before = t, distance
            t += max(caution * distance, least_step) / length
