"""A whole volume render as one graph of a device: from the camera's numbers to the maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from stylesdf_core.engine.compiled.device_graphs import DeviceGraphs, Outputs
from stylesdf_core.engine.field.baked_field import BakedField
from stylesdf_core.engine.march.dense_march import DenseRayMarch
from stylesdf_core.engine.march.volume import Volume
from stylesdf_core.model.config import GeneratorConfig, RenderOptions
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.rendering.rays import make_rays
from stylesdf_core.rendering.volume_rendering import sample_depths


@dataclass(frozen=True)
class CameraMarch:
    """Volume renders of one kind, by cameras that see only trained points.

    Attributes:
        edge: of the render, pixels.
        samples: on each ray.
        fov, static: as in :meth:`~.volume.CameraRays.of`.
        force_background, features: as in :class:`~.ray_march.RayMarch` and its call.
    """

    edge: int
    samples: int
    fov: float
    static: bool
    force_background: bool
    features: bool

    @classmethod
    def of(
        cls,
        options: RenderOptions,
        config: GeneratorConfig,
        fov: float,
        edge: int,
        *,
        features: bool,
    ) -> CameraMarch:
        """The kind of a scene's volume renders."""
        samples, forced = options.samples or config.samples, options.force_background
        return cls(edge, samples, fov, options.static_viewdirs, forced, features)

    @property
    def points(self) -> int:
        """Evaluations of the field."""
        return self.samples * self.edge * self.edge

    def __call__(
        self,
        graphs: DeviceGraphs,
        camera: OrbitCamera,
        field: BakedField,
        sigma: Callable[[Tensor], Tensor],
        beta: float,
    ) -> Volume:
        """The volume render; ``sigma`` and ``beta`` as in :class:`~.ray_march.RayMarch`."""
        numbers = np.append(camera.cam2world(), camera.focal(self.edge))
        pose = torch.from_numpy(numbers).to(field.device, non_blocking=True)  # (13,), float64

        def made(weights: Sequence[Tensor]) -> Callable[[Tensor], Outputs]:
            own = field.with_tensors(weights)
            depths = sample_depths(self.samples, own.tensors[0])
            march = DenseRayMarch(own, sigma, beta, depths, None, self.force_background)
            return partial(self._maps, march)

        rgb, background, depth, *maps = graphs.run(
            ("march", self), [pose], field.tensors, made, lambda: made(field.tensors)(pose)
        )
        return Volume(rgb, maps[0] if maps else None, background, depth)

    def _maps(self, march: DenseRayMarch, pose: Tensor) -> Outputs:
        """Colours (3, E, E), background and depth (E, E), and features (width, E, E) if wanted.

        Args:
            pose: (13,), float64: the camera's matrix and its focal length in pixels. In float32 a
                graph's products round to 11 bits, which would move the rays by a part of a pixel.
        """
        matrix, focal, edge = pose[:12].view(1, 3, 4), pose[12], self.edge
        rays = make_rays(matrix, focal, edge, static_viewdirs=self.static, trained_fov=self.fov)
        lines = (rays.origins, rays.directions, rays.viewdirs)
        marched = march(*(x.reshape(-1, 3).float() for x in lines), features=self.features)
        rgb = marched.rgb.view(edge, edge, 3).movedim(-1, 0)
        maps = [marched.background.view(edge, edge), marched.depth.view(edge, edge)]
        if marched.features is not None:
            maps.append(marched.features.view(edge, edge, -1).movedim(-1, 0))
        return rgb, *maps
