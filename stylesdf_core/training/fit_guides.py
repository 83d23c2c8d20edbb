"""Guides: what the field is asked for on its way to a colour.

A strand of hair is one of forty waves about the head, and the parting turns their phases by whole
cycles. Colours alone lead gradient descent to a phase only from next to it, so hair stays a blur
however long they are learned from. A head's shader knows on the way what matters: where on the
neutral head a point lies, which is where its eyes, brows and hair are drawn, and the waves
themselves. Linear readouts of hidden layers, which only training has, are held to that (deep
supervision; Lee et al., AISTATS 2015): the first layers learn to undo a head's own shape, the last
to tell its strands, and the colours find both there.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from stylesdf_core.training.fit_data import Guidance

#: Layer (from 0) that shall know the place on the neutral head; the last one knows the strands.
_REST_LAYER = 2
#: Adam's learning rate of the readouts, at its height.
GUIDE_RATE = 2e-3


class Guides(nn.Module):
    """Readouts of two of the field's layers.

    Args:
        width, depth: of the field.
    """

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.layers = (min(_REST_LAYER, depth - 1), depth - 1)
        self.rest = nn.Linear(width, 3)
        self.strands = nn.Linear(width, 3)
        for readout in (self.rest, self.strands):
            nn.init.zeros_(readout.weight)
            nn.init.zeros_(readout.bias)

    def losses(self, hidden: Sequence[Tensor], truth: Guidance) -> dict[str, Tensor]:
        """How far the readouts of ``hidden`` are from the truth, by name.

        Args:
            hidden: outputs (B, N, width) of :attr:`layers` at the truth's points.
        """
        early, late = hidden
        rest = (self.rest(early) - truth.rest).abs().mean()
        # Squares, since half of a wave is better than none of it.
        strands = (truth.hair * (self.strands(late) - truth.strands).square()).mean()
        return {"rest": rest, "strands": strands}


def guide_optimizer(guides: Guides) -> torch.optim.Adam:
    """Adam over the readouts."""
    groups = [{"params": list(guides.parameters()), "height": GUIDE_RATE}]
    return torch.optim.Adam(groups, lr=GUIDE_RATE, fused=True)
