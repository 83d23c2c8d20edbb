"""The generator: z -> w -> volume-rendered features -> image (paper, Fig. 2).

Training differentiates this module. Pictures come from the engine, which computes the same pixels
faster.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from stylesdf_core.model.config import GeneratorConfig, RenderOptions
from stylesdf_core.model.networks.background_field import InvertedSphereField
from stylesdf_core.model.networks.decoder import Decoder
from stylesdf_core.model.networks.film_siren import FieldOutput, Mapping, SirenField
from stylesdf_core.rendering.camera import FAR, NEAR, OrbitCamera, focal_length
from stylesdf_core.rendering.rays import Rays, make_rays
from stylesdf_core.rendering.surface_noise import ShownSurface, SolidNoise, surface_depth
from stylesdf_core.rendering.trained_volume import (
    BORDER_EDGE,
    BorderBackground,
    TrainedVolume,
)
from stylesdf_core.rendering.volume_rendering import (
    SURFACE_SIGMA,
    Behind,
    composite,
    compositing_weights,
    density_to_sigma,
    sample_depths,
    sample_distances,
    sample_points,
    sdf_to_sigma,
)


@dataclass(frozen=True)
class VolumeRender:
    """A volume render of a batch; H = W = its resolution.

    Attributes:
        rgb: (B, 3, H, W) in [−1, 1].
        features: (B, width, H, W).
        mask: (B, 1, H, W), weight of the background.
        depth: (B, 1, H, W), planar depth of the samples in front of the background.
        xyz: (B, 3, H, W), expected point, world.
        scalar: (B, H, W, N), the field at every sample.
        gradient: (B, H, W, N, 3), of the scalar by world points; None unless asked for.
        behind: (B, 3, H, W) in [−1, 1], the background field's colours as if nothing were in front
            of them; None for a model without.
    """

    rgb: Tensor
    features: Tensor
    mask: Tensor
    depth: Tensor
    xyz: Tensor
    scalar: Tensor
    gradient: Tensor | None = None
    behind: Tensor | None = None


#: Name of a generator's surface level in its state dict, and in a weights file.
SURFACE_LEVEL = "surface_level"


def _at_level_0(network: nn.Module, state: dict[str, Any], prefix: str, *_: object) -> None:
    """States that were saved before generators had a level have their surface at 0."""
    state.setdefault(prefix + SURFACE_LEVEL, torch.zeros(()))


class Generator(nn.Module):
    """Mapping, field and, unless the model is renderer-only, the decoder with its own mapping.

    A model may have a second field, behind the volume.

    Attributes:
        surface_level: (), the signed distance at which the field has its surface, world units. 0 in
            the paper; a fit against true heads may leave the true surface beside it, and training
            on images places it where volume renders show it (:meth:`place_surface`).
    """

    surface_level: Tensor

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.mapping = Mapping(config.z_dim)
        self.field = SirenField(config.z_dim, config.width, config.depth)
        self.decoder = Decoder(config) if config.has_decoder else None
        self.background = (
            InvertedSphereField(config.z_dim, config.width) if config.has_background else None
        )
        self.register_buffer(SURFACE_LEVEL, torch.zeros(()))
        self.register_load_state_dict_pre_hook(_at_level_0)  # type: ignore[no-untyped-call]

    def sigma(self, scalar: Tensor) -> Tensor:
        """Density of the field's scalar: Eq. 3 for a signed distance, softplus for a density."""
        if self.config.field == "density":
            return density_to_sigma(scalar)
        return sdf_to_sigma(scalar, self.field.sigmoid_beta)

    @property
    def surface_scalar(self) -> float:
        """The field's scalar at its surface: the level of a signed distance; or a raw density."""
        if self.config.field == "density":
            return math.log(math.expm1(SURFACE_SIGMA))  # the softplus of it is the density
        return float(self.surface_level)

    @torch.no_grad()
    def place_surface(self) -> None:
        """Move the surface of a signed distance to where volume renders show it.

        A sample at the distance d hides 1 − exp(−σ(d)·δ) of what lies behind it, where δ is the
        distance of a ray's samples. Samples somewhat outside of the zero level hide most of it
        already, so that pictures show heads larger than this level. The surface is placed where a
        sample hides one half, σ(d)·δ = ln 2; by Eq. 3 at d = β·ln(δ/(β·ln 2) − 1). It stays at 0
        for a field so soft that this d lies inside.
        """
        beta = self.field.sigmoid_beta
        spacing = (FAR - NEAR) / self.config.samples
        ratio = spacing / (beta * math.log(2.0)) - 1.0
        self.surface_level.copy_((beta * ratio.clamp_min(1.0).log()).squeeze())

    def volume_render(
        self,
        w: Tensor,
        cam2world: Tensor,
        focal: float,
        options: RenderOptions,
        *,
        resolution: int | None = None,
        jitter: Tensor | None = None,
        trained_fov: float | None = OrbitCamera.fov,
        with_gradient: bool = False,
        patches: Tensor | None = None,
    ) -> VolumeRender:
        """Render the field from a batch of cameras.

        Args:
            w: (B, z_dim), the renderer's latents, or (B, film_layers, z_dim).
            cam2world: (B, 3, 4).
            focal: pixels, at ``resolution``.
            resolution: edge in pixels; None for the model's thumb size.
            jitter: (B, H, W, 1) in [0, 1), see :func:`sample_depths`; None for none.
            trained_fov: half opening angle of the model's training, degrees: what lies beside the
                trained view is background (:class:`TrainedVolume`). None for the cameras of
                training, which see nothing else.
            with_gradient: also give the scalar's gradient by the points, itself differentiable
                (for the eikonal loss).
            patches: (B, 3), parts of the pictures to render, see :func:`make_rays`.
        """
        size = resolution or self.config.thumb_size
        rays = make_rays(
            cam2world,
            focal,
            size,
            static_viewdirs=options.static_viewdirs,
            trained_fov=trained_fov,
            patches=patches,
        )
        batch = w.shape[0]
        samples = options.samples or self.config.samples
        t_vals = sample_depths(samples, w, jitter)
        points = sample_points(rays.origins, rays.directions, t_vals)  # (B, H, W, N, 3)
        outside = torch.zeros(points.shape[:-1], dtype=torch.bool, device=w.device)
        if trained_fov is not None:
            volume = TrainedVolume(cam2world[:, None, None, :, :3], trained_fov)
            outside = ~volume.contains(points)
            points = points.masked_fill(outside[..., None], 0.0)  # no value there is used
        if with_gradient:
            points = points.detach().requires_grad_()
        field = self._evaluate(points, rays, w)
        gradient = None
        if with_gradient:
            (gradient,) = torch.autograd.grad(field.scalar.sum(), points, create_graph=True)
        shape = (batch, size, size, samples)
        scalar = field.scalar.view(shape)
        behind = self._behind(rays, w)
        weights = compositing_weights(
            self.sigma(scalar).masked_fill(outside, 0.0),
            sample_distances(t_vals, rays.directions, endless=behind is None),
            force_background=options.force_background and behind is None,
        )
        rgb, features = field.rgb.view(*shape, 3), field.features.view(*shape, -1)
        if trained_fov is not None and behind is None and bool(outside.any()):
            border = self._border(w, cam2world, options, trained_fov)
            beyond = outside[..., -1]
            weights, rgb, features = (x.clone() for x in (weights, rgb, features))
            weights[..., -1][beyond] = 1.0 - weights[beyond][..., :-1].sum(dim=-1)
            own = beyond.nonzero(as_tuple=True)[0]  # the picture of each ray
            rgb[..., -1, :][beyond] = border.logits[own]
            features[..., -1, :][beyond] = border.features[own]
        result = composite(weights, rgb, features, points, t_vals, behind)
        return VolumeRender(
            rgb=result.rgb.movedim(-1, 1),
            features=result.features.movedim(-1, 1),
            mask=result.mask[:, None],
            depth=result.depth[:, None],
            xyz=result.xyz.movedim(-1, 1),
            scalar=scalar,
            gradient=gradient,
            behind=None if behind is None else 2.0 * behind.rgb.movedim(-1, 1) - 1.0,
        )

    def _border(
        self, w: Tensor, cam2world: Tensor, options: RenderOptions, fov: float
    ) -> BorderBackground:
        """The background around the trained view from the cameras' directions."""
        rotation = cam2world[:, :, :3]
        view = self.volume_render(
            w,
            torch.cat([rotation, rotation[:, :, 2:]], dim=-1),  # cameras that look at the origin
            focal_length(fov, BORDER_EDGE),
            options,
            resolution=BORDER_EDGE,
            trained_fov=None,
        )
        return BorderBackground.around(view.rgb, view.features, view.mask)

    def _behind(self, rays: Rays, w: Tensor) -> Behind | None:
        """What (B, H, W) rays see behind the volume; None for a model without such a field."""
        if self.background is None:
            return None
        shape = rays.directions.shape[:-1]
        flat = (x.flatten(1, 2) for x in (rays.origins, rays.directions))
        seen = self.background(*flat, w)
        return Behind(seen.rgb.view(*shape, 3), seen.features.view(*shape, -1))

    def _evaluate(self, points: Tensor, rays: Rays, w: Tensor) -> FieldOutput:
        batch = points.shape[0]
        viewdirs = rays.viewdirs[..., None, :].expand_as(points)
        output: FieldOutput = self.field(
            points.reshape(batch, -1, 3), viewdirs.reshape(batch, -1, 3), w
        )
        return output

    def shown_surface(
        self,
        render: VolumeRender,
        w: Tensor,
        cam2world: Tensor,
        focal: float,
        *,
        trained_fov: float = OrbitCamera.fov,
    ) -> ShownSurface:
        """The surface in a volume render; the arguments are those that made the render.

        A density field has no surface: the render's depth stands for it.
        """
        size, depth = render.depth.shape[-1], render.depth
        if self.config.field == "sdf":
            rays = make_rays(cam2world, focal, size)

            def scalar(depth: Tensor) -> Tensor:
                points = rays.origins + rays.directions * depth.movedim(1, -1)
                values = self.field.scalar(points.flatten(1, 2), w)
                return values.view_as(depth) - self.surface_level

            depth = surface_depth(depth, scalar)
        slope, trained = 0.5 * size / focal, math.tan(math.radians(trained_fov))
        return ShownSurface(depth, 1.0 - render.mask, cam2world, slope, trained)

    def decode(
        self,
        features: Tensor,
        styles: Tensor,
        options: RenderOptions,
        surface: ShownSurface | None = None,
    ) -> Tensor:
        """Feature map -> image (B, 3, S, S).

        Args:
            styles: (B, n_latent, 512).
            surface: what the features show, see :meth:`shown_surface`; for noise on the surface.

        Raises:
            ValueError: the model has no decoder, or there is no surface for the noise.
        """
        if self.decoder is None:
            raise ValueError("a renderer-only model has no decoder")
        if options.noise == "surface":
            if surface is None:
                raise ValueError("noise on the surface needs the surface")
            noise = SolidNoise(options.noise_seed, features.device)
            maps = noise.maps(surface, self.decoder.fixed_noise())
            image: Tensor = self.decoder(features, styles, maps)
        else:
            image = self.decoder(features, styles, self.noise_maps(options))
        return image

    def noise_maps(self, options: RenderOptions) -> list[Tensor | None]:
        """The decoder's noise maps; random maps are drawn on the CPU from ``noise_seed``.

        Noise on the surface differs from picture to picture: :class:`SolidNoise` makes it.
        """
        assert self.decoder is not None
        fixed = self.decoder.fixed_noise()
        if options.noise == "none":
            return [None] * len(fixed)
        if options.noise == "fixed":
            return list(fixed)
        source = torch.Generator().manual_seed(options.noise_seed)
        return [torch.randn(n.shape, generator=source).to(n) for n in fixed]

    def broadcast_styles(self, w_decoder: Tensor) -> Tensor:
        """One decoder w for all layers: (B, 512) -> (B, n_latent, 512)."""
        return w_decoder[:, None, :].expand(-1, self.config.n_latent, -1)
