"""The processes that train together: one, or several under torchrun (PyTorch DDP)."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from stylesdf_core.model.model import select_device
from stylesdf_core.system.console import ignore_signals


@dataclass(frozen=True)
class Share:
    """A process's part of every batch: part ``rank`` of ``world`` equal parts."""

    rank: int = 0
    world: int = 1

    def of(self, batch: int) -> slice:
        """The part's positions in a batch."""
        part = batch // self.world
        return slice(self.rank * part, (self.rank + 1) * part)


@dataclass(frozen=True)
class World:
    """This process among the processes that train a run together.

    Attributes:
        rank: number of this process; process 0 alone writes files.
        size: number of processes.
        device: where this process computes.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """Whether this process writes."""
        return self.rank == 0

    @property
    def share(self) -> Share:
        """This process's part of each batch."""
        return Share(self.rank, self.size)

    def replicate(self, module: nn.Module) -> nn.Module:
        """``module`` with rank 0's weights, its gradients averaged over all processes."""
        if self.size == 1:
            return module
        ids = [self.device.index] if self.device.type == "cuda" else None
        # Buffers do not change in training, so are not synchronised; torch 2.13 renamed the option.
        known = inspect.signature(DistributedDataParallel).parameters
        name = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"
        settings: dict[str, Any] = {name: False}
        return DistributedDataParallel(module, device_ids=ids, **settings)

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """For each flag, whether the flag is true on any process; equal on all processes."""
        if self.size == 1:
            return flags
        values = torch.tensor(flags, dtype=torch.int32, device=self.device)
        dist.all_reduce(values, dist.ReduceOp.MAX)
        return tuple(bool(value) for value in values.tolist())

    def mean(self, value: Tensor) -> Tensor:
        """Mean over processes; carries no gradient."""
        value = value.detach().clone()
        if self.size > 1:
            dist.all_reduce(value)
            value /= self.size
        return value

    def gather(self, terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Terms of a step over all processes: means, or extremes of ``…_min`` and ``…_max``.

        Every process calls this with the same names.
        """
        if self.size == 1:
            return dict(terms)
        found = dict(terms)
        of = {"_min": dist.ReduceOp.MIN, "_max": dist.ReduceOp.MAX, "": dist.ReduceOp.SUM}
        for ending, operation in of.items():
            names = [n for n in terms if (n[-4:] if n[-4:] in of else "") == ending]
            if names:
                values = torch.stack([terms[n].detach().float().reshape(()) for n in names])
                dist.all_reduce(values, operation)
                values = values if ending else values / self.size
                found |= zip(names, values, strict=True)
        return found

    def average_gradients(self, module: nn.Module) -> None:
        """Average the gradients of a module that :meth:`replicate` does not wrap."""
        if self.size > 1:
            for parameter in module.parameters():
                if parameter.grad is not None:
                    dist.all_reduce(parameter.grad)
                    parameter.grad /= self.size

    def wait(self) -> None:
        """Wait until all processes have called this function."""
        if self.size > 1:
            dist.barrier()


def without_sync(module: nn.Module) -> AbstractContextManager[Any]:
    """In this block, backward passes do not average gradients over processes; a later one does."""
    if isinstance(module, DistributedDataParallel):
        return module.no_sync()
    return nullcontext()


@contextmanager
def joined_world(device: str) -> Iterator[World]:
    """The world that torchrun's environment describes; without it, this process alone."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World(0, 1, select_device(device))
        return
    if int(os.environ.get("RANK", "0")):
        ignore_signals()  # process 0 gets the signals too, and stops all processes at one step
    here = select_device(device)
    if here.type == "cuda":
        here = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(here)
    dist.init_process_group("nccl" if here.type == "cuda" else "gloo")
    try:
        yield World(dist.get_rank(), size, here)
    finally:
        dist.destroy_process_group()
