"""Scores of single heads against the truth: views, orbits and meshes, a function for each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stylesdf_core.engine.picture import Picture, pixels
from stylesdf_core.evaluation.metrics.image_metrics import enlarge, psnr, sharpness, shrink
from stylesdf_core.evaluation.metrics.shape_metrics import (
    ScalarField,
    angles,
    back_project,
    dents,
    gradient_norms,
    intersection_over_union,
    median_chamfer,
    nearest_distances,
    separate_parts,
)
from stylesdf_core.heads.measure.truth import TrueShape, TrueSurface
from stylesdf_core.mesh.sdf_grid import VectorField
from stylesdf_core.mesh.surface import SurfaceMesh, largest_component, report
from stylesdf_core.rendering.camera import VOLUME_RADIUS, OrbitCamera

FloatArray = npt.NDArray[np.float32]

#: Opacity from which a part of a silhouette counts as floating, and its smallest size, pixels.
HAZE, SMALLEST_PART = 0.25, 2
#: Share of the head's height beyond which a point has strayed from the surface.
STRAY = 0.05
#: Half width of the shell around the surface in which gradients are measured, world units: half
#: the distance of two samples on a ray.
SHELL = 0.005
#: Mesh vertices drawn at random for angles, and for gradients.
_ANGLE_POINTS, _GRADIENT_POINTS = 4000, 1000
#: Shares of the head's height: how far a point's surroundings reach, and a dent's least depth.
_AROUND, _DENT = 0.12, 0.005


@dataclass(frozen=True)
class ViewScore:
    """One head from one camera.

    Attributes:
        psnr_thumb: PSNR of the volume render to the box-filtered truth, dB.
        psnr_image: PSNR of the decoded image to the truth, dB.
        psnr_direct: PSNR of the direct view to the truth, dB.
        psnr_enlarged: PSNR of the bicubically enlarged volume render to the truth, dB.
        sharpness, true_sharpness: mean absolute Laplacian of decoded image and truth.
        iou: intersection over union of the silhouettes (opacity ≥ ½), at the volume render's size.
        depth_error: median distance of the depth map's points (opacity ≥ ½) to the points that
            the truth shows from the same camera, as a share of the head's height. Since the truth's
            points lie 0.0008 apart at 256², the distance to the surface itself is a little smaller.
        seconds: rendering time.
    """

    seed: int
    psnr_thumb: float
    psnr_image: float
    psnr_direct: float
    psnr_enlarged: float
    sharpness: float
    true_sharpness: float
    iou: float
    depth_error: float
    seconds: float


@dataclass(frozen=True)
class EyeScore:
    """Whether both eyes were found from the front: in the model, the truth, the blurred truth."""

    seed: int
    model: bool
    truth: bool
    blurred: bool


@dataclass(frozen=True)
class OrbitScore:
    """One head from several cameras on an arc.

    Attributes:
        floating: parts of the silhouettes (opacity ≥ ¼, ≥ 2 pixels) apart from the head, all
            frames together.
        true_floating: floating parts of the truth.
        iou: intersection over union of model's and true silhouette, in the worst frame.
        stray: share of the depth maps' points (opacity ≥ ½) that lie more than 5 % of the head's
            height off the true surface, such as floaters before the face or a second face.
        consistency: median Chamfer distance of the two outermost frames' points to the frontal
            frame's points, as a share of the head's height.
    """

    seed: int
    floating: int
    true_floating: int
    iou: float
    stray: float
    consistency: float


@dataclass(frozen=True)
class FlickerScore:
    """One head's flicker, grey levels; see :mod:`~stylesdf_core.evaluation.metrics.flicker`.

    Attributes:
        image: flicker of the decoded image.
        floor: flicker of the enlarged volume render.
        truth: flicker of the true pictures.
    """

    seed: int
    image: float
    floor: float
    truth: float


@dataclass(frozen=True)
class MeshScore:
    """One mesh.

    Attributes:
        triangles, components: counts of the whole mesh.
        largest: share of the triangles in the largest component.
        watertight: whether the largest component is watertight.
        angle: median angle between the field's normals at vertices of the largest component and
            the true normals at the nearest points of the true surface, degrees.
        distance: median distance of these vertices to the true surface, share of the head's height.
        outside: the same with a sign, along the true normals: positive outside the true surface.
        gradient_error: mean |‖∇d‖ − 1| within 0.005 of the surface.
        dented: share of the outer vertices in dents, concavities of at least half a hundredth of
            the head's height that the truth lacks.
        dent_depth: mean depth of the dents' vertices, share of the head's height.
    """

    seed: int
    triangles: int
    components: int
    largest: float
    watertight: bool
    angle: float
    distance: float
    outside: float
    gradient_error: float
    dented: float
    dent_depth: float

    @classmethod
    def of_nothing(cls, seed: int) -> MeshScore:
        """The score of a head whose field has no surface, or only on the volume's faces."""
        inf = float("inf")
        return cls(seed, 0, 0, 0.0, False, 180.0, inf, inf, inf, 1.0, inf)


