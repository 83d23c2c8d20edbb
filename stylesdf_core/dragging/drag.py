"""Drag: steps of a face's style that bring points of its surface to their targets.

A step is one of Gauss and Newton's, damped as Levenberg and Marquardt's are. The unknowns are a
change of w along its principal directions, and a change of each trunk layer's own w, in standard
deviations of the model's faces and held near 0, so that the face stays a face. The rows are the
positions of the dragged points, which are to be at their targets, and of points all over the head,
which are to stay as far as they can, the less the nearer they are to a dragged point. There are
some two hundred rows, so that a step takes some hundredths of a second.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from stylesdf_core.dragging.places import place_readout
from stylesdf_core.dragging.pointing import Vector
from stylesdf_core.dragging.surface import FaceSurface
from stylesdf_core.dragging.tracking import FaceTracker, Motion
from stylesdf_core.errors import InputError
from stylesdf_core.model.latents.latents import seed_to_z
from stylesdf_core.model.model import Model
from stylesdf_core.rendering.camera import METRES_PER_UNIT
from stylesdf_core.scene.offsets import StyleOffsets, encoded
from stylesdf_core.scene.scene import Scene

#: A millimetre of the shipped model's heads, world units; other heads are taken to be as large.
MILLIMETRE = 0.001 / METRES_PER_UNIT
#: Share of the trunk's layers, from the first on, that may change: they make the shape, and those
#: behind mostly the colours of skin and hair.
_SHAPING = 0.6
#: Principal directions of w that may change: those of the shipped model that change its faces.
_DIRECTIONS = 64
#: Faces from which the principal directions of w are found.
_SAMPLES = 2048
#: Points all over the head that are to stay.
_STAYING = 60
#: Standard deviations, millimetres, of dragged points from their targets and of the others from
#: where they were; distance from a dragged point up to which the others are rather free.
_EXACT, _LOOSE, _FREE = 0.1, 2.0, 15.0
#: Weight of the squared change of the style, which is in standard deviations.
_PRIOR = 0.3
#: Longest change of the style, and by how much it is held more until it is short enough.
_LONGEST, _MORE, _TRIALS = 12.0, 3.0, 12
#: Longest motion of a point in a step, longest correction of its place, and change of the worst
#: point's distance from its target below which the drag has come to rest, millimetres.
_STRIDE, _CORRECTION, _REST = 3.0, 1.5, 0.05
#: How much farther off than the best face the worst point may be on the way, distance from the
#: target at which it has arrived, and shortest stride to try where it rests before, millimetres.
_SLACK, _ARRIVED, _SHORTEST = 1.0, 0.2, 0.5
#: Share of an offset in the picture below which nothing can be dragged.
_LEAST_SHARE = 0.02
#: Most steps of a drag.
MOST_STEPS = 30


class Drag:
    """A drag of some points of one face; call :meth:`aim`, then :meth:`step` until it says no.

    All of it runs on the CPU.

    Args:
        model: its weights are only read.
        scene: the face before the drag.
        points: on the face's surface, world units; those that shall stay count too.

    Raises:
        InputError: there is no point, or the scene shows nothing of its own face's shape.
    """

    def __init__(self, model: Model, scene: Scene, points: Sequence[Vector]) -> None:
        if not points:
            raise InputError("There is no point to drag.")
        config = model.generator.config
        self._model, self._scene = model, scene
        share = scene.truncation_psi
        share *= 1.0 if scene.morph.seed is None else 1.0 - scene.morph.amount
        mixed = scene.mixing.film_strengths(config.film_layers)
        shaping = torch.arange(config.depth) < math.ceil(_SHAPING * config.depth)
        self._shares = share * (1.0 - torch.tensor(mixed[:-1])) * shaping  # of an offset, by layer
        if float(self._shares.abs().max()) < _LEAST_SHARE:
            raise InputError(
                "The picture shows nothing of this face's own shape, so that its points cannot be "
                "moved: truncation is 0, or another face is mixed in whole."
            )
        surface = FaceSurface(model, scene)
        w = surface.styles.w
        by_layer = w[0] if w.dim() == 3 else w.expand(config.film_layers, -1)
        self._styles = by_layer[:-1]
        self._directions = _principal(model)
        self._tracker = FaceTracker(
            model.generator.field, surface.level, self._directions, place_readout(model)
        )
        own = torch.tensor(points)
        others = surface.all_over(_STAYING)
        self._count = len(own)
        self._start = torch.cat([own, others])
        self._points = self._start.clone()
        self._targets = self._start.clone()
        near = torch.cdist(others, own).amin(dim=1) / (_FREE * MILLIMETRE)
        loose = (1.0 - torch.exp(-0.5 * near.square())).sqrt() / _LOOSE
        self._weights = torch.cat([torch.full((self._count,), 1.0 / _EXACT), loose])
        self._features = self._tracker.features(self._start, self._styles)
        self._change = torch.zeros(config.film_layers * len(self._directions))
        self.aim(points)

    @property
    def points(self) -> list[Vector]:
        """Where the dragged points lie now."""
        return [(a, b, c) for a, b, c in self._points[: self._count].tolist()]

    @property
    def misses(self) -> list[float]:
        """Distances of the dragged points from their targets, millimetres."""
        off = (self._points - self._targets)[: self._count].norm(dim=-1) / MILLIMETRE
        return [float(value) for value in off]

    @property
    def others_moved(self) -> float:
        """Mean motion of the points all over the head since the beginning, millimetres."""
        moved = (self._points - self._start)[self._count :].norm(dim=-1)
        return float(moved.mean()) / MILLIMETRE if len(moved) else 0.0

    def aim(self, targets: Sequence[Vector]) -> None:
        """Where the dragged points shall lie, in their order."""
        self._targets[: self._count] = torch.tensor(targets)
        self._steps, self._stride, self._miss = 0, _STRIDE, math.inf
        self._best: _Best | None = None

    @torch.no_grad()
    def step(self) -> bool:
        """Bring the points nearer to their targets.

        Returns:
            Whether another step may bring them nearer; if not, the face is the best one found.
        """
        styles = self._styles + self._shares[:, None] * self._offsets()
        motion = self._tracker.motion(self._points, styles, self._features)
        reach = _CORRECTION * MILLIMETRE
        self._points = self._points + motion.correction.clamp(-reach, reach)
        miss, best = max(self.misses), self._best
        rests, self._miss = abs(self._miss - miss) < _REST, miss
        if best is None or miss < best.miss:
            self._best = best = _Best(miss, self._change, self._points, motion)
        self._steps += 1
        is_final = miss < _ARRIVED or self._stride < _SHORTEST
        ends = (rests and is_final) or self._steps > MOST_STEPS
        if ends or rests or miss > best.miss + _SLACK:  # the matrix tells too little of the way
            self._change, self._points, motion = best.change, best.points, best.motion
            self._miss, self._stride = best.miss, 0.5 * self._stride
        if ends:
            return False
        by_layer = motion.by_style * self._shares[:, None]  # (P, 3, L, K)
        matrix = torch.cat([by_layer.sum(dim=2), by_layer.flatten(2)], dim=-1)  # (P, 3, U)
        weights = (self._weights / MILLIMETRE)[:, None]
        rows = (matrix * weights[..., None]).flatten(0, 1)
        wanted = (self._targets - self._points) * weights
        change = _solved(rows, wanted.flatten() + rows @ self._change) - self._change
        moves = matrix @ change
        longest = float(moves.norm(dim=-1).max()) / MILLIMETRE
        part = min(1.0, self._stride / max(longest, 1e-9))
        self._change = self._change + part * change
        self._points = self._points + part * moves
        return True

    def _offsets(self) -> Tensor:
        """Offsets of the w of the trunk's layers at truncation 1, (trunk layers, w_dim)."""
        common, *own = self._change.view(-1, len(self._directions)) @ self._directions
        return torch.stack([common + layer for layer in own]) * (self._shares != 0.0)[:, None]

    @property
    def scene(self) -> Scene:
        """The scene with the face as it is now: the one before the drag, with other offsets.

        Only the layers that make the shape have changed; the others and the decoder keep the
        colours.
        """
        config, identity = self._model.generator.config, self._scene.identity
        known = identity.offsets.of_field(config.film_layers, config.z_dim)
        offsets = np.zeros((config.film_layers, config.z_dim), np.float32)
        offsets[:-1] = self._offsets().numpy()
        text = encoded(offsets if known is None else offsets + known)
        changed = StyleOffsets(text, identity.offsets.decoder)
        return replace(self._scene, identity=replace(identity, offsets=changed))


