"""What points of the heads' meshes teach the field: distances, colours and hidden layers.

The phase of points trains on these losses alone. Phases that render keep them, since an image says
little of where its surface lies and nothing of the waves that draw a strand.

Near the surface a point is moved along the normal, and colours extend along it, because a ray's
samples blend colours there. Away from the surface, colour is the background's, which the last
sample of every ray shows.

Hidden layers are taught as well (deep supervision; Lee et al., AISTATS 2015). A strand of hair is
one of forty waves about the head, and the parting turns their phases by whole cycles; colours lead
gradient descent to a phase only from next to it. A head's shader computes two things on its way to
a colour: where on the neutral head a point lies, which is where eyes, brows and hair are drawn, and
the waves themselves. Linear readouts of hidden layers, which only training has, are held to both,
and colours are learned from layers that know them. The features, from which the decoder draws, are
held to the place on either eyeball and around the mouth, since an iris is two pixels wide in the
volume render and a lip one; and to the iris's colour and the catchlight's place, since points on
irises are too few to teach the one and a catchlight is a third of a pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from stylesdf_core.heads.fit.bank import HeadBank, PointBatch, ShaderTruth
from stylesdf_core.heads.fit.config import FitConfig
from stylesdf_core.heads.fit.fast_field import FastField
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.rendering.camera import FAR, NEAR, VOLUME_RADIUS
from stylesdf_core.training.losses import slope_loss

#: Distances beyond this, world units, need not be exact; only their sign matters.
DISTANCE_LIMIT = 0.05
#: Distance between the points of a pair that measures a slope, world units.
PAIR_STEP = 0.003
#: Rays of turned cameras leave the volume's cube; out to this, world units, nothing may appear.
OUTER_RADIUS = 0.17
#: How much more colours count on either eyeball and around the mouth, where people look.
ATTENTION = (4.0, 4.0, 0.5)
#: How far before the surface, and further than a sample's spacing behind it, colours are learned,
#: world units (2 mm on the head): the density search moves the surface, and β blurs it.
VISIBLE_MARGIN = 0.0016
#: Heads, and points of each, that the surface's offset and the first readouts are found from.
KNOWN_HEADS, KNOWN_POINTS = 192, 64
#: The view direction is the camera frame's, whose rays lie within 0.15 rad of −z (static_viewdirs).
VIEW_SPREAD = 0.06

#: Layer of the trunk, from 0, that is taught the place on the neutral head; the last one is taught
#: the hair's waves.
_REST_LAYER = 2
#: Adam's learning rate of the readouts, at its height.
_READOUT_RATE = 2e-3
#: Weights of the mean errors of :func:`_part_targets`: places are in iris radii, colours tenths.
_PART_WEIGHTS = (0.03, 0.03, 0.03, 0.03, 0.03, 0.4)
#: Share of the layers' mean square that keeps readouts small where the points do not tell them.
_RIDGE = 1e-5


class PointSupervision:
    """Losses on points, with the readouts and the surface's offset that training keeps.

    Args:
        generator: whose mapping and field are trained.
        field: its field as training evaluates it.

    Attributes:
        networks, optimizers: parts of the training state, to be added to a phase's own.
    """

    def __init__(
        self, generator: Generator, field: FastField, bank: HeadBank, config: FitConfig
    ) -> None:
        self._generator, self._field, self._bank = generator, field, bank
        device = generator.field.sigmoid_beta.device
        self.surface = Surface().to(device)
        self.networks: dict[str, nn.Module] = {"surface": self.surface}
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        self._weight = config.points.deep_supervision
        self.readouts: Readouts | None = None
        self._found = False
        if self._weight > 0.0:
            self.readouts = Readouts(config.generator.width, config.generator.depth).to(device)
            self.networks["readouts"] = self.readouts
            group = {"params": list(self.readouts.parameters()), "height": _READOUT_RATE}
            self.optimizers["readouts"] = torch.optim.Adam([group], lr=_READOUT_RATE, fused=True)

    def find_surface(self, random: torch.Generator) -> None:
        """Measure where the surface of a trained field is, so that training holds it there."""
        self.surface.find(self._generator, self._known(random))

    def losses(
        self, random: torch.Generator, heads: int, near: int, space: int
    ) -> dict[str, Tensor]:
        """Weighted losses on random points of random heads, by name; their sum is minimised."""
        if self.readouts is not None and not self._found:
            if not self.readouts.ready:
                self.readouts.find(self._generator, self._known(random))
            self._found = True  # so that a GPU is asked once
        batch = self._points(random, heads, near, space)
        offset = self.surface.offset
        losses = point_losses(self._field, self._generator, batch, random, offset, self.readouts)
        weights = dict.fromkeys(Readouts.NAMES, self._weight)
        return {name: weights.get(name, 1.0) * loss for name, loss in losses.items()}

    def _known(self, random: torch.Generator) -> PointBatch:
        return self._points(random, KNOWN_HEADS, KNOWN_POINTS, 1)

    def _points(self, random: torch.Generator, heads: int, near: int, space: int) -> PointBatch:
        """A batch whose parts are taught only where a ray may show them."""
        batch = self._bank.points(random, heads, near, space)
        parts = batch.shader.parts * visible(batch, self._generator.config.samples)
        return replace(batch, shader=replace(batch.shader, parts=parts))


def point_losses(
    field: FastField,
    generator: Generator,
    batch: PointBatch,
    random: torch.Generator,
    offset: Tensor | float = 0.0,
    readouts: Readouts | None = None,
) -> dict[str, Tensor]:
    """Losses on points, by name.

    All points go through the field at once: near, beside the first quarter of the near ones,
    space, and as many points around the volume as a third of those.

    Args:
        offset: by how much the field's distances exceed the true ones, world units; not 0 once
            the density search has moved the surface inwards.
        readouts: of hidden layers, whose losses come unweighted. With readouts, colours count more
            on eyes and around the mouth.
    """
    near, space = batch.near.shape[1], batch.space.shape[1]
    pairs, outer = near // 4, max(1, space // 3)
    device = batch.near.device
    where = random.device
    steps = torch.randn(batch.near[:, :pairs].shape, generator=random, device=where).to(device)
    steps = steps * (PAIR_STEP / steps.norm(dim=-1, keepdim=True))
    around = torch.rand(len(batch.z), outer, 3, generator=random, device=where).to(device)
    around = (2.0 * around - 1.0) * OUTER_RADIUS
    points = torch.cat([batch.near, batch.near[:, :pairs] + steps, batch.space, around], dim=1)
    viewdirs = random_viewdirs(points, random)
    layers = () if readouts is None else readouts.layers
    output, hidden = field.with_hidden(points, viewdirs, generator.mapping(batch.z), layers)
    parts = [near, pairs, space, outer]
    at_near, beside, at_space, at_around = (output.scalar - offset).split(parts, dim=1)
    rgb_near, _, rgb_space, rgb_around = torch.sigmoid(output.rgb).split(parts, dim=1)
    # The truth ends at the cube's walls, hence the closed solid does: max(d, distance to a wall).
    solid = torch.maximum(batch.space_distance, distance_to_volume(batch.space))
    clamped = solid.clamp(-DISTANCE_LIMIT, DISTANCE_LIMIT)
    far = clamped.abs() == DISTANCE_LIMIT
    # Beyond the limit only a wrong sign or a too small distance is an error.
    predicted = torch.where(far, at_space.clamp(-DISTANCE_LIMIT, DISTANCE_LIMIT), at_space)
    distance_error = predicted - clamped
    background_error = (rgb_space - batch.background).abs().mean(dim=-1, keepdim=True)
    gap = distance_to_volume(around)  # (B, M, 1)
    intrusion = (gap.clamp_max(DISTANCE_LIMIT) - at_around).clamp_min(0.0)
    tint = (rgb_around - batch.background).abs().mean(dim=-1, keepdim=True)
    hidden_losses = {}
    may_show = visible(batch, generator.config.samples)
    color_error = may_show * (rgb_near - batch.near_color).abs().mean(dim=-1, keepdim=True)
    if readouts is not None:
        attention = batch.shader.parts * batch.shader.parts.new_tensor(ATTENTION)
        color_error = color_error * (1.0 + attention.sum(dim=-1, keepdim=True))
        outputs = [layer[:, :near] for layer in (*hidden, output.features)]
        hidden_losses = readouts.losses(outputs, batch.shader)
    return {
        **hidden_losses,
        "color": color_error.sum() / may_show.sum().clamp_min(1.0),
        "distance": (at_near - batch.near_distance).abs().mean() * 40.0,
        "space": distance_error.abs().mean() * 10.0,
        "slope": 0.3 * slope_loss(at_near[:, :pairs], beside, batch.near_normal[:, :pairs], steps),
        "background": 0.2 * (batch.empty * background_error).mean(),
        "around": ((gap > 0.0) * (10.0 * intrusion + 0.2 * tint)).mean(),
    }


def visible(batch: PointBatch, samples: int) -> Tensor:
    """1 at near points that a ray of so many samples may show, (B, N, 1), else 0.

    A ray shows its first sample behind the surface. Points of a lid further behind it lie in the
    eyeball, and points of an eyeball further before it lie in the lid: teaching colours there would
    blur colours that are seen.
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
    """Unit view directions (B, N, 3) as of random pixels, in the camera frame."""
    where = random.device
    offsets = VIEW_SPREAD * torch.randn(*points.shape[:2], 2, generator=random, device=where)
    forward = torch.full((*points.shape[:2], 1), -1.0, device=where)
    viewdirs = nn.functional.normalize(torch.cat([offsets, forward], dim=-1), dim=-1)
    return viewdirs.to(points.device)


