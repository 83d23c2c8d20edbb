"""One optimizer step from chunks of a batch: gradients equal the unchunked ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from stylesdf_core.training.world import without_sync

#: Losses and what else is recorded of a step, scalars by name.
Terms = dict[str, Tensor]


def of_chunks(
    compute: Callable[[slice], Terms], count: int, size: int
) -> Iterator[Callable[[], tuple[Terms, float]]]:
    """``compute`` of each chunk of at most ``size`` of ``count`` images, to be called later."""

    def part(piece: slice) -> tuple[Terms, float]:
        return compute(piece), (piece.stop - piece.start) / count

    for start in range(0, count, size):
        yield partial(part, slice(start, min(start + size, count)))


def accumulate(
    module: nn.Module,
    parts: Iterable[Callable[[], tuple[Terms, float]]],
    scaler: torch.amp.GradScaler,
    *,
    last: bool = True,
) -> Terms:
    """Backward through each part's ``loss`` times its share; returns what is recorded.

    Args:
        module: wrapped for DDP or not; gradients are averaged over processes with the last part.
        parts: each computes a chunk's terms and says its share of the batch (their sum is 1).
        last: False where more of the same step follows.
    """
    todo = list(parts)
    seen: Terms = {}
    for number, part in enumerate(todo):
        if last and number == len(todo) - 1:
            terms, share = part()
            scaler.scale(terms["loss"] * share).backward()
        else:
            with without_sync(module):
                terms, share = part()
                scaler.scale(terms["loss"] * share).backward()
        _gather(seen, terms, share)
    return seen


def _gather(seen: Terms, terms: Terms, share: float) -> None:
    for name, value in terms.items():
        if name == "loss":
            continue
        if name not in seen:
            seen[name] = value if name.endswith(("_min", "_max")) else value * share
        elif name.endswith("_min"):
            seen[name] = torch.minimum(seen[name], value)
        elif name.endswith("_max"):
            seen[name] = torch.maximum(seen[name], value)
        else:
            seen[name] = seen[name] + value * share


def update(optimizers: Sequence[Optimizer], scaler: torch.amp.GradScaler, limit: float) -> Tensor:
    """Step with the accumulated gradients and clear them; returns their norm.

    A norm above ``limit`` comes back as infinity, and nothing is changed by it. Under float16 an
    overflow is no such thing: the scaler leaves the step out and halves itself.

    Args:
        optimizers: those of one backward pass, which share its scaler.
    """
    for optimizer in optimizers:
        scaler.unscale_(optimizer)
    groups = [group["params"] for optimizer in optimizers for group in optimizer.param_groups]
    gradients = [p.grad for group in groups for p in group if p.grad is not None]
    norm = nn.utils.get_total_norm(gradients)
    overflow = scaler.is_enabled() and not math.isfinite(norm)
    fine = bool(norm <= limit)
    if fine or overflow:
        for optimizer in optimizers:
            scaler.step(optimizer)
        scaler.update()
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)
    if overflow:
        return torch.zeros_like(norm)
    return norm if fine else torch.full_like(norm, math.inf)
