"""Which points of a mesh a camera sees, and how well: weights for colours taken from pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt, maximum_filter, minimum_filter

from stylesdf_core.mesh.assets.texels import nearest
from stylesdf_core.mesh.sdf_grid import FloatArray
from stylesdf_core.mesh.surface import SurfaceMesh
from stylesdf_core.rendering.camera import OrbitCamera

# Where depth grows by more than this over the width of the pixels, they show two surfaces.
_STEEPEST = 6.0
# A point this far behind the nearest surface, world units, may still be on it.
_BEHIND = 0.002
# The colours of pixels beside a jump mix two surfaces: certainty grows from the first to the second
# of these distances, pixels.
_MIXED, _CLEAR = 1.0, 4.0
#: Pixels of the depth map along one pixel of the picture.
_FINER = 2


@dataclass(frozen=True, eq=False)
class CameraView:
    """A mesh under a camera.

    Attributes:
        depth: (E, E), planar t of the nearest surface, the largest of 3² pixels; inf beside it.
        certainty: (E, E) in [0, 1]: 0 at the surface's outlines, 1 four picture pixels inside.
    """

    camera: OrbitCamera
    depth: FloatArray
    certainty: FloatArray

    def weights(self, points: FloatArray, normals: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Places of points (N, 3) in the picture, (N, 2) in [0, 1]; and weights (N,), 0 unseen.

        The weight is cos⁴ of the angle between surface and viewing direction, times the certainty.
        """
        place = project(points, self.camera)
        edge = len(self.depth)
        column, row = np.clip((place[:, :2] * edge).astype(np.int64), 0, edge - 1).T
        towards = self.camera.cam2world()[:, 3].astype(np.float32) - points
        towards /= np.linalg.norm(towards, axis=1, keepdims=True)
        facing = np.maximum((towards * normals).sum(axis=1), 0.0)
        seen = place[:, 2] <= self.depth[row, column] + _BEHIND
        seen &= (place[:, :2] >= 0.0).all(axis=1) & (place[:, :2] <= 1.0).all(axis=1)
        return place[:, :2], np.where(seen, facing**4 * self.certainty[row, column], 0.0)


def view_mesh(mesh: SurfaceMesh, camera: OrbitCamera, pixels: int) -> CameraView:
    """Draw a mesh's depth under a camera.

    Args:
        pixels: edge of the picture from which colours will be taken.
    """
    edge = pixels * _FINER
    place = project(mesh.vertices, camera)
    place[:, :2] *= edge
    depth = nearest(place, mesh.faces, edge)
    empty = np.isinf(depth)
    far = np.where(empty, 2.0, depth)
    across = 2.0 / camera.focal(edge)  # of three pixels' centres, world units
    jumps = empty | (maximum_filter(far, 3) - minimum_filter(far, 3) > _STEEPEST * across)
    distance = distance_transform_edt(~jumps) / _FINER
    certainty = np.clip((distance - _MIXED) / (_CLEAR - _MIXED), 0.0, 1.0).astype(np.float32)
    return CameraView(camera, np.where(empty, np.inf, maximum_filter(far, 3)), certainty)


def project(points: FloatArray, camera: OrbitCamera) -> FloatArray:
    """Points (N, 3) in a camera's picture, (N, 3): x right and y down in [0, 1], planar t."""
    matrix = camera.cam2world().astype(np.float32)
    x, y, z = ((points - matrix[:, 3]) @ matrix[:, :3]).T
    focal = camera.focal(1)
    return np.stack([0.5 - focal * x / z, 0.5 + focal * y / z, -z], axis=1)
