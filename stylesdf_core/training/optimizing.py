"""One optimizer step, with the gradients of a whole batch from its chunks; learning rates."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from stylesdf_core.training.world import without_sync

#: A step's losses and other figures to be recorded: scalars by name.
Terms = dict[str, Tensor]


def of_chunks(
    compute: Callable[[slice], Terms], count: int, size: int
) -> Iterator[Callable[[], tuple[Terms, float]]]:
    """Split ``count`` images into chunks of at most ``size``; yields a function for each chunk.

    The function returns the chunk's terms and the chunk's share of the batch.
    """

    def part(piece: slice) -> tuple[Terms, float]:
        return compute(piece), (piece.stop - piece.start) / count

    for start in range(0, count, size):
        yield partial(part, slice(start, min(start + size, count)))


def accumulate(
    module: nn.Module,
    parts: Iterable[Callable[[], tuple[Terms, float]]],
    scaler: torch.amp.GradScaler,
) -> Terms:
    """Backward through each part's ``loss`` times its share of the batch.

    Args:
        module: the losses' module, wrapped by DDP or not; DDP averages gradients over processes in
            the last part's backward pass.
        parts: functions that compute a chunk's terms and its share of the batch; shares sum to 1.

    Returns:
        The terms of the whole batch besides ``loss``, to be recorded: means, or extremes of terms
        whose name ends in ``_min`` or ``_max``.
    """
    work = list(parts)
    record: Terms = {}
    for number, part in enumerate(work):
        if number == len(work) - 1:
            terms, share = part()
            scaler.scale(terms["loss"] * share).backward()
        else:
            with without_sync(module):
                terms, share = part()
                scaler.scale(terms["loss"] * share).backward()
        _gather(record, terms, share)
    return record


def _gather(record: Terms, terms: Terms, share: float) -> None:
    for name, value in terms.items():
        if name == "loss":
            continue
        if name not in record:
            record[name] = value if name.endswith(("_min", "_max")) else value * share
        elif name.endswith("_min"):
            record[name] = torch.minimum(record[name], value)
        elif name.endswith("_max"):
            record[name] = torch.maximum(record[name], value)
        else:
            record[name] = record[name] + value * share


def lazy_adam(network: nn.Module, rate: float, every: int) -> Adam:
    """Adam corrected for a regulariser every n steps (Karras et al. 2020, App. B)."""
    ratio = every / (every + 1.0)
    return Adam(network.parameters(), rate * ratio, betas=(0.0, 0.99**ratio))


def update(optimizers: Sequence[Optimizer], scaler: torch.amp.GradScaler, limit: float) -> Tensor:
    """Step with the accumulated gradients and clear them; returns their norm.

    A norm above ``limit`` is returned as infinity, and no weight is changed. After an overflow in
    float16, the scaler skips the step and halves its factor, and 0 is returned.

    Args:
        optimizers: all optimizers of one backward pass, which share its scaler.
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
    scaler.update()  # else the scaler would refuse the next backward pass
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)
    if overflow:
        return torch.zeros_like(norm)
    return norm if fine else torch.full_like(norm, math.inf)


def rate_factor(index: int, steps: int, warmup: int) -> float:
    """Learning rate as a share of its maximum: linear warm-up, then a cosine down to zero."""
    if index < warmup:
        return (index + 1) / warmup
    return 0.5 * (1.0 + math.cos(math.pi * (index - warmup) / max(1, steps - warmup)))


def set_rate(optimizer: Optimizer, factor: float) -> None:
    """Set every group's learning rate to ``factor`` times the rate that it was made with."""
    for group in optimizer.param_groups:
        group["lr"] = factor * group.setdefault("initial_lr", group["lr"])