class Surface(nn.Module):
    """How much a field's distances exceed the true ones, world units; part of the training state.

    The density search moves surfaces inwards for renders of few samples, and phases after it must
    not move them back.
    """

    offset: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("offset", torch.zeros(()))

    @torch.no_grad()
    def find(self, generator: Generator, batch: PointBatch) -> None:
        """Measure the offset: the median over the batch's near points."""
        scalar = generator.field.scalar(batch.near, generator.mapping(batch.z))
        self.offset.copy_((scalar - batch.near_distance).median())


class Readouts(nn.Module):
    """Linear readouts of two of the trunk's layers and of the features; see the module.

    They begin as least squares over a batch (:meth:`find`): readouts from nothing would push the
    field about until they had learned.

    Args:
        width, depth: of the field.

    Attributes:
        layers: of the trunk, from 0: for the place on the neutral head and for the hair's waves.
        ready: whether the readouts are found.
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
        field = FastField(generator.field, torch.float32, compiled=False)
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
        # Squares, since half of a wave is better than none of it.
        strands = (truth.hair * (self.strands(late) - truth.strands).square()).mean()
        targets, where = _part_targets(truth)
        errors = (self.parts(features).view_as(targets) - targets).abs().sum(dim=-1)
        share = where.mean(dim=(0, 1)).clamp_min(1e-3)  # a small part counts as much as a large one
        weights = where * where.new_tensor(_PART_WEIGHTS) / share
        return {"rest": rest, "strands": strands, "parts": (weights * errors).sum(dim=-1).mean()}


def _part_targets(truth: ShaderTruth) -> tuple[Tensor, Tensor]:
    """Targets (B, N, 6, 3) of the features, and the points that have them, (B, N, 6) of 0 and 1.

    The place on the left eyeball, on the right one and around the mouth; on either eyeball the
    place relative to its catchlight, up to a constant; the colour of the irises.
    """
    place, iris = truth.places, truth.iris.expand_as(truth.places)
    to_catchlight = place - truth.catchlight
    left, right, mouth = truth.parts.unbind(dim=-1)
    targets = torch.stack([place, place, place, to_catchlight, to_catchlight, iris], dim=-2)
    return targets, torch.stack([left, right, mouth, left, right, left + right], dim=-1)


def _solve(readout: nn.Linear, inputs: Tensor, truth: Tensor, masks: Sequence[Tensor]) -> None:
    """Least squares, in float64, of as many equal parts of the readout as there are masks.

    Args:
        inputs, truth: (B, N, width) and (B, N, outputs).
        masks: (B, N, 1) each, 1 at the points that a part is found from.
    """
    inputs = torch.cat([inputs, torch.ones_like(inputs[..., :1])], dim=-1)
    parts = []
    for mask, target in zip(masks, truth.chunk(len(masks), dim=-1), strict=True):
        chosen = mask[..., 0] > 0.0
        x, y = inputs[chosen].double(), target[chosen].double()
        normal = x.T @ x
        normal.diagonal().add_(_RIDGE * normal.diagonal().mean() + 1e-12)
        parts.append(torch.linalg.solve(normal, x.T @ y))  # (width + 1, outputs of the part)
    solution = torch.cat(parts, dim=1).to(readout.weight)
    readout.weight.copy_(solution[:-1].T)
    readout.bias.copy_(solution[-1])
