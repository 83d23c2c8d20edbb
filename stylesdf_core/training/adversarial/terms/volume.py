"""Losses of generated and real volume renders (paper, Eq. 6–8), as modules that DDP can wrap.

A module's forward computes a chunk's loss and returns it as ``loss``, together with terms to be
recorded. Losses are means over images, so chunks weighted by their size give the gradients of the
whole batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from stylesdf_core.engine.batch_render import BatchRender, batch_render
from stylesdf_core.model.config import RenderOptions
from stylesdf_core.model.networks.discriminators import LogitsAndAngles
from stylesdf_core.model.networks.generator import Generator, VolumeRender
from stylesdf_core.rendering.camera import focal_length
from stylesdf_core.rendering.rays import cam2world, make_rays
from stylesdf_core.rendering.volume_rendering import sample_depths, sample_points
from stylesdf_core.training.adversarial.batches.draws import Fakes
from stylesdf_core.training.adversarial.config.losses import VolumeLosses
from stylesdf_core.training.losses import (
    eikonal_loss,
    generator_loss,
    minimal_surface_loss,
    normal_smoothness_loss,
    pose_loss,
    sphere_loss,
)
from stylesdf_core.training.optimizing import Terms
from stylesdf_core.training.precision import Autocast

#: Distance over which the change of normals is measured, world units.
_BESIDE = 0.004
#: (far − near)/4, world units: the sphere that training starts from.
SPHERE_RADIUS = 0.06
#: Samples of a render from which on the engine is faster: with a head-like field, 64² × 24 samples
#: take 0.6 of the modules' processor time, 32² × 24 samples 1.5 times, 32² × 8 samples 3.5 times.
_WORTH_A_GRID = 50_000
_is_plain = ContextVar("plain fakes", default=False)


def render_fakes(
    generator: Generator,
    w: Tensor,
    fakes: Fakes,
    *,
    with_gradient: bool = False,
    recompute: bool = False,
) -> VolumeRender:
    """Volume renders as in training: samples jittered, the background not forced.

    Args:
        with_gradient: also compute the SDF's gradient at every sample, for the eikonal loss.
        recompute: keep no activations; the backward pass renders again.
    """
    size = generator.config.thumb_size
    options = _options(fakes)

    def render(w: Tensor) -> VolumeRender:
        return generator.volume_render(
            w,
            cam2world(fakes.angles[:, 0], fakes.angles[:, 1]),
            focal_length(fakes.poses.fov, size),
            options,
            jitter=fakes.jitter,
            trained_fov=None,
            with_gradient=with_gradient,
            patches=fakes.patches,
        )

    if not recompute:
        return render(w)
    return VolumeRender(*checkpoint(lambda w: _fields(render(w)), w, use_reentrant=False))


@contextmanager
def plain_fakes(is_plain: bool = True) -> Iterator[None]:
    """Let the networks' own modules draw all fakes, while this lasts: to measure the engine."""
    token = _is_plain.set(is_plain)
    try:
        yield
    finally:
        _is_plain.reset(token)


@torch.no_grad()
def drawn_fakes(generator: Generator, w: Tensor, fakes: Fakes) -> BatchRender:
    """Volume renders of :func:`render_fakes` without gradients.

    On a CPU the engine draws large ones. Of small ones, its grid of distances, which each latent
    needs anew, has more points than the render has samples.
    """
    samples = generator.config.thumb_size**2 * generator.config.samples
    is_small = samples < _WORTH_A_GRID or w.dtype != torch.float32
    if _is_plain.get() or w.device.type != "cpu" or is_small:
        render = render_fakes(generator, w, fakes)
        return BatchRender(render.rgb, render.features)
    size, poses = generator.config.thumb_size, fakes.poses
    return batch_render(
        generator,
        w,
        cam2world(fakes.angles[:, 0], fakes.angles[:, 1]),
        focal_length(poses.fov, size),
        _options(fakes),
        fakes.jitter,
        fakes.patches,
    )


def _options(fakes: Fakes) -> RenderOptions:
    return RenderOptions(force_background=False, static_viewdirs=fakes.poses.static_viewdirs)


def _fields(render: VolumeRender) -> tuple[Tensor, ...]:
    return (render.rgb, render.features, render.mask, render.depth, render.xyz, render.scalar)


def ray_points(generator: Generator, fakes: Fakes) -> Tensor:
    """Sample points of the chosen rays of each fake, (B, R·N, 3), world."""
    size = generator.config.thumb_size
    cameras = cam2world(fakes.angles[:, 0], fakes.angles[:, 1])
    focal = focal_length(fakes.poses.fov, size)
    rays = make_rays(cameras, focal, size, patches=fakes.patches)
    t_vals = sample_depths(generator.config.samples, fakes.angles, fakes.jitter)
    points = sample_points(rays.origins, rays.directions, t_vals).flatten(1, 2)  # (B, HW, N, 3)
    chosen = fakes.rays[:, :, None, None].expand(-1, -1, *points.shape[2:])
    return torch.gather(points, 1, chosen).flatten(1, 2)


