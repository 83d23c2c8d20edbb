"""What the points of the heads' meshes hold a field to: distances, colours, and its guides.

Near the surface a point is moved along the normal, and colours extend along it: they are what a
ray's samples blend. Away from the surface, colour is the background's, which the last sample of
every ray shows. The phase of points lives on this alone; those that render hold on to it, since an
image says little of where its surface lies and nothing of the waves that draw a strand.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from stylesdf_core.errors import InputError
from stylesdf_core.heads.fit.config import FitConfig
from stylesdf_core.heads.fit.data import HeadBank, PointBatch
from stylesdf_core.heads.fit.fast_field import FastField
from stylesdf_core.heads.fit.guides import Guides, guide_optimizer
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
#: world units (2 mm on the head): the density phase moves it, and β blurs it.
SHOWN_MARGIN = 0.0016
#: Heads, and points of each, that tell where a field's surface lies and what its layers know.
KNOWN_HEADS, KNOWN_POINTS = 192, 64
#: The guides in a checkpoint. Another name whenever they ask for something else: a run of an
#: earlier version then finds its readouts anew, and is guided as this version is.
READOUTS = "readouts-eyes"
#: The view direction is the camera frame's, whose rays lie within 0.15 rad of −z (static_viewdirs).
VIEW_SPREAD = 0.06


class PointSupervision:
    """The terms of points, with what they need to know of the field, and what training keeps.

    Args:
        generator: whose mapping and field are trained.
        field: its field as training evaluates it.

    Attributes:
        networks, optimizers: parts of the training state, for the phase's own.

    Raises:
        InputError: the heads were prepared without what the guides ask for.
    """

    #: Names of either that checkpoints of earlier versions lack.
    LATER: ClassVar[frozenset[str]] = frozenset({"surface", READOUTS})

    def __init__(
        self, generator: Generator, field: FastField, bank: HeadBank, config: FitConfig
    ) -> None:
        self._generator, self._field, self._bank = generator, field, bank
        device = generator.field.sigmoid_beta.device
        self.surface = Surface().to(device)
        self.networks: dict[str, nn.Module] = {"surface": self.surface}
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        self._weights: dict[str, float] = {}
        self.guides: Guides | None = None
        self._found = False
        if config.points.guide > 0.0:
            if not bank.guided:
                raise unguided(config.data)
            self.guides = Guides(config.width, config.depth).to(device)
            self.networks[READOUTS] = self.guides
            self.optimizers[READOUTS] = guide_optimizer(self.guides)
            self._weights = dict.fromkeys(self.guides.NAMES, config.points.guide)

    def find_surface(self, random: torch.Generator) -> None:
        """Measure where a field that somebody trained has its surface, to hold it there."""
        self.surface.find(self._generator, self._known(random))

    def losses(
        self, random: torch.Generator, heads: int, near: int, space: int
    ) -> dict[str, Tensor]:
        """Weighted terms on random points of random heads, by name."""
        if self.guides is not None and not self._found:
            if not self.guides.ready:
                self.guides.find(self._generator, self._known(random))
            self._found = True  # so that a GPU is asked once
        batch = self._points(random, heads, near, space)
        offset = self.surface.offset
        losses = point_losses(self._field, self._generator, batch, random, offset, self.guides)
        return {name: self._weights.get(name, 1.0) * loss for name, loss in losses.items()}

    def _known(self, random: torch.Generator) -> PointBatch:
        return self._points(random, KNOWN_HEADS, KNOWN_POINTS, 1)

    def _points(self, random: torch.Generator, heads: int, near: int, space: int) -> PointBatch:
        """A batch whose parts are asked about only where they are shown."""
        batch = self._bank.points(random, heads, near, space)
        if batch.guidance is None:
            return batch
        parts = batch.guidance.parts * shown(batch, self._generator.config.samples)
        return replace(batch, guidance=replace(batch.guidance, parts=parts))


def point_losses(
    field: FastField,
    generator: Generator,
    batch: PointBatch,
    random: torch.Generator,
    offset: Tensor | float = 0.0,
    guides: Guides | None = None,
) -> dict[str, Tensor]:
    """Weighted terms of the points phase, by name; their sum is minimised.

    All points go through the field at once: near, beside the first quarter of the near ones,
    space, and as many points around the volume as a third of those.

    Args:
        offset: by how much the field's distances exceed the true ones, world units; not 0 once
            the density phase has moved the surface inwards.
        guides: readouts of hidden layers, whose terms come unweighted; the batch must have its
            guidance. With them, colours count more on eyes and around the mouth.
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
    layers = () if guides is None else guides.layers
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
    guided = {}
    visible = shown(batch, generator.config.samples)
    color_error = visible * (rgb_near - batch.near_color).abs().mean(dim=-1, keepdim=True)
    if guides is not None:
        assert batch.guidance is not None
        seen = batch.guidance.parts
        attention = (seen * seen.new_tensor(ATTENTION)).sum(dim=-1, keepdim=True)
        color_error = color_error * (1.0 + attention)
        known = (*hidden, output.features)
        guided = guides.losses([layer[:, :near] for layer in known], batch.guidance)
    return {
        **guided,
        "color": color_error.sum() / visible.sum().clamp_min(1.0),
        "distance": (at_near - batch.near_distance).abs().mean() * 40.0,
        "space": distance_error.abs().mean() * 10.0,
        "slope": 0.3 * slope_loss(at_near[:, :pairs], beside, batch.near_normal[:, :pairs], steps),
        "background": 0.2 * (batch.empty * background_error).mean(),
        "around": ((gap > 0.0) * (10.0 * intrusion + 0.2 * tint)).mean(),
    }


def shown(batch: PointBatch, samples: int) -> Tensor:
    """1 at near points that a ray of so many samples may show, (B, N, 1), else 0.

    It shows its first sample behind the surface. A lid's points further behind lie in the eyeball,
    an eyeball's points further before it in the lid: what nobody sees shall not blur what one does.
    """
    spacing = (FAR - NEAR) / samples
    distance = batch.near_distance
    return ((distance > -spacing - SHOWN_MARGIN) & (distance < SHOWN_MARGIN)).float()


def unguided(data: str) -> InputError:
    """What to say of a folder whose heads were prepared before there were guides."""
    return InputError(
        f"{data} holds heads of an earlier version, which lack what guides the field (rest, "
        "strands); choose another folder to prepare them again."
    )


class Surface(nn.Module):
    """How much a field's distances exceed the true ones, world units; part of the training state.

    The density phase moves surfaces inwards for renders of few samples, and what trains on after
    it shall not move them back.
    """

    offset: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("offset", torch.zeros(()))

    @torch.no_grad()
    def find(self, generator: Generator, batch: PointBatch) -> None:
        """Measure it: the median over the batch's points."""
        scalar = generator.field.scalar(batch.near, generator.mapping(batch.z))
        self.offset.copy_((scalar - batch.near_distance).median())


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
