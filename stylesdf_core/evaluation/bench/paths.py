"""What the plain path and the engine compute in a row of the bench, and the errors between both.

Most functions return two timed functions, the plain path's and the engine's, for a model and an
edge in pixels or grid points. Pictures are (C, H, W) in [−1, 1].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from stylesdf_core.engine.engine import Engine
from stylesdf_core.engine.levels import volume_level
from stylesdf_core.engine.passes import passes
from stylesdf_core.evaluation.bench.reference_path import ReferencePath, enlarged
from stylesdf_core.evaluation.bench.timing import Path, clocked
from stylesdf_core.evaluation.metrics.image_metrics import psnr
from stylesdf_core.evaluation.metrics.shape_metrics import nearest_distances
from stylesdf_core.mesh.sdf_grid import sample_grid
from stylesdf_core.mesh.surface import SurfaceMesh, mesh_grid
from stylesdf_core.model.model import Model
from stylesdf_core.progress import drain
from stylesdf_core.rendering.camera import VOLUME_RADIUS
from stylesdf_core.scene.scene import Scene

FloatArray: TypeAlias = npt.NDArray[np.float32]
PicturePaths: TypeAlias = tuple[Path[FloatArray], Path[FloatArray]]


class Pair:
    """One model through both paths.

    Args:
        device: auto, cpu, cuda or mps.
    """

    def __init__(self, model: Model, device: str) -> None:
        self.reference, self.engine = ReferencePath(model, device), Engine(model, device)
        self.device = self.engine.device

    @property
    def image_size(self) -> int:
        """Edge of the decoded image, pixels."""
        return self.engine.config.output_size


@dataclass(frozen=True, eq=False)
class BareMesh:
    """A mesh without normals and colours.

    Attributes:
        resolution: of its grid, points an edge.
        evaluated: share of the grid's points at which the field was evaluated.
    """

    mesh: SurfaceMesh
    resolution: int
    evaluated: float


def volume(pair: Pair, _: int) -> PicturePaths:
    """The volume render, at the model's own size."""
    return (
        clocked(pair.reference.volume_picture, pair.device),
        clocked(lambda scene: pair.engine.render(scene, "volume").data, pair.device),
    )


def image(pair: Pair, size: int) -> PicturePaths:
    """The decoded image; beyond the decoder's size enlarged as ``render --size`` does."""

    def resized(draw: Callable[[Scene], FloatArray]) -> Path[FloatArray]:
        if size <= pair.image_size:
            return clocked(draw, pair.device)
        return clocked(lambda scene: enlarged(draw(scene), size), pair.device)

    engine = resized(lambda scene: pair.engine.render(scene, "image").data)
    return resized(pair.reference.image), engine


def decode(pair: Pair, _: int) -> PicturePaths:
    """The decoder alone, from features that are computed off the clock."""

    def reference(scene: Scene) -> tuple[FloatArray, float]:
        features = pair.reference.volume(scene).features
        return clocked(lambda s: pair.reference.decoded(s, features), pair.device)(scene)

    # After a first pass smaller than the volume render, the last pass is the decoder's alone.
    first = volume_level(pair.engine.config.thumb_size // 2)

    def engine(scene: Scene) -> tuple[FloatArray, float]:
        *_, last = passes(pair.engine, scene, "image", first=first)
        return last.picture.data, 1e3 * last.seconds

    return reference, engine


def mesh(pair: Pair, resolution: int) -> tuple[Path[BareMesh], Path[BareMesh]]:
    """The surface: every grid point in the plain path, coarse to fine in the engine."""

    def reference(scene: Scene) -> BareMesh:
        return BareMesh(pair.reference.mesh(scene, resolution), resolution, 1.0)

    def engine(scene: Scene) -> BareMesh:
        grid = drain(sample_grid(pair.engine.sdf(scene), resolution=resolution))
        return BareMesh(drain(mesh_grid(grid)), resolution, grid.fraction_evaluated)

    return clocked(reference, pair.device), clocked(engine, pair.device)


def first_pass(pair: Pair, *, new_engine: bool) -> Path[int]:
    """The engine's first, coarse pass of an image; the result is its edge in pixels.

    Args:
        new_engine: make an engine for each scene, on the clock.
    """

    def edge(scene: Scene) -> int:
        engine = Engine(pair.engine.model, pair.device.type) if new_engine else pair.engine
        return next(passes(engine, scene, "image")).resolution

    return clocked(edge, pair.device)


def direct(pair: Pair, size: int) -> Path[FloatArray]:
    """The engine's direct view."""
    return clocked(lambda scene: pair.engine.direct(scene, size).data, pair.device)


def compare_pictures(picture: FloatArray, truth: FloatArray) -> tuple[float, float]:
    """PSNR in dB for pictures in [−1, 1], whose range is 2, and the largest difference."""
    return psnr(0.5 * picture, 0.5 * truth), float(np.abs(picture - truth).max())


def compare_meshes(mesh: BareMesh, truth: BareMesh) -> tuple[None, float]:
    """No PSNR, and the Hausdorff distance of the vertices in voxels, the pitch of the grid."""
    pitch = 2.0 * VOLUME_RADIUS / (mesh.resolution - 1)
    return None, hausdorff(mesh.mesh, truth.mesh) / pitch


def hausdorff(a: SurfaceMesh, b: SurfaceMesh) -> float:
    """Greatest distance from a vertex of either mesh to the other's nearest vertex.

    It bounds from above how far the vertices are from the other *surface*. For meshes of one grid
    it is 0 where all cells agree.
    """
    there = nearest_distances(a.vertices, b.vertices).max()
    back = nearest_distances(b.vertices, a.vertices).max()
    return float(max(there, back))
