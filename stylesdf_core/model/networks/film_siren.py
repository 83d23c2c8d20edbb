"""Mapping network and FiLM-SIREN field (π-GAN's conditioning of SIREN, as in the paper)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stylesdf_core.model.networks.ops import leaky_relu
from stylesdf_core.rendering.camera import VOLUME_SCALE


@dataclass(frozen=True)
class FieldOutput:
    """The field at a set of points.

    Attributes:
        scalar: (B, N, 1), signed distance in world units, or raw density.
        rgb: (B, N, 3), before the sigmoid.
        features: (B, N, width), the view layer's output f(x, v).
    """

    scalar: Tensor
    rgb: Tensor
    features: Tensor


class Mapping(nn.Module):
    """z -> the renderer's w: three linear layers, each with leaky ReLU 0.2 of gain 1."""

    def __init__(self, z_dim: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(z_dim, z_dim) for _ in range(3))
        for layer in self.layers:
            assert isinstance(layer, nn.Linear)
            nn.init.kaiming_normal_(layer.weight, a=0.2, nonlinearity="leaky_relu")

    def forward(self, z: Tensor) -> Tensor:
        """(B, z_dim) -> (B, z_dim)."""
        for layer in self.layers:
            z = leaky_relu(layer(z), gain=1.0)
        return z


class FilmSiren(nn.Module):
    """One layer sin(γ·(Wx + b) + β) with γ = 15·(A w + a) + 30 and β = 0.25·(B w + c).

    Args:
        first: the layer reads coordinates, which SIREN initialises wider.
    """

    def __init__(
        self, in_features: int, out_features: int, w_dim: int, *, first: bool = False
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.gamma = nn.Linear(w_dim, out_features)
        self.beta = nn.Linear(w_dim, out_features)
        bound = 1.0 / 3.0 if first else math.sqrt(6.0 / in_features) / 25.0
        nn.init.uniform_(self.linear.weight, -bound, bound)
        nn.init.uniform_(
            self.linear.bias, -math.sqrt(1.0 / in_features), math.sqrt(1.0 / in_features)
        )
        for style in (self.gamma, self.beta):
            nn.init.kaiming_normal_(style.weight, a=0.2, nonlinearity="leaky_relu")
            style.weight.data.mul_(0.25)

    def modulation(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """γ and β of this layer, each (B, out_features), for w (B, w_dim)."""
        return 15.0 * self.gamma(w) + 30.0, 0.25 * self.beta(w)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """(B, N, in), (B, w_dim) -> (B, N, out)."""
        gamma, beta = self.modulation(w)
        return torch.sin(gamma[:, None] * self.linear(x) + beta[:, None])


class SirenField(nn.Module):
    """Signed distance (or density), colour and features at points of the world.

    Args:
        w_dim, width, depth: see :class:`~stylesdf_core.model.config.GeneratorConfig`.
    """

    def __init__(self, w_dim: int, width: int, depth: int) -> None:
        super().__init__()
        self.trunk = nn.ModuleList(
            FilmSiren(3 if i == 0 else width, width, w_dim, first=i == 0) for i in range(depth)
        )
        self.scalar_head = nn.Linear(width, 1)
        self.view_layer = FilmSiren(width + 3, width, w_dim)
        self.rgb_head = nn.Linear(width, 3)
        #: β of Eq. 3: the width of the density's transition at the surface, world units.
        self.sigmoid_beta = nn.Parameter(torch.full((1,), 0.1))
        for head in (self.scalar_head, self.rgb_head):
            bound = math.sqrt(6.0 / width) / 25.0
            nn.init.uniform_(head.weight, -bound, bound)

    def trunk_features(self, points: Tensor, w: Tensor) -> Tensor:
        """Trunk output (B, N, width) at world points (B, N, 3); w as in :meth:`forward`."""
        x = points * VOLUME_SCALE
        for layer, own in zip(self.trunk, layer_styles(w, len(self.trunk) + 1), strict=False):
            x = layer(x, own)
        return x

    def scalar(self, points: Tensor, w: Tensor) -> Tensor:
        """Signed distance (or raw density), (B, N, 1), at world points (B, N, 3)."""
        y: Tensor = self.scalar_head(self.trunk_features(points, w))
        return y

    def forward(self, points: Tensor, viewdirs: Tensor, w: Tensor) -> FieldOutput:
        """Evaluate everything at world points.

        Args:
            points: (B, N, 3), world units.
            viewdirs: (B, N, 3), unit length.
            w: (B, w_dim), or (B, depth + 1, w_dim), one for each trunk layer and the view layer.
        """
        x = self.trunk_features(points, w)
        features = self.view_layer(torch.cat([x, viewdirs], dim=-1), layer_styles(w, 1)[-1])
        return FieldOutput(self.scalar_head(x), self.rgb_head(features), features)


def layer_styles(w: Tensor, layers: int) -> tuple[Tensor, ...]:
    """One w (B, w_dim) for each FiLM layer, from a common w (B, w_dim) or (B, layers, w_dim)."""
    return w.unbind(dim=1) if w.dim() == 3 else (w,) * layers
