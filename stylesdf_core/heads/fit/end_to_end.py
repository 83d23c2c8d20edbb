"""Everything at once: mapping, field and decoder learn images end to end.

What the phases before cannot: the field hears from the decoder's convolutions what they need to
know of a strand of hair or an iris, and moves by half a pixel where they cannot make up for it. So
nothing is cached, and a step costs a volume render with gradients. Every image of a batch shows a
window of its own, mostly where there is something to see; only that is rendered.

The points of the first phase go on holding distances, colours and guides where they are, the volume
render is held to the truth, and the paper's adversary (Sec. 4.2) has its say about the decoded
windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylesdf_core.heads.fit.adversary import Adversary
from stylesdf_core.heads.fit.config import FitConfig
from stylesdf_core.heads.fit.crops import Window, cut, cut_rays, interest_of, windows_on
from stylesdf_core.heads.fit.data import HeadBank, ViewBatch
from stylesdf_core.heads.fit.decoding import (
    adam,
    go_on_without_noise,
    noise_strengths,
    show_enlarged_render,
)
from stylesdf_core.heads.fit.points import (
    fast_field,
    field_optimizer,
    total,
)
from stylesdf_core.heads.fit.render import SMALLEST_BETA, render_rays
from stylesdf_core.heads.fit.samples import FOV, evaluate_decoder
from stylesdf_core.heads.fit.supervision import PointSupervision
from stylesdf_core.rendering.camera import focal_length
from stylesdf_core.rendering.rays import cam2world, make_rays
from stylesdf_core.training.loop import Models, Phase, rate_factor, set_rate
from stylesdf_core.training.losses import (
    detail_weights,
    pyramid_loss,
    ringing_loss,
    sharpness_loss,
)

WARMUP = 200
#: Terms whose weights are settings; the others weigh 1.
WEIGHTED = ("sharpness", "ringing", "adversarial")
#: Heads whose points are held for each that is shown: points cost little beside rays.
POINT_HEADS, NEAR_POINTS, SPACE_POINTS = 8, 64, 48


class EndToEndPhase(Phase):
    """The whole generator, and a discriminator of what is compared."""

    later = PointSupervision.LATER

    def __init__(self, models: Models, bank: HeadBank, config: FitConfig) -> None:
        self.models, self.bank, self.config = models, bank, config
        live, settings = models.live, config.end_to_end
        assert live.decoder is not None
        self.decoder = live.decoder
        live.requires_grad_(True)
        for strength in noise_strengths(self.decoder):
            strength.requires_grad_(False)
        self.field = fast_field(live, config)
        self.scale = config.output_size // config.thumb_size
        self.supervision = PointSupervision(live, self.field, bank, config)
        self._mixed = config.precision == "bfloat16"
        self.adversary = Adversary(config, settings, live.field.sigmoid_beta.device)
        self.optimizers = {
            "field": field_optimizer(live, settings.learning_rate),
            "decoder": adam(self.decoder, settings.decoder_rate),
            "discriminator": self.adversary.optimizer,
            **self.supervision.optimizers,
        }
        self.networks = {
            "discriminator": self.adversary.discriminator,
            **self.supervision.networks,
        }
        self.batch = settings.heads

    def step(self, index: int) -> dict[str, Tensor]:
        """One step of the generator and one of the discriminator."""
        settings, live = self.config.end_to_end, self.models.live
        random = self.bank.random(self.config.seed * 1_000_003 + 900_000_000 + index)
        views = self.bank.views(random, settings.heads)
        if index == 0:
            self._start(views, random)
        for optimizer in self.optimizers.values():
            set_rate(optimizer, rate_factor(index, settings.steps, WARMUP))
        detail = detail_weights(views.images, settings.detail)
        interest = interest_of(views, detail, self.config.thumb_size)
        windows = windows_on(random, interest, settings.crop)
        shown = self._show(views, windows)
        heads = POINT_HEADS * settings.heads
        held = self.supervision.losses(random, heads, NEAR_POINTS, SPACE_POINTS)
        losses, truth = self._compare(shown, views, windows, detail)
        weights = {name: getattr(settings, name) for name in WEIGHTED}
        self._update(total(held) + total({k: weights.get(k, 1.0) * v for k, v in losses.items()}))
        seen = {f"points_{name}": value.detach() for name, value in held.items()}
        seen |= {name: value.detach() for name, value in losses.items()}
        if settings.adversarial > 0:
            seen |= self.adversary.train(shown.images, truth, index)
        return {**seen, "beta": live.field.sigmoid_beta.detach()[0]}

    def _update(self, loss: Tensor) -> None:
        """Move the generator; the field's gradient is clipped, as in the phases before."""
        moving = [
            optimizer for name, optimizer in self.optimizers.items() if name != "discriminator"
        ]
        for optimizer in moving:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        moved = [p for group in self.optimizers["field"].param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(moved, self.config.end_to_end.clip)
        for optimizer in moving:
            optimizer.step()
        with torch.no_grad():
            self.models.live.field.sigmoid_beta.clamp_(min=SMALLEST_BETA)

    def _start(self, views: ViewBatch, random: torch.Generator) -> None:
        """Go on from the averages, without noise; find how deep the surface lies."""
        go_on_without_noise(self.models)
        if self.config.init is None and self.config.decoder.steps == 0:
            show_enlarged_render(self.models, views)
        config = self.config
        if config.init is not None or config.points.steps or config.render.steps:
            self.supervision.find_surface(random)

    def _show(self, views: ViewBatch, windows: list[Window]) -> _Shown:
        """Volume renders of the windows and what the decoder makes of them."""
        live, size = self.models.live, self.config.thumb_size
        w = live.mapping(views.z)
        rays = make_rays(cam2world(views.azimuth, views.elevation), focal_length(FOV, size), size)
        rays = cut_rays(rays, [window.decoded for window in windows])
        edges = rays.origins.shape[1:3]
        flat = [x.flatten(1, 2) for x in (rays.origins, rays.directions, rays.viewdirs)]
        render = render_rays(self.field, live, w, *flat)

        def as_map(values: Tensor) -> Tensor:
            """(B, R, C) -> (B, C, h, w)."""
            maps: Tensor = values.movedim(1, -1).unflatten(-1, edges)
            return maps

        features = as_map(render.features).contiguous(memory_format=torch.channels_last)
        styles = live.broadcast_styles(self.decoder.map(w))
        noise = [None] * len(self.decoder.convs)
        with torch.autocast(w.device.type, torch.bfloat16, enabled=self._mixed):
            images: Tensor = self.decoder(features, styles, noise)
        images = cut(images, [window.compared for window in windows], self.scale)
        return _Shown(2.0 * as_map(render.rgb) - 1.0, as_map(render.coverage), images.float())

    def _compare(
        self, shown: _Shown, views: ViewBatch, windows: list[Window], detail: Tensor
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Terms by name, and the truth of what is compared, (B, 3, S', S')."""
        settings, size = self.config.end_to_end, self.config.thumb_size
        rendered = [window.decoded for window in windows]
        places = [window.truth for window in windows]
        images, truth = shown.images, cut(views.images, places, self.scale)
        edges = F.interpolate(cut(views.outline(size), places), scale_factor=self.scale)
        covered = cut(views.coverage(size), rendered)
        weights = cut(detail, places, self.scale)
        weights = weights / weights.mean()
        losses = {
            "render": (shown.rgb - cut(views.thumbs(size), rendered)).abs().mean(),
            "coverage": (shown.coverage - covered).abs().mean(),
            "image": pyramid_loss(images, truth),
            "detail": (weights * (images - truth).abs()).mean(),
            "sharpness": sharpness_loss(images, truth),
            "ringing": ringing_loss(images, truth, edges),
        }
        if settings.adversarial > 0:
            losses["adversarial"] = self.adversary.verdict(images)
        return losses, truth

    def evaluate(self, samples: Path) -> dict[str, float]:
        """Decoded images against truth and against the enlarged volume render."""
        return evaluate_decoder(self.models.ema, self.bank, samples)


@dataclass(frozen=True)
class _Shown:
    """A batch's windows as the generator shows them.

    Attributes:
        rgb, coverage: (B, 3 or 1, h, w) volume renders with their margin; in [−1, 1] and [0, 1].
        images: (B, 3, S', S') in [−1, 1], what is compared of the decoded ones.
    """

    rgb: Tensor
    coverage: Tensor
    images: Tensor
