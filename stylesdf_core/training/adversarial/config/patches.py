"""Settings of the training through patches; see ``batches/patches.py``. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace

from stylesdf_core.errors import InputError, check_range
from stylesdf_core.model.config import GeneratorConfig


@dataclass(frozen=True)
class PatchConfig:
    """Patches of large images in place of small whole images, with --output direct."""

    image_size: int = 256
    """Edge of the images, pixels: 2, 4, 8 … times generator.thumb_size, the edge of a patch."""

    least_scale: float = 0.0
    """Smallest share of the image's edge that a patch covers, above 0 to 1; 0 for the share at
    which a pixel of the patch is a pixel of the image."""

    anneal_steps: int = 100_000
    """Steps within which the smallest share falls from 1, whole images, to least_scale. The share
    of each patch lies anywhere between the smallest and 1."""

    def __post_init__(self) -> None:
        check_range("patch.image_size", self.image_size, 1)
        check_range("patch.anneal_steps", self.anneal_steps, 0)
        if not 0.0 <= self.least_scale <= 1.0:
            raise InputError(f"patch.least_scale must lie in [0, 1], not {self.least_scale:g}.")

    def model(self, generator: GeneratorConfig) -> GeneratorConfig:
        """The generator whose image is the direct view at the images' size.

        Raises:
            InputError: the images are no larger than the patches.
        """
        if self.image_size <= generator.thumb_size:
            raise InputError(
                f"--output direct needs images larger than its patches: patch.image_size "
                f"({self.image_size}) must exceed generator.thumb_size ({generator.thumb_size})."
            )
        return replace(generator, output_size=self.image_size, decoder="direct")

    def scale_at(self, step: int, edge: int) -> float:
        """The smallest scale of a step's patches; falls by equal factors.

        Args:
            step: of the stage, from 0.
            edge: of a patch, pixels.
        """
        least = self.least_scale or min(1.0, edge / self.image_size)
        done = min(1.0, step / self.anneal_steps) if self.anneal_steps else 1.0
        return float(least**done)
