"""How a small network learns from true pictures, and where their truth is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylesdf_core.evaluation.metrics.image_metrics import bytes_as_tensor
from stylesdf_core.foreign import parse_json
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.seeds import seeded_weights

T = TypeVar("T")
Bytes = npt.NDArray[np.uint8]

_HELD_OUT = 8  # one picture in eight


@dataclass(frozen=True)
class TruthFitting:
    """How a network learns; the same pictures give the same network.

    Attributes:
        network: makes the network.
        loss: of its outputs and their targets.
        mirrored: the targets of mirrored pictures.
        batch: pictures in a step.
        rate, weight_decay: AdamW's; the rate is the highest of one cycle.
        seed: of initial weights and of chance.
        title: what is being done, for the progress.
    """

    network: Callable[[], nn.Module]
    loss: Callable[[Tensor, Tensor], Tensor]
    mirrored: Callable[[Tensor], Tensor]
    batch: int
    rate: float
    weight_decay: float
    seed: int
    title: str

    def to(self, pixels: Bytes, targets: Tensor, steps: int) -> Operation[nn.Module]:
        """Fit to true pictures (N, S, S, 3) with their targets (N, …).

        Every second step's pictures are mirrored; all are changed in brightness and blurred at
        random, since generated pictures differ from true ones in these.
        """
        random = torch.Generator().manual_seed(self.seed)
        with seeded_weights(self.seed):
            network = self.network()
        optimizer = torch.optim.AdamW(
            network.parameters(), self.rate, weight_decay=self.weight_decay
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.rate, total_steps=steps)
        for step in range(steps):
            chosen = torch.randint(len(pixels), (self.batch,), generator=random)
            batch = disturbed(bytes_as_tensor(pixels[chosen.numpy()]), random)
            target = targets[chosen]
            if step % 2:
                batch, target = batch.flip(-1), self.mirrored(target)
            loss = self.loss(network(batch), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            yield Progress(step + 1, steps, self.title)
        return network.eval().requires_grad_(False)


def held_out(count: int) -> npt.NDArray[np.bool_]:
    """(count,), which pictures a network does not learn from, but is examined on."""
    return np.equal(np.arange(count) % _HELD_OUT, 0)


@torch.no_grad()
def outputs_of(network: nn.Module, pixels: Bytes, at_once: int) -> Tensor:
    """The network's outputs (N, …) for pictures (N, S, S, 3), some at once."""
    starts = range(0, len(pixels), at_once)
    chunks = (pixels[start : start + at_once] for start in starts)
    return torch.cat([network(bytes_as_tensor(chunk)) for chunk in chunks])


def disturbed(images: Tensor, random: torch.Generator) -> Tensor:
    """Gain and offset of every colour at random, half of the pictures blurred, some noise."""
    shape = (len(images), 3, 1, 1)
    images = images * (1.0 + 0.1 * torch.randn(shape, generator=random))
    images = images + 0.1 * torch.randn(shape, generator=random)
    blurred = F.avg_pool2d(images, 3, stride=1, padding=1, count_include_pad=False)
    chosen = torch.rand(len(images), 1, 1, 1, generator=random) < 0.5
    images = torch.where(chosen, blurred, images)
    return images + 0.03 * torch.randn(images.shape, generator=random)


def read_truth(folder: Path, truth: Callable[[Mapping[str, Any]], T]) -> dict[str, T]:
    """What a data set of synthetic heads says of its pictures, by the picture's file name.

    Empty for a folder of plain images and for an lmdb, and where a picture's row lacks the truth. A
    last line that a kill cut short is left out.

    Args:
        truth: takes it from a picture's row.
    """
    table = folder / "metadata.jsonl"
    if not (folder / "dataset.json").exists() or not table.exists():
        return {}
    found: dict[str, T] = {}
    for line in table.read_bytes().splitlines(keepends=True):
        try:
            row = parse_json(line)
        except ValueError:
            return {} if line.endswith(b"\n") else found
        try:
            found[str(row["file"])] = truth(row)
        except (ValueError, KeyError, TypeError):
            return {}
    return found
