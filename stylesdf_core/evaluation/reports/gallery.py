"""The pictures of a report, as in the paper's figures: heads × azimuths.

For each head and azimuth: the image, the surface's normals, the mesh, and the depth error, the
distance of each pixel's point to the front view's points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from stylesdf_core.engine.engine import Engine
from stylesdf_core.errors import EmptySurfaceError, GraphicsError
from stylesdf_core.evaluation.metrics.image_metrics import enlarge
from stylesdf_core.evaluation.metrics.shape_metrics import (
    BIN,
    COVERED,
    back_project,
    nearest_distances,
)
from stylesdf_core.mesh.preview import MeshPreview
from stylesdf_core.mesh.surface import SurfaceMesh, extract_surface
from stylesdf_core.progress import Operation, Progress, part
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Identity, Scene

FloatArray = npt.NDArray[np.float32]

AZIMUTHS = (-0.5, -0.25, 0.0, 0.25, 0.5)
#: Depth error that is shown brightest, sample bins.
BRIGHTEST = 2.0
_PSI = 0.7
_EDGE = 192
_MESH_RESOLUTION = 96


def gallery(engine: Engine, seeds: Sequence[int]) -> Operation[dict[str, list[list[FloatArray]]]]:
    """Grids by their titles: a row for each head, pictures (192, 192, 3) in [0, 1].

    The grid of meshes is left out where there is no OpenGL.
    """
    titles = ("image", "normals", "mesh", f"depth error, white from {BRIGHTEST:g} bins on")
    grids: dict[str, list[list[FloatArray]]] = {title: [] for title in titles}
    fov = engine.model.poses.fov
    with MeshPreview() as preview:
        for index, seed in enumerate(seeds):
            scene = Scene(identity=Identity(seed), truncation_psi=_PSI)
            cameras = [OrbitCamera(azimuth, fov=fov) for azimuth in AZIMUTHS]
            scenes = [replace(scene, camera=camera) for camera in cameras]
            yield Progress(index, len(seeds), "drawing the report's pictures")
            views = [engine.render_views(each, ("image", "depth")) for each in scenes]
            rows = (
                [enlarge(view["image"].display(), _EDGE) for view in views],
                [engine.render(each, "normals", _EDGE).display() for each in scenes],
                (yield from part(
                    _meshes(engine, scene, cameras, preview), index, index + 1, len(seeds)
                )),
                _depth_errors(
                    [view["depth"].data[0] for view in views],
                    [1.0 - view["depth"].background for view in views],
                    cameras,
                ),
            )  # fmt: skip
            for title, row in zip(titles, rows, strict=True):
                if row:
                    grids[title].append(row)
    return {title: rows for title, rows in grids.items() if rows}


def _meshes(
    engine: Engine, scene: Scene, cameras: Sequence[OrbitCamera], preview: MeshPreview
) -> Operation[list[FloatArray]]:
    try:
        mesh: SurfaceMesh = yield from extract_surface(
            engine.sdf(scene), resolution=_MESH_RESOLUTION, normals=engine.normals(scene)
        )
        drawn = [preview.submit(mesh, camera, _EDGE) for camera in cameras]
        return [picture.result().pixels for picture in drawn]
    except (EmptySurfaceError, GraphicsError):
        return []


def _depth_errors(
    depths: Sequence[FloatArray], covers: Sequence[FloatArray], cameras: Sequence[OrbitCamera]
) -> list[FloatArray]:
    """Distances to the front view's points, black for 0, white from two bins on; grey outside."""
    middle = AZIMUTHS.index(0.0)
    front = back_project(depths[middle], cameras[middle])[covers[middle] >= COVERED]
    pictures = []
    for depth, cover, camera in zip(depths, covers, cameras, strict=True):
        shown = np.full(depth.shape, 0.5, np.float32)
        inside = cover >= COVERED
        if len(front) and inside.any():
            distances = nearest_distances(back_project(depth, camera)[inside], front)
            shown[inside] = np.clip(distances / (BIN * BRIGHTEST), 0.0, 1.0)
        repeated = np.arange(_EDGE) * len(shown) // _EDGE
        pictures.append(np.repeat(shown[repeated][:, repeated, None], 3, axis=-1))
    return pictures