@dataclass(frozen=True)
class _Best:
    """The face whose worst point is nearest to its target, among those since the last aim.

    Attributes:
        miss: the worst point's distance, millimetres.
    """

    miss: float
    change: Tensor
    points: Tensor
    motion: Motion


def _principal(model: Model) -> Tensor:
    """Principal directions of w, each one standard deviation long, (K, w_dim)."""
    width = model.generator.config.z_dim
    z = np.stack([seed_to_z(seed, width) for seed in range(_SAMPLES)])
    with torch.no_grad():
        w = model.generator.mapping(torch.from_numpy(z))
        values, vectors = torch.linalg.eigh(torch.cov(w.T))
        deviations = values.clamp_min(0.0).sqrt()[:, None]
    directions: Tensor = (deviations * vectors.T).flip(0)[:_DIRECTIONS].contiguous()
    return directions


def _solved(rows: Tensor, wanted: Tensor) -> Tensor:
    """The change v of least ‖rows·v − wanted‖² + prior·‖v‖², of a length within its limit."""
    squares, unit = rows @ rows.T, torch.eye(len(rows))
    change: Tensor = torch.zeros_like(rows[0])
    for power in range(_TRIALS):
        held = squares + _PRIOR * _MORE**power * unit
        change = rows.T @ torch.linalg.solve(held, wanted)
        if float(change.norm()) <= _LONGEST:
            break
    return change
