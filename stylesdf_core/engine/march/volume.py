"""A camera's rays through the ray march, tile by tile: the engine's step to a volume render."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stylesdf_core.engine.field.baked_background import BakedBackground
from stylesdf_core.engine.march.ray_march import RayMarch
from stylesdf_core.engine.march.tiles import Tiles
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.rendering.rays import make_rays
from stylesdf_core.rendering.trained_volume import TrainedVolume, sees_trained

#: Largest edge, pixels, at which a background field is rendered by itself: it is smooth.
SMOOTH = 256


@dataclass(frozen=True)
class Volume:
    """A volume render of one camera.

    Attributes:
        rgb: (3, H, W) in [−1, 1]; H = W.
        features: (width, H, W); None where they were not asked for.
        background: (H, W), weight of the background.
        depth: (H, W), planar depth of what is in front of the background.
        behind: (3, H, W) in [−1, 1], the background field's colours as if nothing were in front of
            them; None for a model without.
    """

    rgb: Tensor
    features: Tensor | None
    background: Tensor
    depth: Tensor
    behind: Tensor | None = None

    def reduced(self, edge: int) -> Volume:
        """The means over square blocks of pixels, ``edge``² of them."""
        block = self.rgb.shape[1] // edge
        if block == 1:
            return self

        def mean(values: Tensor) -> Tensor:
            return F.avg_pool2d(values[None], block)[0]

        front = 1.0 - self.background[None]
        depth = mean(front * self.depth) / mean(front).clamp_min(1e-6)  # of the surface alone
        return Volume(
            mean(self.rgb),
            None if self.features is None else mean(self.features),
            mean(self.background[None])[0],
            depth[0],
            None if self.behind is None else mean(self.behind),
        )

    def enlarged(self, edge: int) -> Volume:
        """The pictures at ``edge``² pixels, by bicubic interpolation; without features."""

        def larger(values: Tensor, least: float) -> Tensor:
            size = (edge, edge)
            return F.interpolate(values[None], size=size, mode="bicubic").clamp(least, 1.0)[0]

        return Volume(
            larger(self.rgb, -1.0),
            None,
            larger(self.background[None], 0.0)[0],
            F.interpolate(self.depth[None, None], size=(edge, edge), mode="bilinear")[0, 0],
            None if self.behind is None else larger(self.behind, -1.0),
        )


@dataclass(frozen=True)
class CameraRays:
    """The rays through a camera's pixels, flat, and where their samples may lie.

    Attributes:
        origins, directions, viewdirs: (edge², 3), as in :class:`~.rays.Rays`.
        volume: where the samples may lie; None for a camera that sees only trained points.
    """

    origins: Tensor
    directions: Tensor
    viewdirs: Tensor
    volume: TrainedVolume | None

    @classmethod
    def of(
        cls, camera: OrbitCamera, edge: int, fov: float, device: torch.device, *, static: bool
    ) -> CameraRays:
        """CameraRays through the ``edge``² pixels of a camera.

        Args:
            fov: of the model's training, half opening angle, degrees.
            static: give the network the view direction in the camera's frame.
        """
        matrix = torch.from_numpy(camera.cam2world().astype(np.float32))[None]
        matrix = matrix.to(device, non_blocking=True)
        rays = make_rays(matrix, camera.focal(edge), edge, static_viewdirs=static, trained_fov=fov)
        volume = TrainedVolume(matrix[0, :, :3], fov)
        return cls(
            rays.origins.reshape(-1, 3),
            rays.directions.reshape(-1, 3),
            rays.viewdirs.reshape(-1, 3),
            None if sees_trained(camera, fov) else volume,
        )

    @property
    def edge(self) -> int:
        """Pixels along each side."""
        return math.isqrt(len(self.origins))

    def points(self, depth: Tensor) -> Tensor:
        """World points (edge², 3) at planar depths (H, W); the origin where they are untrained."""
        points = self.origins + self.directions * depth.view(-1, 1)
        return points if self.volume is None else points * self.volume.contains(points)[:, None]

    def chosen(self, pixels: Tensor) -> CameraRays:
        """The rays of some pixels, (edge²) bool, or by their indices."""
        return CameraRays(
            self.origins[pixels], self.directions[pixels], self.viewdirs[pixels], self.volume
        )

    def coverage(self, march: RayMarch, tiles: Tiles, points_each: int) -> Tensor:
        """What is in front of the background, (R,) from 0 to 1; no colours are computed."""
        result = self.origins.new_empty(len(self.origins))

        def work(start: int, stop: int) -> None:
            rays = (x[start:stop] for x in (self.origins, self.directions, self.viewdirs))
            result[start:stop] = 1.0 - march(*rays, features=False, colors=False).background

        tiles.run(work, len(result), points_each=points_each)
        return result

    def background(self, behind: BakedBackground, tiles: Tiles, size: int) -> Tensor:
        """A background field's colours alone, (3, size, size) in [−1, 1], enlarged to ``size``."""
        lines = torch.cat([self.origins, self.directions], dim=1)
        colors = tiles.map(behind.colors, lines).T.reshape(1, 3, self.edge, self.edge)
        return F.interpolate(colors, size=(size, size), mode="bilinear")[0]

    def march(
        self,
        march: RayMarch,
        tiles: Tiles,
        points_each: int,
        *,
        features: bool,
        pixels: Tensor | None = None,
    ) -> Volume:
        """Composite all rays.

        Args:
            points_each: samples of a ray that are evaluated on average.
            pixels: (edge²) bool, whose rays alone are composited; the others stay 0. None for all.
        """
        count, edge = len(self.origins), self.edge
        rows = None if pixels is None else pixels.nonzero()[:, 0]
        rgb, background, depth = (self.origins.new_zeros(count, c) for c in (3, 1, 1))
        feature_map = self.origins.new_empty(count, march.field.width) if features else None
        behind = None if march.behind is None else torch.empty_like(rgb)

        def work(start: int, stop: int) -> None:
            own = slice(start, stop) if rows is None else rows[start:stop]
            rays = (x[own] for x in (self.origins, self.directions, self.viewdirs))
            marched = march(*rays, features=features)
            rgb[own] = marched.rgb
            background[own, 0] = marched.background
            depth[own, 0] = marched.depth
            if feature_map is not None and marched.features is not None:
                feature_map[own] = marched.features
            if behind is not None and marched.behind is not None:
                behind[own] = marched.behind

        tiles.run(work, count if rows is None else len(rows), points_each=points_each)

        def square(values: Tensor) -> Tensor:
            """(R, C) -> (C, edge, edge)."""
            return values.view(edge, edge, -1).movedim(-1, 0)

        return Volume(
            rgb=square(rgb),
            features=None if feature_map is None else square(feature_map),
            background=background.view(edge, edge),
            depth=depth.view(edge, edge),
            behind=None if behind is None else square(behind),
        )
