"""What the plain path and the engine each compute in a row of the bench, and how both compare.

A :class:`Paths` is a pair of functions from a scene to a timed result: pictures (C, H, W) in
[−1, 1] or meshes. Each function below makes the pair for a model and an edge in pixels or grid
points.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from stylesdf_core.engine.engine import Engine
from stylesdf_core.evaluation.bench.reference_path import ReferencePath, enlarged
from stylesdf_core.evaluation.bench.speed_report import Agreement
from stylesdf_core.evaluation.bench.timing import Path, Timed, clocked
from stylesdf_core.evaluation.image_metrics import psnr
from stylesdf_core.evaluation.shape_metrics import nearest_distances
from stylesdf_core.mesh.sdf_grid import sample_grid
from stylesdf_core.mesh.surface import SurfaceMesh, mesh_grid
from stylesdf_core.model.model import Model
from stylesdf_core.progress import drain
from stylesdf_core.rendering.camera import VOLUME_RADIUS
from stylesdf_core.scene.scene import Scene

T = TypeVar("T")
FloatArray: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Pair:
    """One model through both paths, on one device."""

    reference: ReferencePath
    engine: Engine

    @classmethod
    def of(cls, model: Model, device: str) -> Pair:
        """Both paths of ``model``; ``device`` is auto, cpu, cuda or mps."""
        return cls(ReferencePath(model, device), Engine(model, device))

    @property
    def image_size(self) -> int:
        """Edge of the decoded image, pixels."""
        return self.engine.config.output_size

    @property
    def device(self) -> torch.device:
        """Of both paths."""
        return self.engine.device


@dataclass(frozen=True, eq=False)
class Paths(Generic[T]):
    """The two functions of one row.

    Attributes:
        note: remark for the row's line in the table.
    """

    reference: Path[T]
    engine: Path[T]
    note: str = ""


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


def volume(pair: Pair, _: int) -> Paths[FloatArray]:
    """The volume render, at the model's own size."""
    return Paths(
        clocked(pair.reference.volume_picture, pair.device),
        clocked(lambda scene: pair.engine.render(scene, "volume").data, pair.device),
    )


def image(pair: Pair, size: int) -> Paths[FloatArray]:
    """The decoded image; of another size than the decoder's, enlarged as ``render --size`` does."""

    def resized(draw: Callable[[Scene], FloatArray]) -> Path[FloatArray]:
        if size <= pair.image_size:
            return clocked(draw, pair.device)
        return clocked(lambda scene: enlarged(draw(scene), size), pair.device)

    note = f"no decoder to {size}²: the {pair.image_size}² image enlarged, in both paths"
    return Paths(
        resized(pair.reference.image),
        resized(lambda scene: pair.engine.render(scene, "image").data),
        note if size > pair.image_size else "",
    )


def decode(pair: Pair, _: int) -> Paths[FloatArray]:
    """The decoder alone, from features that are computed off the clock."""

    def reference(scene: Scene) -> Timed[FloatArray]:
        features = pair.reference.volume(scene).features
        return clocked(lambda s: pair.reference.decoded(s, features), pair.device)(scene)

    # After a first pass smaller than the volume render, the last pass is the decoder's alone.
    coarsest = pair.engine.config.thumb_size // 2

    def engine(scene: Scene) -> Timed[FloatArray]:
        *_, last = pair.engine.passes(scene, "image", coarsest=coarsest)
        return Timed(last.picture.data, last.seconds)

    return Paths(reference, engine)


def mesh(pair: Pair, resolution: int) -> Paths[BareMesh]:
    """The surface: every grid point in the plain path, coarse to fine in the engine."""

    def reference(scene: Scene) -> BareMesh:
        return BareMesh(pair.reference.mesh(scene, resolution), resolution, 1.0)

    def engine(scene: Scene) -> BareMesh:
        grid = drain(sample_grid(pair.engine.sdf(scene), resolution=resolution))
        return BareMesh(drain(mesh_grid(grid)), resolution, grid.fraction_evaluated)

    note = "max error in voxels"
    return Paths(clocked(reference, pair.device), clocked(engine, pair.device), note)


def first_pass(pair: Pair, *, new_engine: bool) -> Path[int]:
    """The engine's first, coarse pass of an image; the result is its edge in pixels.

    Args:
        new_engine: make an engine for each scene, on the clock.
    """

    def edge(scene: Scene) -> int:
        engine = Engine(pair.engine.model, pair.device.type) if new_engine else pair.engine
        return next(engine.passes(scene, "image")).resolution

    return clocked(edge, pair.device)


def compare_pictures(picture: FloatArray, truth: FloatArray) -> Agreement:
    """PSNR for pictures in [−1, 1], whose range is 2, and the largest difference."""
    return Agreement(psnr(0.5 * picture, 0.5 * truth), float(np.abs(picture - truth).max()))


def compare_meshes(mesh: BareMesh, truth: BareMesh) -> Agreement:
    """Hausdorff distance of the vertices in voxels: the pitch of the grid."""
    pitch = 2.0 * VOLUME_RADIUS / (mesh.resolution - 1)
    return Agreement(None, hausdorff(mesh.mesh, truth.mesh) / pitch)


def hausdorff(a: SurfaceMesh, b: SurfaceMesh) -> float:
    """Greatest distance from a vertex of either mesh to the other's nearest vertex.

    It bounds from above how far the vertices are from the other *surface*. For meshes of one grid
    it is 0 where all cells agree.
    """
    there = nearest_distances(a.vertices, b.vertices).max()
    back = nearest_distances(b.vertices, a.vertices).max()
    return float(max(there, back))
