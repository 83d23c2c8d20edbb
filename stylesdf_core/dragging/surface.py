"""The surface of a scene's face: points under places of the picture, and points all over the head.

The field itself is asked along a ray, so that no grid has to be sampled first.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from stylesdf_core.dragging.pointing import Vector, ray
from stylesdf_core.engine.field.baked_field import BakedField
from stylesdf_core.engine.styles import StyleMapper, Styles
from stylesdf_core.model.model import Model
from stylesdf_core.rendering.camera import FAR, NEAR, OrbitCamera
from stylesdf_core.rendering.trained_volume import TrainedVolume
from stylesdf_core.scene.scene import Scene

#: Samples of a ray that looks for a point; of the many rays that look for points all over.
_FINE, _ROUGH = 192, 40
#: Newton's steps to the surface.
_STEPS = 4
#: Largest distance of a named point from the surface, world units.
_BESIDE = 0.005
#: Azimuths of the cameras, radians, and rays along each side of their pictures, from which points
#: all over the head are found.
_AROUND, _EDGE = (-1.1, 0.0, 1.1), 12


class FaceSurface:
    """The surface of one scene's face, on the CPU.

    Attributes:
        styles: the latents of the scene.
        level: the field's scalar at the surface.
    """

    def __init__(self, model: Model, scene: Scene) -> None:
        generator = model.generator
        self.styles: Styles = StyleMapper(model, generator, torch.device("cpu")).styles(scene)
        self.level = generator.surface_scalar
        self._sign = -1.0 if generator.config.field == "density" else 1.0
        self._fov = model.poses.fov
        with torch.no_grad():
            self._field = BakedField(generator.field, self.styles.w)

    def pick(self, camera: OrbitCamera, x: float, y: float) -> Vector | None:
        """The point of the surface at a place of a picture; None beside the head.

        Args:
            x, y: as in :mod:`.pointing`.
        """
        origin, direction = (torch.from_numpy(part).float()[None] for part in ray(camera, x, y))
        points, met = self._crossings(origin, direction, camera, _FINE)
        if not bool(met[0]):
            return None
        a, b, c = self._settled(points)[0].tolist()
        return a, b, c

    def nearest(self, point: Vector) -> Vector | None:
        """The point of the surface near a point; None where the surface is not near."""
        start = torch.tensor([point])
        settled = self._settled(start)
        if float((settled - start).norm()) > _BESIDE:
            return None
        a, b, c = settled[0].tolist()
        return a, b, c

    def all_over(self, count: int) -> Tensor:
        """Points that lie evenly on front and sides of the head, (≤ count, 3)."""
        points = self.seen(_EDGE)
        return points[_spread(points, count)]

    def seen(self, edge: int) -> Tensor:
        """The points that pictures of ``edge``² pixels of front and sides show, (N, 3)."""
        found = []
        for azimuth in _AROUND:
            camera = OrbitCamera(azimuth, fov=self._fov)
            places = (np.arange(edge) + 0.5) / edge
            rays = [ray(camera, x, y) for y in places for x in places]
            origins, directions = (
                torch.from_numpy(np.stack(part)).float() for part in zip(*rays, strict=True)
            )
            points, met = self._crossings(origins, directions, camera, _ROUGH)
            found.append(points[met])
        return self._settled(torch.cat(found))

    @torch.no_grad()
    def _scalar(self, points: Tensor) -> Tensor:
        """Negative inside, (N,), at points (N, 3)."""
        return self._sign * (self._field.scalar(points) - self.level)

    def _crossings(
        self, origins: Tensor, directions: Tensor, camera: OrbitCamera, samples: int
    ) -> tuple[Tensor, Tensor]:
        """Where rays (R, 3) first enter the head, (R, 3), and whether they do, (R,)."""
        t_vals = torch.linspace(NEAR, FAR, samples)
        points = origins[:, None] + directions[:, None] * t_vals[:, None]
        matrix = torch.from_numpy(camera.cam2world()).float()
        inside = TrainedVolume(matrix[:, :3], self._fov).contains(points)
        scalar = self._scalar(points.view(-1, 3)).view(points.shape[:2])
        scalar = torch.where(inside, scalar, 1.0)
        is_solid = scalar < 0.0
        first = is_solid.int().argmax(dim=1)
        before = (first - 1).clamp_min(0)
        rows = torch.arange(len(points))
        ahead, behind = scalar[rows, before], scalar[rows, first]
        share = (ahead / (ahead - behind).clamp_min(1e-9)).clamp(0.0, 1.0)
        crossing = torch.lerp(points[rows, before], points[rows, first], share[:, None])
        return crossing, is_solid.any(dim=1)

    def _settled(self, points: Tensor) -> Tensor:
        """Points (N, 3) near the surface, moved onto it along the gradient."""
        for _ in range(_STEPS):
            gradient = self._sign * self._field.gradient(points)
            step = self._scalar(points) / gradient.square().sum(dim=-1).clamp_min(1e-6)
            reach = ((FAR - NEAR) / _ROUGH) / gradient.norm(dim=-1).clamp_min(1e-6)
            points = points - step.clamp(-reach, reach)[:, None] * gradient
        return points


def _spread(points: Tensor, count: int) -> list[int]:
    """Indices of points that lie far from each other, each the farthest from those before."""
    if not len(points):
        return []
    chosen, distance = [0], (points - points[0]).norm(dim=-1)
    while len(chosen) < min(count, len(points)):
        chosen.append(int(distance.argmax()))
        distance = torch.minimum(distance, (points - points[chosen[-1]]).norm(dim=-1))
    return chosen
