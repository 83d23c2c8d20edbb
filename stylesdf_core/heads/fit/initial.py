"""Initial weights for regression to known heads.

Networks are initialised for adversarial training elsewhere (model/networks).
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from stylesdf_core.heads.fit.bank import USED_LATENTS, ViewBatch
from stylesdf_core.heads.fit.measures import render_views
from stylesdf_core.model.config import GeneratorConfig
from stylesdf_core.model.networks.decoder import Decoder, StyledConv, ToRGB
from stylesdf_core.model.networks.film_siren import FilmSiren
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.rendering.camera import VOLUME_RADIUS
from stylesdf_core.seeds import seeded_weights
from stylesdf_core.training.phase import Models

#: Initial distance at all points, world units: a rendered head's mean radius.
_SPHERE = VOLUME_RADIUS / 2.0


def initial_generator(config: GeneratorConfig, seed: int) -> Generator:
    """A generator that reads only ``z[:USED_LATENTS]`` and starts smooth.

    - The mapping's weights for the other numbers of z are zero, and stay zero, since training feeds
      zeros there: the other numbers are ignored exactly. The used weights are scaled up to keep
      w's variance.
    - The first layer's weights are halved: lower frequencies are better for a supervised fit.
    - Biases of the mapping, of γ and β and of the colours are zero: a short fit begins with every
      layer modulated alike.
    """
    with seeded_weights(seed):
        generator = Generator(config)
    first = cast(nn.Linear, generator.mapping.layers[0])
    with torch.no_grad():
        first.weight[:, :USED_LATENTS] *= math.sqrt(config.z_dim / USED_LATENTS)
        first.weight[:, USED_LATENTS:] = 0.0
        coordinates = generator.field.trunk[0]
        cast(nn.Linear, coordinates.linear).weight *= 0.5
        field = generator.field
        films = [cast(FilmSiren, film) for film in (*field.trunk, field.view_layer)]
        modulations = [layer for film in films for layer in (film.gamma, film.beta)]
        for layer in (*generator.mapping.layers, *modulations, field.rgb_head):
            nn.init.zeros_(cast(nn.Linear, layer).bias)
        generator.field.scalar_head.weight *= 0.1
        generator.field.scalar_head.bias.fill_(_SPHERE)
    return generator


@torch.no_grad()
def show_enlarged_render(models: Models, views: ViewBatch) -> None:
    """Set both decoders to show the enlarged volume render, fitted to ``views``."""
    live, ema = models.live, models.ema
    assert live.decoder is not None
    assert ema.decoder is not None
    render = render_views(live, views)
    styles = live.broadcast_styles(live.decoder.map(live.mapping(views.z)))
    _fit_decoder(live.decoder, render.features, render.rgb, styles)
    ema.decoder.load_state_dict(live.decoder.state_dict())


def _fit_decoder(decoder: Decoder, features: Tensor, thumbs: Tensor, styles: Tensor) -> None:
    """Set a decoder's weights so that it shows the enlarged volume render.

    The first convolution passes every feature on, once as it is and once negated, since a leaky
    ReLU shrinks negative values; a tenth of its random weights is added. The first toRGB reads the
    colours from these features by least squares. The other toRGBs add nothing yet.

    Args:
        features: (B, width, h, w), features of some volume renders.
        thumbs: (B, 3, h, w), colours of the same renders, in [−1, 1].
        styles: (B, n_latent, 512).
    """
    first = cast(StyledConv, decoder.convs[0])
    channels, width, size, _ = first.conv.weight.shape
    weight = first.conv.weight.data.mul_(0.1)
    for channel in range(channels):
        sign = 1.0 if (channel // width) % 2 == 0 else -1.0
        weight[channel, channel % width, size // 2, size // 2] += sign / first.conv.scale
    for rgb in decoder.to_rgbs:
        conv = cast(ToRGB, rgb).conv
        conv.weight.zero_()
        conv.modulation.weight.zero_()
    first.conv.modulation.weight.zero_()
    activations = first(features, styles[:, 0], None).movedim(1, -1).flatten(0, 2)  # (P, C)
    colors = thumbs.movedim(1, -1).flatten(0, 2)
    weight, bias = least_squares(activations, colors, ridge=1e-4)
    readout = cast(ToRGB, decoder.to_rgbs[0])
    readout.conv.weight.copy_((weight / readout.conv.scale)[..., None, None])
    readout.bias.copy_(bias)


def least_squares(inputs: Tensor, truth: Tensor, ridge: float) -> tuple[Tensor, Tensor]:
    """Weight (K, C) and bias (K,) of the linear layer that comes nearest to the truth.

    Args:
        inputs, truth: (N, C) and (N, K).
        ridge: ridge, as a share of the inputs' mean square, which limits the weights.
    """
    x = torch.cat([inputs, torch.ones_like(inputs[:, :1])], dim=1).double()
    normal = x.T @ x
    normal.diagonal().add_(ridge * normal.diagonal().mean() + 1e-12)
    solution = torch.linalg.solve(normal, x.T @ truth.double()).to(inputs)  # (C + 1, K)
    return solution[:-1].T, solution[-1]
