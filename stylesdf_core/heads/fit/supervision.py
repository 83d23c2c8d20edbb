"""Losses on points of the heads' meshes: distances, colours and hidden layers of the field.

The phase of points trains on these losses alone. Phases that render use them too, since an image
shows little of where the surface lies.

Near-surface points are surface points moved along their normals, and they keep the surface point's
colour, because a ray blends the colours of samples around the surface. Points away from the surface
have the background's colour, which the last sample of every ray shows.

Hidden layers have losses as well (deep supervision; Lee et al., AISTATS 2015), because colours
alone do not teach hair: its strands are some forty waves around the head, whose phases the parting
shifts by whole cycles, and gradient descent finds a wave's phase only from nearby. On the way to a
colour, a head's shader computes the point's place on the neutral head, where eyes, brows and hair
are drawn, and the waves. Linear readouts of hidden layers must predict both; the readouts exist in
training only. Readouts of the features, which the decoder gets, must predict

- the place on each eyeball and around the mouth, because an iris is only two pixels wide in the
  volume render, a lip one pixel;
- the iris's colour, because few points lie on irises;
- the catchlight's place, because a catchlight is a third of a pixel wide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from stylesdf_core.heads.fit.bank import HeadBank, PointBatch, ShaderTruth
from stylesdf_core.heads.fit.config import FitConfig
from stylesdf_core.heads.fit.field import FastField
from stylesdf_core.heads.fit.initial import least_squares
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.rendering.camera import FAR, NEAR, VOLUME_RADIUS
from stylesdf_core.training.losses import slope_loss
from stylesdf_core.training.phase import Models

#: Distances beyond this limit, world units, need only the right sign.
DISTANCE_LIMIT = 0.05
#: Distance between the points of a pair that measures a slope, world units.
PAIR_STEP = 0.003
#: Half edge, world units, of the cube in which nothing may appear outside of the volume: rays of
#: turned cameras leave the volume.
OUTER_RADIUS = 0.17
#: Additional weight of colours on the left and right eyeball and around the mouth.
ATTENTION = (4.0, 4.0, 0.5)
#: Margin of the depths at which colours are learned, world units (2 mm on the head), since the
#: density search moves the surface and β blurs it; see :func:`visible`.
VISIBLE_MARGIN = 0.0016
#: Heads, and points of each, from which the surface's offset and the first readouts are computed.
KNOWN_HEADS, KNOWN_POINTS = 192, 64
#: Standard deviation of random view directions around −z, radians. In the camera's frame
#: (static_viewdirs) rays lie within 0.15 rad of −z.
VIEW_SPREAD = 0.06

#: Layer of the trunk, from 0, whose readout is the place on the neutral head; the last layer's
#: readout is the hair's waves.
_REST_LAYER = 2
#: Adam's highest learning rate of the readouts.
_READOUT_RATE = 2e-3
#: Weights of the mean errors of :func:`_part_targets`: errors of places are some iris radii, errors
#: of colours some tenths.
_PART_WEIGHTS = (0.03, 0.03, 0.03, 0.03, 0.03, 0.4)
#: Ridge of the least squares, as a share of the layers' mean square.
_RIDGE = 1e-5


class PointSupervision:
    """Losses on points; owns the readouts and the surface's offset.

    Args:
        generator: the generator whose mapping and field are trained.

    Attributes:
        field: the generator's field as training evaluates it.
        networks, optimizers: parts of the training state, to be added to the phase's parts.
        weights: weights of the hidden layers' losses, by name; the other losses count once.
    """

    def __init__(self, generator: Generator, bank: HeadBank, config: FitConfig) -> None:
        self._generator, self._bank = generator, bank
        self.field = FastField(generator.field, config.precision, compiled=config.compiled)
        self.surface = Surface().to(bank.device)
        self.networks: dict[str, nn.Module] = {"surface": self.surface}
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        weight = config.points.deep_supervision
        self.weights = dict.fromkeys(Readouts.NAMES, weight)
        self.readouts: Readouts | None = None
        self._found = False
        if weight > 0.0:
            self.readouts = Readouts(config.generator.width, config.generator.depth).to(bank.device)
            self.networks["readouts"] = self.readouts
            parameters = self.readouts.parameters()
            self.optimizers["readouts"] = torch.optim.Adam(parameters, _READOUT_RATE, fused=True)

    def find_surface(self, models: Models, random: torch.Generator) -> None:
        """Measure the offset of a trained field's surface, so that training keeps the surface.

        It is also the level at which meshes and the direct view have the surface.
        """
        self.surface.find(self._generator, self._bank, random)
        for generator in (models.live, models.ema):
            generator.surface_level.copy_(self.surface.offset)

    def losses(
        self, random: torch.Generator, heads: int, near: int, space: int
    ) -> dict[str, Tensor]:
        """Losses on random points of random heads, by name; see :attr:`weights`."""
        if self.readouts is not None and not self._found:
            if not self.readouts.ready:
                known = self.points(random, KNOWN_HEADS, KNOWN_POINTS, 1)
                self.readouts.find(self._generator, known)
            self._found = True  # reading ``ready`` again would wait for the GPU
        return self.losses_at(self.points(random, heads, near, space), random)

    def points(self, random: torch.Generator, heads: int, near: int, space: int) -> PointBatch:
        """A batch whose eyes and mouth are marked only where a ray may show them."""
        batch = self._bank.points(random, heads, near, space)
        parts = batch.shader.parts * visible(batch, self._generator.config.samples)
        return replace(batch, shader=replace(batch.shader, parts=parts))

    def losses_at(self, batch: PointBatch, random: torch.Generator) -> dict[str, Tensor]:
        """Losses on a batch's points, by name.

        The field is evaluated once for all points: near points, points beside the first quarter of
        the near points, points in space, and a third as many points around the volume. With
        readouts, colours count more on eyes and around the mouth.
        """
        near, space = batch.near.shape[1], batch.space.shape[1]
        pairs, outer = near // 4, max(1, space // 3)
        steps = torch.randn(batch.near[:, :pairs].shape, generator=random, device=random.device).to(
            batch.near
        )
        steps = steps * (PAIR_STEP / steps.norm(dim=-1, keepdim=True))
        around = torch.rand(len(batch.z), outer, 3, generator=random, device=random.device).to(
            batch.near
        )
        around = (2.0 * around - 1.0) * OUTER_RADIUS
        points = torch.cat([batch.near, batch.near[:, :pairs] + steps, batch.space, around], dim=1)
        viewdirs = random_viewdirs(points, random)
        layers = () if self.readouts is None else self.readouts.layers
        w = self._generator.mapping(batch.z)
        output, hidden = self.field.with_hidden(points, viewdirs, w, layers)
        parts = [near, pairs, space, outer]
        scalar = output.scalar - self.surface.offset
        at_near, beside, at_space, at_around = scalar.split(parts, dim=1)
        rgb_near, _, rgb_space, rgb_around = torch.sigmoid(output.rgb).split(parts, dim=1)
        # The true head is cut at the cube's walls: the distance is max(d, distance to the cube).
        solid = torch.maximum(batch.space_distance, distance_to_volume(batch.space))
        clamped = solid.clamp(-DISTANCE_LIMIT, DISTANCE_LIMIT)
        far = clamped.abs() == DISTANCE_LIMIT
        # Beyond the limit, only a wrong sign or a distance that is too small is an error.
        predicted = torch.where(far, at_space.clamp(-DISTANCE_LIMIT, DISTANCE_LIMIT), at_space)
        distance_error = predicted - clamped
        background_error = (rgb_space - batch.background).abs().mean(dim=-1, keepdim=True)
        gap = distance_to_volume(around)  # (B, M, 1)
        intrusion = (gap.clamp_max(DISTANCE_LIMIT) - at_around).clamp_min(0.0)
        tint = (rgb_around - batch.background).abs().mean(dim=-1, keepdim=True)
        hidden_losses = {}
        may_show = visible(batch, self._generator.config.samples)
        color_error = may_show * (rgb_near - batch.near_color).abs().mean(dim=-1, keepdim=True)
        if self.readouts is not None:
            attention = batch.shader.parts * batch.shader.parts.new_tensor(ATTENTION)
            color_error = color_error * (1.0 + attention.sum(dim=-1, keepdim=True))
            outputs = [layer[:, :near] for layer in (*hidden, output.features)]
            hidden_losses = self.readouts.losses(outputs, batch.shader)
        normals = batch.near_normal[:, :pairs]
        return {
            **hidden_losses,
            "color": color_error.sum() / may_show.sum().clamp_min(1.0),
            "distance": (at_near - batch.near_distance).abs().mean() * 40.0,
            "space": distance_error.abs().mean() * 10.0,
            "slope": 0.3 * slope_loss(at_near[:, :pairs], beside, normals, steps),
            "background": 0.2 * (batch.empty * background_error).mean(),
            "around": ((gap > 0.0) * (10.0 * intrusion + 0.2 * tint)).mean(),
        }


def visible(batch: PointBatch, samples: int) -> Tensor:
    """1 at near points that a ray of ``samples`` samples may show, else 0; (B, N, 1).

    A ray shows its first sample behind the surface, at most one spacing behind it. A lid's point
    that is farther behind the lid lies in the eyeball, and an eyeball's point that is farther
    before the eyeball lies in the lid: colours learned there would blur visible colours.
    """
    spacing = (FAR - NEAR) / samples
    distance = batch.near_distance
    return ((distance > -spacing - VISIBLE_MARGIN) & (distance < VISIBLE_MARGIN)).float()


def distance_to_volume(points: Tensor) -> Tensor:
    """Signed distance (B, N, 1) of points (B, N, 3) to the volume's cube, negative inside."""
    beyond = points.abs() - VOLUME_RADIUS
    outside: Tensor = beyond.clamp_min(0.0).norm(dim=-1, keepdim=True)
    inside = beyond.amax(dim=-1, keepdim=True).clamp_max(0.0)
    return outside + inside


