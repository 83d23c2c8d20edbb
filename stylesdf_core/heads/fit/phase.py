"""The base class of the fit's phases: seeded batches, learning rates and one optimizer step.

The phases themselves are in :mod:`stylesdf_core.heads.fit.field_phases` and
:mod:`stylesdf_core.heads.fit.decoder_phases`; :func:`stylesdf_core.training.loop.train` runs them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Adam

from stylesdf_core.heads.fit.bank import HeadBank
from stylesdf_core.heads.fit.config import FitConfig, PhaseConfig
from stylesdf_core.heads.fit.measures import evaluate_direct, evaluate_volume
from stylesdf_core.model.networks.film_siren import FilmSiren, SirenField
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.seeds import seeded
from stylesdf_core.training.optimizing import rate_factor, set_rate
from stylesdf_core.training.phase import Models, Phase

#: Largest norm of the field's gradient.
FIELD_CLIP = 0.5
#: Smallest β, world units: a hundredth of the spacing of 24 samples, sharper than outlines need.
SMALLEST_BETA = 1e-4


class FitPhase(Phase):
    """A phase that learns from a :class:`HeadBank`.

    Args:
        models: the generator in training and its running average.
        bank: source of the batches.
        config: settings of the whole run.
        settings: settings of this phase.

    Attributes:
        heads: heads per step.
        clipped: parameters whose gradient's norm is clipped at ``FIELD_CLIP``.
    """

    #: Name in :meth:`FitConfig.phase_steps` and in the records.
    name: ClassVar[str]
    #: Steps of linear warm-up.
    warmup: ClassVar[int] = 0

    settings: PhaseConfig
    clipped: Sequence[nn.Parameter] = ()

    def __init__(
        self, models: Models, bank: HeadBank, config: FitConfig, settings: PhaseConfig
    ) -> None:
        self.models, self.bank, self.config, self.settings = models, bank, config, settings
        self.heads = settings.heads * config.batch_factor
        self.optimizers, self.networks = {}, {}

    def random(self, index: int) -> torch.Generator:
        """A generator for the batch of step ``index``, on the GPU if the heads are on the GPU."""
        number = list(self.config.phase_steps()).index(self.name)
        return seeded(self.config.seed, number, self.attempt, index, device=self.bank.device)

    def follows(self, *phases: str) -> bool:
        """Whether the run started from trained weights or contains one of these earlier phases."""
        steps = self.config.phase_steps()
        return self.config.init is not None or any(steps[name] for name in phases)

    def update(
        self, index: int, losses: Mapping[str, Tensor], weights: Mapping[str, float]
    ) -> dict[str, Tensor]:
        """Set all learning rates, then step all optimizers but a discriminator's.

        Args:
            weights: weights of the losses by name; a loss without a weight counts once.

        Returns:
            The losses, unweighted and without their graphs, to be recorded.
        """
        factor = rate_factor(index, self.settings.steps, self.warmup)
        for optimizer in self.optimizers.values():
            set_rate(optimizer, factor)
        moving = [value for name, value in self.optimizers.items() if name != "discriminator"]
        for optimizer in moving:
            optimizer.zero_grad(set_to_none=True)
        weighted = [weights.get(name, 1.0) * loss for name, loss in losses.items()]
        torch.stack(weighted).sum().backward()
        if self.clipped:
            nn.utils.clip_grad_norm_(self.clipped, FIELD_CLIP)
        for optimizer in moving:
            optimizer.step()
        return {name: loss.detach() for name, loss in losses.items()}

    def evaluate(self, samples: Path) -> dict[str, float]:
        """Volume renders of held-out heads against truth, and direct views of a model of such."""
        ema = self.models.ema
        figures = evaluate_volume(ema, self.bank, samples)
        if ema.config.is_direct:
            path = samples.with_name(f"{samples.stem}-direct.png")
            figures |= evaluate_direct(ema, self.bank, path)
        return figures


def decoder_optimizer(network: nn.Module, rate: float) -> Adam:
    """Adam with this highest rate for a decoder, or for the field's shading."""
    return Adam(network.parameters(), lr=rate, betas=(0.9, 0.99), fused=True)


def field_optimizer(generator: Generator, rate: float) -> Adam:
    """Adam for mapping and field; mapping and modulation have half the learning rate.

    β has a hundredth: Adam's steps do not depend on a parameter's size, and β is some 5e-4.
    """
    modulating = dict.fromkeys(_modulating(generator.mapping, generator.field))
    beta = generator.field.sigmoid_beta
    others = [p for p in generator.field.parameters() if p not in modulating and p is not beta]
    groups = [
        {"params": others, "lr": rate},
        {"params": list(modulating), "lr": rate / 2.0},
        {"params": [beta], "lr": rate / 100.0},
    ]
    return Adam(groups, fused=True)


def _modulating(mapping: nn.Module, field: SirenField) -> Iterator[nn.Parameter]:
    yield from mapping.parameters()
    for module in field.modules():
        if isinstance(module, FilmSiren):
            yield from module.gamma.parameters()
            yield from module.beta.parameters()