def surface_points(depth: Picture, camera: OrbitCamera) -> FloatArray:
    """World points (N, 3) of a depth map where its opacity is at least ½."""
    return back_project(depth.data[0], camera)[depth.background <= 0.5]


def score_view(
    seed: int,
    image: Picture,
    volume: Picture,
    depth: Picture,
    direct: Picture,
    truth: FloatArray,
    shape: TrueShape,
    camera: OrbitCamera,
    head_height: float,
    seconds: float,
) -> ViewScore:
    """Compare four views from one camera with the true picture and shape at its size."""
    decoded, thumb = pixels(image), pixels(volume)
    points = surface_points(depth, camera)
    true_mask = shrink(shape.coverage, volume.size) >= 0.5
    return ViewScore(
        seed=seed,
        psnr_thumb=psnr(thumb, shrink(truth, volume.size)),
        psnr_image=psnr(decoded, truth),
        psnr_direct=psnr(pixels(direct), truth),
        psnr_enlarged=psnr(enlarge(thumb, image.size), truth),
        sharpness=sharpness(decoded),
        true_sharpness=sharpness(truth),
        iou=intersection_over_union(volume.background <= 0.5, true_mask),
        depth_error=median_distance(points, shape.points) / head_height,
        seconds=seconds,
    )


def score_orbit(
    seed: int,
    depths: list[Picture],
    truths: list[TrueShape],
    cameras: list[OrbitCamera],
    head_height: float,
) -> OrbitScore:
    """Compare depth maps along an arc, the middle one frontal, with the truth."""
    floating = true_floating = strayed = total = 0
    worst = 1.0
    clouds = []
    for depth, truth, camera in zip(depths, truths, cameras, strict=True):
        coverage = shrink(truth.coverage, depth.size)
        opacity = 1.0 - depth.background
        floating += separate_parts(opacity >= HAZE, SMALLEST_PART)
        true_floating += separate_parts(coverage >= HAZE, SMALLEST_PART)
        worst = min(worst, intersection_over_union(opacity >= 0.5, coverage >= 0.5))
        points = surface_points(depth, camera)
        clouds.append(points)
        total += len(points)
        if len(points):
            off = nearest_distances(points, truth.points) > STRAY * head_height
            strayed += int(off.sum())
    middle = clouds[len(clouds) // 2]
    apart = [
        median_chamfer(cloud, middle) if len(cloud) and len(middle) else float("inf")
        for cloud in (clouds[0], clouds[-1])
    ]
    return OrbitScore(
        seed=seed,
        floating=floating,
        true_floating=true_floating,
        iou=worst,
        stray=strayed / total if total else 1.0,
        consistency=float(np.mean(apart)) / head_height,
    )


def score_mesh(
    seed: int,
    mesh: SurfaceMesh,
    sdf: ScalarField,
    normals: VectorField,
    truth: TrueSurface,
    head_height: float,
) -> MeshScore:
    """Compare a mesh of the whole volume with the truth.

    The flat caps on the volume's faces are no surface of the head and are left out of angles,
    distances and gradients.

    Args:
        sdf, normals: the field that was meshed.
    """
    from scipy.spatial import cKDTree

    whole = report(mesh)
    main = largest_component(mesh)
    cell = 2.0 * VOLUME_RADIUS / 127.0
    inside = np.flatnonzero((np.abs(main.vertices) < VOLUME_RADIUS - cell).all(axis=1))
    if not len(inside):
        return MeshScore.of_nothing(seed)
    rng = np.random.default_rng(seed)
    points = main.vertices[rng.permutation(inside)[:_ANGLE_POINTS]]
    own = normals(points)
    distance, nearest = cKDTree(truth.points).query(points)
    shell = points[:_GRADIENT_POINTS]
    offset = rng.uniform(-SHELL, SHELL, (len(shell), 1)).astype(np.float32)
    gradients = gradient_norms(sdf, shell + offset * own[:_GRADIENT_POINTS])
    true_normals = truth.normals[nearest]
    heights = ((points - truth.points[nearest]) * true_normals).sum(axis=1)
    # The truth has no points inside nostrils and mouth, whose nearest points face elsewhere.
    outside = ((own * true_normals).sum(axis=1) > 0.5) & (distance < STRAY * head_height)
    dented, depth = dents(
        points[outside],
        heights[outside],
        radius=_AROUND * head_height,
        least=_DENT * head_height,
    )
    return MeshScore(
        seed=seed,
        triangles=whole.triangles,
        components=whole.components,
        largest=whole.largest_fraction,
        watertight=report(main).watertight,
        angle=float(np.median(angles(own, true_normals))),
        distance=float(np.median(distance)) / head_height,
        outside=float(np.median(heights)) / head_height,
        gradient_error=float(np.abs(gradients - 1.0).mean()),
        dented=dented,
        dent_depth=depth / head_height,
    )


def median_distance(points: FloatArray, surface: FloatArray) -> float:
    """Median distance to the surface's points; infinite where either has no points."""
    if not len(points) or not len(surface):
        return float("inf")
    return float(np.median(nearest_distances(points, surface)))
