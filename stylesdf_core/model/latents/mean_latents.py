"""Mean latents, towards which truncation moves a face.

Our own weights files can hold them beside the weights: computing them takes a third of a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stylesdf_core.model.config import DECODER_W_DIM
from stylesdf_core.model.networks.generator import Generator

_MEAN_SAMPLES = 10_000
_MEAN_SEED = 0x57A7
#: The names of the means in a file, beside the names of the weights.
RENDERER, DECODER = MEANS = ("means.renderer", "means.decoder")


@dataclass(frozen=True)
class MeanLatents:
    """Mean latents of 10,000 z; truncation moves a latent towards its mean.

    Attributes:
        renderer: (1, z_dim), mean w.
        decoder: (1, 512), mean of the decoder's w; None for a renderer-only model.
    """

    renderer: Tensor
    decoder: Tensor | None

    def tensors(self) -> dict[str, Tensor]:
        """The means by their names in a file."""
        found = {RENDERER: self.renderer, DECODER: self.decoder}
        return {name: mean for name, mean in found.items() if mean is not None}


def mean_latents(generator: Generator) -> MeanLatents:
    """Both mean latents of a generator, from a fixed seed."""
    z_dim = generator.config.z_dim
    z = np.random.default_rng(_MEAN_SEED).standard_normal((_MEAN_SAMPLES, z_dim))
    with torch.inference_mode():
        w = generator.mapping(torch.from_numpy(z).to(generator.field.sigmoid_beta))
        decoder = None
        if generator.decoder is not None:
            decoder = generator.decoder.map(w).mean(dim=0, keepdim=True)
    return MeanLatents(w.mean(dim=0, keepdim=True), decoder)


def stored_means(tensors: Mapping[str, Tensor], generator: Generator) -> MeanLatents | None:
    """The means among a file's tensors; None where they are missing or do not fit the generator."""
    config, found = generator.config, (tensors.get(RENDERER), tensors.get(DECODER))
    wanted = ((1, config.z_dim), (1, DECODER_W_DIM) if config.has_decoder else None)
    for mean, shape in zip(found, wanted, strict=True):
        if (None if mean is None else tuple(mean.shape)) != shape:
            return None
        if mean is not None and not bool(torch.isfinite(mean).all()):
            return None
    renderer, decoder = (None if mean is None else mean.float().clone() for mean in found)
    assert renderer is not None
    return MeanLatents(renderer, decoder)
