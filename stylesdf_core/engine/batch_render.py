"""Volume renders of a batch of latents and cameras without gradients, on a CPU, for training.

A step of the decoder's training draws images of frozen fields twice, and a step of the renderer's
training draws images for the discriminator. The engine's ray march draws them several times as fast
as the networks' own modules.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from stylesdf_core.engine.field.baked_background import BakedBackground
from stylesdf_core.engine.field.baked_field import BakedField
from stylesdf_core.engine.march.distance_grid import FINE, DistanceGrid
from stylesdf_core.engine.march.marches import march_class
from stylesdf_core.engine.march.ray_march import (
    TYPICAL_SAMPLES,
    VISIBLE_IN_FILES,
    relevant_band,
    with_end,
)
from stylesdf_core.engine.march.tiles import Tiles
from stylesdf_core.engine.march.volume import CameraRays, Volume
from stylesdf_core.mesh.sdf_grid import FloatArray
from stylesdf_core.model.config import RenderOptions
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.rendering.camera import FAR, NEAR
from stylesdf_core.rendering.rays import make_rays
from stylesdf_core.rendering.volume_rendering import sample_depths


@dataclass(frozen=True)
class BatchRender:
    """A volume render of a batch.

    Attributes:
        rgb: (B, 3, H, W) in [−1, 1].
        features: (B, width, H, W).
    """

    rgb: Tensor
    features: Tensor


@torch.no_grad()
def batch_render(
    generator: Generator,
    w: Tensor,
    cam2world: Tensor,
    focal: float,
    options: RenderOptions,
    jitter: Tensor,
    patches: Tensor | None = None,
) -> BatchRender:
    """What ``generator.volume_render`` renders for cameras of the training, to 2e-4.

    Args:
        generator: on the CPU.
        w: (B, z_dim), the renderer's latents.
        cam2world: (B, 3, 4).
        focal: pixels, at the model's thumb size.
        jitter: (B, H, W, 1) in [0, 1), see :func:`~.volume_rendering.sample_depths`.
        patches: (B, 3), parts of the pictures to render, see :func:`~.rays.make_rays`.
    """
    edge, samples = generator.config.thumb_size, generator.config.samples
    static = options.static_viewdirs
    rays = make_rays(cam2world, focal, edge, static_viewdirs=static, patches=patches)
    # The offset of a ray's samples is an offset of its origin.
    origins = rays.origins + rays.directions * (jitter * ((FAR - NEAR) / samples))
    rgb, features = [], []
    for index, latent in enumerate(w):
        origin, direction, viewdir = (
            x[index].flatten(0, 1) for x in (origins, rays.directions, rays.viewdirs)
        )
        seen = CameraRays(origin, direction, viewdir, volume=None)
        volume = _render(generator, latent[None], seen, options)
        assert volume.features is not None
        rgb.append(volume.rgb)
        features.append(volume.features)
    return BatchRender(torch.stack(rgb), torch.stack(features))


def _render(generator: Generator, w: Tensor, rays: CameraRays, options: RenderOptions) -> Volume:
    config, field, tiles = generator.config, BakedField(generator.field, w), _tiles()
    beta, grid = max(float(generator.field.sigmoid_beta.detach()), 1e-6), None
    if config.field == "sdf":

        def scalar(points: FloatArray) -> FloatArray:
            values: FloatArray = tiles.map(field.scalar, torch.from_numpy(points)).numpy()
            return values

        band = relevant_band(beta, (FAR - NEAR) / config.samples)
        grid = DistanceGrid.sample(scalar, band, torch.device("cpu"), resolution=FINE)
    background = generator.background
    behind = None if background is None else BakedBackground(background, w)
    t_vals = sample_depths(config.samples, rays.origins)
    march = march_class(grid)(
        field,
        generator.sigma,
        beta,
        t_vals if behind is None else with_end(t_vals),
        grid,
        options.force_background or behind is not None,
        VISIBLE_IN_FILES,
        behind=behind,
    )
    points_each = config.samples if grid is None else TYPICAL_SAMPLES
    return rays.march(march, tiles, points_each, features=True)


@lru_cache(maxsize=1)
def _tiles() -> Tiles:
    """The process's threads for renders of batches."""
    return Tiles(torch.device("cpu"))
