"""Guides: what the field is asked for on its way to a colour.

A strand of hair is one of forty waves about the head, and the parting turns their phases by whole
cycles. Colours alone lead gradient descent to a phase only from next to it, so hair stays a blur
however long they are learned from. A head's shader knows on the way what matters: where on the
neutral head a point lies, which is where its eyes, brows and hair are drawn, and the waves
themselves. Linear readouts of hidden layers, which only training has, are held to that (deep
supervision; Lee et al., AISTATS 2015): the first layers learn to undo a head's own shape, the last
to tell its strands, and the colours find both there.

An iris is two pixels wide in the volume render, a lip one, so whether they are drawn in their place
depends on what the features say of places between pixels. They are asked for the place on either
eyeball and around the mouth, each by itself: the decoder has to draw from it. So has what differs
from eye to eye, the iris's colour and where on the eyeball the light is mirrored: points on irises
are too few to teach the one, and a catchlight is a third of a pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from stylesdf_core.heads.fit.data import Guidance, PointBatch
from stylesdf_core.heads.fit.fast_field import FastField
from stylesdf_core.model.networks.generator import Generator

#: Layer (from 0) that shall know the place on the neutral head; the last one knows the strands.
_REST_LAYER = 2
#: Adam's learning rate of the readouts, at its height.
GUIDE_RATE = 2e-3
#: Of what is asked of each part (:func:`_asked`), of its mean error: places are in radii of an
#: iris, an iris's colour is in tenths.
_PART_WEIGHTS = (0.03, 0.03, 0.03, 0.03, 0.03, 0.4)
#: Share of the layers' mean square that keeps readouts small where the points do not tell them.
_RIDGE = 1e-5


class Guides(nn.Module):
    """Readouts of two of the trunk's layers and of the features.

    They begin as what the layers tell already (:meth:`find`): readouts from nothing would push the
    field about until they had learned.

    Args:
        width, depth: of the field.

    Attributes:
        layers: of the trunk, from 0; what they know is the place and the strands.
        ready: whether the readouts are found.
    """

    #: The terms.
    NAMES: ClassVar[tuple[str, ...]] = ("rest", "strands", "parts")

    ready: Tensor

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.layers = (min(_REST_LAYER, depth - 1), depth - 1)
        self.rest = nn.Linear(width, 3)
        self.strands = nn.Linear(width, 3)
        self.parts = nn.Linear(width, 3 * len(_PART_WEIGHTS))
        self.register_buffer("ready", torch.zeros((), dtype=torch.bool))

    @torch.no_grad()
    def find(self, generator: Generator, batch: PointBatch) -> None:
        """Set the readouts by least squares over the batch's near points."""
        truth = batch.guidance
        assert truth is not None
        field = FastField(generator.field, torch.float32, compiled=False)
        viewdirs = torch.zeros_like(batch.near)
        viewdirs[..., 2] = -1.0
        output, hidden = field.with_hidden(
            batch.near, viewdirs, generator.mapping(batch.z), self.layers
        )
        early, late = hidden
        _solve(self.rest, early, truth.rest, [torch.ones_like(truth.hair)])
        _solve(self.strands, late, truth.strands, [truth.hair])
        answers, where = _asked(truth)
        _solve(self.parts, output.features, answers.flatten(-2), where.split(1, dim=-1))
        self.ready.fill_(True)

    def losses(self, known: Sequence[Tensor], truth: Guidance) -> dict[str, Tensor]:
        """How far the readouts are from the truth, by name.

        Args:
            known: outputs (B, N, width) of :attr:`layers` and the features at the truth's points.
        """
        early, late, features = known
        rest = (self.rest(early) - truth.rest).abs().mean()
        # Squares, since half of a wave is better than none of it.
        strands = (truth.hair * (self.strands(late) - truth.strands).square()).mean()
        answers, where = _asked(truth)
        apart = (self.parts(features).view_as(answers) - answers).abs().sum(dim=-1)
        share = where.mean(dim=(0, 1)).clamp_min(1e-3)  # a small part counts as much as a large one
        weights = where * where.new_tensor(_PART_WEIGHTS) / share
        parts = (weights * apart).sum(dim=-1).mean()
        return {"rest": rest, "strands": strands, "parts": parts}


def _asked(truth: Guidance) -> tuple[Tensor, Tensor]:
    """What features shall tell (B, N, 6, 3), and where, (B, N, 6) of 0 and 1.

    The place on the left eyeball, on the right one and around the mouth; on either eyeball the
    place as seen from its catchlight, but for where its centre is; the colour of the irises.
    """
    place, iris = truth.places, truth.iris.expand_as(truth.places)
    beside = place - truth.catchlight
    left, right, mouth = truth.parts.unbind(dim=-1)
    answers = torch.stack([place, place, place, beside, beside, iris], dim=-2)
    return answers, torch.stack([left, right, mouth, left, right, left + right], dim=-1)


def guide_optimizer(guides: Guides) -> torch.optim.Adam:
    """Adam over the readouts."""
    groups = [{"params": list(guides.parameters()), "height": GUIDE_RATE}]
    return torch.optim.Adam(groups, lr=GUIDE_RATE, fused=True)


def _solve(readout: nn.Linear, inputs: Tensor, truth: Tensor, masks: Sequence[Tensor]) -> None:
    """Least squares, in float64, of as many equal parts of the readout as there are masks.

    Args:
        inputs, truth: (B, N, width) and (B, N, outputs).
        masks: (B, N, 1) each, 1 at the points that a part is found at.
    """
    inputs = torch.cat([inputs, torch.ones_like(inputs[..., :1])], dim=-1)
    parts = []
    for mask, target in zip(masks, truth.chunk(len(masks), dim=-1), strict=True):
        chosen = mask[..., 0] > 0.0
        x, y = inputs[chosen].double(), target[chosen].double()
        normal = x.T @ x
        ridge = _RIDGE * normal.diagonal().mean() + 1e-12
        normal.diagonal().add_(ridge)
        parts.append(torch.linalg.solve(normal, x.T @ y))  # (width + 1, outputs of the part)
    solution = torch.cat(parts, dim=1).to(readout.weight)
    readout.weight.copy_(solution[:-1].T)
    readout.bias.copy_(solution[-1])
