"""Generators and initial weights from a seed; training draws no other random numbers.

A step's generator is made from seed, purpose, attempt (number of roll-backs) and step; a network's
initial weights come from the seed alone. So a checkpoint holds step and attempt but no generator's
state, and a resumed run draws the numbers of an uninterrupted run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def seeded(*numbers: int, device: torch.device | None = None) -> torch.Generator:
    """A generator seeded by a sequence of numbers, each 0 or more.

    Args:
        device: where the generator draws; None for the CPU, which draws the same numbers on every
            machine.
    """
    state = np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]
    return torch.Generator(device or "cpu").manual_seed(int(state) >> 1)


@contextmanager
def seeded_weights(seed: int) -> Iterator[None]:
    """Networks made in this block start with the weights of ``seed``.

    Networks draw their weights from torch's global generator, which is restored after the block.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
