"""The field itself as a picture: the surface's own colours, without volume render and decoder.

Each ray is traced through a distance grid to the surface; there the field is asked, and where its
answer is not yet small, again at the better place that it tells. Along outlines four rays a pixel
do so. Nothing belongs to the screen, so nothing can flicker.

Of the shipped models' volume renders, each averaged over eight offsets of its samples, colours at
the surface are the nearest (30 to 38 dB; those half a sample's distance behind it 23 to 32 dB).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stylesdf_core.engine.march.baked_field import BakedField
from stylesdf_core.engine.march.surface_trace import SurfaceTrace
from stylesdf_core.engine.march.tiles import Tiles, TileWork
from stylesdf_core.engine.march.volume import CameraRays, Volume
from stylesdf_core.progress import Operation, Progress

#: Grid points per axis: the finest of a :class:`DistanceGrid`, sampled once for each face. Its
#: surface is a tenth of a pixel of 512 off, at most two pixels.
SURFACE = 113
#: Rays between two reports of progress.
_CHUNK = 1 << 15
#: Distance from the surface, pixels, from which a sample is made anew.
_TOLERANCE = 0.25
#: Longest correction of a sample's depth, world units: a larger one is an error of the slope.
_LONGEST = 0.002
#: Depth of a step between neighbouring pixels from which an outline runs there, in pixels.
_STEP = 8.0
#: Background's weight in a volume render from which its colour is the background's.
_CLEAR = 0.99


@dataclass(frozen=True)
class DirectSurface:
    """What R rays meet.

    Attributes:
        rgb: (R, 3) in [−1, 1]; 0 where a ray meets nothing.
        depth: (R,), planar; 0 where a ray meets nothing.
        covered: (R,), 1 where a ray meets the surface, else 0; shares of several rays between.
    """

    rgb: Tensor
    depth: Tensor
    covered: Tensor


@dataclass(frozen=True)
class DirectRender:
    """Renders the surface of a signed distance field.

    Attributes:
        field: the field of one style.
        level: its signed distance at the surface.
        trace: finds the rays' crossings with the surface.
        pixel: width of a pixel at the head, world units.
        tiles: cut the rays.
    """

    field: BakedField
    level: float
    trace: SurfaceTrace
    pixel: float
    tiles: Tiles

    def steps(self, rays: CameraRays) -> Operation[DirectSurface]:
        """The surface in every pixel; along outlines, the mean of four rays a pixel."""
        surface = yield from self._surface(rays)
        outline = self._outline(surface, rays.edge).nonzero()[:, 0]
        if len(outline):
            quarters = yield from self._surface(_quarters(rays, outline))
            covered = quarters.covered.view(-1, 4)
            share = covered.mean(dim=1)
            mean = (quarters.rgb.view(-1, 4, 3) * covered[..., None]).mean(dim=1)
            surface.rgb[outline] = mean / share.clamp_min(0.25)[:, None]
            surface.covered[outline] = share
        return surface

    def _surface(self, rays: CameraRays) -> Operation[DirectSurface]:
        count = len(rays.origins)
        rgb, rest = rays.origins.new_zeros(count, 3), rays.origins.new_zeros(2, count)

        def work(start: int, stop: int) -> None:
            own = slice(start, stop)
            part = self._tile(
                CameraRays(rays.origins[own], rays.directions[own], rays.viewdirs[own], rays.volume)
            )
            rgb[start:stop] = part.rgb
            rest[0, start:stop], rest[1, start:stop] = part.depth, part.covered

        for first in range(0, count, _CHUNK):
            chunk = min(_CHUNK, count - first)
            self.tiles.run(partial(_shifted, work, first), chunk)
            yield Progress(first + chunk, count, "rendering the surface")
        return DirectSurface(rgb, *rest)

    def _tile(self, rays: CameraRays) -> DirectSurface:
        crossings = self.trace(rays.origins, rays.directions)
        covered = crossings.depth < torch.inf
        hits = covered.nonzero()[:, 0]
        depth = crossings.depth[hits]
        origins, directions = rays.origins[hits], rays.directions[hits]
        trunk = self.field.trunk(torch.addcmul(origins, directions, depth[:, None]))
        distance = self.field.scalar_of(trunk) - self.level
        far_off = (distance.abs() > _TOLERANCE * self.pixel).nonzero()[:, 0]
        if len(far_off):
            shift = (distance / crossings.slope[hits])[far_off].clamp(-_LONGEST, _LONGEST)
            depth[far_off] += shift
            points = torch.addcmul(origins[far_off], directions[far_off], depth[far_off, None])
            trunk[far_off] = self.field.trunk(points)
        rgb, depths = torch.zeros_like(rays.origins), torch.zeros_like(crossings.depth)
        terms = self.field.direction_terms(rays.viewdirs[hits])
        features = self.field.shade(trunk, terms, torch.arange(len(hits), device=hits.device))
        rgb[hits] = 2.0 * torch.sigmoid(self.field.logits_of(features)) - 1.0
        depths[hits] = depth
        return DirectSurface(rgb, depths, covered.to(rgb.dtype))

    def _outline(self, surface: DirectSurface, edge: int) -> Tensor:
        """Pixels (R,) beside which the surface ends or steps back."""
        depth = torch.where(surface.covered > 0.0, surface.depth, torch.inf).view(edge, edge)
        step = _most_around(depth) + _most_around(-depth)  # ∞ where it ends, NaN beside it
        return (step > _STEP * self.pixel).view(-1)


def _most_around(values: Tensor) -> Tensor:
    """The largest of each value (H, W) and its eight neighbours; a tenth of max_pool2d's time."""
    rows = values.clone()
    torch.maximum(rows[1:], values[:-1], out=rows[1:])
    torch.maximum(rows[:-1], values[1:], out=rows[:-1])
    most = rows.clone()
    torch.maximum(most[:, 1:], rows[:, :-1], out=most[:, 1:])
    torch.maximum(most[:, :-1], rows[:, 1:], out=most[:, :-1])
    return most


