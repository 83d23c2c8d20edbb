"""Where the head is in a picture, told by a small network that learned from true masks.

A generated head has no true mask. The network learns masks from true pictures that have some, and
then tells the masks of generated pictures, with which a model's own opacity is compared. On true
pictures that it has not learned from, it shows how far it can be trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylesdf_core.evaluation.image_metrics import bytes_as_tensor
from stylesdf_core.evaluation.pose_regressor import disturbed
from stylesdf_core.evaluation.shape_metrics import intersection_over_union
from stylesdf_core.foreign import parse_json
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.seeds import seeded_weights

Bytes = npt.NDArray[np.uint8]

_CHANNELS = (8, 16, 32, 48)
_BATCH, _STEPS, _RATE = 16, 600, 3e-3
_HELD_OUT = 8  # one picture in eight
_AT_ONCE = 128
_SEED = 37


class _Network(nn.Module):
    """A U-Net: halves the picture three times and enlarges it again beside what it saw before."""

    def __init__(self) -> None:
        super().__init__()
        sizes = (3, *_CHANNELS)
        self.down = nn.ModuleList(
            nn.Conv2d(sizes[i], sizes[i + 1], 3, stride=1 if i == 0 else 2, padding=1)
            for i in range(len(_CHANNELS))
        )
        self.up = nn.ModuleList(
            nn.Conv2d(sizes[i + 1] + sizes[i], sizes[i], 3, padding=1)
            for i in range(len(_CHANNELS) - 1, 0, -1)
        )
        self.last = nn.Conv2d(_CHANNELS[0], 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, S, S) in [−1, 1] -> (B, S, S), before the sigmoid."""
        seen, x = [], images
        for layer in self.down:
            x = F.leaky_relu(layer(x), 0.1)
            seen.append(x)
        for layer, beside in zip(self.up, reversed(seen[:-1]), strict=True):
            larger = F.interpolate(x, size=beside.shape[-2:], mode="bilinear")
            x = F.leaky_relu(layer(torch.cat([larger, beside], dim=1)), 0.1)
        logits: Tensor = self.last(x)[:, 0]
        return logits


@dataclass(frozen=True)
class ForegroundJudge:
    """A fitted network; make with :func:`fit_foreground_judge`.

    Attributes:
        held_out: mean IoU with true masks of pictures that were not fitted to.
    """

    network: nn.Module
    held_out: float

    @torch.no_grad()
    def __call__(self, pixels: Bytes) -> npt.NDArray[np.bool_]:
        """Where heads are, (N, S, S), in pictures (N, S, S, 3) of the fitted size."""
        starts = range(0, len(pixels), _AT_ONCE)
        chunks = (pixels[start : start + _AT_ONCE] for start in starts)
        return torch.cat([self.network(bytes_as_tensor(chunk)) > 0 for chunk in chunks]).numpy()


def fit_foreground_judge(
    pixels: Bytes, masks: Bytes, *, steps: int = _STEPS
) -> Operation[ForegroundJudge]:
    """Fit to true pictures (N, S, S, 3) with masks (N, S, S), 0 to 255; N at least 16.

    The same pictures give the same network. Pictures are mirrored, and changed in brightness and
    blurred at random, since generated pictures differ from true ones in these.
    """
    held_out = np.arange(len(pixels)) % _HELD_OUT == 0
    images, targets = pixels[~held_out], torch.from_numpy(masks[~held_out]).float() / 255.0
    random = torch.Generator().manual_seed(_SEED)
    with seeded_weights(_SEED):
        network = _Network()
    optimizer = torch.optim.AdamW(network.parameters(), _RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps)
    for step in range(steps):
        chosen = torch.randint(len(images), (_BATCH,), generator=random)
        batch, target = disturbed(bytes_as_tensor(images[chosen.numpy()]), random), targets[chosen]
        if step % 2:
            batch, target = batch.flip(-1), target.flip(-1)
        loss = F.binary_cross_entropy_with_logits(network(batch), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        yield Progress(step + 1, steps, "fitting the judge of foregrounds")
    network.eval().requires_grad_(False)
    judged = ForegroundJudge(network, 0.0)(pixels[held_out])
    return ForegroundJudge(network, mean_iou(judged, masks[held_out] > 127))


def mean_iou(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> float:
    """Mean intersection over union of masks (N, S, S), picture by picture."""
    return float(np.mean([intersection_over_union(a, b) for a, b in zip(one, other, strict=True)]))


def read_masks(folder: Path) -> dict[str, str]:
    """Files of masks by file name of the picture, of a data set of heads with backgrounds.

    Empty for all other data sets.
    """
    table = folder / "metadata.jsonl"
    if not (folder / "dataset.json").exists() or not table.exists():
        return {}
    masks: dict[str, str] = {}
    for line in table.read_bytes().splitlines():
        try:
            row = parse_json(line)
            masks[str(row["file"])] = str(row["mask"])
        except (ValueError, KeyError, TypeError):
            return {}
    return masks
