"""What the fit's phases that train the decoder have in common."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim import Adam

from stylesdf_core.heads.fit.data import ViewBatch
from stylesdf_core.heads.fit.init import start_decoder
from stylesdf_core.heads.fit.samples import render_views
from stylesdf_core.model.networks.decoder import Decoder
from stylesdf_core.training.loop import Models


def adam(network: nn.Module, height: float) -> Adam:
    """Adam as all of them use it, over what is being trained; ``height`` of its rate."""
    trained = [p for p in network.parameters() if p.requires_grad]
    return Adam([{"params": trained, "height": height}], lr=height, betas=(0.9, 0.99), fused=True)


def noise_strengths(decoder: Decoder) -> list[nn.Parameter]:
    """How much noise each of the decoder's convolutions adds."""
    return [p for name, p in decoder.named_parameters() if name.endswith("noise_strength")]


@torch.no_grad()
def go_on_without_noise(models: Models) -> None:
    """Begin from the averaged generator, its decoder's noise switched off."""
    assert models.ema.decoder is not None
    for strength in noise_strengths(models.ema.decoder):
        nn.init.zeros_(strength)
    models.live.load_state_dict(models.ema.state_dict())


@torch.no_grad()
def show_enlarged_render(models: Models, views: ViewBatch) -> None:
    """Make both decoders show the enlarged volume render of ``views``, to start from."""
    live, ema = models.live, models.ema
    assert live.decoder is not None
    assert ema.decoder is not None
    render = render_views(live, views)
    styles = live.broadcast_styles(live.decoder.map(live.mapping(views.z)))
    start_decoder(live.decoder, render.features, render.rgb, styles)
    ema.decoder.load_state_dict(live.decoder.state_dict())