def _shifted(work: TileWork, first: int, start: int, stop: int) -> None:
    work(first + start, first + stop)


def _quarters(rays: CameraRays, pixels: Tensor) -> CameraRays:
    """The four rays through the quarters of each pixel, (4·P, 3)."""
    directions = rays.directions
    right, down = directions[1] - directions[0], directions[rays.edge] - directions[0]
    shifts = torch.stack([0.25 * (x * right + y * down) for y in (-1, 1) for x in (-1, 1)])
    return CameraRays(
        rays.origins[pixels].repeat_interleave(4, 0),
        (directions[pixels][:, None] + shifts).view(-1, 3),
        rays.viewdirs[pixels].repeat_interleave(4, 0),
        rays.volume,
    )


def beside_head(covered: Tensor, edge: int) -> Tensor:
    """Which of a smaller picture's pixels lie well beside the head, (edge²) bool.

    Args:
        covered: (S, S), how much of each pixel the head covers.
    """
    hidden = (
        F.adaptive_max_pool2d(covered[None, None], edge)
        if len(covered) >= edge
        else F.interpolate(covered[None, None], size=(edge, edge))
    )
    # A volume render's surface is soft, and shows in front of the surface proper.
    return F.max_pool2d(hidden, 3, 1, 1).view(-1) == 0.0


def backdrop(volume: Volume, size: int) -> Tensor:
    """The background (3, size, size) behind a head, enlarged from a small volume render.

    Args:
        volume: the render; of pixels that were not rendered the background has no weight.
    """
    rgb, edge = volume.rgb, volume.rgb.shape[-1]
    hidden = volume.background < _CLEAR
    if bool(hidden.all()):
        return rgb.new_zeros(3, size, size)
    from scipy.ndimage import distance_transform_edt  # a seventh of the engine's import

    # Behind the head lies what is nearest beside it.
    rows, columns = distance_transform_edt(
        hidden.cpu().numpy(), return_distances=False, return_indices=True
    )
    place = torch.from_numpy(rows.astype(np.int64) * edge + columns).to(rgb.device)
    filled = rgb.reshape(3, -1)[:, place.view(-1)].view_as(rgb)
    return F.interpolate(filled[None], size=(size, size), mode="bilinear")[0]
