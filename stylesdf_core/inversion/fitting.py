"""The fit of a person to photographs: pose and z, then the styles of each layer, coarse to fine.

Three stages follow each other, each with Adam from where the last one ended:

pose      z, poses, lights and framings, on pictures of 24² to 32² pixels; the surface is foggy
          at first (20 β), which gives the pose a gradient from afar, and ends as it is (β)
shape     z, lights and poses, and an offset of the w of each layer of the field, on the pixels
          of the volume render; offsets are held small, and ‖∇d‖ near 1, so that the surface
          stays a head
image     an offset of the style of each layer of the decoder, on windows of the image

A stage ends with its steps or, in a fit of limited time, with its share of the seconds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stylesdf_core.engine.compiled.device_graphs import exactly
from stylesdf_core.engine.field.baked_field import BakedField
from stylesdf_core.errors import InputError
from stylesdf_core.inversion.losses import gradient_error, picture_loss
from stylesdf_core.inversion.march import SHARP, seen_samples, soft_render
from stylesdf_core.inversion.picture import Lattice, PhotoView
from stylesdf_core.inversion.unknowns import Unknowns
from stylesdf_core.inversion.windows import WINDOW, Window
from stylesdf_core.model.config import RenderOptions
from stylesdf_core.model.model import Model
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.rendering.camera import FAR, NEAR
from stylesdf_core.rendering.volume_rendering import density_to_sigma, sdf_to_sigma

#: β at the beginning, as a multiple of the model's.
_FOG = 20.0
#: Share of the first stage after which β is the model's.
_CLEAR = 0.8
#: Edges of the first stage's pictures, and the share of the stage after which the second is used.
_EDGES, _FINER = (24, 32), 0.4
#: Weights of the priors beside the pictures' loss.
_Z_PRIOR, _FIELD_PRIOR, _DECODER_PRIOR, _EIKONAL = 3e-3, 0.2, 0.02, 0.02
#: Weights of the estimated pose and framing, per squared standard deviation; standard deviation of
#: the estimated framing.
_POSE_PRIOR, _FRAMING_SPREAD = 0.01, 0.05
#: A photograph shows what the model cannot, such as clothes and pores: z and offsets are held this
#: many times as much, or eyes and mouth blur.
_PHOTO_HOLD = 30.0
#: Weight of the landmarks' distances, and the distance below which they count little, in half edges
#: of the picture: judges place them so exactly.
_LANDMARKS, _LANDMARK_NOISE = 4.0, 0.015
#: Points at which ‖∇d‖ is measured in a step.
_EIKONAL_POINTS = 256
#: Least half width of the layer of samples with gradients, world units.
_LAYER = 0.004
#: Fewest samples of a ray, and their distance as a multiple of β: fog needs fewer than a surface.
_FEWEST, _SPACING = 16, 1.5
#: The shape's stage renders every second row and column, from a random first one.
_STEP = 2


@dataclass(frozen=True)
class _Stage:
    """A stage: its steps, and the share of a limited time at which it ends."""

    name: str
    steps: int
    until: float

    def shares(self, start: float, seconds: float, effort: float) -> Iterator[float]:
        """How far the stage is, 0 to below 1, before each of its steps.

        Args:
            start: when the fit began, of the monotonic clock.
            seconds, effort: of the fit.
        """
        begin, end = time.monotonic(), start + self.until * seconds
        steps = max(1, round(self.steps * effort))
        for step in range(steps):
            now = time.monotonic()
            if step and now >= end:
                return
            yield max(step / steps, min(0.99, (now - begin) / max(end - begin, 1e-3)))


_STAGES = (
    _Stage("finding the pose", 120, 0.35),
    _Stage("fitting the shape", 140, 0.75),
    _Stage("fitting the image", 100, 1.0),
)


class Fit:
    """A fit; iterate :meth:`run`, and read :attr:`unknowns` between its steps.

    Args:
        model: its weights are only read.
        generator: the model's generator on the device of the views.
        views: one or more photographs of one person.
        seconds: limit of the whole fit.
        effort: number of steps, as a multiple of the usual one.
        framed: the photographs are framed exactly as the model's own pictures.

    Raises:
        InputError: the model has a background field, which a fit would not find.
    """

    def __init__(
        self,
        model: Model,
        generator: Generator,
        views: Sequence[PhotoView],
        *,
        seconds: float = math.inf,
        effort: float = 1.0,
        framed: bool = False,
    ) -> None:
        if generator.config.has_background:
            raise InputError(
                f"The model {model.name} has a background field; photographs are fitted only with "
                "models without one, such as heads."
            )
        self._generator, self._framed = generator, framed
        self._seconds, self._effort = seconds, effort
        self.views = list(views)
        self.unknowns = Unknowns(model, generator, views)
        self._estimated = self.unknowns.angles.detach().clone()
        self._beta = max(float(generator.field.sigmoid_beta), 1e-6)
        self._random = torch.Generator().manual_seed(0)

    def run(self) -> Operation[None]:
        """Fit; yields Progress after every step. Closing it keeps the unknowns as they are."""
        return exactly(self._stages(), self._generator.field.sigmoid_beta.device)

    def _stages(self) -> Operation[None]:
        start, before = time.monotonic(), 0.0
        stages = [self._find_pose, self._fit_shape]
        if self._generator.decoder is not None:
            stages.append(self._fit_image)
        for stage, work in zip(_STAGES, stages, strict=False):
            for share in work(stage.shares(start, self._seconds, self._effort)):
                yield Progress(before + share * (stage.until - before), 1.0, stage.name)
            before = stage.until

    # --- stages ---------------------------------------------------------------------------------

    def _find_pose(self, shares: Iterator[float]) -> Iterator[float]:
        own, views = self.unknowns, self.views
        groups = [
            {"params": [own.z, own.light], "lr": 0.08},
            {"params": [own.angles], "lr": 0.02},
            {"params": [own.framing], "lr": 0.0 if self._framed else 0.005},
        ]
        optimizer = torch.optim.Adam(groups, betas=(0.9, 0.95))
        targets = {edge: [view.picture(edge) for view in views] for edge in _EDGES}
        for share in shares:
            edge = _EDGES[share >= _FINER]
            beta = self._beta * _FOG ** max(0.0, 1.0 - share / _CLEAR)
            _slow_down(optimizer, share)
            optimizer.zero_grad()
            self._prior().backward()
            for photo in range(len(views)):
                rgb = self._rendered(photo, Lattice(edge), beta)
                loss = picture_loss(rgb, targets[edge][photo][None]) + self._off_landmarks(photo)
                (loss / len(views)).backward()
            optimizer.step()
            yield share
        if not self._framed:
            for photo, view in enumerate(views):
                views[photo] = view.reframed(own.take_framing(photo))

    def _fit_shape(self, shares: Iterator[float]) -> Iterator[float]:
        own, views = self.unknowns, self.views
        edge = self._generator.config.thumb_size
        groups = [
            {"params": [own.z, own.light], "lr": 0.03},
            {"params": [own.angles], "lr": 0.002},
            {"params": [own.field], "lr": 0.002},
        ]
        optimizer = torch.optim.Adam(groups, betas=(0.9, 0.95))
        targets = [view.picture(edge) for view in views]
        for share in shares:
            _slow_down(optimizer, share)
            optimizer.zero_grad()
            self._prior().backward()
            for photo in range(len(views)):
                pixels = Lattice(edge, _STEP, *self._drawn(_STEP, 2))
                rgb = self._rendered(photo, pixels, self._beta)
                loss = picture_loss(rgb, pixels.of(targets[photo][None]))
                ((loss + self._off_landmarks(photo)) / len(views)).backward()
            self._flatness().backward()
            optimizer.step()
            yield share

    def _fit_image(self, shares: Iterator[float]) -> Iterator[float]:
        own, views, config = self.unknowns, self.views, self._generator.config
        decoder = self._generator.decoder
        assert decoder is not None
        with torch.no_grad():
            features = [self._features(photo) for photo in range(len(views))]
            styles = [own.decoder_styles(photo) - own.decoder for photo in range(len(views))]
        targets = [view.picture(config.output_size) for view in views]
        noise = self._generator.noise_maps(RenderOptions())
        optimizer = torch.optim.Adam([own.decoder], lr=0.02, betas=(0.9, 0.95))
        edge = min(WINDOW, config.thumb_size)
        for step, share in enumerate(shares):
            _slow_down(optimizer, share)
            photo = step % len(views)
            top, left = self._drawn(config.thumb_size - edge + 1, 2)
            window = Window(top, left, edge, config.thumb_size)
            image = decoder(
                window.of(features[photo]),
                styles[photo] + own.decoder,
                [None if n is None else window.of(n) for n in noise],
            )
            truth = window.of(targets[photo][None])
            loss = picture_loss(window.inner(image), window.inner(truth))
            loss = loss + _DECODER_PRIOR * own.decoder.square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield share

    # --- parts of the losses --------------------------------------------------------------------

    def _drawn(self, below: int, count: int) -> list[int]:
        """Random whole numbers from 0."""
        numbers: list[int] = torch.randint(0, below, (count,), generator=self._random).tolist()
        return numbers

    def _density(self, beta: float) -> Callable[[Tensor], Tensor]:
        if self._generator.config.field == "density":
            return density_to_sigma
        return lambda scalar: sdf_to_sigma(scalar, beta)

    def _rendered(self, photo: int, pixels: Lattice, beta: float) -> Tensor:
        """Colours of a photograph's view, (1, 3, edge, edge)."""
        own, most = self.unknowns, self._generator.config.samples
        rgb = soft_render(
            BakedField(self._generator.field, own.field_styles(photo)),
            self._density(beta),
            own.rays(photo, pixels),
            min(most, max(_FEWEST, math.ceil((FAR - NEAR) / (_SPACING * beta)))),
            max(SHARP * beta, _LAYER),
        )
        return _square(rgb, pixels.edge)

    def _features(self, photo: int) -> Tensor:
        """The decoder's input, (1, width, thumb, thumb), as exact as the engine's."""
        own, config = self.unknowns, self._generator.config
        field = BakedField(self._generator.field, own.field_styles(photo))
        rays = own.rays(photo, Lattice(config.thumb_size))
        density = self._density(self._beta)
        seen = seen_samples(field, density, rays, config.samples, SHARP * self._beta)
        return _square(seen.features(field), config.thumb_size)

    def _prior(self) -> Tensor:
        """What holds z, offsets, poses and framings near what is known of them."""
        own = self.unknowns
        z = torch.cat([own.z_of(photo) for photo in range(len(self.views))]) - own.start
        spread = torch.tensor([view.spread for view in self.views], device=z.device)[:, None]
        angles = (own.angles - self._estimated) / spread
        held = 1.0 if self._framed else _PHOTO_HOLD
        off = angles.square().mean() + (own.framing / _FRAMING_SPREAD).square().mean()
        styles = _Z_PRIOR * z.square().mean() + _FIELD_PRIOR * own.field.square().mean()
        return held * styles + _POSE_PRIOR * off

    def _off_landmarks(self, photo: int) -> Tensor:
        """How far the head's landmarks lie from the photograph's, where both are known."""
        seen = self.views[photo].landmarks_in_picture()
        miss = None if seen is None else self.unknowns.landmark_miss(photo, seen)
        if miss is None:
            return self.unknowns.z.new_zeros(())
        distances = (miss.square().sum(dim=-1) + _LANDMARK_NOISE**2).sqrt()
        return _LANDMARKS * distances.mean()

    def _flatness(self) -> Tensor:
        """The eikonal term at random points near the surface."""
        if self._generator.config.field == "density":
            return self.unknowns.z.sum() * 0.0
        field = BakedField(self._generator.field, self.unknowns.field_styles(0))
        return _EIKONAL * gradient_error(field, _EIKONAL_POINTS, self._random)


def _slow_down(optimizer: torch.optim.Optimizer, share: float) -> None:
    """Lower the rates, down to a tenth of the first ones at a stage's end."""
    for group in optimizer.param_groups:
        group["lr"] = group.setdefault("initial_lr", group["lr"]) * (1.0 - 0.9 * share)


def _square(values: Tensor, edge: int) -> Tensor:
    """(edge², C) -> (1, C, edge, edge)."""
    return values.view(edge, edge, -1).movedim(-1, 0)[None]