def random_viewdirs(points: Tensor, random: torch.Generator) -> Tensor:
    """Unit view directions (B, N, 3) of random pixels, in the camera's frame."""
    where = random.device
    offsets = VIEW_SPREAD * torch.randn(*points.shape[:2], 2, generator=random, device=where)
    forward = torch.full((*points.shape[:2], 1), -1.0, device=where)
    viewdirs = nn.functional.normalize(torch.cat([offsets, forward], dim=-1), dim=-1)
    return viewdirs.to(points.device)


class Surface(nn.Module):
    """Offset of a field's distances from the true distances; part of the training state.

    The density search moves the surface inwards, and later phases must not move it back.

    Attributes:
        offset: field's distance minus true distance, world units.
    """

    offset: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("offset", torch.zeros(()))

    @torch.no_grad()
    def find(self, generator: Generator, bank: HeadBank, random: torch.Generator) -> None:
        """Measure the offset: the median over near points of random heads."""
        batch = bank.points(random, KNOWN_HEADS, KNOWN_POINTS, 1)
        scalar = generator.field.scalar(batch.near, generator.mapping(batch.z))
        self.offset.copy_((scalar - batch.near_distance).median())


class Readouts(nn.Module):
    """Linear readouts of two of the trunk's layers and of the features; see the module's docstring.

    Readouts start as the least-squares solution for a batch (:meth:`find`), since gradients through
    random readouts would disturb the field.

    Args:
        width, depth: the field's.

    Attributes:
        layers: layers of the trunk, from 0: for the place on the neutral head, for hair's waves.
        ready: whether :meth:`find` was called.
    """

    #: Names of the losses.
    NAMES: ClassVar[tuple[str, ...]] = ("rest", "strands", "parts")

    ready: Tensor

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.layers = (min(_REST_LAYER, depth - 1), depth - 1)
        self.rest = nn.Linear(width, 3)
        self.strands = nn.Linear(width, 3)
        self.parts = nn.Linear(width, 3 * len(_PART_WEIGHTS))
        self.register_buffer("ready", torch.zeros((), dtype=torch.bool))

    @torch.no_grad()
    def find(self, generator: Generator, batch: PointBatch) -> None:
        """Set the readouts by least squares over the batch's near points."""
        truth = batch.shader
        field = FastField(generator.field)
        viewdirs = torch.zeros_like(batch.near)
        viewdirs[..., 2] = -1.0
        output, hidden = field.with_hidden(
            batch.near, viewdirs, generator.mapping(batch.z), self.layers
        )
        early, late = hidden
        _solve(self.rest, early, truth.rest, [torch.ones_like(truth.hair)])
        _solve(self.strands, late, truth.strands, [truth.hair])
        targets, where = _part_targets(truth)
        _solve(self.parts, output.features, targets.flatten(-2), where.split(1, dim=-1))
        self.ready.fill_(True)

    def losses(self, outputs: Sequence[Tensor], truth: ShaderTruth) -> dict[str, Tensor]:
        """Errors of the readouts, by name.

        Args:
            outputs: (B, N, width) of :attr:`layers` and the features, at the truth's points.
        """
        early, late, features = outputs
        rest = (self.rest(early) - truth.rest).abs().mean()
        # Squares: absolute errors would be least for no wave at all while its phase is uncertain.
        strands = (truth.hair * (self.strands(late) - truth.strands).square()).mean()
        targets, where = _part_targets(truth)
        errors = (self.parts(features).view_as(targets) - targets).abs().sum(dim=-1)
        share = where.mean(dim=(0, 1)).clamp_min(1e-3)  # small and large parts count alike
        weights = where * where.new_tensor(_PART_WEIGHTS) / share
        return {"rest": rest, "strands": strands, "parts": (weights * errors).sum(dim=-1).mean()}


