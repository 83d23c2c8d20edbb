"""Random numbers that a seed decides: the only ways in which training draws them.

A step draws from a generator made of (seed, purpose, attempt, step), and a network's first weights
of the seed alone. So a resumed run draws what the uninterrupted one would have drawn, and the only
randomness there is to save is the step's number.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def seeded(*numbers: int, device: torch.device | None = None) -> torch.Generator:
    """A generator of its own for each sequence of numbers, all of them 0 or more.

    Args:
        device: where it draws; None for the CPU, which draws the same on every machine.
    """
    state = np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]
    return torch.Generator(device or "cpu").manual_seed(int(state) >> 1)


@contextmanager
def seeded_weights(seed: int) -> Iterator[None]:
    """Networks made in this block start with the weights of ``seed``.

    Torch's global generator, from which networks draw their weights, is afterwards as before.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