def sdf_and_gradient(generator: Generator, points: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """The field's scalar (B, N, 1) at world points (B, N, 3), and its gradient (B, N, 3)."""
    points = points.detach().requires_grad_()
    sdf = generator.field.scalar(points, w)
    (gradient,) = torch.autograd.grad(sdf.sum(), points, create_graph=True)
    return sdf, gradient


def normal_smoothness(
    generator: Generator, render: VolumeRender, w: Tensor, fakes: Fakes
) -> Tensor:
    """How much the normals of a rendered surface change over _BESIDE, in random directions.

    The points are the expected points of the chosen rays, or of all rays; each is moved across its
    camera's axis, by an angle that the ray's jitter gives.
    """
    points = render.xyz.detach().flatten(2).transpose(1, 2)  # (B, HW, 3)
    seen = 1.0 - render.mask.detach().flatten(1)
    angles = 2.0 * math.pi * fakes.jitter.flatten(1)
    axes = cam2world(fakes.angles[:, 0], fakes.angles[:, 1])[:, None, :, :2]  # right, up
    across = torch.stack([angles.cos(), angles.sin()], dim=-1)
    offsets = _BESIDE * (axes @ across[..., None]).squeeze(-1)
    if fakes.rays.shape[1]:
        rows = torch.arange(len(points), device=points.device)[:, None]
        points, offsets, seen = (x[rows, fakes.rays] for x in (points, offsets, seen))
    _, gradient = sdf_and_gradient(generator, torch.cat([points, points + offsets], dim=1), w)
    own, beside = F.normalize(gradient, dim=-1).chunk(2, dim=1)
    return normal_smoothness_loss(own, beside, seen)


class SphereTerms(nn.Module):
    """The sphere's loss at samples of training cameras."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, fakes: Fakes) -> Terms:
        """Loss of a chunk."""
        points = ray_points(self.generator, fakes)
        w = self.generator.mapping(fakes.z)
        loss = sphere_loss(self.generator.field.scalar(points, w), points, SPHERE_RADIUS)
        return {"loss": loss, "sphere": loss.detach()}


class VolumeGeneratorTerms(nn.Module):
    """The volume renderer's loss: adversarial, pose, eikonal, minimal surface (Eq. 6–8).

    Args:
        discriminate: calls the discriminator on the renders of fakes. The discriminator must not
            be a submodule: its parameters are not trained here.
    """

    def __init__(
        self,
        generator: Generator,
        discriminate: Callable[[Tensor, Fakes], LogitsAndAngles],
        weights: VolumeLosses,
        autocast: Autocast,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.weights = weights
        self._discriminate = discriminate
        self._autocast = autocast

    def forward(self, fakes: Fakes, anchor: float = 0.0) -> Terms:
        """Loss of a chunk, all terms unweighted, and figures of the field."""
        w = self.generator.mapping(fakes.z)
        with_gradient = self._geometry_everywhere and self.weights.eikonal > 0
        render = render_fakes(self.generator, w, fakes, with_gradient=with_gradient)
        return self.of(render, w, fakes, anchor)

    def of(self, render: VolumeRender, w: Tensor, fakes: Fakes, anchor: float = 0.0) -> Terms:
        """Loss of a rendered chunk; ``anchor`` is the weight of the sphere's loss."""
        generator = self.generator
        is_sdf = generator.config.field == "sdf"
        loss, record = self._discriminator_terms(render, fakes)
        if is_sdf:
            sdf, gradient = render.scalar, render.gradient
            if not self._geometry_everywhere:
                points = ray_points(generator, fakes)
                sdf, gradient = sdf_and_gradient(generator, points, w)
                if anchor > 0:
                    loss = loss + anchor * sphere_loss(sdf, points, SPHERE_RADIUS)
            terms = geometry_terms(sdf, gradient, self.weights)
            loss = loss + terms.pop("loss")
            if self.weights.normal_smoothness > 0:
                smoothness = normal_smoothness(generator, render, w, fakes)
                loss = loss + self.weights.normal_smoothness * smoothness
                terms["normal_smoothness"] = smoothness.detach()
            record |= terms | {"beta": generator.field.sigmoid_beta.detach()[0]}
        return {"loss": loss, **record, **describe(render, is_sdf=is_sdf)}

    @property
    def _geometry_everywhere(self) -> bool:
        return self.generator.config.field == "sdf" and self.weights.geometry_rays == 0

    def _discriminator_terms(self, render: VolumeRender, fakes: Fakes) -> tuple[Tensor, Terms]:
        """The adversarial and the pose term."""
        with self._autocast.on():
            output = self._discriminate(render.rgb, fakes)
        adversarial = generator_loss(output.logits.float())
        pose = pose_loss(output.angles.float(), fakes.angles)
        loss = adversarial + self.weights.pose * pose
        return loss, {"g_adversarial": adversarial.detach(), "g_pose": pose.detach()}


def geometry_terms(sdf: Tensor, gradient: Tensor | None, weights: VolumeLosses) -> Terms:
    """Eikonal (Eq. 7) and minimal-surface loss (Eq. 8); a weight of 0 leaves a term out."""
    loss = sdf.new_zeros(())
    record: Terms = {}
    if weights.eikonal > 0 and gradient is not None:
        eikonal = eikonal_loss(gradient)
        loss = loss + weights.eikonal * eikonal
        record["eikonal"] = eikonal.detach()
    if weights.minimal_surface > 0:
        surface = minimal_surface_loss(sdf)
        loss = loss + weights.minimal_surface * surface
        record["minimal_surface"] = surface.detach()
    return {"loss": loss, **record}


@torch.no_grad()
def describe(render: VolumeRender, *, is_sdf: bool) -> Terms:
    """Range of the scalar and, of a signed distance, the share of rays without a surface."""
    scalar = render.scalar
    record = {"scalar_min": scalar.min(), "scalar_max": scalar.max()}
    if is_sdf:
        record["no_crossing"] = ((scalar > 0).all(dim=-1) | (scalar < 0).all(dim=-1)).float().mean()
    record["background"] = render.mask.mean()
    return record
