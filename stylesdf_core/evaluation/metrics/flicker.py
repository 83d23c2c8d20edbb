"""Flicker: how much a picture changes while orbiting, beyond the change that motion explains.

Two neighbouring frames are compared where they show the same point: the depth of a pixel gives a
point in the world, the next camera projects that point into the next frame, and the next frame is
read at that place by cubic splines. The point's change of colour is flicker: texture that sticks
to the screen, noise that swims, light that depends on the view. The figure is the mean absolute
change in grey levels of 255.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_erosion, map_coordinates, zoom

from stylesdf_core.engine.engine import Engine
from stylesdf_core.engine.picture import pixels
from stylesdf_core.evaluation.metrics.image_metrics import enlarge
from stylesdf_core.evaluation.metrics.shape_metrics import back_project
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Scene, View

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

#: Azimuths of the arc's cameras, radians.
ARC = tuple(float(a) for a in np.linspace(-0.15, 0.15, 16))
ARC_STEP = 0.02
#: Opacity from which a pixel belongs to the head; a thinner pixel has no depth of its own.
_OPAQUE = 0.95
#: Width of the silhouette's edge that is left out, pixels of the depth map.
_MARGIN = 2
#: Depth difference from which a point counts as hidden in the next frame, world units.
_HIDDEN = 0.004


@dataclass(frozen=True)
class OrbitFrame:
    """One frame of an orbit.

    Attributes:
        image: (S, S, 3) in [0, 1].
        depth: (D, D) planar depth, world units; D divides S or equals it.
        opacity: (D, D) in [0, 1].
    """

    image: FloatArray
    depth: FloatArray
    opacity: FloatArray
    camera: OrbitCamera


@dataclass(frozen=True)
class Orbit:
    """A head along the arc.

    Attributes:
        image: frames of the decoded image; of a model without decoder, of the volume render.
        floor: frames of the volume render, enlarged to the image's size.
    """

    image: tuple[OrbitFrame, ...]
    floor: tuple[OrbitFrame, ...]


def orbit(engine: Engine, scene: Scene, *, rays: int = 1) -> Orbit:
    """Render the scene's head from all cameras of the arc, with the scene's field of view.

    Args:
        rays: of the decoded image, as of :meth:`Engine.render`.
    """
    images, floors = [], []
    for azimuth in ARC:
        camera = OrbitCamera(azimuth, fov=scene.camera.fov)
        seen = replace(scene, camera=camera)
        drawn: tuple[View, ...] = ("volume", "depth")
        views = engine.render_views(seen, drawn if rays > 1 else ("image", *drawn))
        if rays > 1:
            views["image"] = engine.render(seen, "image", rays=rays)
        depth, opacity = views["depth"].data[0], 1.0 - views["depth"].background
        floor = pixels(views["volume"])
        image = floor
        if engine.config.has_image:
            image = pixels(views["image"])
            floor = enlarge(floor, len(image))
        images.append(OrbitFrame(image, depth, opacity, camera))
        floors.append(OrbitFrame(floor, depth, opacity, camera))
    return Orbit(tuple(images), tuple(floors))


def flicker(frames: Sequence[OrbitFrame]) -> float:
    """Mean absolute difference of reprojected neighbours, in grey levels of 255.

    The mean is over the three colours and all pixels of a pair whose points both frames show, at
    least two depth pixels inside the silhouette. NaN where no pair shares a point.
    """
    total, count = 0.0, 0
    for one, other in pairwise(frames):
        difference = reprojected_difference(one, other)
        total += float(difference.sum(dtype=np.float64))
        count += difference.size
    return 255.0 * total / count if count else float("nan")


def reprojected_difference(one: OrbitFrame, other: OrbitFrame) -> FloatArray:
    """|one − other| (N, 3) at the N pixels of ``one`` whose points ``other`` shows too."""
    seen, colours = reprojected(one, other)
    return np.asarray(np.abs(one.image[seen] - colours), np.float32)


def reprojected(one: OrbitFrame, other: OrbitFrame) -> tuple[BoolArray, FloatArray]:
    """Which pixels (S, S) of ``one`` show points that ``other`` shows too, and their colours there.

    The colours, (N, 3), are those of ``other``, in the order of the pixels.
    """
    size = len(one.image)
    inside = _enlarged(_core(one.opacity).astype(np.float32), size) > 0.999
    points = back_project(_enlarged(one.depth, size), one.camera)[inside]
    rows, columns, depth = project(points, other.camera, size)
    where = np.stack([rows, columns])
    other_depth = map_coordinates(_enlarged(other.depth, size), where, order=1, mode="nearest")
    other_inside = map_coordinates(
        _enlarged(_core(other.opacity).astype(np.float32), size), where, order=1, mode="constant"
    )
    seen = (other_inside > 0.999) & (np.abs(other_depth - depth) < _HIDDEN)
    there = np.stack(
        [
            map_coordinates(other.image[..., colour], where[:, seen], order=3, mode="nearest")
            for colour in range(3)
        ],
        axis=-1,
    )
    inside[inside] = seen
    return inside, np.asarray(there, np.float32)


def project(
    points: FloatArray, camera: OrbitCamera, size: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Rows, columns and planar depths of world points (N, 3) in a picture of ``size``².

    Whole numbers are pixel centres; the inverse of
    :func:`~stylesdf_core.evaluation.metrics.shape_metrics.back_project`.
    """
    matrix = camera.cam2world()
    x, y, z = ((points - matrix[:, 3]) @ matrix[:, :3]).T
    focal, middle = camera.focal(size), 0.5 * size - 0.5
    return middle - focal * y / -z, middle + focal * x / -z, -z


def _core(opacity: FloatArray) -> BoolArray:
    """The opaque part of a silhouette without its margin."""
    core = binary_erosion(opacity >= _OPAQUE, np.ones((3, 3), np.bool_), iterations=_MARGIN)
    return np.asarray(core, np.bool_)


def _enlarged(values: FloatArray, size: int) -> FloatArray:
    """Linear interpolation of (D, D) to (size, size) that keeps pixel centres in place."""
    if len(values) == size:
        return values
    enlarged = zoom(values, size / len(values), order=1, mode="nearest", grid_mode=True)
    return np.asarray(enlarged, np.float32)