def _part_targets(truth: ShaderTruth) -> tuple[Tensor, Tensor]:
    """Targets (B, N, 6, 3) of the features' readouts, and 1 at the points that have them, else 0.

    The six targets: place on the left eyeball, on the right eyeball and around the mouth; place
    relative to the catchlight, up to a constant, on the left and on the right eyeball; colour of
    the irises. The second result is (B, N, 6).
    """
    place, iris = truth.places, truth.iris.expand_as(truth.places)
    to_catchlight = place - truth.catchlight
    left, right, mouth = truth.parts.unbind(dim=-1)
    targets = torch.stack([place, place, place, to_catchlight, to_catchlight, iris], dim=-2)
    return targets, torch.stack([left, right, mouth, left, right, left + right], dim=-1)


def _solve(readout: nn.Linear, inputs: Tensor, truth: Tensor, masks: Sequence[Tensor]) -> None:
    """Set a readout by least squares, for each of equal parts of its outputs.

    Args:
        inputs, truth: (B, N, width) and (B, N, outputs).
        masks: for each part, (B, N, 1), 1 at the points from which the part is computed.
    """
    parts = []
    for mask, target in zip(masks, truth.chunk(len(masks), dim=-1), strict=True):
        chosen = mask[..., 0] > 0.0
        parts.append(least_squares(inputs[chosen], target[chosen], _RIDGE))
    weights, biases = zip(*parts, strict=True)
    readout.weight.copy_(torch.cat(weights))
    readout.bias.copy_(torch.cat(biases))
