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

from stylesdf_core.engine.field.baked_field import BakedField
from stylesdf_core.engine.march.surface_trace import Crossings, SurfaceTrace
from stylesdf_core.engine.march.tiles import Tiles, TileWork
from stylesdf_core.engine.march.volume import CameraRays, Volume
from stylesdf_core.progress import Operation, Progress, part

#: Grid points per axis: the finest of a :class:`DistanceGrid`, sampled once for each face. Its
#: surface is a tenth of a pixel of 512 off, at most two pixels.
SURFACE = 113
#: Rays between two reports of progress; a GPU takes more at a time.
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
    """What R pixels show of the surface.

    Attributes:
        rgb: (R, 3) in [−1, 1]; 0 where a pixel shows nothing of it.
        covered: (R,), the share of a pixel that it covers.
    """

    rgb: Tensor
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
        crossings = yield from part(self.crossings(rays), 0.0, 0.2)
        meets = crossings.depth < torch.inf
        outline = self._outline(crossings.depth, rays.edge)
        surface = DirectSurface(torch.zeros_like(rays.origins), meets.to(rays.origins.dtype))
        whole, fine = ((meets & ~outline).nonzero()[:, 0], outline.nonzero()[:, 0])
        own = rays.chosen(whole), crossings.chosen(whole)
        surface.rgb[whole] = yield from part(self._colors(*own), 0.2, 0.8)
        if len(fine):
            quarters = _quarters(rays, fine)
            crossings = yield from part(self.crossings(quarters), 0.8, 0.85)
            met = (crossings.depth < torch.inf).nonzero()[:, 0]
            rgb = torch.zeros_like(quarters.origins)
            own = quarters.chosen(met), crossings.chosen(met)
            rgb[met] = yield from part(self._colors(*own), 0.85, 1.0)
            count = (crossings.depth < torch.inf).view(-1, 4).sum(dim=1)
            surface.rgb[fine] = rgb.view(-1, 4, 3).sum(dim=1) / count.clamp_min(1)[:, None]
            surface.covered[fine] = count / 4.0
        return surface

    def crossings(self, rays: CameraRays) -> Operation[Crossings]:
        """Where rays meet the grid's surface."""
        depth, slope = rays.origins.new_empty(2, len(rays.origins)).unbind()

        def work(start: int, stop: int) -> None:
            found = self.trace(rays.origins[start:stop], rays.directions[start:stop])
            depth[start:stop], slope[start:stop] = found.depth, found.slope

        yield from self._in_chunks(work, len(depth))
        return Crossings(depth, slope)

    def _colors(self, rays: CameraRays, crossings: Crossings) -> Operation[Tensor]:
        """The field's colours, (R, 3) in [−1, 1], where rays meet its surface; all of them do."""
        rgb = torch.empty_like(rays.origins)

        def work(start: int, stop: int) -> None:
            origins, directions, viewdirs, depth, slope = (
                values[start:stop]
                for values in (
                    rays.origins,
                    rays.directions,
                    rays.viewdirs,
                    crossings.depth,
                    crossings.slope,
                )
            )
            trunk = self.field.trunk(torch.addcmul(origins, directions, depth[:, None]))
            distance = self.field.scalar_of(trunk) - self.level
            far_off = (distance.abs() > _TOLERANCE * self.pixel).nonzero()[:, 0]
            if len(far_off):
                shift = (distance[far_off] / slope[far_off]).clamp(-_LONGEST, _LONGEST)
                better = (depth[far_off] + shift)[:, None]
                points = torch.addcmul(origins[far_off], directions[far_off], better)
                trunk[far_off] = self.field.trunk(points)
            terms = self.field.direction_terms(viewdirs)
            features = self.field.shade(trunk, terms, torch.arange(len(trunk), device=rgb.device))
            rgb[start:stop] = 2.0 * torch.sigmoid(self.field.logits_of(features)) - 1.0

        yield from self._in_chunks(work, len(rgb))
        return rgb

    def _in_chunks(self, work: TileWork, count: int) -> Operation[None]:
        most = max(_CHUNK, self.tiles.rows)
        for first in range(0, count, most):
            chunk = min(most, count - first)
            self.tiles.run(partial(_shifted, work, first), chunk)
            yield Progress(first + chunk, count, "rendering the surface")

    def _outline(self, depth: Tensor, edge: int) -> Tensor:
        """Pixels (R,) beside which the surface ends, where depths are ∞, or steps back."""
        square = depth.view(edge, edge)
        step = _most_around(square) + _most_around(-square)  # NaN where it is nowhere near
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
