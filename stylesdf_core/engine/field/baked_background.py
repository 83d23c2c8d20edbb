"""A background field with one style folded into its weights; evaluates a tile of rays at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from stylesdf_core.engine.field.baked_field import fold, sine_of_sum
from stylesdf_core.model.networks.background_field import BACKGROUND_SAMPLES, InvertedSphereField
from stylesdf_core.model.networks.film_siren import layer_styles
from stylesdf_core.rendering.inverted_sphere import inverse_radii, inverted_points
from stylesdf_core.rendering.volume_rendering import Behind, composite_behind


class BakedBackground:
    """A background field for one w.

    Args:
        w: (1, w_dim), or (1, layers, w_dim), as in :meth:`InvertedSphereField.forward`.
    """

    def __init__(self, field: InvertedSphereField, w: Tensor) -> None:
        own = layer_styles(w, 1)[-1]
        self._layers = [fold(layer, own) for layer in (*field.trunk, field.feature_layer)]
        self._density, self._rgb = field.density_head, field.rgb_head

    def __call__(self, origins: Tensor, directions: Tensor) -> Behind:
        """What rays (R, 3) see behind the volume."""
        places = inverted_points(origins, directions, inverse_radii(BACKGROUND_SAMPLES, origins))
        shape = places.shape[:-1]
        x, trunk = places.flatten(0, 1), None
        for layer in self._layers:
            trunk, x = x, torch.mm(x, layer.weight)
            sine_of_sum(x, layer.bias)
        assert trunk is not None
        raw, logits = self._density(trunk).view(shape), self._rgb(x).view(*shape, 3)
        return composite_behind(raw, logits, x.view(*shape, -1))

    def colors(self, rays: Tensor) -> Tensor:
        """Colours in [−1, 1], (R, 3), of rays (R, 6): their origins and directions."""
        return 2.0 * self(*rays.split(3, dim=1)).rgb - 1.0
