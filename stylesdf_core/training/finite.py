"""Losses and weights that are not finite, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn


def not_finite(losses: Mapping[str, Tensor], phase: str) -> str:
    """The first loss or norm that is not finite, in words; empty if all are finite."""
    values = torch.stack([value.detach().float().reshape(()) for value in losses.values()])
    if bool(values.isfinite().all()):
        return ""
    name, value = next(
        (n, v) for n, v in zip(losses, values.tolist(), strict=True) if not math.isfinite(v)
    )
    return f"{name!r} of phase {phase!r} became {value}"


def damaged(*networks: nn.Module) -> str:
    """The first weights that are not finite, in words; empty if all are finite.

    A finite loss may have an infinite gradient, whose weights must not reach a checkpoint.
    """
    for network in networks:
        for name, value in network.named_parameters():
            if not bool(value.isfinite().all()):
                return f"weights {name!r} became NaN or infinite"
    return ""
