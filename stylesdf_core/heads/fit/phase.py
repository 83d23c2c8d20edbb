"""The base class of the fit's phases: seeded batches, learning rates and one optimizer step.

The phases themselves are in :mod:`stylesdf_core.heads.fit.field_phases` and
:mod:`stylesdf_core.heads.fit.decoder_phases`; :func:`stylesdf_core.training.loop.train` runs them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Adam

from stylesdf_core.heads.fit.bank import HeadBank
from stylesdf_core.heads.fit.config import FitConfig, PhaseConfig
from stylesdf_core.model.networks.film_siren import FilmSiren, SirenField
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.training.loop import Models, Phase, rate_factor, set_rate

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
    """

    #: Steps of linear warm-up.
    warmup: ClassVar[int]
    #: Added to the seed of each step's batch, so that phases draw different batches.
    first_seed: ClassVar[int]

    def __init__(self, models: Models, bank: HeadBank, config: FitConfig) -> None:
        self.models, self.bank, self.config = models, bank, config
        self.optimizers, self.networks = {}, {}

    def random(self, index: int) -> torch.Generator:
        """A generator for the batch of step ``index``, from seed, phase and step."""
        return self.bank.random(self.config.seed * 1_000_003 + self.first_seed + index)

    def heads(self, settings: PhaseConfig) -> int:
        """Heads per step."""
        return settings.heads * self.config.batch_factor

    def update(
        self,
        index: int,
        steps: int,
        loss: Tensor,
        clipped: Sequence[nn.Parameter] = (),
    ) -> None:
        """Set all learning rates, then step all optimizers but a discriminator's.

        Args:
            steps: steps of the phase.
            clipped: parameters whose gradient's norm is clipped at ``FIELD_CLIP``.
        """
        for optimizer in self.optimizers.values():
            set_rate(optimizer, rate_factor(index, steps, self.warmup))
        moving = [value for name, value in self.optimizers.items() if name != "discriminator"]
        for optimizer in moving:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if clipped:
            nn.utils.clip_grad_norm_(clipped, FIELD_CLIP)
        for optimizer in moving:
            optimizer.step()


def total(losses: Mapping[str, Tensor], weights: Mapping[str, float] | None = None) -> Tensor:
    """Sum of the losses, weighted by name; a loss without a weight counts once."""
    weights = weights or {}
    return torch.stack([weights.get(name, 1.0) * loss for name, loss in losses.items()]).sum()


def detached(losses: Mapping[str, Tensor], prefix: str = "") -> dict[str, Tensor]:
    """The losses without their graphs, to be recorded."""
    return {prefix + name: loss.detach() for name, loss in losses.items()}


def decoder_optimizer(network: nn.Module, height: float) -> Adam:
    """Adam for the trainable parameters of a decoder or of the field's shading.

    Args:
        height: highest learning rate.
    """
    trained = [p for p in network.parameters() if p.requires_grad]
    return Adam([{"params": trained, "height": height}], lr=height, betas=(0.9, 0.99), fused=True)


def field_optimizer(generator: Generator, height: float) -> Adam:
    """Adam for mapping and field; mapping and modulation have half the learning rate.

    β has a hundredth: Adam's steps do not depend on a parameter's size, and β is some 5e-4.
    """
    modulating = dict.fromkeys(_modulating(generator.mapping, generator.field))
    beta = generator.field.sigmoid_beta
    others = [p for p in generator.field.parameters() if p not in modulating and p is not beta]
    groups = [
        {"params": others, "height": height},
        {"params": list(modulating), "height": height / 2.0},
        {"params": [beta], "height": height / 100.0},
    ]
    return Adam(groups, lr=height, fused=True)


def _modulating(mapping: nn.Module, field: SirenField) -> Iterator[nn.Parameter]:
    yield from mapping.parameters()
    for module in field.modules():
        if isinstance(module, FilmSiren):
            yield from module.gamma.parameters()
            yield from module.beta.parameters()
