"""First phase of the fit: the heads' meshes supervise distance and colour at points.

Nothing is rendered, so a step costs a tenth of a volume render's. Near the surface a point is
moved along the normal, and colours extend along it: they are what a ray's samples blend. Away
from the surface, colour is the background's, which the last sample of every ray shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from stylesdf_core.camera import VOLUME_RADIUS
from stylesdf_core.errors import InputError
from stylesdf_core.networks.film_siren import FilmSiren, SirenField
from stylesdf_core.networks.generator import Generator
from stylesdf_core.training.fast_field import FastField
from stylesdf_core.training.fit_config import FitConfig
from stylesdf_core.training.fit_data import HeadBank, PointBatch
from stylesdf_core.training.fit_guides import Guides, guide_optimizer
from stylesdf_core.training.fit_samples import evaluate_volume
from stylesdf_core.training.loop import Models, Phase, rate_factor, set_rate
from stylesdf_core.training.losses import slope_loss

WARMUP = 300
#: β while nothing is rendered in training: a twentieth of the spacing of 24 samples, so that the
#: head's haze ends well within a pixel of its outline.
POINTS_BETA = 0.0005
#: Distances beyond this, world units, need not be exact; only their sign matters.
DISTANCE_LIMIT = 0.05
#: Distance between the points of a pair that measures a slope, world units.
PAIR_STEP = 0.003
#: Rays of turned cameras leave the volume's cube; out to this, world units, nothing may appear.
OUTER_RADIUS = 0.17
#: Heads, and points of each, that tell where a field's surface lies.
OFFSET_HEADS, OFFSET_POINTS = 64, 64
#: The view direction is the camera frame's, whose rays lie within 0.15 rad of −z (static_viewdirs).
VIEW_SPREAD = 0.06


class PointsPhase(Phase):
    """Supervised points; see the module.

    Args:
        models: β stays fixed, at what suits renders of 24 samples unless there are weights to go
            on from; those keep theirs, and their surface stays where it is.

    Raises:
        InputError: the heads were prepared without what the guides ask for.
    """

    def __init__(self, models: Models, bank: HeadBank, config: FitConfig) -> None:
        self.models = models
        self.bank = bank
        self.config = config
        if config.init is None:
            for model in (models.live, models.ema):
                nn.init.constant_(model.field.sigmoid_beta, POINTS_BETA)
        models.live.requires_grad_(False)
        models.live.mapping.requires_grad_(True)
        models.live.field.requires_grad_(True)
        models.live.field.sigmoid_beta.requires_grad_(False)
        self.field = fast_field(models.live, config)
        self.surface = Surface().to(models.live.field.sigmoid_beta.device)
        height = config.points.learning_rate
        self.optimizers = {"field": field_optimizer(models.live, height)}
        self.networks = {"surface": self.surface}
        self.guides: Guides | None = None
        if config.points.guide > 0.0:
            if not bank.guided:
                raise InputError(
                    f"{config.data} holds heads of an earlier version, which lack what guides the "
                    "field (rest, strands); choose another folder to prepare them again."
                )
            self.guides = Guides(config.width, config.depth).to(self.surface.offset.device)
            self.optimizers["guides"] = guide_optimizer(self.guides)
            self.networks["guides"] = self.guides

    def step(self, index: int) -> dict[str, Tensor]:
        """One Adam step on points of random heads; see :class:`Phase`."""
        settings, live = self.config.points, self.models.live
        random = self.bank.random(self.config.seed * 1_000_003 + index)
        if index == 0 and self.config.init is not None:
            self.surface.find(self.field, live, self.bank, random)
        batch = self.bank.points(random, settings.heads, settings.near, settings.space)
        offset = self.surface.offset
        losses = point_losses(self.field, live, batch, random, offset, self.guides)
        optimizers = list(self.optimizers.values())
        for optimizer in optimizers:
            set_rate(optimizer, rate_factor(index, settings.steps, WARMUP))
        weights = {"rest": settings.guide, "strands": settings.guide}
        weighted = {name: weights.get(name, 1.0) * loss for name, loss in losses.items()}
        update(optimizers, total(weighted), live)
        return {name: loss.detach() for name, loss in losses.items()}

    def evaluate(self, samples: Path) -> dict[str, float]:
        """Volume renders of held-out heads against truth."""
        return evaluate_volume(self.models.ema, self.bank, samples)


def fast_field(generator: Generator, config: FitConfig) -> FastField:
    """The generator's field in the run's training precision."""
    dtype = torch.bfloat16 if config.precision == "bfloat16" else torch.float32
    return FastField(generator.field, dtype, compiled=config.compiled)


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
        guides: readouts of hidden layers, whose terms (``rest``, ``strands``) come unweighted; the
            batch must have its guidance.
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
    if guides is not None:
        assert batch.guidance is not None
        guided = guides.losses([layer[:, :near] for layer in hidden], batch.guidance)
    return {
        **guided,
        "color": (rgb_near - batch.near_color).abs().mean(),
        "distance": (at_near - batch.near_distance).abs().mean() * 40.0,
        "space": distance_error.abs().mean() * 10.0,
        "slope": 0.3 * slope_loss(at_near[:, :pairs], beside, batch.near_normal[:, :pairs], steps),
        "background": 0.2 * (batch.empty * background_error).mean(),
        "around": ((gap > 0.0) * (10.0 * intrusion + 0.2 * tint)).mean(),
    }


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
    def find(
        self, field: FastField, generator: Generator, bank: HeadBank, random: torch.Generator
    ) -> None:
        """Measure it: the median over points of random heads."""
        batch = bank.points(random, OFFSET_HEADS, OFFSET_POINTS, 1)
        w = generator.mapping(batch.z)
        output = field(batch.near, random_viewdirs(batch.near, random), w)
        self.offset.copy_((output.scalar - batch.near_distance).median())


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


# --- optimisation shared with the phases that render -------------------------------------------


def field_optimizer(generator: Generator, height: float) -> torch.optim.Adam:
    """Adam over mapping and field; what modulates moves at half the rate.

    β, some 5e-4, moves at a hundredth: Adam's steps know nothing of a parameter's size.
    """
    modulating = dict.fromkeys(_modulating(generator.mapping, generator.field))
    beta = generator.field.sigmoid_beta
    others = [p for p in generator.field.parameters() if p not in modulating and p is not beta]
    groups = [
        {"params": others, "height": height},
        {"params": list(modulating), "height": height / 2.0},
        {"params": [beta], "height": height / 100.0},
    ]
    return torch.optim.Adam(groups, lr=height, fused=True)


def _modulating(mapping: nn.Module, field: SirenField) -> Iterator[nn.Parameter]:
    yield from mapping.parameters()
    for module in field.modules():
        if isinstance(module, FilmSiren):
            yield from module.gamma.parameters()
            yield from module.beta.parameters()


def total(losses: dict[str, Tensor]) -> Tensor:
    """Sum of the terms."""
    return torch.stack(list(losses.values())).sum()


def update(optimizers: Sequence[torch.optim.Optimizer], loss: Tensor, model: nn.Module) -> None:
    """Backward, clip the norm of the model's gradient at 0.5, step."""
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], 0.5)
    for optimizer in optimizers:
        optimizer.step()
