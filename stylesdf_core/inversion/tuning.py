"""Pivotal tuning: the layers of colour learn what no style of the model can say.

The styles of a fitted head, the pivot, are held, and the weights of the decoder and of the field's
layers of colour change (Roich et al. 2021). The surface stays. Three kinds of pictures count:

photograph  inside the head's outline with the photograph, outside with the head as it was
turned      the head turned to the sides: where the photograph sees the surface, with the
            photograph, carried along by the surface; elsewhere with the head as it was
others      other faces, from the pivot's neighbours to strangers: with themselves as they were
            (locality)

Surface and trunk do not change, so the samples of all pictures are found once; a step evaluates
the layers of colour at the samples of a window, and decodes the window.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from stylesdf_core.engine.compiled.device_graphs import exact_products, exactly
from stylesdf_core.engine.engine import Engine
from stylesdf_core.inversion.losses import picture_loss
from stylesdf_core.inversion.picture import PhotoView
from stylesdf_core.inversion.sights import Sight, Sights
from stylesdf_core.inversion.windows import WINDOW, Window
from stylesdf_core.model.config import RenderOptions
from stylesdf_core.model.tuning import factors, tunable
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.scene.scene import Scene

#: Steps, and rates of Adam for the decoder and for the field.
_STEPS, _RATE, _FIELD_RATE = 110, 0.01, 0.001
#: Steps in which the rates grow, and their last value as a share.
_WARM_UP, _LAST = 10, 0.1
#: Weights of the squared differences, and of the volume render's, beside :func:`picture_loss`.
_SQUARED, _VOLUME = 4.0, 0.5
#: Weight of the squared differences of other faces.
_LOCALITY = 15.0
#: Beginnings of windows, pixels beyond either border, that become beginnings at the border, where
#: the convolutions' padding shows.
_BORDER = 6
#: Random windows from which one is chosen.
_TRIALS = 3
#: Share of the work that finds the pictures.
_FINDING = 0.15
_MESSAGE = "learning the details"


class Tuning:
    """A tuning; iterate :meth:`run`, and read :attr:`changes` between its steps.

    Args:
        engine: of the model; its weights are only read.
        scenes: the person as each of the photographs shows them.
        views: the photographs.
        seconds: limit of the tuning.

    Raises:
        ValueError: the model has no decoder.
    """

    def __init__(
        self,
        engine: Engine,
        scenes: Sequence[Scene],
        views: Sequence[PhotoView],
        seconds: float = math.inf,
    ) -> None:
        decoder = engine.generator.decoder
        if decoder is None:
            raise ValueError("a renderer-only model has no decoder to tune")
        self._decoder, self._field = decoder, engine.generator.field
        self._config, self._device, self._seconds = engine.config, engine.device, seconds
        self._known = {k: v.detach() for k, v in tunable(engine.generator).items()}
        self._changes = {k: torch.zeros_like(v).requires_grad_() for k, v in self._known.items()}
        self._noise = engine.generator.noise_maps(RenderOptions())
        self._random = torch.Generator().manual_seed(0)
        self._sights = Sights(engine, scenes, views)
        self.is_ready = False

    @property
    def changes(self) -> dict[str, Tensor]:
        """What to add to the weights, as ``save_tuning`` takes it."""
        return factors(self._changes)

    @torch.no_grad()
    def picture(self, photo: int = 0) -> npt.NDArray[np.float32]:
        """The head as a photograph shows it, (S, S, 3) in [0, 1]."""
        size = self._config.thumb_size
        whole = Window(0, 0, size, size)
        with exact_products(self._device):
            image, _ = self._seen(self._sights.photos[photo], whole)
        return np.asarray((0.5 * image + 0.5).clamp(0, 1)[0].movedim(0, -1).cpu().numpy())

    def run(self) -> Operation[None]:
        """Tune; yields Progress after every step. Closing it keeps the changes as they are."""
        return exactly(self._steps(), self._device)

    def _steps(self) -> Operation[None]:
        end = time.monotonic() + self._seconds
        for share in self._sights.find():
            yield Progress(_FINDING * share, 1.0, _MESSAGE)
        self.is_ready, begin = True, time.monotonic()
        yield Progress(_FINDING, 1.0, _MESSAGE)
        groups = [
            {"params": [v for k, v in self._changes.items() if k.startswith(part)], "lr": 0.0}
            for part in ("decoder", "field")
        ]
        optimizer = torch.optim.Adam(groups, betas=(0.9, 0.98))
        for step in range(_STEPS):
            share = max(step / _STEPS, (time.monotonic() - begin) / max(end - begin, 1e-3))
            if share >= 1.0:
                return
            pace = min(1.0, (step + 1) / _WARM_UP) * (1.0 - (1.0 - _LAST) * share)
            for group, rate in zip(optimizer.param_groups, (_RATE, _FIELD_RATE), strict=True):
                group["lr"] = rate * pace
            optimizer.zero_grad()
            self._step()
            optimizer.step()
            yield Progress(_FINDING + (1.0 - _FINDING) * share, 1.0, _MESSAGE)

    def _step(self) -> None:
        """Add the gradients of a picture of each kind, and of two other faces."""
        sights = self._sights
        for kind in (sights.photos, sights.turned, sights.others, sights.others):
            sight = kind[self._drawn(len(kind))]
            window = self._window(sight)
            image, volume = self._seen(sight, window)
            target = window.of(sight.target[None])
            small = F.interpolate(target, size=(window.edge,) * 2, mode="area")
            image, target = window.inner(image), window.inner(target)
            squared = _squared(image, target) + _VOLUME * _squared(volume, small)
            if kind is sights.others:
                loss = _LOCALITY * squared
            else:
                loss = picture_loss(image, target) + _SQUARED * squared
            loss.backward()

    def _seen(self, sight: Sight, window: Window) -> tuple[Tensor, Tensor]:
        """Image (1, 3, …) and volume render (1, 3, …) of a window, with gradients."""
        weights = {name: self._known[name] + change for name, change in self._changes.items()}
        samples, edge = sight.samples, window.edge
        number = torch.full((window.size,) * 2, -1, device=samples.ray.device)
        window.of(number)[:] = torch.arange(edge * edge, device=number.device).view(edge, edge)
        own = number.flatten()[samples.ray]
        chosen = own >= 0
        own, share = own[chosen], samples.share[chosen, None]
        inputs = torch.cat([samples.trunk[chosen], samples.viewdirs[samples.ray[chosen]]], dim=-1)
        view, color = self._field.view_layer.linear, self._field.rgb_head
        products = F.linear(inputs, weights["field.view_layer.linear.weight"], view.bias.detach())
        each = torch.sin(sight.gamma * products + sight.beta)
        logits = F.linear(each, weights["field.rgb_head.weight"], color.bias.detach())
        sums = torch.cat([share * each, share * torch.sigmoid(logits)], dim=-1)
        total = sums.new_zeros(edge * edge, sums.shape[1]).index_add(0, own, sums)
        maps = total.T.reshape(1, -1, edge, edge)
        features, volume = maps[:, :-3], 2.0 * maps[:, -3:] - 1.0
        noise = [None if n is None else window.of(n) for n in self._noise]
        prefix = "decoder."
        of_decoder = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
        image = torch.func.functional_call(
            self._decoder, of_decoder, (features, sight.styles, noise)
        )
        return image, volume

    def _window(self, sight: Sight) -> Window:
        """A random window, of several the one in which most is to be learned."""
        size = sight.lacks.shape[-1]
        edge = min(WINDOW, size)
        windows = [
            Window(self._start(size - edge), self._start(size - edge), edge, size)
            for _ in range(_TRIALS)
        ]
        return max(windows, key=lambda window: float(window.of(sight.lacks).sum()))

    def _start(self, last: int) -> int:
        """A random beginning of a window, 0 to ``last``, often at a border of the picture."""
        return max(0, min(last, self._drawn(last + 2 * _BORDER + 1) - _BORDER))

    def _drawn(self, below: int) -> int:
        return int(torch.randint(0, below, (1,), generator=self._random))


def _squared(images: Tensor, target: Tensor) -> Tensor:
    """Weighted mean squared difference of (1, 3, H, W) to (1, 4, H, W)."""
    weights = target[:, 3:]
    squared = weights * (images - target[:, :3]).square()
    return squared.mean() / weights.mean().clamp_min(1e-6)
