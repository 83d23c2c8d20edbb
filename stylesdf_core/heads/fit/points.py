"""First phase of the fit: the heads' meshes supervise distance and colour at points.

Nothing is rendered, so a step costs a tenth of a volume render's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from stylesdf_core.heads.fit.config import FitConfig
from stylesdf_core.heads.fit.data import HeadBank
from stylesdf_core.heads.fit.fast_field import FastField
from stylesdf_core.heads.fit.samples import evaluate_volume
from stylesdf_core.heads.fit.supervision import PointSupervision
from stylesdf_core.model.networks.film_siren import FilmSiren, SirenField
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.training.loop import Models, Phase, rate_factor, set_rate

WARMUP = 300
#: β while nothing is rendered in training: a twentieth of the spacing of 24 samples, so that the
#: head's haze ends well within a pixel of its outline.
POINTS_BETA = 0.0005


class PointsPhase(Phase):
    """Supervised points; see the module.

    Args:
        models: β stays fixed, at what suits renders of few samples unless there are weights to go
            on from; those keep theirs, and their surface stays where it is.

    Raises:
        InputError: the heads were prepared without what the guides ask for.
    """

    later = PointSupervision.LATER

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
        self.supervision = PointSupervision(models.live, self.field, bank, config)
        self.networks = self.supervision.networks
        height = config.points.learning_rate
        self.optimizers = {"field": field_optimizer(models.live, height)}
        self.optimizers |= self.supervision.optimizers

    def step(self, index: int) -> dict[str, Tensor]:
        """One Adam step on points of random heads; see :class:`Phase`."""
        settings, live = self.config.points, self.models.live
        random = self.bank.random(self.config.seed * 1_000_003 + index)
        if index == 0 and self.config.init is not None:
            self.supervision.find_surface(random)
        losses = self.supervision.losses(random, settings.heads, settings.near, settings.space)
        optimizers = list(self.optimizers.values())
        for optimizer in optimizers:
            set_rate(optimizer, rate_factor(index, settings.steps, WARMUP))
        update(optimizers, total(losses), live)
        return {name: loss.detach() for name, loss in losses.items()}

    def evaluate(self, samples: Path) -> dict[str, float]:
        """Volume renders of held-out heads against truth."""
        return evaluate_volume(self.models.ema, self.bank, samples)


def fast_field(generator: Generator, config: FitConfig) -> FastField:
    """The generator's field in the run's training precision."""
    dtype = torch.bfloat16 if config.precision == "bfloat16" else torch.float32
    return FastField(generator.field, dtype, compiled=config.compiled)


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
