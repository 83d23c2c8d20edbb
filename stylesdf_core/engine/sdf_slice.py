"""A head cut open by a plane: the signed distances on the plane as iso-lines.

All distances come from one dense grid of a face, so that plane, level and camera move at once: the
field is asked again only for another face. The half of the head on the camera's side of the plane
is taken away; the other half is shaded like clay.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stylesdf_core.engine.cut import Cut
from stylesdf_core.engine.engine import Engine
from stylesdf_core.engine.picture import BACKDROP, Picture
from stylesdf_core.rendering.camera import FAR, NEAR, VOLUME_RADIUS
from stylesdf_core.scene.scene import Scene

#: Grid points per axis of a draft and of the finished picture.
DRAFT, DENSE = 33, 65
#: Signed distance between two iso-lines, world units; every fifth is stronger.
STEP = 0.01
_STRONG = 5
#: A ray's march to the surface: steps at most, share of the distance that a step covers, and
#: distance that counts as hit, world units.
_STEPS, _CAREFUL, _HIT = 40, 0.85, 0.0008
# Colours, sRGB: of the cut from the surface inwards, of lines, of the uncut half.
_SKIN, _DEEP = (0.93, 0.70, 0.42), (0.28, 0.10, 0.24)
_LINE, _LEVEL, _OUTSIDE = (0.10, 0.06, 0.10), (1.0, 1.0, 1.0), (0.42, 0.64, 1.0)
_CLAY = (0.62, 0.64, 0.68)
_POINTS = 25_000  # between two places where the work on a grid may be ended
_DEEPEST = 0.05  # distance inside at which the colours end


class Slicer:
    """Draws cuts through faces; keeps the grids of the last face."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._face: Hashable = None
        self._grids: dict[int, Tensor] = {}

    def has_grid(self, scene: Scene, resolution: int) -> bool:
        """Whether a picture of the scene needs no new evaluation of the field."""
        return self._face == scene.of_field and resolution in self._grids

    @torch.no_grad()
    def draw(self, scene: Scene, cut: Cut, edge: int, *, resolution: int = DENSE) -> Picture:
        """The head behind a cut, ``edge``² pixels.

        Args:
            resolution: grid points per axis.
        """
        for _ in self.prepare(scene, resolution):
            pass
        grid = self._grids[resolution]  # (1, 1, R, R, R), indexed x, y, z
        rays = self._engine.rays(scene, edge)
        near, span = (rays.origins + rays.directions * NEAR).cpu(), rays.directions.cpu()
        axis = "xyz".index(cut.axis)
        side = 1.0 if float(rays.origins[0, axis]) >= cut.offset else -1.0
        # Planar depth behind NEAR at which a ray enters the kept half, and whether it does.
        before = side * (near[:, axis] - cut.offset)
        pace = -side * span[:, axis]
        enters = before / torch.where(pace.abs() < 1e-9, 1e-9, pace)
        start = torch.where(before <= 0.0, 0.0, enters)
        is_cut = (before > 0.0) & (pace > 0.0) & (start <= FAR - NEAR)
        kept = is_cut | (before <= 0.0)
        first = near + span * start[:, None]
        value, _ = _sample(grid, first)
        value = value - cut.level
        inside = first.abs().amax(-1) <= VOLUME_RADIUS
        is_section = kept & inside & (value < 0.0)
        hit, depth = _march(grid, near, span, start, kept & ~is_section, cut.level)
        colours = torch.tensor(BACKDROP).expand(len(value), 3).clone()
        colours[hit] = _shaded(grid, near[hit] + span[hit] * depth[hit, None], span[hit])
        shape = (edge, edge)
        lines, strong = _lines(value.view(shape), STEP), _lines(value.view(shape), STEP * _STRONG)
        level = _lines(value.view(shape), 1.0)  # the line of 0: no other multiple of 1 is near
        depth_share = (-value / _DEEPEST).clamp(0.0, 1.0)[:, None]
        section = torch.lerp(torch.tensor(_SKIN), torch.tensor(_DEEP), depth_share)
        colours[is_section] = section[is_section]
        ink = (0.35 * lines + 0.35 * strong)[:, None]
        colours = torch.where(
            is_section[:, None], torch.lerp(colours, torch.tensor(_LINE), ink), colours
        )
        around = is_cut & inside & ~is_section
        veil = ((0.28 * lines + 0.32 * strong) * around)[:, None]
        colours = torch.lerp(colours, torch.tensor(_OUTSIDE), veil)
        rim = (level * (is_cut & inside))[:, None]
        colours = torch.lerp(colours, torch.tensor(_LEVEL), rim)
        covered = torch.maximum((is_section | hit).float(), torch.maximum(veil, rim)[:, 0])
        data = (2.0 * colours.T.reshape(3, edge, edge) - 1.0).contiguous().numpy()
        return Picture("slice", data, (1.0 - covered.view(shape)).numpy())

    def prepare(self, scene: Scene, resolution: int) -> Iterator[None]:
        """Evaluate the field for a face that has no grid yet; yields where work may be ended."""
        if scene.of_field != self._face:
            self._face, self._grids = scene.of_field, {}
        if resolution in self._grids:
            return
        field, slabs = self._engine.sdf(scene), []
        axis = np.linspace(-VOLUME_RADIUS, VOLUME_RADIUS, resolution, dtype=np.float32)
        for part in np.array_split(axis, max(1, resolution**3 // _POINTS)):
            points = np.stack(np.meshgrid(part, axis, axis, indexing="ij"), -1).reshape(-1, 3)
            slabs.append(torch.from_numpy(field(points)).view(-1, resolution, resolution))
            yield
        self._grids[resolution] = torch.cat(slabs)[None, None]


def _sample(grid: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Distances (N,) at points (N, 3), and whether the points lie in the grid."""
    # grid_sample takes x for the last axis
    place = (points.flip(-1) / VOLUME_RADIUS).view(1, 1, 1, -1, 3)
    values = F.grid_sample(grid, place, align_corners=True, padding_mode="border").view(-1)
    return values, points.abs().amax(-1) <= VOLUME_RADIUS


def _march(
    grid: Tensor, near: Tensor, span: Tensor, start: Tensor, wanted: Tensor, level: float
) -> tuple[Tensor, Tensor]:
    """Which rays hit the surface, and at what planar depth behind NEAR: sphere tracing."""
    depth, hit = start.clone(), torch.zeros_like(wanted)
    left = wanted.nonzero()[:, 0]
    for _ in range(_STEPS):
        if not len(left):
            break
        value, inside = _sample(grid, near[left] + span[left] * depth[left, None])
        value = value - level
        found = inside & (value < _HIT)
        hit[left[found]] = True
        depth[left] += torch.where(found, 0.0, (_CAREFUL * value).clamp_min(_HIT))
        left = left[~found & (depth[left] < FAR - NEAR)]
    return hit, depth


def _shaded(grid: Tensor, points: Tensor, directions: Tensor) -> Tensor:
    """Clay (N, 3), lit from the camera."""
    step = 2.0 * VOLUME_RADIUS / (grid.shape[-1] - 1)
    shifts = step * torch.eye(3)
    gradient = torch.stack(
        [_sample(grid, points + shift)[0] - _sample(grid, points - shift)[0] for shift in shifts],
        dim=-1,
    )
    facing = -(F.normalize(gradient, dim=-1) * F.normalize(directions, dim=-1)).sum(-1)
    light = 0.22 + 0.78 * facing.clamp(0.0, 1.0)
    return torch.tensor(_CLAY) * light[:, None]


def _lines(values: Tensor, step: float) -> Tensor:
    """Opacity of the iso-lines of the multiples of ``step``, about 1.5 pixels wide; (H·W,)."""
    dy, dx = torch.gradient(values)
    slope = torch.sqrt(dx * dx + dy * dy).clamp_min(1e-7)
    off = (values - step * torch.round(values / step)).abs() / slope  # pixels
    crowded = (step / slope < 3.0).float()  # lines would run together
    return ((1.25 - off).clamp(0.0, 1.0) * (1.0 - crowded)).view(-1)
