"""Which point of the surface is the same point of the face after the style has changed.

Two things are asked of a followed point: it stays on the surface, and its features stay as they
were, as far as they can. Where a model tells the place on the neutral head (:mod:`.places`), these
three numbers are the features. Otherwise they are the outputs of the trunk's hidden layers, all but
the first, which knows only places in the volume, and the last, which knows mostly distances.

Both conditions are linearised, so that a point's motion is a matrix times the change of the style:
along the normal n by the motion of the level set, dx = −n (∂d/∂w·dw) / ‖∇d‖, and along the surface
by least squares of the features' change.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from stylesdf_core.dragging.places import PlaceReadout
from stylesdf_core.model.networks.film_siren import FilmSiren, SirenField
from stylesdf_core.rendering.camera import VOLUME_SCALE

#: Share of their mean square by which the features' slopes along the surface are taken to be
#: uncertain, so that where hardly anything tells points apart they move along the normal alone.
_RIDGE = 1e-3


@dataclass(frozen=True)
class Motion:
    """How P points move, to first order.

    Attributes:
        by_style: (P, 3, layers, K), the points' motion, world units, by the style of each layer of
            the trunk along each of K directions.
        correction: (P, 3), from the points to where surface and features are met, world units.
    """

    by_style: Tensor
    correction: Tensor


class FaceTracker:
    """Follows points of a field's surface.

    Args:
        field: its weights are only read.
        level: the field's scalar at the surface.
        directions: (K, w_dim), along which the style of each of the trunk's layers may change.
        places: tells places on the neutral head; None for features.
    """

    def __init__(
        self, field: SirenField, level: float, directions: Tensor, places: PlaceReadout | None
    ) -> None:
        self._level, self._places = level, places
        self._layers = [layer for layer in field.trunk if isinstance(layer, FilmSiren)]
        self._head = field.scalar_head
        depth = len(self._layers)
        self._used = range(1, depth - 1) if depth > 2 else range(depth)
        if places is not None:
            self._used = range(places.layer, places.layer + 1)
        with torch.no_grad():
            self._by_layer = [
                torch.cat(
                    [
                        15.0 * directions @ layer.gamma.weight.T,
                        0.25 * directions @ layer.beta.weight.T,
                    ],
                    dim=1,
                )
                for layer in self._layers
            ]  # (K, 2·width) each: changes of γ and β

    @torch.no_grad()
    def features(self, points: Tensor, styles: Tensor) -> Tensor:
        """What tells points of the face apart, (P, C), at points (P, 3).

        Args:
            styles: (trunk layers, w_dim).
        """
        return self._forward(points, self._modulations(styles)).features

    @torch.no_grad()
    def motion(self, points: Tensor, styles: Tensor, features: Tensor) -> Motion:
        """The motion of points (P, 3) whose features (P, C) shall stay; styles as in features."""
        modulations = self._modulations(styles)
        here = self._forward(points, modulations)
        slope = here.gradient.norm(dim=-1, keepdim=True).clamp_min(1e-6)
        normal = here.gradient / slope
        frame = torch.stack([normal, *_tangents(normal)], dim=-1)  # (P, 3, 3): n, t₁, t₂
        slopes = here.slopes @ frame  # (P, C, 3)
        along = slopes[..., 1:]
        squares = along.mT @ along
        ridge = squares.diagonal(dim1=1, dim2=2).mean(dim=1)[:, None, None].clamp_min(1e-12)
        squares = squares + _RIDGE * ridge * torch.eye(2, device=points.device)
        readout = torch.linalg.solve(squares, along.mT)  # (P, 2, C)
        aside = (readout @ slopes[..., :1])[..., 0]  # (P, 2): along the surface, for one along n
        scalars, changes = self._by_style(points, modulations, readout)
        outwards = -scalars / slope
        sideways = -changes - aside[..., None] * outwards[:, None]
        by_style = (frame @ torch.cat([outwards[:, None], sideways], dim=1)).unflatten(
            2, (len(self._layers), -1)
        )
        off = -here.distance[:, None] / slope  # (P, 1)
        miss = (readout @ (here.features - features)[..., None])[..., 0]
        correction = (frame @ torch.cat([off, -miss - aside * off], dim=1)[..., None])[..., 0]
        return Motion(by_style, correction)

    # --- the field ------------------------------------------------------------------------------

    def _modulations(self, styles: Tensor) -> list[tuple[Tensor, Tensor]]:
        pairs = zip(self._layers, styles, strict=True)
        return [layer.modulation(own[None]) for layer, own in pairs]

    def _forward(self, points: Tensor, modulations: list[tuple[Tensor, Tensor]]) -> _Local:
        x, slopes = points * VOLUME_SCALE, VOLUME_SCALE * torch.eye(3, device=points.device)
        slopes = slopes.expand(len(points), 3, 3)  # row i: by the i-th coordinate
        features, by_place = [], []
        for index, (layer, (gamma, beta)) in enumerate(zip(self._layers, modulations, strict=True)):
            angle = gamma * layer.linear(x) + beta
            slopes = (angle.cos() * gamma)[:, None] * (slopes @ layer.linear.weight.T)
            x = angle.sin()
            if index in self._used:
                features.append(x)
                by_place.append(slopes)
        told, by_point = torch.cat(features, dim=-1), torch.cat(by_place, dim=-1)
        if self._places is not None:
            told, by_point = (part @ self._places.weight.T for part in (told, by_point))
        distance, gradient = self._head(x)[:, 0] - self._level, slopes @ self._head.weight.T
        return _Local(distance, gradient[..., 0], told, by_point.mT)

    def _by_style(
        self, points: Tensor, modulations: list[tuple[Tensor, Tensor]], readout: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Derivatives by the layers' styles of the scalar, (P, L·K), and of a readout of features.

        One pass back through the field, with three rows for each point.

        Args:
            readout: (P, 2, C).

        Returns:
            (P, L·K) and (P, 2, L·K).
        """
        count = len(points)
        if self._places is not None:
            readout = readout @ self._places.weight
        parts = iter(readout.movedim(1, 0).reshape(2 * count, len(self._used), -1).unbind(dim=1))
        with torch.enable_grad():
            own = [
                [value.expand(3 * count, -1).clone().requires_grad_() for value in pair]
                for pair in modulations
            ]
            x = (points * VOLUME_SCALE).repeat(3, 1)
            total = x.new_zeros(())
            for index, (layer, (gamma, beta)) in enumerate(zip(self._layers, own, strict=True)):
                x = torch.sin(gamma * layer.linear(x) + beta)
                if index in self._used:
                    total = total + (x[count:] * next(parts)).sum()
            total = total + self._head(x[:count]).sum()
            slopes = torch.autograd.grad(total, [value for pair in own for value in pair])
        result = torch.cat(
            [
                torch.cat(slopes[2 * index : 2 * index + 2], dim=1) @ weights.T
                for index, weights in enumerate(self._by_layer)
            ],
            dim=1,
        )
        return result[:count], result[count:].view(2, count, -1).movedim(0, 1)


@dataclass(frozen=True)
class _Local:
    """The field at P points.

    Attributes:
        distance: (P,), scalar less level.
        gradient: (P, 3), of the scalar.
        features: (P, C).
        slopes: (P, C, 3), of the features by the place.
    """

    distance: Tensor
    gradient: Tensor
    features: Tensor
    slopes: Tensor


def _tangents(normal: Tensor) -> tuple[Tensor, Tensor]:
    """Two unit vectors (P, 3) each, at right angles to the normals and to each other."""
    x, y = normal.new_tensor([1.0, 0.0, 0.0]), normal.new_tensor([0.0, 1.0, 0.0])
    away = torch.where(normal[:, :1].abs() < 0.9, x, y)
    first = F.normalize(torch.linalg.cross(normal, away), dim=-1)
    return first, torch.linalg.cross(normal, first)
