"""A small discriminator that judges patches: sharpness and texture, not identity."""

from __future__ import annotations

import math
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn


class PatchDiscriminator(nn.Module):
    """Image (B, 3, H, W) -> logits (B, 1, H/8, W/8), each seeing some 40 pixels.

    Args:
        channels: of the first layer; doubles with each halving, up to four times.
    """

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        widths = [channels, 2 * channels, 4 * channels, 4 * channels]
        self.first = nn.Conv2d(3, widths[0], 3, padding=1)
        self.down = nn.ModuleList(
            nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in pairwise(widths)
        )
        self.last = nn.Conv2d(widths[-1], 1, 3, padding=1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, a=0.2)
                assert module.bias is not None
                nn.init.zeros_(module.bias)
        self.last.weight.data.mul_(1.0 / math.sqrt(2.0))

    def forward(self, images: Tensor) -> Tensor:
        """Logits of every patch; positive means real."""
        x = F.leaky_relu(self.first(images), 0.2)
        for layer in self.down:
            x = F.leaky_relu(layer(x), 0.2)
        logits: Tensor = self.last(x)
        return logits
