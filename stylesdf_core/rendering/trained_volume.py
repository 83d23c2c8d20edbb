"""The part of space in which a field was trained; beyond it a field's values mean nothing.

Training asks a field for points between near and far in front of its cameras, all with one field of
view. A camera that sees farther to the side, or that is shifted, also casts rays beside that
volume, where a sine network repeats parts of heads. Samples there are empty, and rays that end
there show the background that surrounds the trained view.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from stylesdf_core.rendering.camera import VOLUME_RADIUS, OrbitCamera

#: Edge, pixels, of the trained view whose border gives the background beyond.
BORDER_EDGE = 16


@dataclass(frozen=True)
class TrainedVolume:
    """What a camera may show of a field: the trained view from its direction, and the cube.

    The trained view is the frustum of the camera that looks from the same direction at the origin
    with the field of view of the training. The cube, of half edge :data:`VOLUME_RADIUS`, is what
    meshes are made of. A picture by a camera of the training does not change.

    Attributes:
        rotation: (…, 3, 3), camera to world, broadcast over the points.
        fov: of the training, half opening angle, degrees.
    """

    rotation: Tensor
    fov: float

    def contains(self, points: Tensor) -> Tensor:
        """Which world points (…, 3), between near and far, lie in the volume: (…) bool."""
        local = points @ self.rotation
        reach = math.tan(math.radians(self.fov)) * (1.0 - local[..., 2])  # camera: local z = 1
        in_view = local[..., :2].abs().amax(dim=-1) <= reach
        return in_view | (points.abs().amax(dim=-1) <= VOLUME_RADIUS)


def sees_trained(camera: OrbitCamera, fov: float) -> bool:
    """Whether every ray of a camera stays in the volume of a training with ``fov``."""
    return camera.fov <= fov and camera.pan_x == camera.pan_y == 0.0


@dataclass(frozen=True)
class BorderBackground:
    """The background along a trained view's border, which continues beyond it.

    Attributes:
        logits: (B, 3), its colour before the sigmoid.
        features: (B, C).
    """

    logits: Tensor
    features: Tensor

    @classmethod
    def around(cls, rgb: Tensor, features: Tensor, mask: Tensor) -> BorderBackground:
        """Means along the borders of pictures (B, 3 or C, H, W); surfaces hardly count.

        Args:
            rgb: in [−1, 1].
            mask: (B, 1, H, W), weight of the background.
        """
        weights = mask.pow(8) + 1e-6
        weights[..., 1:-1, 1:-1] = 0.0
        weights = weights / weights.sum(dim=(-2, -1), keepdim=True)
        color, mean = ((maps * weights).sum(dim=(-2, -1)) for maps in (rgb, features))
        return cls(torch.logit(0.5 * color + 0.5, eps=1e-6), mean)
