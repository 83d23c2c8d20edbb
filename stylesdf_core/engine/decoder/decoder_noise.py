"""The decoder's noise maps for a picture: fixed, random, or cut out of solid noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stylesdf_core.engine.field.baked_field import BakedField
from stylesdf_core.engine.march.tiles import Tiles
from stylesdf_core.engine.march.volume import CameraRays, Volume
from stylesdf_core.model.config import RenderOptions
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.rendering.surface_noise import ShownSurface, SolidNoise, surface_depth


class DecoderNoise:
    """Noise maps of one generator; remembers the last noise.

    Args:
        generator: with a decoder; on the device of the maps.
    """

    def __init__(self, generator: Generator) -> None:
        assert generator.decoder is not None
        self._generator = generator
        self._fixed = generator.decoder.fixed_noise()
        # Read once: on a GPU, every look at a weight's value waits for the device.
        self._counts = generator.decoder.takes_noise()
        self._maps: tuple[object, Sequence[Tensor | None]] | None = None
        self._solid: tuple[int, SolidNoise] | None = None

    def maps(
        self, options: RenderOptions, surface: Callable[[], ShownSurface]
    ) -> Sequence[Tensor | None]:
        """A map (1, 1, H, W), or None for no noise, for each of the decoder's convolutions.

        Args:
            surface: what the picture shows of the head; asked only if a map depends on it.
        """
        seed = options.noise_seed
        if options.noise == "surface" and self._counts:
            if self._solid is None or self._solid[0] != seed:
                self._solid = (seed, SolidNoise(seed, self._fixed[0].device))
            return self._solid[1].maps(surface(), self._fixed)
        key = (options.noise, seed)
        if self._maps is None or self._maps[0] != key:
            self._maps = (key, self._generator.noise_maps(options))
        return self._maps[1]


@dataclass(frozen=True)
class SurfaceFinder:
    """Finds what a volume render shows of the surface, as ``Generator.shown_surface`` does.

    Attributes:
        field: the field of one style.
        level: signed distance of the surface; None for a density.
        tiles: cut the rays.
    """

    field: BakedField
    level: float | None
    tiles: Tiles

    def __call__(
        self, volume: Volume, rays: CameraRays, camera: OrbitCamera, trained_fov: float
    ) -> ShownSurface:
        """The surface in the pixels of ``volume``.

        Args:
            rays: through these pixels.
            trained_fov: half opening angle of the model's training, degrees.
        """
        depth, cover = volume.depth, 1.0 - volume.background
        if self.level is not None:
            depth, seen = depth.clone(), cover > 0.0
            chosen = rays.chosen(seen.view(-1))
            rows = torch.cat([chosen.origins, chosen.directions, depth[seen][:, None]], dim=1)
            depth[seen] = self.tiles.map(self._depths, rows)
        slopes = (math.tan(math.radians(fov)) for fov in (camera.fov, trained_fov))
        matrix = torch.from_numpy(camera.cam2world()).to(depth)
        return ShownSurface(depth[None, None], cover[None, None], matrix[None], *slopes)

    def _depths(self, rows: Tensor) -> Tensor:
        """Depths (R,) of rays' origins, directions and volume renders' depths (R, 7)."""
        origins, directions = rows[:, :3], rows[:, 3:6]

        def scalar(depth: Tensor) -> Tensor:
            scalar = self.field.scalar(torch.addcmul(origins, directions, depth[:, None]))
            return scalar - (self.level or 0.0)

        return surface_depth(rows[:, 6], scalar)
