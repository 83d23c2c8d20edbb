"""Settings of a stage's images: what is trained on, what is compared with, and reading ahead."""

from __future__ import annotations

from dataclasses import dataclass

from stylesdf_core.errors import InputError, check_range
from stylesdf_core.model.config import check_seed
from stylesdf_core.training.run_config import check_threads


@dataclass(frozen=True)
class ImagesConfig:
    """How the images are used."""

    flip: bool = True
    """Mirror half of the images at random."""

    held_out: float = 0.1
    """Share of the images kept from training, 0 to below 0.9, and never more than are compared.
    Distances are measured to these images; with 0, to images of the training."""

    compare: int = 1_000
    """Generated images, and at most as many held-out ones, between which every evaluation measures
    the distances. With 1,000 the Fréchet distance, by which the best checkpoint is chosen, varies
    by about 4 % between draws of the images, with 128 by 17 %."""

    split_seed: int = 0
    """Seed of the choice of held-out images."""

    upscale: bool = False
    """Use images smaller than half the training size too."""

    cache_gb: float = 16.0
    """Memory for decoded images, gigabytes. As many are kept as fit (70,000 of 64² take 0.9 GB, of
    1024² 220 GB); the others are read again in every epoch."""

    workers: int = 4
    """Threads that read images."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.held_out < 0.9:
            raise InputError(f"held_out must lie in [0, 0.9), not {self.held_out}.")
        check_range("compare", self.compare, 2)
        check_range("cache_gb", self.cache_gb, 0)
        check_seed(self.split_seed, "split_seed")
        check_threads(self.workers, 1, "workers")
