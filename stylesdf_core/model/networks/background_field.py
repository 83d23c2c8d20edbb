"""The field behind the volume: a small FiLM-SIREN over the inverted sphere (after NeRF++).

It takes a world direction and an inverse radius (rendering/inverted_sphere.py) and is rendered by
itself: every ray has a colour and features of the background, which show in the share of light that
the signed distance field lets through. It has no view direction, since a place far away is seen
from one side only, and few, slow sines, so that heads are left to the other field.
"""

from __future__ import annotations

import math

from torch import Tensor, nn

from stylesdf_core.model.networks.film_siren import FilmSiren, layer_styles
from stylesdf_core.rendering.inverted_sphere import COORDINATES, inverse_radii, inverted_points
from stylesdf_core.rendering.volume_rendering import Behind, composite_behind

#: Samples of a ray; the last one lies at infinity.
BACKGROUND_SAMPLES = 4
_LAYERS = 3


class InvertedSphereField(nn.Module):
    """Colour and features behind the volume; its layers have half the width of the other field.

    Args:
        w_dim: length of the renderer's w, which conditions both fields: truncation, morphs and
            edits need nothing of their own here.
        width: channels of the features, those of the other field.
    """

    def __init__(self, w_dim: int, width: int) -> None:
        super().__init__()
        hidden = max(8, width // 2)
        sizes = [COORDINATES, *([hidden] * _LAYERS)]
        self.trunk = nn.ModuleList(
            FilmSiren(sizes[i], sizes[i + 1], w_dim, first=i == 0) for i in range(_LAYERS)
        )
        self.density_head = nn.Linear(hidden, 1)
        self.feature_layer = FilmSiren(hidden, width, w_dim)
        self.rgb_head = nn.Linear(width, 3)
        for head, inputs in ((self.density_head, hidden), (self.rgb_head, width)):
            bound = math.sqrt(6.0 / inputs) / 25.0
            nn.init.uniform_(head.weight, -bound, bound)

    def forward(self, origins: Tensor, directions: Tensor, w: Tensor) -> Behind:
        """What rays see behind the volume.

        Args:
            origins, directions: (B, R, 3), world.
            w: (B, w_dim), or (B, layers, w_dim) by layer of the other field, of which the last
                counts: the background goes with the colours.
        """
        own = layer_styles(w, 1)[-1]
        inverse = inverse_radii(BACKGROUND_SAMPLES, origins)
        places = inverted_points(origins, directions, inverse)  # (B, R, N, 4)
        x = places.flatten(1, 2)
        for layer in self.trunk:
            x = layer(x, own)
        features = self.feature_layer(x, own)
        shape = places.shape[:-1]
        return composite_behind(
            self.density_head(x).view(shape),
            self.rgb_head(features).view(*shape, 3),
            features.view(*shape, -1),
        )
