"""Patches: random parts of pictures, of any scale, in a fixed number of pixels.

A volume render of 256² pixels for each image of a step would not fit into memory, and most of its
rays would see little new. Instead each image of a step is a patch: few rays, spread over all of the
picture or close together in a part of it. The discriminator sees where a patch lies
(:class:`~stylesdf_core.model.networks.discriminators.CoordConv`), and judges large patches by the
head and small patches by its details. At the beginning all patches are whole pictures; then
smaller ones join them.

Sources of the idea: Schwarz et al., "GRAF", 2020, section 3.2; Skorokhodov et al., "EpiGRAF", 2022,
section 3.2.
"""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from stylesdf_core.data.images import Pixels


def draw_patches(random: torch.Generator, count: int, least: float) -> Tensor:
    """(count, 3): centre, x and y, and scale of patches inside the picture; see ``make_rays``.

    Args:
        least: smallest scale; scales are uniform up to 1, centres as far as the picture reaches.
    """
    numbers = torch.rand(count, 3, generator=random)
    scale = least + (1.0 - least) * numbers[:, 2:]
    return torch.cat([(2.0 * numbers[:, :2] - 1.0) * (1.0 - scale), scale], dim=1)


def cut_patches(images: Pixels, patches: Tensor, edge: int) -> Pixels:
    """The patches (B, edge, edge, 3) of images (B, S, S, 3), filtered as whole images are."""
    size, cut = images.shape[1], []
    for image, (x, y, scale) in zip(images, patches.tolist(), strict=True):
        corners = (x - scale, y - scale, x + scale, y + scale)
        box = tuple(min(max(0.5 * (1.0 + c) * size, 0.0), float(size)) for c in corners)
        patch = Image.fromarray(image).resize((edge, edge), Image.Resampling.HAMMING, box)
        cut.append(np.asarray(patch))
    return np.stack(cut)
