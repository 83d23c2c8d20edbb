"""A photograph as a fit sees it: a square around a head, compared at any resolution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

#: Edge of a photograph's square, as a multiple of the edge of the picture that is compared: room
#: for a framing that the fit corrects.
ROOM = 1.25


@dataclass(frozen=True)
class Similarity:
    """A map of the plane: a point is turned, scaled, then moved.

    Points are x to the right and y down, −1 to 1 across a picture.

    Attributes:
        x, y: the move.
        growth: natural logarithm of the scale.
        roll: turn, radians, clockwise.
    """

    x: float = 0.0
    y: float = 0.0
    growth: float = 0.0
    roll: float = 0.0

    @property
    def factor(self) -> complex:
        """Scale and turn as a complex number."""
        scale = math.exp(self.growth)
        return complex(scale * math.cos(self.roll), scale * math.sin(self.roll))

    def of(self, points: Tensor) -> Tensor:
        """The map of points (N, 2)."""
        real, imag = self.factor.real, self.factor.imag
        x, y = points.T
        return torch.stack([real * x - imag * y + self.x, imag * x + real * y + self.y], dim=-1)

    def inverse(self) -> Similarity:
        """The map back."""
        return _similarity(1.0 / self.factor, -complex(self.x, self.y) / self.factor)

    def after(self, first: Similarity) -> Similarity:
        """The map that does ``first`` and then this one."""
        move = self.factor * complex(first.x, first.y) + complex(self.x, self.y)
        return _similarity(self.factor * first.factor, move)


def _similarity(factor: complex, move: complex) -> Similarity:
    turn = math.atan2(factor.imag, factor.real)
    return Similarity(move.real, move.imag, math.log(abs(factor)), turn)


@dataclass(frozen=True)
class Lattice:
    """Some of a picture's pixels: every ``step``-th column and row.

    Attributes:
        size: edge of the picture, pixels.
        left, top: first column and row, below ``step``.
    """

    size: int
    step: int = 1
    left: int = 0
    top: int = 0

    @property
    def edge(self) -> int:
        """Pixels along a side."""
        return self.size // self.step

    def points(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """x to the right and y down of the pixels' centres, −1 to 1, (edge²,) each."""
        along = torch.arange(self.edge, device=device) * self.step + 0.5
        x, y = ((along + first) * (2.0 / self.size) - 1.0 for first in (self.left, self.top))
        y, x = torch.meshgrid(y, x, indexing="ij")
        return x.reshape(-1), y.reshape(-1)

    def of(self, maps: Tensor) -> Tensor:
        """The pixels of maps (…, size, size): (…, edge, edge)."""
        end = self.edge * self.step
        return maps[..., self.top : end : self.step, self.left : end : self.step]


@dataclass(frozen=True)
class PhotoView:
    """One photograph of the person.

    Attributes:
        square: (4, E, E), :data:`ROOM` times as wide as the estimated framing: colours in [−1, 1],
            and how much a pixel counts.
        angles: estimated azimuth and elevation, radians.
        spread: standard deviation of the estimated angles, radians.
        framing: from the picture that is compared to the estimated framing.
        landmarks: (51, 2) in the estimated framing, −1 to 1, x and y down; None where not known.
    """

    square: Tensor
    angles: tuple[float, float] = (0.0, 0.0)
    spread: float = math.inf
    framing: Similarity = Similarity()
    landmarks: Tensor | None = None

    @classmethod
    def framed(cls, picture: Tensor, angles: tuple[float, float] = (0.0, 0.0)) -> PhotoView:
        """Of a picture (3, S, S) that is framed as the model's own; its border is continued."""
        edge = picture.shape[-1]
        room = math.ceil(0.5 * (ROOM - 1.0) * edge)
        square = F.pad(picture[None], (room,) * 4, mode="replicate")[0]
        square = torch.cat([square, torch.ones_like(square[:1])])
        growth = math.log(ROOM * edge / square.shape[-1])
        return cls(square, angles, framing=Similarity(growth=growth))

    def emphasised(self, points: Sequence[complex], strength: float, radius: float) -> PhotoView:
        """The view with the surroundings of points counting more, by up to ``strength``.

        Args:
            points: x + iy in the picture, −1 to 1, y down.
            radius: standard deviation of the surroundings, in the same unit.
        """
        edge = self.square.shape[-1]
        along = (torch.arange(edge, device=self.square.device) + 0.5) * (2.0 / edge) - 1.0
        y, x = torch.meshgrid(ROOM * along, ROOM * along, indexing="ij")
        near = torch.zeros_like(x)
        for point in points:
            squared = (x - point.real).square() + (y - point.imag).square()
            near = torch.maximum(near, torch.exp(-0.5 * squared / radius**2))
        weights = self.square[3:] * (1.0 + strength * near)
        return replace(self, square=torch.cat([self.square[:3], weights]))

    def reframed(self, correction: Similarity) -> PhotoView:
        """The view whose picture shows at a mapped point what this view's shows at the point.

        Args:
            correction: maps the points.
        """
        return replace(self, framing=self.framing.after(correction.inverse()))

    def landmarks_in_picture(self) -> Tensor | None:
        """The landmarks in the picture that is compared, (51, 2)."""
        return None if self.landmarks is None else self.framing.inverse().of(self.landmarks)

    def picture(self, edge: int) -> Tensor:
        """What is compared, (4, edge, edge), as :attr:`square`; averaged, not aliased."""
        fine = edge * max(1, math.ceil(self.square.shape[-1] / (ROOM * edge)))
        along = (torch.arange(fine, device=self.square.device) + 0.5) * (2.0 / fine) - 1.0
        y, x = torch.meshgrid(along, along, indexing="ij")
        factor = self.framing.factor / ROOM
        grid = torch.stack(
            [
                factor.real * x - factor.imag * y + self.framing.x / ROOM,
                factor.imag * x + factor.real * y + self.framing.y / ROOM,
            ],
            dim=-1,
        )
        sampled = F.grid_sample(
            self.square[None], grid[None], padding_mode="border", align_corners=False
        )
        return F.interpolate(sampled, size=(edge, edge), mode="area")[0]
