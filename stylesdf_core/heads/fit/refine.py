"""Last phase of the fit: the decoder alone, against the truth and StyleGAN2's discriminator.

The whole renderer is frozen, so that a view's feature map is rendered once, by the engine, and
kept: a step costs the decoder's convolutions and nothing else. Every image of a batch shows its
own window, mostly where there is something to see.

The truth says what is where, compared a little smaller than it is (``compared_at``) where a field
is a pixel or two off: then absolute differences at full size ask for blur. The finest detail is the
adversary's, as in the paper's second stage (non-saturating loss and R1, Sec. 4.2). Along a head's
outline, which is a pixel beside the truth's, asking for sharpness brings seams; they are asked not
to be.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from stylesdf_core.engine.engine import Engine
from stylesdf_core.errors import InputError
from stylesdf_core.heads.fit.adversary import Adversary
from stylesdf_core.heads.fit.config import FitConfig
from stylesdf_core.heads.fit.crops import Window, cut, interest_of, windows_on
from stylesdf_core.heads.fit.data import HeadBank, ViewBatch
from stylesdf_core.heads.fit.decoding import adam, go_on_without_noise, noise_strengths
from stylesdf_core.heads.fit.samples import FOV, evaluate_decoder
from stylesdf_core.model.config import RenderOptions
from stylesdf_core.model.model import MeanLatents, Model
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Identity, Scene
from stylesdf_core.training.loop import Models, Phase, rate_factor, set_rate
from stylesdf_core.training.losses import (
    detail_weights,
    extremes_loss,
    pyramid_loss,
    ringing_loss,
    sharpness_loss,
)

WARMUP = 200
#: Of a batch, that eyes count as at least: a sliver of one shall not count as much as a whole one.
SMALLEST_SHARE = 2e-3


class RefinePhase(Phase):
    """Decoder and discriminator; the renderer and its mapping are frozen at their averages.

    Raises:
        InputError: eyes shall count, but the views do not say where they are.
    """

    def __init__(self, models: Models, bank: HeadBank, config: FitConfig) -> None:
        self.models, self.bank, self.config = models, bank, config
        live, settings = models.live, config.refine
        if settings.eyes > 0.0 and not bank.knows_eyes:
            raise without_eyes(config.data)
        live.requires_grad_(False)
        assert live.decoder is not None
        self.decoder = live.decoder
        self.decoder.requires_grad_(True)
        if not settings.noise:
            for strength in noise_strengths(self.decoder):
                strength.requires_grad_(False)
        self.scale = config.output_size // config.thumb_size
        self._mixed = config.precision == "bfloat16"
        self.adversary = Adversary(config, settings, live.field.sigmoid_beta.device)
        self.optimizers = {
            "decoder": adam(self.decoder, settings.learning_rate),
            "discriminator": self.adversary.optimizer,
        }
        self.networks = {"discriminator": self.adversary.discriminator}
        self.batch = settings.heads
        self._features: FeatureCache | None = None

    def step(self, index: int) -> dict[str, Tensor]:
        """One step of the decoder and one of the discriminator."""
        settings = self.config.refine
        random = self.bank.random(self.config.seed * 1_000_003 + 800_000_000 + index)
        views = self.bank.views(random, settings.heads)
        if index == 0:
            self._start()
        outline = views.outline(self.config.thumb_size)
        detail = detail_weights(views.images, settings.detail)
        interest = interest_of(views, detail, self.config.thumb_size)
        windows = windows_on(random, interest, settings.crop)
        places = [window.truth for window in windows]
        edges = F.interpolate(cut(outline, places), scale_factor=self.scale)
        truth = cut(views.images, places, self.scale)
        images = self._decode(views, windows)
        for optimizer in self.optimizers.values():
            set_rate(optimizer, rate_factor(index, settings.steps, WARMUP))
        shrunk, shrunk_truth = (F.avg_pool2d(x, settings.compared_at) for x in (images, truth))
        losses = {
            "image": pyramid_loss(shrunk, shrunk_truth, levels=2),
            "sharpness": sharpness_loss(images, truth),
            "ringing": ringing_loss(images, truth, edges),
        }
        loss = losses["image"] + settings.sharpness * losses["sharpness"]
        if settings.detail_weight > 0:
            weights = cut(detail, places, self.scale)
            losses["detail"] = (weights / weights.mean() * (images - truth).abs()).mean()
            loss = loss + settings.detail_weight * losses["detail"]
        loss = loss + settings.ringing * losses["ringing"]
        if settings.eyes > 0:
            eyes = F.adaptive_avg_pool2d(views.eyes, self.config.thumb_size)
            eyes = F.interpolate(cut(eyes, places), scale_factor=self.scale)
            eyes = eyes / eyes.mean().clamp_min(SMALLEST_SHARE)
            losses["eyes"] = (eyes * (images - truth).abs()).mean()
            losses["extremes"] = extremes_loss(images, truth, eyes)
            loss = loss + settings.eyes * (losses["eyes"] + losses["extremes"])
        if settings.adversarial > 0:
            losses["adversarial"] = self.adversary.verdict(images)
            loss = loss + settings.adversarial * losses["adversarial"]
        optimizer = self.optimizers["decoder"]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if settings.adversarial > 0:
            losses |= self.adversary.train(images, truth, index)
        return losses

    def _start(self) -> None:
        """Freeze the averaged renderer, and go on with the averaged decoder."""
        if self.config.refine.noise:
            self.models.live.load_state_dict(self.models.ema.state_dict())
        else:
            go_on_without_noise(self.models)

    def _decode(self, views: ViewBatch, windows: list[Window]) -> Tensor:
        """What the windows compare, (B, 3, S', S') in [−1, 1]."""
        generator = self.models.live
        if self._features is None:
            self._features = FeatureCache(generator, self.config.refine.cache_gb)
        maps = self._features.of(views)
        features = torch.stack([w.decoded.of(m) for w, m in zip(windows, maps, strict=True)])
        features = features.float().contiguous(memory_format=torch.channels_last)
        noise: list[Tensor | None] = []
        for map_ in generator.noise_maps(RenderOptions()):
            assert map_ is not None
            scale = map_.shape[-1] // self.config.thumb_size
            noise.append(torch.cat([w.decoded.of(map_, scale) for w in windows]))
        with torch.no_grad():
            w = generator.mapping(views.z)
        styles = generator.broadcast_styles(self.decoder.map(w))
        with torch.autocast(features.device.type, torch.bfloat16, enabled=self._mixed):
            images: Tensor = self.decoder(features, styles, noise)
        return cut(images, [window.compared for window in windows], self.scale).float()

    def evaluate(self, samples: Path) -> dict[str, float]:
        """Decoded images against truth and against the enlarged volume render."""
        return evaluate_decoder(self.models.ema, self.bank, samples)


def without_eyes(data: str) -> InputError:
    """What to say of a folder whose views were rendered before eyes were told apart."""
    return InputError(
        f"{data} holds views of an earlier version, which do not say where eyes are; choose "
        "another folder, or delete its folder views and give --facekit to render them again."
    )


class FeatureCache:
    """Feature maps of a frozen renderer, each rendered once as long as memory allows.

    Args:
        generator: its weights must not change any more, the decoder's excepted.
        gigabytes: to keep maps in, as 16-bit floats.
    """

    def __init__(self, generator: Generator, gigabytes: float) -> None:
        nothing = MeanLatents(torch.zeros(1, generator.config.z_dim), torch.zeros(1, 512))
        model = Model("training", Path(), generator, nothing, ())
        self._engine = Engine(model, generator.field.sigmoid_beta.device.type, exact=True)
        self._maps: dict[int, Tensor] = {}
        config = generator.config
        self._most = int(gigabytes * 1e9 / (2 * config.width * config.thumb_size**2))

    def of(self, views: ViewBatch) -> list[Tensor]:
        """The maps (width, thumb_size, thumb_size) of views, float16."""
        return [self._of(views, place, row) for place, row in enumerate(views.rows.tolist())]

    def _of(self, views: ViewBatch, place: int, row: int) -> Tensor:
        known = self._maps.get(row)
        if known is not None:
            return known
        camera = OrbitCamera(float(views.azimuth[place]), float(views.elevation[place]), FOV)
        identity = Identity(z=tuple(views.z[place].tolist()))
        scene = Scene(identity=identity, truncation_psi=1.0, camera=camera)
        features = self._engine.features(scene).half()
        if len(self._maps) < self._most:
            self._maps[row] = features
        return features
