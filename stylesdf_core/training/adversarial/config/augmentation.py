"""Settings of the adaptive augmentation; see ``batches/augmentation.py``. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from stylesdf_core.errors import InputError, check_range

#: In mode "auto", images are augmented below so many images of training.
FEW_IMAGES = 10_000


@dataclass(frozen=True)
class AugmentConfig:
    """Random transforms of the discriminators' images, for small data sets (ADA)."""

    mode: Literal["auto", "on", "off"] = "off"
    """off: never, as in the paper. auto: below 10,000 images to train on. on: always."""

    target: float = 0.6
    """Mean sign of the discriminator's scores of real images, −1 to 1, above which the transforms
    become more frequent, and below which they become rarer."""

    images: int = 500_000
    """Images of training within which the probability of a transform could rise from 0 to 1; fewer
    for a short run."""

    def __post_init__(self) -> None:
        check_range("augment.images", self.images, 1)
        if not -1.0 < self.target < 1.0:
            raise InputError(f"augment.target must lie between −1 and 1, not {self.target}.")

    def is_on(self, images: int) -> bool:
        """Whether images are augmented in a run with so many training images."""
        return self.mode == "on" or (self.mode == "auto" and images < FEW_IMAGES)
